package ebpf

import (
	"firebreak/internal/policy"
)

// item says that a rule, by one of its grants, speaks of a pair of ends, for
// the traffic in set. Lists of items are in the order of Policy.Rules: by tier,
// priority, place; then by grant.
type item struct{ rule, grant, set int32 }

// Instead of a rule, a decision may name the zone's default.
const (
	defaultDeny  int32 = -1
	defaultAllow int32 = -2
)

// decision is what one end says about one class of traffic, under the policy
// in force and under the one to come. The rules are indices into Policy.Rules,
// defaultDeny or defaultAllow; zone is the one whose default that is.
type decision struct {
	inForce, toCome           bool
	inForceRule, toComeRule   int32
	inForceOwner, toComeOwner int32
}

// decide evaluates the items that contain the class at an end in that zone.
func (r *renderer) decide(items []item, class int, zone int) decision {
	z := &r.p.Zones[zone]
	var d decision
	d.inForceOwner, d.toComeOwner = int32(zone), int32(zone)
	d.toCome, d.toComeRule = r.first(items, class, policy.Observe, z.DefaultAllow)
	d.inForce, d.inForceRule = r.first(items, class, policy.Enforce, z.DefaultAllow || z.Stage != policy.Enforce)
	return d
}

// first walks down the tiers with the rules that have at least that stage and
// returns the first that decides.
func (r *renderer) first(items []item, class int, atLeast policy.Stage, byDefault bool) (bool, int32) {
	for i, tier := 0, policy.Guardrails; tier <= policy.Baseline; tier++ {
		end, within := r.tierEnd(items, i, tier), r.denyBeatsAllow
		if tier == policy.Platform {
			within = r.platform
		}
		if rule := within(items[i:end], class, atLeast); rule >= 0 && r.p.Rules[rule].Effect != policy.Pass {
			return r.p.Rules[rule].Effect == policy.Allow, rule
		}
		i = end
	}
	if byDefault {
		return true, defaultAllow
	}
	return false, defaultDeny
}

func (r *renderer) tierEnd(items []item, i int, tier policy.Tier) int {
	for i < len(items) && r.p.Rules[items[i].rule].Tier == tier {
		i++
	}
	return i
}

// platform returns the rule of the best priority that speaks, or -1. Rules of
// equal priority may not disagree; if they did, deny would win, then allow.
func (r *renderer) platform(items []item, class int, atLeast policy.Stage) int32 {
	best := int32(-1)
	for _, it := range items {
		rule := &r.p.Rules[it.rule]
		if rule.Stage < atLeast || !r.classes.contains(it.set, class) {
			continue
		}
		if best >= 0 && r.p.Rules[best].Priority != rule.Priority {
			break
		}
		if best < 0 || precedence[rule.Effect] > precedence[r.p.Rules[best].Effect] {
			best = it.rule
		}
	}
	return best
}

// denyBeatsAllow returns the first deny, else the first allow, else -1.
func (r *renderer) denyBeatsAllow(items []item, class int, atLeast policy.Stage) int32 {
	allow := int32(-1)
	for _, it := range items {
		rule := &r.p.Rules[it.rule]
		if rule.Stage < atLeast || !r.classes.contains(it.set, class) {
			continue
		}
		if rule.Effect == policy.Deny {
			return it.rule
		}
		if rule.Effect == policy.Allow && allow < 0 {
			allow = it.rule
		}
	}
	return allow
}

var precedence = [...]int{policy.Pass: 0, policy.Allow: 1, policy.Deny: 2}

// merge combines the decisions of several owners of one address: with
// strictest, deny wins; without, allow. The first owner that decides so is the
// one that is named. Both policies are combined on their own.
func merge(a, b decision, strictest bool) decision {
	if a.inForce == strictest && b.inForce != strictest {
		a.inForce, a.inForceRule, a.inForceOwner = b.inForce, b.inForceRule, b.inForceOwner
	}
	if a.toCome == strictest && b.toCome != strictest {
		a.toCome, a.toComeRule, a.toComeOwner = b.toCome, b.toComeRule, b.toComeOwner
	}
	return a
}
