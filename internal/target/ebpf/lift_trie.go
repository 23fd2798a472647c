package ebpf

import (
	"cmp"
	"net/netip"
	"slices"
	"sort"

	"firebreak/internal/datapath/layout"
)

// trie finds the longest prefix, as the kernel's table of addresses does.
type trie struct {
	sorted []*layout.DumpAddress // by address, shorter prefixes first
	single map[netip.Addr]*layout.DumpAddress
	wide   []*layout.DumpAddress // longer than single addresses, longest first
}

// fill takes entries; of two with one prefix the last holds.
func (t *trie) fill(entries []layout.DumpAddress) {
	t.single = make(map[netip.Addr]*layout.DumpAddress, len(entries))
	last := make(map[netip.Prefix]*layout.DumpAddress, len(entries))
	for i := range entries {
		last[entries[i].Prefix] = &entries[i]
	}
	for p, e := range last {
		t.sorted = append(t.sorted, e)
		if p.IsSingleIP() {
			t.single[p.Addr()] = e
		} else {
			t.wide = append(t.wide, e)
		}
	}
	slices.SortFunc(t.wide, func(a, b *layout.DumpAddress) int {
		return cmp.Or(cmp.Compare(b.Prefix.Bits(), a.Prefix.Bits()), a.Prefix.Addr().Compare(b.Prefix.Addr()))
	})
	slices.SortFunc(t.sorted, func(a, b *layout.DumpAddress) int {
		return cmp.Or(a.Prefix.Addr().Compare(b.Prefix.Addr()), cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()))
	})
}

// find returns nil if no prefix holds the address.
func (t *trie) find(a netip.Addr) *layout.DumpAddress {
	if e := t.single[a]; e != nil {
		return e
	}
	for _, e := range t.wide {
		if e.Prefix.Contains(a) {
			return e
		}
	}
	return nil
}

// within lists the longer prefixes inside one whose peers are meant; single
// addresses of workloads are left out, since terms about addresses mean no
// workload.
func (t *trie) within(p netip.Prefix, meant func(uint32) bool) []netip.Prefix {
	if p.IsSingleIP() {
		return nil
	}
	var out []netip.Prefix
	at := sort.Search(len(t.sorted), func(i int) bool { return t.sorted[i].Prefix.Addr().Compare(p.Addr()) >= 0 })
	for _, e := range t.sorted[at:] {
		if !p.Contains(e.Prefix.Addr()) {
			break
		}
		if e.Prefix.Bits() > p.Bits() && e.Flags&layout.Workload == 0 && meant(e.Peer) {
			out = append(out, e.Prefix)
		}
	}
	return out
}
