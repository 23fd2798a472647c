package ebpf

import (
	"net/netip"
	"slices"

	"firebreak/internal/datapath/layout"
)

// builtinRules numbers the built-in policy by the names that PrefixPeer uses.
var builtinRules = map[string]uint32{
	"loopback": layout.RuleLoopback,
	"metadata": layout.RuleMetadata,
	"resolver": layout.RuleResolver,
}

// addresses fills the table of addresses and finds the ends on this host.
func (r *renderer) addresses() {
	r.prefixEntries()
	r.relayEntries()
	own := make(map[netip.Addr]bool, len(r.h.OwnAddresses))
	for _, a := range r.h.OwnAddresses {
		own[a.Unmap().WithZone("")] = true
	}
	owners := r.owners(own)
	addrs := make([]netip.Addr, 0, len(owners)+len(own))
	for a := range owners {
		addrs = append(addrs, a)
	}
	fronts := r.findFrontends(owners)
	for a := range own {
		if owners[a] == nil && fronts[a] == nil {
			addrs = append(addrs, a)
		}
	}
	for a := range fronts {
		addrs = append(addrs, a)
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	match := newMatcher(r.tables.Addresses)
	shared, known := map[string]int{}, map[string]int{}
	for _, a := range addrs {
		by, ok := match.find(a)
		if ok && by.Peer == layout.BuiltinPeer {
			continue
		}
		e := layout.Address{Prefix: netip.PrefixFrom(a, a.BitLen())}
		if own[a] {
			e.Flags |= layout.Own
		}
		if ws := owners[a]; ws != nil {
			r.ownedBy(&e, ws, shared)
		} else if at := fronts[a]; at != nil {
			e.Peer, e.Flags = r.frontend(at, by, known), e.Flags|by.Flags&layout.Named
			if own[a] {
				e.Local = r.tables.HostIdentity
			}
		} else {
			e.Peer, e.Local = by.Peer, r.tables.HostIdentity
		}
		r.tables.Addresses = append(r.tables.Addresses, e)
	}
}

// owners lists the workloads of each address, ascending, and notes those that
// are on this host because one of their addresses is.
func (r *renderer) owners(own map[netip.Addr]bool) map[netip.Addr][]int {
	owners := make(map[netip.Addr][]int, len(r.p.Inventory.Workloads))
	for w := range r.p.Inventory.Workloads {
		for _, a := range r.p.Inventory.Workloads[w].Addresses {
			a = a.Unmap().WithZone("")
			if ws := owners[a]; len(ws) > 0 && ws[len(ws)-1] == w {
				continue
			}
			owners[a] = append(owners[a], w)
			if own[a] {
				r.here[w] = true
			}
		}
	}
	return owners
}

// ownedBy says whose address it is, as a far end and as an end here.
func (r *renderer) ownedBy(e *layout.Address, ws []int, shared map[string]int) {
	e.Flags |= layout.Workload
	if len(ws) > 1 {
		e.Flags |= layout.Shared
	}
	all, here := r.identitiesOf(ws, false), r.identitiesOf(ws, true)
	if len(here) > 0 {
		e.Local = r.addLocal(here)
	}
	if len(all) == 1 {
		e.Peer = r.identity(all[0])
		return
	}
	key := strictestKey(r.keys(all))
	i, ok := shared[key]
	if !ok {
		i = len(r.peers)
		shared[key] = i
		r.peers = append(r.peers, peer{number: r.n.peer(key), idents: all})
	}
	e.Peer = r.peers[i].number
}

func (r *renderer) identitiesOf(ws []int, onlyHere bool) []int {
	var out []int
	for _, w := range ws {
		if !onlyHere || r.here[w] {
			out = append(out, r.p.IdentityOf[w])
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// prefixEntries renders everything that is not a workload's address.
func (r *renderer) prefixEntries() {
	sets := map[string]int{}
	for _, x := range r.prefixes {
		e := layout.Address{Prefix: x.Prefix}
		switch {
		case x.Builtin != "":
			e.Peer, e.Rule = layout.BuiltinPeer, builtinRules[x.Builtin]
		case x.Unknown:
			e.Peer = layout.UnknownPeer
		case len(x.Externals) == 0:
			e.Peer = layout.WorldPeer
		default:
			e.Peer, e.Flags = r.externals(x.Externals, sets), layout.Named
		}
		r.tables.Addresses = append(r.tables.Addresses, e)
	}
}

func (r *renderer) externals(set []int, sets map[string]int) uint32 {
	key := externalsKey(r.externalNames(set))
	i, ok := sets[key]
	if !ok {
		i = len(r.peers)
		sets[key] = i
		r.peers = append(r.peers, peer{number: r.n.peer(key), externals: set})
	}
	return r.peers[i].number
}

func (r *renderer) externalNames(set []int) []string {
	names := make([]string, len(set))
	for i, x := range set {
		names[i] = r.p.Externals[x].Name
	}
	return names
}

// matcher finds the longest prefix that contains an address.
type matcher struct {
	byPrefix map[netip.Prefix]layout.Address
	bits4    []int // lengths there are, longest first
	bits6    []int
}

func newMatcher(entries []layout.Address) *matcher {
	m := &matcher{byPrefix: make(map[netip.Prefix]layout.Address, len(entries))}
	for _, e := range entries {
		m.byPrefix[e.Prefix] = e
		if e.Prefix.Addr().Is4() {
			m.bits4 = append(m.bits4, e.Prefix.Bits())
		} else {
			m.bits6 = append(m.bits6, e.Prefix.Bits())
		}
	}
	for _, bits := range []*[]int{&m.bits4, &m.bits6} {
		slices.Sort(*bits)
		*bits = slices.Compact(*bits)
		slices.Reverse(*bits)
	}
	return m
}

func (m *matcher) find(a netip.Addr) (layout.Address, bool) {
	lengths := m.bits6
	if a.Is4() {
		lengths = m.bits4
	}
	for _, bits := range lengths {
		p, err := a.Prefix(bits)
		if err != nil {
			continue
		}
		if e, ok := m.byPrefix[p]; ok {
			return e, true
		}
	}
	return layout.Address{}, false
}
