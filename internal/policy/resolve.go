package policy

import (
	"net/netip"
	"slices"

	"firebreak/internal/diag"
	"firebreak/internal/inventory"
	"firebreak/internal/lang"
)

// Resolve looks up every name of d and applies every selector to inv. It
// reports everything that is wrong or unwise about the two together; the
// policy is non-nil only if nothing of that is an error. d must have been
// parsed without errors. A nil inventory is an empty one. Labels are taken as
// they stand in inv: the estate's label mappings must have been applied.
func Resolve(d *lang.Dir, inv *inventory.Snapshot) (*Policy, diag.List) {
	if inv == nil {
		inv = &inventory.Snapshot{}
	}
	r := &resolver{dir: d, p: &Policy{Inventory: inv}, overlaps: map[[2]int]bool{}, conditions: map[string]*Condition{}}
	r.estate()
	r.zones()
	r.services()
	r.externals()
	r.checkInventory()
	r.identities()
	r.rules()
	r.checkTies()
	r.checkGuardrails()
	r.checkFrontends()
	r.checkCases()
	r.diags.Sort()
	if r.diags.HasErrors() {
		return nil, r.diags
	}
	return r.p, r.diags
}

// resolver holds what is known while one policy is resolved.
type resolver struct {
	dir   *lang.Dir
	p     *Policy
	diags diag.List

	zoneNames, serviceNames, externalNames names

	zoneSelects    []*lang.Select // by zone; nil for unassigned
	serviceSelects []*lang.Select // by service
	groups         []*group       // by identity
	inZone         [][]int        // identities by zone
	inService      [][]int        // identities by service
	outside        [][]int        // see outsiders
	conditions     map[string]*Condition
	overlaps       map[[2]int]bool // pairs of zones that have been reported
}

func (r *resolver) estate() {
	if e := r.dir.Estate; e != nil {
		r.p.Estate = e.Name
		for _, n := range e.Networks {
			r.p.Networks = append(r.p.Networks, n.Prefix.Masked())
		}
	}
	r.p.Networks = sortedPrefixes(r.p.Networks)
}

// zones takes over the zones in the order of the text, but for unassigned,
// which is last, and there whether declared or not.
func (r *resolver) zones() {
	unassigned := Zone{Name: lang.Unassigned}
	for _, z := range r.dir.Zones {
		out := Zone{
			Name: z.Name, Owner: z.Owner, Sensitivity: z.Sensitivity, Scope: z.Scope,
			Stage: Stage(z.Stage), DefaultAllow: z.Default == lang.Allow, Declared: true, Pos: z.Pos,
		}
		if z.Name == lang.Unassigned {
			unassigned = out
			continue
		}
		r.p.Zones = append(r.p.Zones, out)
		r.zoneSelects = append(r.zoneSelects, z.Select)
	}
	r.p.Zones = append(r.p.Zones, unassigned)
	r.zoneSelects = append(r.zoneSelects, nil)
	for _, z := range r.p.Zones {
		r.zoneNames.add(z.Name)
	}
}

func (r *resolver) services() {
	for _, s := range r.dir.Services {
		out := Service{Name: s.Name, Pos: s.Pos}
		for _, p := range s.Ports {
			out.Ports = append(out.Ports, inventory.Port{Name: p.Name, Number: p.Number, Protocol: p.Protocol})
		}
		r.p.Services = append(r.p.Services, out)
		r.serviceNames.add(s.Name)
		r.serviceSelects = append(r.serviceSelects, s.Select)
	}
}

func (r *resolver) externals() {
	for _, e := range r.dir.Externals {
		out := External{Name: e.Name, Owner: e.Owner, Reason: e.Reason, Pos: e.Pos}
		for _, c := range e.CIDRs {
			out.CIDRs = append(out.CIDRs, c.Prefix.Masked())
		}
		out.CIDRs = sortedPrefixes(out.CIDRs)
		for _, f := range e.FQDNs {
			out.FQDNs = append(out.FQDNs, f.Text)
		}
		slices.Sort(out.FQDNs)
		out.FQDNs = slices.Compact(out.FQDNs)
		r.p.Externals = append(r.p.Externals, out)
		r.externalNames.add(e.Name)
	}
	r.outside = outsiders(r.p, r.p.Prefixes())
}

func inside(p netip.Prefix, of []netip.Prefix) bool {
	return slices.ContainsFunc(of, func(o netip.Prefix) bool { return covers(o, p) })
}

// covers reports whether every address of inner is in outer.
func covers(outer, inner netip.Prefix) bool {
	return outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
}

func sortedPrefixes(in []netip.Prefix) []netip.Prefix {
	slices.SortFunc(in, netip.Prefix.Compare)
	return slices.Compact(in)
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
