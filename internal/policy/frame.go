package policy

import (
	"net/netip"
	"slices"

	"firebreak/internal/inventory"
	"firebreak/internal/lang"
)

// frame is what the text alone says about names: the estate, the zones, the
// services and the Externals. It is immutable, and kept as long as none of
// their documents changes.
type frame struct {
	of lang.Dir // what it was made from; nothing but Estate, Zones, Services, Externals

	estate    string
	networks  []netip.Prefix
	zones     []Zone
	services  []Service // without Workloads
	externals []External

	zoneNames, serviceNames, externalNames names

	zoneSelects       []*lang.Select // by zone; nil for unassigned
	serviceSelects    []*lang.Select // by service
	serviceFlawed     bool           // some service may have more ports than are here
	zoneCandidates    *candidates
	serviceCandidates *candidates
	outside           [][]int // see outsiders
	mentions          mention
}

// takeFrame keeps the frame of before or makes a new one.
func (r *resolver) takeFrame() {
	d := r.dir
	if r.old != nil {
		of := &r.old.frame.of
		if of.Estate == d.Estate && slices.Equal(of.Zones, d.Zones) && slices.Equal(of.Services, d.Services) && slices.Equal(of.Externals, d.Externals) {
			r.frame = r.old.frame
		}
	}
	if r.frame == nil {
		r.frame = newFrame(d)
	}
	r.p.Estate, r.p.Networks, r.p.Zones, r.p.Externals = r.estate, r.networks, r.zones, r.externals
}

func newFrame(d *lang.Dir) *frame {
	f := &frame{of: lang.Dir{
		Estate: d.Estate, Zones: slices.Clone(d.Zones), Services: slices.Clone(d.Services), Externals: slices.Clone(d.Externals),
	}}
	if e := d.Estate; e != nil {
		f.estate = e.Name
		for _, n := range e.Networks {
			f.networks = append(f.networks, n.Prefix.Masked())
		}
	}
	f.networks = sortedPrefixes(f.networks)
	f.addZones()
	f.addServices()
	f.addExternals()
	f.zoneCandidates, f.serviceCandidates = newCandidates(f.zoneSelects), newCandidates(f.serviceSelects)
	for _, s := range slices.Concat(f.zoneSelects, f.serviceSelects) {
		if s != nil {
			f.mentions.keys = append(f.mentions.keys, s.Selector.Keys()...)
		}
	}
	slices.Sort(f.mentions.keys)
	f.mentions.keys = slices.Compact(f.mentions.keys)
	return f
}

// addZones takes over the zones in the order of the text, but for unassigned,
// which is last, and there whether declared or not.
func (f *frame) addZones() {
	unassigned := Zone{Name: lang.Unassigned}
	there := map[string]bool{}
	for _, z := range f.of.Zones {
		if there[z.Name] {
			continue // which is an error elsewhere
		}
		there[z.Name] = true
		out := Zone{
			Name: z.Name, Owner: z.Owner, Sensitivity: z.Sensitivity, Scope: z.Scope,
			Stage: Stage(z.Stage), DefaultAllow: z.Default == lang.Allow, Declared: true, Pos: z.Pos,
		}
		if z.Name == lang.Unassigned {
			unassigned = out
			continue
		}
		f.zones = append(f.zones, out)
		f.zoneSelects = append(f.zoneSelects, z.Select)
	}
	f.zones = append(f.zones, unassigned)
	f.zoneSelects = append(f.zoneSelects, nil)
	for _, z := range f.zones {
		f.zoneNames.add(z.Name)
	}
}

func (f *frame) addServices() {
	for _, s := range f.of.Services {
		out := Service{Name: s.Name, Pos: s.Pos}
		for _, p := range s.Ports {
			out.Ports = append(out.Ports, inventory.Port{Name: p.Name, Number: p.Number, Protocol: p.Protocol})
		}
		f.services = append(f.services, out)
		f.serviceNames.add(s.Name)
		f.serviceSelects = append(f.serviceSelects, s.Select)
		f.serviceFlawed = f.serviceFlawed || s.Flawed
	}
}

func (f *frame) addExternals() {
	for _, e := range f.of.Externals {
		out := External{Name: e.Name, Owner: e.Owner, Reason: e.Reason, Pos: e.Pos}
		for _, c := range e.CIDRs {
			out.CIDRs = append(out.CIDRs, c.Prefix.Masked())
		}
		out.CIDRs = sortedPrefixes(out.CIDRs)
		for _, n := range e.FQDNs {
			out.FQDNs = append(out.FQDNs, n.Text)
		}
		slices.Sort(out.FQDNs)
		out.FQDNs = slices.Compact(out.FQDNs)
		f.externals = append(f.externals, out)
		f.externalNames.add(e.Name)
	}
	p := &Policy{Networks: f.networks, Externals: f.externals}
	f.outside = outsiders(p, p.Prefixes())
}

// names finds the index of a name, and remembers their order. Of a name that
// is there twice, which is an error elsewhere, the first counts.
type names struct {
	list  []string
	index map[string]int
}

func (n *names) add(name string) {
	if n.index == nil {
		n.index = map[string]int{}
	}
	if _, twice := n.index[name]; !twice {
		n.index[name] = len(n.list)
	}
	n.list = append(n.list, name)
}

// find returns -1 for a name that is not there.
func (n *names) find(name string) int {
	if i, ok := n.index[name]; ok {
		return i
	}
	return -1
}
