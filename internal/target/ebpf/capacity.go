package ebpf

import (
	"firebreak/internal/datapath/layout"
	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/policy"
)

// checkFixed refuses what is too much for the maps other than the policy's.
func (r *renderer) checkFixed() {
	if n := len(r.tables.Cgroups); n > layout.MaxCgroups {
		r.diags.Errorf(diag.Pos{}, "capacity", "the host attributes %d cgroups; the kernel tables hold %d", n, layout.MaxCgroups).
			WithHelp("attribute a common parent instead; whatever is below it is attributed with it")
	}
	if n := len(r.tables.Addresses); n > layout.MaxAddresses && !r.unlimited {
		last := r.tables.Addresses[layout.MaxAddresses].Prefix
		r.diags.Errorf(diag.Pos{}, "capacity", "the inventory and the Externals have %d addresses and prefixes; the kernel tables hold %d, %s is the first that does not fit", n, layout.MaxAddresses, last).
			WithHelp("fewer Externals' cidrs, or wider ones, or an inventory of what this host can reach")
	}
	if r.classes.tooMany() {
		set := r.classes.origin[min(layout.MaxClasses, len(r.classes.ranges)-1)]
		rule := r.firstWith(int32(set))
		r.diags.Errorf(rule.Pos, "capacity", "the rules cut the ports into %d ranges; the kernel tables hold %d, those of rule %s do not fit", len(r.classes.ranges), layout.MaxClasses, rule.Ref).
			WithHelp("merge neighbouring ports of that rule into ranges")
	}
}

// refusePolicy names the rule, in the order of the text, at which the policy
// table is full, and the one that takes the most of it.
func (r *renderer) refusePolicy() {
	sum, most := 0, 0
	for i, n := range r.used {
		if i >= len(r.p.Rules) {
			sum += n
		}
		if n > r.used[most] {
			most = i
		}
	}
	over, pos := most, diag.Pos{}
	for i := range r.p.Rules {
		if sum += r.used[i]; sum > layout.MaxPolicy && r.used[i] > 0 {
			over = i
			break
		}
	}
	if over < len(r.p.Rules) {
		pos = r.p.Rules[over].Pos
	}
	r.diags.Errorf(pos, "capacity", "the policy needs %d entries on this host; the kernel tables hold %d, those of rule %s do not fit", r.total, layout.MaxPolicy, r.ref(over)).
		WithHelp("%s takes the most, %d entries: let it name fewer identities or wider ports, or let a zone's default say it", r.ref(most), r.used[most])
}

func (r *renderer) ref(index int) flow.Rule {
	if zone, allow, is := r.defaultOf(int32(index)); is {
		return DefaultRule(&r.p.Zones[zone], allow)
	}
	return r.p.Rules[index].Ref
}

// firstWith returns the first rule with that traffic.
func (r *renderer) firstWith(set int32) *policy.Rule {
	if len(r.p.Rules) == 0 { // a frontend cut them
		return &policy.Rule{}
	}
	first := int32(len(r.p.Rules) - 1)
	for _, sides := range r.touches {
		for _, list := range sides {
			for _, t := range list {
				if t.set == set {
					first = min(first, t.rule)
				}
			}
		}
	}
	return &r.p.Rules[first]
}
