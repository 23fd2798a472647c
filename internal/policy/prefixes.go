package policy

import (
	"maps"
	"net/netip"
	"slices"
)

// PrefixPeer says what the addresses are that match Prefix longest and belong
// to no workload. Exactly one holds: Unknown, Builtin is not empty, Externals
// is not empty, or none of them, which is the rest of the world.
type PrefixPeer struct {
	Prefix    netip.Prefix
	Unknown   bool   // inside the estate's networks
	Builtin   string // "loopback", "metadata", "resolver", or empty
	Externals []int  // indices into Policy.Externals of all that contain it, ascending
}

// builtins are the addresses that no rule matches and that are always
// permitted.
var builtins = [...]PrefixPeer{
	{Prefix: netip.MustParsePrefix("127.0.0.0/8"), Builtin: "loopback"},
	{Prefix: netip.MustParsePrefix("::1/128"), Builtin: "loopback"},
	{Prefix: netip.MustParsePrefix("169.254.169.254/32"), Builtin: "metadata"},
	{Prefix: netip.MustParsePrefix("fd00:ec2::254/128"), Builtin: "metadata"},
	{Prefix: netip.MustParsePrefix("169.254.169.253/32"), Builtin: "resolver"},
	{Prefix: netip.MustParsePrefix("fd00:ec2::253/128"), Builtin: "resolver"},
}

// Prefixes returns the table by which every address that belongs to no
// workload finds what it is: by its longest match. The table holds the two
// prefixes of length 0, so that there always is one. An External never matches
// inside the estate's networks nor in a built-in: such prefixes are not in the
// table. It is sorted, and computed anew on every call.
func (p *Policy) Prefixes() []PrefixPeer {
	table := map[netip.Prefix]PrefixPeer{}
	for _, b := range builtins {
		table[b.Prefix] = b
	}
	add := func(n netip.Prefix, unknown bool) {
		if !slices.ContainsFunc(builtins[:], func(b PrefixPeer) bool { return covers(b.Prefix, n) }) {
			table[n] = PrefixPeer{Prefix: n, Unknown: unknown}
		}
	}
	ours := coverOf(p.Networks)
	for _, n := range p.Networks {
		add(n, true)
	}
	ranges := make([][]netip.Prefix, len(p.Externals))
	for i, e := range p.Externals {
		ranges[i] = e.CIDRs
		for _, c := range e.CIDRs {
			if ours.containing(c) == nil {
				add(c, false)
			}
		}
	}
	theirs := coverOf(ranges...)
	for _, all := range []string{"0.0.0.0/0", "::/0"} {
		if n := netip.MustParsePrefix(all); !table[n].Prefix.IsValid() {
			add(n, false)
		}
	}
	out := make([]PrefixPeer, 0, len(table))
	for _, n := range slices.SortedFunc(maps.Keys(table), netip.Prefix.Compare) {
		peer := table[n]
		if !peer.Unknown && peer.Builtin == "" {
			peer.Externals = theirs.containing(n)
		}
		out = append(out, peer)
	}
	return out
}

// cover finds which of several lists of prefixes contain a prefix, one look-up
// for each length that any of them has.
type cover struct {
	lists   map[netip.Prefix][]int // indices
	lengths [129]bool
}

func coverOf(lists ...[]netip.Prefix) *cover {
	c := &cover{lists: map[netip.Prefix][]int{}}
	for i, list := range lists {
		for _, n := range list {
			c.lists[n] = append(c.lists[n], i)
			c.lengths[n.Bits()] = true
		}
	}
	return c
}

// containing returns the lists (indices, ascending) that contain all of n; nil
// if none does.
func (c *cover) containing(n netip.Prefix) []int {
	var out []int
	for bits := n.Bits(); bits >= 0; bits-- {
		if c.lengths[bits] {
			shorter, _ := n.Addr().Prefix(bits)
			out = append(out, c.lists[shorter]...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
