package verify

import (
	"cmp"
	"net/netip"
	"slices"

	"firebreak/internal/policy"
	"firebreak/internal/verify/space"
)

// Group is what is one peer in both of two policies: Old and New are its
// indices in the two engines, None where it does not exist. Workloads are the
// names, sorted; empty for addresses.
type Group struct {
	Old, New  Peer
	Workloads []string
	Prefixes  []netip.Prefix // of addresses; what longer prefixes of other groups hold is not theirs
}

// Change is what one pair of groups gains or loses; from and to are indices
// into Delta.Groups.
type Change struct {
	From, To     int
	Gained, Lost []Moved
}

// Moved is a part of the traffic whose verdict is another one now. Was decided
// in the old policy, Is decides in the new one; both are zero where the pair
// did not, or does not, exist.
type Moved struct {
	Set space.Set
	Was By // of the old engine
	Is  By // of the new one
}

// Delta is what one policy permits and another does not. Without Changes the
// two are equivalent.
type Delta struct {
	Groups  []Group
	Changes []Change
}

// Diff compares what two policies to come permit, workload by workload (by
// name) and address by address. The engines must have been made by NewPair.
func Diff(old, new *Engine) Delta { return diff(old, new, false) }

// DiffInForce is Diff for the policies in force.
func DiffInForce(old, new *Engine) Delta { return diff(old, new, true) }

func diff(old, new *Engine, inForce bool) Delta {
	d := Delta{Groups: groups(old, new)}
	memo := map[[2]int]*Change{}
	for i := range d.Groups {
		for j := range d.Groups {
			a, b := &d.Groups[i], &d.Groups[j]
			if a.Workloads == nil && b.Workloads == nil || i == j && len(a.Workloads) == 1 {
				continue
			}
			key := [2]int{classOf(old, a.Old, b.Old), classOf(new, a.New, b.New)}
			c, known := memo[key]
			if !known {
				c = compare(old, new, a, b, inForce)
				memo[key] = c
			}
			if c != nil {
				d.Changes = append(d.Changes, Change{i, j, c.Gained, c.Lost})
			}
		}
	}
	return d
}

// classOf is the class of a pair, with the zones of its ends, whose defaults
// have names; -1 for a pair that does not exist.
func classOf(e *Engine, from, to Peer) int {
	if from == None || to == None {
		return -1
	}
	zones := len(e.p.Zones) + 1
	return (e.Class(from, to)*zones+e.Zone(from)+1)*zones + e.Zone(to) + 1
}

// compare returns nil where nothing is different.
func compare(old, new *Engine, a, b *Group, inForce bool) *Change {
	was, is := parts(old, a.Old, b.Old, inForce), parts(new, a.New, b.New, inForce)
	c := &Change{Gained: moved(was, is, true), Lost: moved(was, is, false)}
	if c.Gained == nil && c.Lost == nil {
		return nil
	}
	return c
}

// parts are those of a pair; where it does not exist nothing passes.
func parts(e *Engine, from, to Peer, inForce bool) []Part {
	if from == None || to == None {
		return []Part{{Set: everything()}}
	}
	return e.Parts(from, to, inForce)
}

func moved(was, is []Part, gained bool) []Moved {
	var out []Moved
	for _, w := range was {
		for _, i := range is {
			if w.Permits == gained || i.Permits != gained {
				continue
			}
			if s := w.Set.Intersect(i.Set); !s.IsEmpty() {
				out = append(out, Moved{s, w.By, i.By})
			}
		}
	}
	return out
}

// groups pairs up the peers of two engines.
func groups(old, new *Engine) []Group {
	type key struct{ old, new Peer }
	at := map[key]int{}
	var out []Group
	group := func(k key) *Group {
		i, known := at[k]
		if !known {
			i = len(out)
			at[k] = i
			out = append(out, Group{Old: k.old, New: k.new})
		}
		return &out[i]
	}
	both(old.p, new.p, func(name string, i, j int) {
		k := key{None, None}
		if i >= 0 {
			k.old = old.OfWorkload(i)
		}
		if j >= 0 {
			k.new = new.OfWorkload(j)
		}
		g := group(k)
		g.Workloads = append(g.Workloads, name)
	})
	for _, prefix := range regions(old, new) {
		k := key{old.ofPrefix(prefix), new.ofPrefix(prefix)}
		if k.old != None || k.new != None {
			g := group(k)
			g.Prefixes = append(g.Prefixes, prefix)
		}
	}
	for _, name := range namedExternals(old.p, new.p) {
		group(key{old.OfName(name), new.OfName(name)})
	}
	return out
}

// both visits the workloads of two policies by name; -1 is for one that the
// policy does not have.
func both(a, b *policy.Policy, visit func(name string, i, j int)) {
	x, y := a.Inventory.Workloads, b.Inventory.Workloads
	for i, j := 0, 0; i < len(x) || j < len(y); {
		switch {
		case j == len(y) || i < len(x) && x[i].Name < y[j].Name:
			visit(x[i].Name, i, -1)
			i++
		case i == len(x) || y[j].Name < x[i].Name:
			visit(y[j].Name, -1, j)
			j++
		default:
			visit(x[i].Name, i, j)
			i, j = i+1, j+1
		}
	}
}

func namedExternals(of ...*policy.Policy) []string {
	var out []string
	for _, p := range of {
		for _, x := range p.Externals {
			if len(x.FQDNs) > 0 {
				out = append(out, x.Name)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// regions lists the prefixes that either policy tells apart, but for those of
// which longer ones leave nothing.
func regions(old, new *Engine) []netip.Prefix {
	var all []netip.Prefix
	for _, e := range []*Engine{old, new} {
		for p := range e.addresses.prefixes {
			all = append(all, p)
		}
	}
	return unfilled(all)
}

// unfilled returns, sorted and each once, the prefixes of which longer ones
// among them leave something. It sorts what it is given.
func unfilled(all []netip.Prefix) []netip.Prefix {
	slices.SortFunc(all, func(p, q netip.Prefix) int {
		return cmp.Or(p.Addr().Compare(q.Addr()), cmp.Compare(p.Bits(), q.Bits()))
	})
	all = slices.Compact(all)
	var out []netip.Prefix
	for i, p := range all {
		longer := all[i+1:] // those within p come next
		n, _ := slices.BinarySearchFunc(longer, p, func(q, p netip.Prefix) int {
			if p.Contains(q.Addr()) {
				return -1
			}
			return 1
		})
		if !filled(p, longer[:n]) {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, netip.Prefix.Compare)
	return out
}

// filled reports whether prefixes within p, sorted by address and length, leave
// nothing of it.
func filled(p netip.Prefix, within []netip.Prefix) bool {
	if len(within) == 0 {
		return false
	}
	if within[0] == p {
		return true
	}
	lo := netip.PrefixFrom(p.Addr(), p.Bits()+1)
	hi := upper(lo)
	n, _ := slices.BinarySearchFunc(within, hi.Addr(), func(q netip.Prefix, a netip.Addr) int { return q.Addr().Compare(a) })
	return n > 0 && n < len(within) && filled(lo, within[:n]) && filled(hi, within[n:])
}

// upper is the prefix that follows one that is the lower half of another.
func upper(lo netip.Prefix) netip.Prefix {
	b := lo.Addr().AsSlice()
	bit := lo.Bits() - 1
	b[bit/8] |= 0x80 >> (bit % 8)
	a, _ := netip.AddrFromSlice(b)
	return netip.PrefixFrom(a, lo.Bits())
}

// ofPrefix is the peer of the addresses in a prefix that are in no longer one;
// None for what is built in.
func (e *Engine) ofPrefix(p netip.Prefix) Peer {
	for _, n := range e.addresses.lengths {
		if n > p.Bits() {
			continue
		}
		shorter, _ := p.Addr().Prefix(n)
		if found, ok := e.addresses.prefixes[shorter]; ok {
			if found.Builtin != "" {
				return None
			}
			return e.peers.byKey[addressKey(e.p, found)]
		}
	}
	return None
}

// SortChanges puts the changes with the most workloads first.
func (d *Delta) SortChanges() {
	size := func(c Change) int {
		return max(1, len(d.Groups[c.From].Workloads)) * max(1, len(d.Groups[c.To].Workloads))
	}
	slices.SortStableFunc(d.Changes, func(a, b Change) int { return cmp.Compare(size(b), size(a)) })
}
