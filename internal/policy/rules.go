package policy

import (
	"cmp"
	"strings"

	"firebreak/internal/flow"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
)

// tierOf translates the tiers that a Policy can be in.
var tierOf = [...]Tier{lang.Platform: Platform, lang.Application: Application, lang.Baseline: Baseline}

func compareRules(a, b Rule) int {
	return cmp.Or(cmp.Compare(a.Tier, b.Tier), cmp.Compare(a.Priority, b.Priority))
}

// rule resolves one rule. It is added even if something about it is wrong, so
// that everything that is wrong is found.
func (r *resolver) rule(pol *lang.Policy, rule *lang.Rule) {
	out := Rule{
		Ref:       flow.Rule{Policy: pol.Name, Rule: rule.Name, File: rule.Pos.File, Line: rule.Pos.Line},
		Tier:      tierOf[pol.Tier],
		Priority:  pol.Priority,
		Effect:    Effect(rule.Effect),
		Stage:     Stage(rule.Stage),
		From:      r.peers(rule.From),
		To:        r.peers(rule.To),
		Reason:    rule.Reason,
		Owner:     rule.Owner,
		Pos:       rule.Pos,
		FromText:  endText(rule.From),
		ToText:    endText(rule.To),
		PortsText: portsText(rule.Ports),
	}
	out.Grants = r.grants(rule, out.To)
	r.checkRule(rule, &out)
	r.p.Rules = append(r.p.Rules, out)
}

// peers resolves an end of a rule. An unknown name is reported and matches
// nothing.
func (r *resolver) peers(e lang.Endpoint) Peers {
	switch e.Kind {
	case lang.ByAny:
		return Peers{Any: true}
	case lang.ByExternal:
		if i := r.lookup(e, "external", &r.externalNames); i >= 0 {
			return Peers{Externals: []int{i}}
		}
	case lang.ByService:
		if i := r.lookup(e, "service", &r.serviceNames); i >= 0 {
			return Peers{Identities: r.inService[i]}
		}
	case lang.ByZone:
		if i := r.lookup(e, "zone", &r.zoneNames); i >= 0 {
			return Peers{Identities: r.inZone[i]}
		}
	case lang.BySelect:
		return r.identitiesThat(func(g *group) bool { return e.Selector.Matches(g.workload.Labels) })
	case lang.ByPrincipal:
		return r.identitiesThat(func(g *group) bool { return g.workload.Principal == e.Name })
	}
	return Peers{}
}

func (r *resolver) lookup(e lang.Endpoint, kind string, known *names) int {
	i := known.find(e.Name)
	if i < 0 {
		r.unknown(e.ValuePos, kind, e.Name, known.list)
	}
	return i
}

func (r *resolver) identitiesThat(match func(*group) bool) Peers {
	var p Peers
	for id, g := range r.groups {
		if match(g) {
			p.Identities = append(p.Identities, id)
		}
	}
	return p
}

// grants says which traffic the rule means at which destinations.
func (r *resolver) grants(rule *lang.Rule, to Peers) []Grant {
	if rule.Ports == nil {
		return []Grant{{To: to, Traffic: netset.All()}}
	}
	fixed := netset.None() // the same everywhere
	var named []lang.Port
	for _, p := range rule.Ports {
		if p.Name == "" {
			fixed = fixed.Union(p.Traffic)
		} else {
			named = append(named, p)
		}
	}
	var out []Grant
	if !fixed.IsEmpty() {
		out = append(out, Grant{To: to, Traffic: fixed})
	}
	return append(out, r.namedGrants(rule, named, to)...)
}

// namedGrants groups the destinations by what the names mean there.
func (r *resolver) namedGrants(rule *lang.Rule, named []lang.Port, to Peers) []Grant {
	if len(named) == 0 {
		return nil
	}
	ids := to.Identities
	if to.Any {
		ids = allIndices(len(r.groups))
	}
	var out []Grant
	found := make([]int, len(named)) // at how many destinations each name means something
	for _, id := range ids {
		traffic := netset.None()
		for i, p := range named {
			if t := r.portNamed(p.Name, id, rule.To); !t.IsEmpty() {
				traffic, found[i] = traffic.Union(t), found[i]+1
			}
		}
		if !traffic.IsEmpty() {
			out = addGrant(out, id, traffic)
		}
	}
	for i, p := range named {
		r.checkNamed(rule, p, found[i], len(ids))
	}
	return out
}

func addGrant(out []Grant, id int, traffic netset.Traffic) []Grant {
	for i := range out {
		if out[i].Traffic.Equal(traffic) {
			out[i].To.Identities = append(out[i].To.Identities, id)
			return out
		}
	}
	return append(out, Grant{To: Peers{Identities: []int{id}}, Traffic: traffic})
}

// portNamed returns what a port name means at a destination. Where the rule
// names a service that declares the name, the service says it; else the
// workload's own ports do, and those of every service that it belongs to.
func (r *resolver) portNamed(name string, id int, to lang.Endpoint) netset.Traffic {
	if to.Kind == lang.ByService {
		if i := r.serviceNames.find(to.Name); i >= 0 {
			if t := portsNamed(r.p.Services[i].Ports, name); !t.IsEmpty() {
				return t
			}
		}
	}
	g := r.groups[id]
	t := portsNamed(g.workload.Ports, name)
	for _, s := range g.services {
		t = t.Union(portsNamed(r.p.Services[s].Ports, name))
	}
	return t
}

func allIndices(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func endText(e lang.Endpoint) string {
	switch e.Kind {
	case lang.ByAny:
		return "any"
	case lang.BySelect:
		return "select " + e.Selector.String()
	default:
		return e.Kind.String() + " " + e.Name
	}
}

func portsText(ports []lang.Port) string {
	if ports == nil {
		return "all"
	}
	var words []string
	fixed := netset.None()
	for _, p := range ports {
		if p.Name != "" {
			words = append(words, p.Name)
		}
		fixed = fixed.Union(p.Traffic)
	}
	if !fixed.IsEmpty() {
		words = append(words, fixed.String())
	}
	return strings.Join(words, "; ")
}
