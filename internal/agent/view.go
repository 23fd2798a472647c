package agent

import (
	"net/netip"
	"slices"
	"strings"
	"sync"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/flow"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/target/ebpf"
)

// view answers who is who under one revision. It is immutable but for a small
// cache, and safe for concurrent use. Lookups do not allocate.
type view struct {
	revision uint64
	tables   *layout.Tables
	policy   *policy.Policy
	rules    map[uint32]flow.Rule

	host     *end
	cgroups  map[uint64]*end       // as configured
	here     map[netip.Addr]*end   // workloads of this host
	byAddr   map[netip.Addr]*end   // all workloads
	prefixes map[netip.Prefix]*end // everything else
	lengths4 []int                 // of prefixes, longest first
	lengths6 []int
	byNumber map[uint32]*end         // what bins speak of
	inside   map[uint32][]cgroupPath // by local identity: cgroups attributed to it

	mu    sync.Mutex
	found map[uint64]*end // cgroups below configured ones; bounded
}

type cgroupPath struct {
	path string
	end  *end
}

// end is one side of a conversation, as people call it.
type end struct {
	name     string
	zone     string
	services []service
	only4    netip.Addr // its IPv4 address if it has just one
	only6    netip.Addr
}

type service struct {
	name  string
	ports netset.Traffic
}

// service returns the service that serves the port, else the first, else "".
func (e *end) service(proto uint8, port uint16) string {
	if len(e.services) == 0 {
		return ""
	}
	if len(e.services) > 1 {
		class := netset.ProtocolOf(proto)
		for i := range e.services {
			if e.services[i].ports.Contains(class, port) {
				return e.services[i].name
			}
		}
	}
	return e.services[0].name
}

// only returns the end's one address of a's family, or a if it has none or
// several.
func (e *end) only(a netip.Addr) netip.Addr {
	one := e.only6
	if a.Is4() {
		one = e.only4
	}
	if one.IsValid() {
		return one
	}
	return a
}

func onlyOf(addrs []netip.Addr, is4 bool) (one netip.Addr) {
	for _, a := range addrs {
		if a = a.Unmap(); a.Is4() != is4 || a.IsLinkLocalUnicast() {
			continue
		}
		if one.IsValid() {
			return netip.Addr{}
		}
		one = a
	}
	return one
}

// label is the service if there is one, else the name.
func (e *end) label() string {
	if len(e.services) > 0 {
		return e.services[0].name
	}
	return e.name
}

// maxFound bounds how many cgroups below configured ones a view remembers.
const maxFound = 16384

func newView(p *policy.Policy, t *layout.Tables, n *ebpf.Numbers, h ebpf.Host, tree *cgroupTree) *view {
	v := &view{
		tables: t, policy: p, rules: ebpf.Rules(p, n), found: map[uint64]*end{},
		cgroups: map[uint64]*end{}, here: map[netip.Addr]*end{}, byAddr: map[netip.Addr]*end{},
		prefixes: map[netip.Prefix]*end{}, byNumber: map[uint32]*end{}, inside: map[uint32][]cgroupPath{},
	}
	ends, byName := v.workloads()
	v.host = byName[ebpf.HostWorkload(h.Zone)]
	isHere := map[*end]bool{}
	for i, c := range h.Cgroups {
		e := byName[c.Workload]
		v.cgroups[c.ID], isHere[e] = e, true
		if i < len(tree.paths) {
			local := localOf(t, c.ID)
			v.inside[local] = append(v.inside[local], cgroupPath{tree.paths[i], e})
		}
	}
	v.addresses(ends, isHere, h.OwnAddresses)
	v.peers(p.Prefixes(), ends)
	v.relays(h)
	v.numbers(ebpf.Identities(p, n), ends, isHere)
	return v
}

// as returns the same view for another revision.
func (v *view) as(revision uint64) *view {
	return &view{
		revision: revision, tables: v.tables, policy: v.policy, rules: v.rules, host: v.host, cgroups: v.cgroups,
		here: v.here, byAddr: v.byAddr, prefixes: v.prefixes, lengths4: v.lengths4, lengths6: v.lengths6,
		byNumber: v.byNumber, inside: v.inside, found: map[uint64]*end{},
	}
}

func localOf(t *layout.Tables, cgroup uint64) uint32 {
	for _, c := range t.Cgroups {
		if c.ID == cgroup {
			return c.Local
		}
	}
	return 0
}

func (v *view) workloads() ([]*end, map[string]*end) {
	p := v.policy
	services := make([]service, len(p.Services))
	for i, s := range p.Services {
		services[i].name = s.Name
		for _, port := range s.Ports {
			services[i].ports = services[i].ports.Union(netset.Of(port.Protocol, port.Number, port.Number))
		}
	}
	ends, byName := make([]*end, len(p.Inventory.Workloads)), map[string]*end{}
	for i, w := range p.Inventory.Workloads {
		e := &end{
			name: w.Name, zone: p.Zones[p.ZoneOf[i]].Name,
			only4: onlyOf(w.Addresses, true), only6: onlyOf(w.Addresses, false),
		}
		for _, s := range p.ServicesOf[i] {
			e.services = append(e.services, services[s])
		}
		ends[i], byName[w.Name] = e, e
	}
	return ends, byName
}

// addresses says whose each workload address is, for all and for this host.
func (v *view) addresses(ends []*end, isHere map[*end]bool, own []netip.Addr) {
	mine := map[netip.Addr]bool{}
	for _, a := range own {
		mine[a.Unmap().WithZone("")] = true
	}
	owners := map[netip.Addr][]*end{}
	for i, w := range v.policy.Inventory.Workloads {
		for _, a := range w.Addresses {
			a = a.Unmap().WithZone("")
			owners[a] = append(owners[a], ends[i])
			if mine[a] {
				isHere[ends[i]] = true
			}
		}
	}
	for _, f := range v.policy.Inventory.Frontends {
		for _, a := range f.Addresses {
			if a = a.Unmap().WithZone(""); v.byAddr[a] == nil {
				v.byAddr[a] = &end{name: f.Name}
			}
		}
	}
	for a, all := range owners {
		v.byAddr[a] = together(all)
		if local := slices.DeleteFunc(slices.Clone(all), func(e *end) bool { return !isHere[e] }); len(local) > 0 {
			v.here[a] = together(local)
		}
	}
}

// together is the end that several workloads behind one address are: what
// they have in common.
func together(ends []*end) *end {
	ends = slices.Compact(ends)
	if len(ends) == 1 {
		return ends[0]
	}
	names := make([]string, len(ends))
	out := &end{zone: ends[0].zone, services: ends[0].services}
	for i, e := range ends {
		names[i] = e.name
		if e.zone != out.zone {
			out.zone = ""
		}
		out.services = slices.DeleteFunc(slices.Clone(out.services), func(s service) bool {
			return !slices.ContainsFunc(e.services, func(t service) bool { return s.name == t.name })
		})
	}
	const most = 4 // of a hundred pods behind one address, nobody reads all names
	if len(names) > most {
		names = append(names[:most], "…")
	}
	out.name = strings.Join(names, "+")
	return out
}

// peers names everything that no workload owns, by prefix and by the number
// that the tables give it.
func (v *view) peers(prefixes []policy.PrefixPeer, ends []*end) {
	unknown, world := &end{name: "unknown"}, &end{name: "world"}
	for _, x := range prefixes {
		e := world
		switch {
		case x.Builtin != "":
			e = &end{name: x.Builtin}
		case x.Unknown:
			e = unknown
		case len(x.Externals) > 0:
			names := make([]string, len(x.Externals))
			for i, ext := range x.Externals {
				names[i] = v.policy.Externals[ext].Name
			}
			e = &end{name: strings.Join(names, "+")}
		}
		v.prefixes[x.Prefix] = e
		if x.Prefix.Addr().Is4() {
			v.lengths4 = append(v.lengths4, x.Prefix.Bits())
		} else {
			v.lengths6 = append(v.lengths6, x.Prefix.Bits())
		}
	}
	for _, lengths := range []*[]int{&v.lengths4, &v.lengths6} {
		slices.Sort(*lengths)
		*lengths = slices.Compact(*lengths)
		slices.Reverse(*lengths)
	}
	v.byNumber[layout.UnknownPeer], v.byNumber[layout.WorldPeer] = unknown, world
	v.byNumber[layout.BuiltinPeer] = &end{name: "builtin"}
}

// numbers names what the kernel knows by number: identities by a workload of
// theirs, one of this host if there is one, and other numbers by an address.
func (v *view) numbers(identities map[uint32]int, ends []*end, isHere map[*end]bool) {
	for number, id := range identities {
		ws := v.policy.Identities[id].Workloads
		at := max(0, slices.IndexFunc(ws, func(w int) bool { return isHere[ends[w]] }))
		v.byNumber[number] = ends[ws[at]]
	}
	for _, a := range v.tables.Addresses {
		addr := a.Prefix.Addr()
		if v.byNumber[a.Peer] == nil {
			if e := v.prefixes[a.Prefix]; e != nil {
				v.byNumber[a.Peer] = e
			} else if e := v.byAddr[addr]; e != nil {
				v.byNumber[a.Peer] = e
			}
		}
		if e := v.here[addr]; a.Local != 0 && v.byNumber[a.Local] == nil && e != nil {
			v.byNumber[a.Local] = e
		}
	}
}

// far returns who an address is, as seen from elsewhere.
func (v *view) far(a netip.Addr) *end {
	if e := v.byAddr[a]; e != nil {
		return e
	}
	lengths := v.lengths6
	if a.Is4() {
		lengths = v.lengths4
	}
	for _, bits := range lengths {
		if p, err := a.Prefix(bits); err == nil {
			if e := v.prefixes[p]; e != nil {
				return e
			}
		}
	}
	return v.byNumber[layout.WorldPeer]
}

// local returns who an end on this host is: by its cgroup, then by its
// address, then by its identity.
func (v *view) local(number uint32, cgroup uint64, a netip.Addr) *end {
	if e := v.cgroups[cgroup]; e != nil {
		return e
	}
	if inside := v.inside[number]; cgroup != 0 && len(inside) == 1 {
		return inside[0].end
	} else if cgroup != 0 && len(inside) > 1 {
		if e := v.below(cgroup, inside); e != nil {
			return e
		}
	}
	if number == v.tables.HostIdentity {
		return v.host
	}
	if e := v.here[a]; e != nil {
		return e
	}
	if e := v.byNumber[number]; e != nil {
		return e
	}
	return v.host
}

// below finds which of several cgroups of one identity a cgroup is below. It
// reads the tree once for each new cgroup.
func (v *view) below(cgroup uint64, among []cgroupPath) *end {
	v.mu.Lock()
	defer v.mu.Unlock()
	if e, ok := v.found[cgroup]; ok {
		return e
	}
	var e *end
	for _, c := range among {
		if findCgroupBelow(c.path, cgroup) {
			e = c.end
			break
		}
	}
	if len(v.found) < maxFound {
		v.found[cgroup] = e
	}
	return e
}
