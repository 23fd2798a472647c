package nftables

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
)

var everything = netset.All()

// inventoryIndex finds the workloads of addresses.
type inventoryIndex struct {
	inv    *inventory.Snapshot
	addrs  [2][]netip.Addr // sorted, each once
	owners [2][][]int
	bare   []int // workloads without addresses
	places [][]place
}

// place is an address in the index.
type place struct{ f, k int }

func indexOf(inv *inventory.Snapshot) inventoryIndex {
	x := inventoryIndex{inv: inv}
	owners := map[netip.Addr][]int{}
	for w := range inv.Workloads {
		if len(inv.Workloads[w].Addresses) == 0 {
			x.bare = append(x.bare, w)
		}
		for _, a := range inv.Workloads[w].Addresses {
			owners[plain(a)] = append(owners[plain(a)], w)
		}
	}
	for a := range owners {
		x.addrs[familyOf(a)] = append(x.addrs[familyOf(a)], a)
	}
	x.places = make([][]place, len(inv.Workloads))
	for f := range x.addrs {
		slices.SortFunc(x.addrs[f], netip.Addr.Compare)
		for _, a := range x.addrs[f] {
			for _, w := range owners[a] {
				x.places[w] = append(x.places[w], place{f, len(x.owners[f])})
			}
			x.owners[f] = append(x.owners[f], owners[a])
		}
	}
	return x
}

// within returns which of a family's addresses are in a span: indices lo to hi-1.
func (x *inventoryIndex) within(f int, s span) (lo, hi int) {
	lo, _ = slices.BinarySearchFunc(x.addrs[f], s.lo, netip.Addr.Compare)
	hi, found := slices.BinarySearchFunc(x.addrs[f], s.hi, netip.Addr.Compare)
	if found {
		hi++
	}
	return lo, hi
}

// in returns which of a family's addresses are in an area, and those of its spans
// that hold others too.
func (x *inventoryIndex) in(f int, a *area) (at []int32, rest []span) {
	for _, s := range a.spans {
		lo, hi := x.within(f, s)
		for k := lo; k < hi; k++ {
			at = append(at, int32(k))
		}
		if !x.only(s, x.addrs[f][lo:hi]) {
			rest = append(rest, s)
		}
	}
	return at, rest
}

// only reports whether a span holds nothing but some addresses.
func (x *inventoryIndex) only(s span, addrs []netip.Addr) bool {
	at := s.lo
	for _, a := range addrs {
		if a != at {
			return false
		}
		at = a.Next()
	}
	return len(addrs) > 0 && addrs[len(addrs)-1] == s.hi
}

// answers are what a chain says to one or more workloads.
type answers struct {
	open  bool // everything passes
	tiers [][]layer.Rule
}

// piece is traffic and what becomes of it.
type piece struct {
	traffic netset.Traffic
	allow   bool
	unknown string
	rule    *statements
}

// appendEntry writes what tells entries apart.
func (l *lifter) appendEntry(b []byte, e *entry) []byte {
	if n := len(e.peer.spans); n < 8 {
		b = append(b, byte(n))
		for _, s := range e.peer.spans {
			b = append(append(b, s.lo.AsSlice()...), s.hi.AsSlice()...)
		}
	} else { // those that sets hold are the same by pointer
		id, known := l.ids[e.peer]
		if !known {
			id = len(l.ids)
			l.ids[e.peer] = id
		}
		b = binary.AppendUvarint(append(b, 8), uint64(id))
	}
	for proto, ports := range e.traffic.Runs() {
		b = binary.BigEndian.AppendUint16(append(b, 1, byte(proto)), ports.Lo)
		b = binary.BigEndian.AppendUint16(b, ports.Hi)
	}
	b = strconv.AppendBool(append(b, 0), e.allow)
	b = append(append(b, e.unknown...), 0)
	if e.rule == nil {
		return append(b, 0)
	}
	b = append(append(append(b, 1), e.rule.ref.Policy...), 0)
	return append(append(b, e.rule.ref.Rule...), 0)
}

// resolver works out what a workload's entries say to every peer.
type resolver struct {
	l     *lifter
	lists [2][][]entry
	open  bool
	out   [][]layer.Rule
	known map[string]*told
	ids   map[string]*told
	at    [2][]*signatures // by family and list
}

// told are pieces that are kept once.
type told struct {
	id     int
	text   string
	pieces []piece
}

// said is what some peers are told: by each pair of addresses, in pieces.
type said struct {
	kinds     []int32
	workloads []int
	prefixes  []netip.Prefix
	pieces    map[string][]piece
}

func (r *resolver) tiers() [][]layer.Rule {
	r.known, r.ids = map[string]*told{}, map[string]*told{}
	classes := map[string]*said{}
	r.touchedWorkloads(classes)
	r.touchedAddresses(classes)
	keys := make([]string, 0, len(classes))
	for k := range classes {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	plainest := true
	for _, k := range keys {
		plainest = r.write(0, r.matchOf(classes[k]), classes[k].pieces) && plainest
	}
	rest := map[string][]piece{}
	for f := range r.lists {
		for i := range r.lists[f] {
			p := r.pieces(f, i, nil)
			rest[p.text] = p.pieces
		}
	}
	r.open = plainest && len(rest) <= 1 && r.passes(rest)
	last := len(r.out)
	if len(rest) == 1 || len(r.lists[0])+len(r.lists[1]) <= 1 {
		r.write(last, layer.Everything(), rest)
		return r.out
	}
	r.byFamily(last)
	return r.out
}

// passes reports whether all of what is said is that everything passes.
func (r *resolver) passes(said map[string][]piece) bool {
	for _, pieces := range said {
		for _, p := range pieces {
			if !p.allow {
				return false
			}
		}
	}
	return true
}

// byFamily says what is left to say where the families differ.
func (r *resolver) byFamily(tier int) {
	groups := map[string]*said{}
	for w := range r.l.src.Inventory.Workloads {
		var has [2]bool
		for _, a := range r.l.src.Inventory.Workloads[w].Addresses {
			has[familyOf(plain(a))] = true
		}
		if !has[0] && !has[1] {
			has = [2]bool{true, true}
		}
		g := groups[fmt.Sprint(has)]
		if g == nil {
			g = &said{pieces: map[string][]piece{}}
			groups[fmt.Sprint(has)] = g
			for f := range r.lists {
				for i := range r.lists[f] {
					if has[f] {
						p := r.pieces(f, i, nil)
						g.pieces[p.text] = p.pieces
					}
				}
			}
		}
		g.workloads = append(g.workloads, w)
	}
	for _, k := range []string{"[true true]", "[true false]", "[false true]"} {
		if g := groups[k]; g != nil && len(g.pieces) > 0 {
			r.write(tier, r.matchOf(g), g.pieces)
		}
	}
	for f, all := range []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)} {
		p := map[string][]piece{}
		for i := range r.lists[f] {
			one := r.pieces(f, i, nil)
			p[one.text] = one.pieces
		}
		if len(p) > 0 {
			r.write(tier, layer.Match{{Address: true, Prefixes: []netip.Prefix{all}}}, p)
		}
	}
}

// pieces evaluates a list for peers that are in those of its entries' areas that
// are not whole.
func (r *resolver) pieces(f, i int, in []int) *told {
	key := r.keyFor(f, i, in)
	if p, known := r.known[key]; known {
		return p
	}
	left := everything
	var out []piece
	for n := range r.lists[f][i] {
		e := &r.lists[f][i][n]
		if e.peer != wholeArea[f] && !slices.Contains(in, n) {
			continue
		}
		t := e.traffic.Intersect(left)
		if t.IsEmpty() {
			continue
		}
		if e.unknown == "" {
			left = left.Subtract(t)
		}
		if k := len(out) - 1; k >= 0 && e.unknown == "" && out[k].unknown == "" && out[k].allow == e.allow && refOf(out[k].rule) == refOf(e.rule) {
			out[k].traffic = out[k].traffic.Union(t)
			continue
		}
		out = append(out, piece{t, e.allow, e.unknown, e.rule})
	}
	text := describe(out)
	t := r.ids[text]
	if t == nil {
		t = &told{len(r.ids), text, out}
		r.ids[text] = t
	}
	r.known[key] = t
	return t
}

func (r *resolver) keyFor(f, i int, in []int) string {
	key := binary.AppendUvarint([]byte{byte(f)}, uint64(i))
	for _, n := range in {
		key = binary.AppendUvarint(key, uint64(n))
	}
	return string(key)
}

func refOf(s *statements) flow.Rule {
	if s == nil {
		return flow.Rule{Rule: "policy"}
	}
	return s.ref
}

func describe(p []piece) string {
	var b strings.Builder
	for _, x := range p {
		ref := refOf(x.rule)
		for _, word := range []string{x.traffic.String(), strconv.FormatBool(x.allow), x.unknown, ref.Policy, ref.Rule} {
			b.WriteString(word)
			b.WriteByte('\n')
		}
	}
	return b.String()
}
