package prove

import (
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"

	"firebreak/internal/label"
	"firebreak/internal/layer"
)

// members are the elements that a Match surely matches, and those that it
// perhaps does: yes is in may, and the same if nothing is unknown.
type members struct {
	yes, may *roaring.Bitmap
	peer     bool // some rule's peer is so matched
	all      bool // everything is surely matched
}

// index knows the elements by everything that terms ask for. It is immutable and
// safe for concurrent use.
type index struct {
	u          *universe
	workloads  *roaring.Bitmap
	addresses  *roaring.Bitmap // regions
	named      *roaring.Bitmap // names
	everything *roaring.Bitmap

	byKey       map[string]*roaring.Bitmap
	byLabel     map[[2]string]*roaring.Bitmap
	byPrincipal map[string]*roaring.Bitmap
	byName      map[string]uint32
	places      []place // sorted by address
	nowhere     *roaring.Bitmap
}

// matcher evaluates Matches for all elements at once, each once.
type matcher struct {
	*index
	at       map[matchAt]*members // by where a Match is in memory
	known    map[string]*members  // by what append makes of it
	inner    map[string]*members  // likewise, of parts of others: they tell nobody apart by themselves
	order    []*members
	selected map[string]*roaring.Bitmap
	texts    map[*label.Selector]string
	lists    map[any]uint64               // long lists, by their first element
	digests  map[[sha256.Size]byte]uint64 // and by what is in them
	room     []byte
	key      []byte
}

func newMatcher(x *index) *matcher {
	return &matcher{
		index: x, at: map[matchAt]*members{}, known: map[string]*members{}, inner: map[string]*members{}, selected: map[string]*roaring.Bitmap{},
		texts: map[*label.Selector]string{}, lists: map[any]uint64{}, digests: map[[sha256.Size]byte]uint64{},
	}
}

// place is an address of a workload.
type place struct {
	addr     netip.Addr
	workload uint32
}

func newIndex(u *universe) *index {
	m := &index{
		u: u, byKey: map[string]*roaring.Bitmap{}, byLabel: map[[2]string]*roaring.Bitmap{}, byPrincipal: map[string]*roaring.Bitmap{},
		byName: make(map[string]uint32, len(u.inv.Workloads)), nowhere: roaring.New(),
	}
	w, r := uint64(len(u.inv.Workloads)), uint64(len(u.regions))
	m.workloads, m.addresses, m.named, m.everything = roaring.New(), roaring.New(), roaring.New(), roaring.New()
	m.workloads.AddRange(0, w)
	m.addresses.AddRange(w, w+r)
	m.named.AddRange(w+r, uint64(u.elements()))
	m.everything.AddRange(0, uint64(u.elements()))
	for i := range u.inv.Workloads {
		x := &u.inv.Workloads[i]
		m.byName[x.Name] = uint32(i)
		for k, v := range x.Labels {
			into(m.byKey, k).Add(uint32(i))
			into(m.byLabel, [2]string{k, v}).Add(uint32(i))
		}
		for _, p := range x.Principals() {
			into(m.byPrincipal, p).Add(uint32(i))
		}
		for _, a := range x.Addresses {
			m.places = append(m.places, place{a, uint32(i)})
		}
		if len(x.Addresses) == 0 {
			m.nowhere.Add(uint32(i))
		}
	}
	slices.SortFunc(m.places, func(a, b place) int { return a.addr.Compare(b.addr) })
	return m
}

func into[K comparable](at map[K]*roaring.Bitmap, k K) *roaring.Bitmap {
	b := at[k]
	if b == nil {
		b = roaring.New()
		at[k] = b
	}
	return b
}

// matchAt tells Matches apart without looking into them.
type matchAt struct {
	first *layer.Term
	n     int
}

// of evaluates a Match, or remembers.
func (m *matcher) of(x layer.Match) *members {
	if len(x) == 0 {
		return m.byContent(x)
	}
	at := matchAt{&x[0], len(x)}
	out := m.at[at]
	if out == nil {
		out = m.byContent(x)
		m.at[at] = out
	}
	return out
}

func (m *matcher) byContent(x layer.Match) *members {
	m.key = m.append(m.key[:0], x)
	if known := m.known[string(m.key)]; known != nil {
		return known
	}
	key := string(m.key)
	out := m.match(x)
	m.known[key] = out
	m.order = append(m.order, out)
	return out
}

// asPeer is of, for the other ends of conversations.
func (m *matcher) asPeer(x layer.Match) *members {
	out := m.of(x)
	out.peer = true
	return out
}

// bitmaps lists everything that tells elements apart, or peers only; each once.
func (m *matcher) bitmaps(peers bool) []*roaring.Bitmap {
	var out []*roaring.Bitmap
	seen := map[*roaring.Bitmap]bool{}
	for _, x := range m.order {
		if peers && !x.peer {
			continue
		}
		for _, b := range [2]*roaring.Bitmap{x.yes, x.may} {
			if !seen[b] {
				seen[b] = true
				out = append(out, b)
			}
		}
	}
	return out
}

// labelled lists who has which value of a label.
func (m *index) labelled(key string) []*roaring.Bitmap {
	var out []*roaring.Bitmap
	for at, b := range m.byLabel {
		if at[0] == key {
			out = append(out, b)
		}
	}
	return out
}

// speaking lists who has an address of which family, and who has none.
func (m *index) speaking() []*roaring.Bitmap {
	four, six := roaring.New(), roaring.New()
	for _, p := range m.places {
		if p.addr.Unmap().Is4() {
			four.Add(p.workload)
		} else {
			six.Add(p.workload)
		}
	}
	return []*roaring.Bitmap{four, six, m.nowhere}
}

func (m *matcher) match(x layer.Match) *members {
	if len(x) == 1 {
		yes, may := m.term(&x[0])
		return m.members(yes, may)
	}
	yes, may := roaring.New(), roaring.New()
	same := true
	for i := range x {
		t := m.part(x[i : i+1])
		yes.Or(t.yes)
		if same = same && t.yes == t.may; !same {
			may.Or(t.may)
		}
	}
	if same {
		return m.members(yes, yes)
	}
	may.Or(yes) // those before the first that differed
	return m.members(yes, may)
}

func (m *matcher) members(yes, may *roaring.Bitmap) *members {
	if yes == may || yes.Equals(may) {
		return &members{yes: may, may: may, all: may == m.everything || may.Equals(m.everything)}
	}
	return &members{yes: yes, may: may}
}

// term evaluates one term. The bitmaps are not to be changed: they may be one,
// or known to others.
func (m *matcher) term(t *layer.Term) (yes, may *roaring.Bitmap) {
	base := m.everything
	and := func(b *roaring.Bitmap) {
		if base == m.everything {
			base = b
			return
		}
		base = roaring.And(base, b)
	}
	if t.Workload {
		and(m.workloads)
	}
	if t.Address || t.Names != nil {
		base = roaring.AndNot(base, m.workloads)
	}
	if t.Names != nil {
		named := roaring.New()
		for i, n := range m.u.names {
			if slices.Contains(t.Names, n) {
				named.Add(uint32(len(m.u.inv.Workloads) + len(m.u.regions) + i))
			}
		}
		and(named)
	}
	if t.Workloads != nil {
		and(m.these(t.Workloads))
	}
	if t.Select != nil {
		and(m.selector(t.Select))
	}
	if t.Principals != nil {
		and(m.principals(t.Principals))
	}
	yes, may = base, base
	if t.Prefixes != nil {
		yes, may = m.prefixes(t)
		if base != m.everything {
			yes, may = roaring.And(base, yes), roaring.And(base, may)
		}
	}
	if len(t.Not) > 0 {
		n := m.part(t.Not)
		same := yes == may && n.yes == n.may
		yes = roaring.AndNot(yes, n.may)
		if may = roaring.AndNot(may, n.yes); same {
			may = yes
		}
	}
	return yes, may
}

// part evaluates what is a part of a Match, or remembers.
func (m *matcher) part(x layer.Match) *members {
	var room [128]byte
	key := m.append(room[:0], x)
	out := m.inner[string(key)]
	if out == nil {
		out = m.match(x)
		m.inner[string(key)] = out
	}
	return out
}

// these are the workloads of some names.
func (m *index) these(names []string) *roaring.Bitmap {
	list := make([]uint32, 0, len(names))
	for _, n := range names {
		if i, known := m.byName[n]; known {
			list = append(list, i)
		}
	}
	return roaring.BitmapOf(list...)
}

// text is a selector's, worked out once for each place in memory.
func (m *matcher) text(s *label.Selector) string {
	text, known := m.texts[s]
	if !known {
		text = s.String()
		m.texts[s] = text
	}
	return text
}

func (m *matcher) selector(s *label.Selector) *roaring.Bitmap {
	key := m.text(s)
	if b := m.selected[key]; b != nil {
		return b
	}
	out := m.workloads.Clone()
	for _, r := range s.Requirements() {
		b := roaring.New()
		if r.Op == label.Exists || r.Op == label.NotExists {
			if have := m.byKey[r.Key]; have != nil {
				b = have
			}
		} else {
			for _, v := range r.Values {
				if have := m.byLabel[[2]string{r.Key, v}]; have != nil {
					b.Or(have)
				}
			}
		}
		if r.Op == label.In || r.Op == label.Exists {
			out.And(b)
		} else {
			out.AndNot(b)
		}
	}
	m.selected[key] = out
	return out
}

func (m *index) principals(patterns []string) *roaring.Bitmap {
	out := roaring.New()
	for _, p := range patterns {
		if !strings.Contains(p, "*") {
			if have := m.byPrincipal[p]; have != nil {
				out.Or(have)
			}
			continue
		}
		for name, have := range m.byPrincipal {
			if layer.Glob(p, name) {
				out.Or(have)
			}
		}
	}
	return out
}

// append appends what tells Matches apart: two with the same bytes match the
// same. Long lists go by their digests.
func (m *matcher) append(b []byte, x layer.Match) []byte {
	b = binary.AppendUvarint(b, uint64(len(x)))
	for i := range x {
		t := &x[i]
		b = appendList(m, b, t.Workloads, appendText)
		if t.Select != nil {
			b = appendText(append(b, 1), m.text(t.Select))
		} else {
			b = append(b, 0)
		}
		b = appendList(m, b, t.Principals, appendText)
		b = appendList(m, b, t.Prefixes, appendPrefix)
		b = appendList(m, b, t.Except, appendPrefix)
		b = appendList(m, b, t.Names, appendText)
		flags := byte(0)
		if t.Workload {
			flags |= 1
		}
		if t.Address {
			flags |= 2
		}
		b = m.append(append(b, flags), t.Not)
	}
	return b
}

const shortList = 16

func appendList[E any](m *matcher, b []byte, list []E, one func([]byte, E) []byte) []byte {
	switch {
	case list == nil:
		return append(b, 0)
	case len(list) > shortList:
		n, known := m.lists[&list[0]]
		if !known {
			m.room = m.room[:0]
			for _, x := range list {
				m.room = one(m.room, x)
			}
			digest := sha256.Sum256(m.room)
			if n, known = m.digests[digest]; !known {
				n = uint64(len(m.digests))
				m.digests[digest] = n
			}
			m.lists[&list[0]] = n
		}
		b = binary.AppendUvarint(append(b, 2), n)
		return binary.AppendUvarint(b, uint64(len(list)))
	}
	b = binary.AppendUvarint(append(b, 1), uint64(len(list)))
	for _, x := range list {
		b = one(b, x)
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendPrefix(b []byte, p netip.Prefix) []byte {
	raw := p.Addr().As16()
	flag := byte(0)
	if p.Addr().Is4() {
		flag = 1
	}
	return append(append(b, raw[:]...), flag, byte(p.Bits()))
}
