package nftables

import (
	"cmp"
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

// only reports whether a span holds nothing but workloads' addresses.
func (x *inventoryIndex) only(f int, s span) bool {
	lo, hi := x.within(f, s)
	at := s.lo
	for i := lo; i < hi; i++ {
		if x.addrs[f][i] != at {
			return false
		}
		at = at.Next()
	}
	return hi > lo && x.addrs[f][hi-1] == s.hi
}

// answers are what a chain says to one or more workloads.
type answers struct {
	key   string
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

// answers turns the entries of a workload's addresses, by family, into rules.
func (l *lifter) answers(lists [2][][]entry, w int) *answers {
	key := l.keyOf(lists)
	a := l.said[key]
	if a == nil {
		r := &resolver{l: l, lists: lists}
		a = &answers{key: strconv.Itoa(len(l.said))}
		a.tiers = r.tiers()
		a.open = r.open
		l.said[key] = a
	}
	return a
}

// keyOf is what two workloads' entries must have in common to be one answer.
func (l *lifter) keyOf(lists [2][][]entry) string {
	var all, one []byte
	seen := map[string]bool{}
	for f := range lists {
		for _, list := range lists[f] {
			one = append(one[:0], byte(f))
			for i := range list {
				one = l.appendEntry(one, &list[i])
			}
			if !seen[string(one)] {
				seen[string(one)] = true
				all = append(binary.AppendUvarint(all, uint64(len(one))), one...)
			}
		}
	}
	return string(all)
}

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
	at    [2][][]*told // by family, list and set of entries; see signatures
}

// told are pieces that are kept once.
type told struct {
	id     int
	text   string
	pieces []piece
}

// said is what some peers are told: by each pair of addresses, in pieces.
type said struct {
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
		fmt.Fprintln(&b, x.traffic, x.allow, x.unknown, refOf(x.rule).Policy, refOf(x.rule).Rule)
	}
	return b.String()
}

// touchedWorkloads finds the workloads that some area speaks of.
func (r *resolver) touchedWorkloads(classes map[string]*said) {
	x := &r.l.peers
	touched := make([]bool, len(x.inv.Workloads))
	var at [2][][]int32 // by family, list and address: which entries hold it
	for f := range r.lists {
		for i := range r.lists[f] {
			at[f] = append(at[f], r.signatures(f, i, touched))
		}
	}
	byIDs := map[string]*said{}
	var ids []byte
	for w, is := range touched {
		if !is {
			continue
		}
		ids = ids[:0]
		var of []*told
		for _, a := range x.places[w] {
			for i := range r.lists[a.f] {
				t := r.at[a.f][i][at[a.f][i][a.k]]
				if !slices.Contains(of, t) {
					of = append(of, t)
				}
			}
		}
		if len(of) == 0 {
			continue
		}
		slices.SortFunc(of, func(a, b *told) int { return cmp.Compare(a.id, b.id) })
		for _, t := range of {
			ids = binary.AppendUvarint(ids, uint64(t.id))
		}
		c := byIDs[string(ids)]
		if c == nil {
			s := map[string][]piece{}
			for _, t := range of {
				s[t.text] = t.pieces
			}
			c = classOf(classes, s)
			byIDs[string(ids)] = c
		}
		c.workloads = append(c.workloads, w)
	}
}

// signatures says of every address of a workload which entries of a list hold
// it: the number of a set of entries, whose pieces are in r.at. The sets are
// found step by step: by the set before, and the entry that is added.
func (r *resolver) signatures(f, i int, touched []bool) []int32 {
	x := &r.l.peers
	sig := make([]int32, len(x.addrs[f]))
	sets := [][]int{nil}
	step := map[[2]int32]int32{}
	for n := range r.lists[f][i] {
		a := r.lists[f][i][n].peer
		if a == wholeArea[f] {
			continue
		}
		for _, s := range a.spans {
			lo, hi := x.within(f, s)
			for k := lo; k < hi; k++ {
				key := [2]int32{sig[k], int32(n)}
				next, known := step[key]
				if !known {
					next = int32(len(sets))
					sets = append(sets, append(slices.Clone(sets[sig[k]]), n))
					step[key] = next
				}
				sig[k] = next
				for _, w := range x.owners[f][k] {
					touched[w] = true
				}
			}
		}
	}
	pieces := make([]*told, len(sets))
	for n, in := range sets {
		pieces[n] = r.pieces(f, i, in)
	}
	r.at[f] = append(r.at[f], pieces)
	return sig
}

func classOf(classes map[string]*said, pieces map[string][]piece) *said {
	keys := make([]string, 0, len(pieces))
	for k := range pieces {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	key := strings.Join(keys, "\x00")
	c := classes[key]
	if c == nil {
		c = &said{pieces: pieces}
		classes[key] = c
	}
	return c
}

// touchedAddresses finds the addresses of no workload that some area speaks of.
// A workload without addresses may turn up wherever those are in the networks.
func (r *resolver) touchedAddresses(classes map[string]*said) {
	anywhere := map[string][]piece{}
	for f := range r.lists {
		for _, s := range r.elementary(f) {
			pieces := map[string][]piece{}
			for i, list := range r.lists[f] {
				var in []int
				for n := range list {
					if list[n].peer != wholeArea[f] && list[n].peer.has(s.lo) {
						in = append(in, n)
					}
				}
				p := r.pieces(f, i, in)
				pieces[p.text] = p.pieces
				if r.inNetworks(s) {
					anywhere[p.text] = p.pieces
				}
			}
			c := classOf(classes, pieces)
			c.prefixes = append(c.prefixes, s.prefixes()...)
		}
	}
	if len(anywhere) > 0 && len(r.l.peers.bare) > 0 {
		for f := range r.lists {
			for i := range r.lists[f] {
				p := r.pieces(f, i, nil)
				anywhere[p.text] = p.pieces
			}
		}
		c := classOf(classes, anywhere)
		c.workloads = append(c.workloads, r.l.peers.bare...)
	}
}

func (r *resolver) inNetworks(s span) bool {
	if len(r.l.src.Networks) == 0 {
		return true
	}
	return slices.ContainsFunc(r.l.src.Networks, func(n netip.Prefix) bool {
		return n.Addr().Is4() == s.lo.Is4() && n.Masked().Addr().Compare(s.hi) <= 0 && s.lo.Compare(endOf(n.Masked())) <= 0
	})
}

// elementary divides what areas speak of beside workloads into runs that all of
// them hold wholly or not at all.
func (r *resolver) elementary(f int) []span {
	var of []*area
	var borders []netip.Addr
	var covered []span
	for _, list := range r.lists[f] {
		for n := range list {
			a := list[n].peer
			if a == wholeArea[f] || slices.Contains(of, a) {
				continue
			}
			of = append(of, a)
			for _, s := range a.spans {
				if r.l.peers.only(f, s) {
					continue
				}
				covered = append(covered, s)
				borders = append(borders, s.lo)
				if next := s.hi.Next(); next.IsValid() {
					borders = append(borders, next)
				}
			}
		}
	}
	slices.SortFunc(borders, netip.Addr.Compare)
	borders = slices.Compact(borders)
	all := areaOf(covered)
	var out []span
	for i, lo := range borders {
		if !all.has(lo) {
			continue
		}
		hi := wholeArea[f].spans[0].hi
		if i+1 < len(borders) {
			hi = borders[i+1].Prev()
		}
		out = append(out, span{lo, hi})
	}
	return out
}

func (r *resolver) matchOf(c *said) layer.Match {
	var m layer.Match
	if len(c.workloads) > 0 {
		names := make([]string, len(c.workloads))
		for i, w := range c.workloads {
			names[i] = r.l.src.Inventory.Workloads[w].Name
		}
		slices.Sort(names)
		m = append(m, layer.Term{Workloads: slices.Compact(names)})
	}
	if len(c.prefixes) > 0 {
		m = append(m, layer.Term{Address: true, Prefixes: c.prefixes})
	}
	return m
}

// write adds the rules about some peers, from that tier on, and reports whether
// all passes.
func (r *resolver) write(tier int, peer layer.Match, said map[string][]piece) bool {
	if len(said) == 1 {
		for _, pieces := range said {
			r.inOrder(tier, peer, pieces)
		}
	} else if len(said) > 1 {
		r.mixed(tier, peer, said)
	}
	return r.passes(said)
}

func (r *resolver) put(tier int, rule layer.Rule) {
	for len(r.out) <= tier {
		r.out = append(r.out, nil)
	}
	r.out[tier] = append(r.out[tier], rule)
}

func effect(allow bool) layer.Effect {
	if allow {
		return layer.Allow
	}
	return layer.Deny
}

// inOrder writes pieces so that each is asked before those behind it, as far as
// they overlap.
func (r *resolver) inOrder(tier int, peer layer.Match, pieces []piece) {
	fresh := true
	for _, p := range pieces {
		if p.unknown != "" && !fresh {
			tier++
		}
		r.put(tier, layer.Rule{Ref: refOf(p.rule), Effect: effect(p.allow), Subject: layer.Everything(), Peer: peer, Traffic: p.traffic, Unknown: p.unknown})
		if fresh = false; p.unknown != "" {
			tier++
			fresh = true
		}
	}
}

// mixed writes what peers are told by different pairs of addresses: what all
// agree on is known.
func (r *resolver) mixed(tier int, peer layer.Match, said map[string][]piece) {
	surely, perhaps := everything, netset.None()
	why, ref := "", flow.Rule{}
	for _, pieces := range said {
		lower, upper := bounds(pieces)
		surely, perhaps = surely.Intersect(lower), perhaps.Union(upper)
		for _, p := range pieces {
			if p.unknown > why {
				why = p.unknown
			}
			if p.allow && (ref.Rule == "" || p.rule != nil && p.rule.ref.Line < ref.Line) {
				ref = refOf(p.rule)
			}
		}
	}
	if why == "" {
		why = "its addresses are not treated alike, and which one a conversation is with is not known"
	}
	rule := layer.Rule{Ref: ref, Effect: layer.Allow, Subject: layer.Everything(), Peer: peer, Traffic: surely}
	if !surely.IsEmpty() {
		r.put(tier, rule)
	}
	if rule.Traffic = perhaps.Subtract(surely); !rule.Traffic.IsEmpty() {
		rule.Unknown = why
		r.put(tier+1, rule)
	}
	if rule.Traffic = everything.Subtract(surely); !rule.Traffic.IsEmpty() {
		rule.Ref, rule.Unknown, rule.Effect = flow.Rule{Rule: "policy"}, "", layer.Deny
		r.put(tier+2, rule)
	}
}

// bounds are what pieces surely permit, and what they may permit.
func bounds(pieces []piece) (lower, upper netset.Traffic) {
	lower, upper = netset.None(), netset.None()
	denied, doubted := netset.None(), netset.None() // surely, perhaps
	for _, p := range pieces {
		switch {
		case p.allow && p.unknown == "":
			lower = lower.Union(p.traffic.Subtract(doubted))
			upper = upper.Union(p.traffic.Subtract(denied))
		case p.allow:
			upper = upper.Union(p.traffic.Subtract(denied))
		case p.unknown == "":
			denied = denied.Union(p.traffic)
		default:
			doubted = doubted.Union(p.traffic)
		}
	}
	return lower, upper
}
