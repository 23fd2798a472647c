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
// defaultDeny or defaultAllow; zone is the one whose default that is. What is
// allowed may end at an instant, an index into times.instants; 0: it does not.
type decision struct {
	inForce, toCome           bool
	inForceRule, toComeRule   int32
	inForceOwner, toComeOwner int32
	inForceUntil, toComeUntil int32
}

// question is what is asked of a list of items.
type question struct {
	class     int
	atLeast   policy.Stage // the stage that rules must have to count
	byDefault bool
	when      int32 // index of an instant, or anytime
}

// anytime asks for what holds whichever of the timed rules are there: an allow
// that does is not ended by any of them.
const anytime int32 = -1

// decide evaluates the items that contain the class at an end in that zone.
func (r *renderer) decide(items []item, c course, class, zone int) decision {
	z := &r.p.Zones[zone]
	d := decision{inForceOwner: int32(zone), toComeOwner: int32(zone)}
	q := question{class: class, atLeast: policy.Observe, byDefault: z.DefaultAllow}
	d.toCome, d.toComeRule, d.toComeUntil = r.lasting(items, c, q)
	q.atLeast, q.byDefault = policy.Enforce, z.DefaultAllow || z.Stage != policy.Enforce
	d.inForce, d.inForceRule, d.inForceUntil = r.lasting(items, c, q)
	return d
}

// lasting returns what is decided now and by what, and when an allow ends: at
// the first instant at which it is a deny, or, if that is not known, where the
// knowledge ends.
func (r *renderer) lasting(items []item, c course, q question) (allow bool, rule, until int32) {
	allow, rule = r.first(items, policy.Guardrails, q)
	if !allow || !c.timed() {
		return allow, rule, 0
	}
	q.when = anytime
	if stays, _ := r.first(items, policy.Guardrails, q); stays {
		return allow, rule, 0
	}
	for _, q.when = range c.changes {
		if still, _ := r.first(items, policy.Guardrails, q); !still {
			return allow, rule, q.when
		}
	}
	return allow, rule, c.end
}

// first walks down the tiers from that one on and returns what the first rule
// that decides says.
func (r *renderer) first(items []item, from policy.Tier, q question) (allow bool, rule int32) {
	for tier := from; tier <= policy.Baseline; tier++ {
		end := r.tierEnd(items, tier)
		decided := false
		if tier == policy.Platform {
			allow, rule, decided = r.platform(items[:end], items[end:], q)
		} else if rule = r.denyBeatsAllow(items[:end], q); rule >= 0 {
			allow, decided = r.p.Rules[rule].Effect == policy.Allow, true
		}
		if decided {
			return allow, rule
		}
		items = items[end:]
	}
	if q.byDefault {
		return true, defaultAllow
	}
	return false, defaultDeny
}

func (r *renderer) tierEnd(items []item, tier policy.Tier) int {
	i := 0
	for i < len(items) && r.p.Rules[items[i].rule].Tier == tier {
		i++
	}
	return i
}

// speaks reports whether a rule counts and is about the class. Asked for
// anytime, timed denies are there and timed allows are not.
func (r *renderer) speaks(it item, q question) bool {
	rule := &r.p.Rules[it.rule]
	if rule.Stage < q.atLeast || !r.classes.contains(it.set, q.class) {
		return false
	}
	s := r.times.of[it.rule]
	switch {
	case s == always:
		return true
	case q.when == anytime:
		return rule.Effect == policy.Deny || rule.Effect == policy.Pass && !conditional(rule)
	default:
		return r.times.open[s][q.when]
	}
}

// platform returns what the best priority that speaks says, unless it leaves
// the tier or nothing speaks. Rules of equal priority may not disagree; if they
// did, deny would win, then allow.
//
// A pass that may be there or not, for some requests or at some times, is
// followed both ways: of requests, some pass if either way permits; for
// anytime, both must.
func (r *renderer) platform(items, below []item, q question) (allow bool, rule int32, decided bool) {
	for len(items) > 0 {
		end := r.priorityEnd(items)
		best, sure := r.strongest(items[:end], q)
		items = items[end:]
		switch {
		case best < 0:
		case r.p.Rules[best].Effect != policy.Pass:
			return r.p.Rules[best].Effect == policy.Allow, best, true
		case sure:
			return false, 0, false
		default:
			allow, rule = r.first(below, policy.Exceptions, q)
			if allow == conditional(&r.p.Rules[best]) {
				return allow, rule, true
			}
		}
	}
	return false, 0, false
}

func (r *renderer) priorityEnd(items []item) int {
	i := 1
	for i < len(items) && r.p.Rules[items[i].rule].Priority == r.p.Rules[items[0].rule].Priority {
		i++
	}
	return i
}

// strongest returns the rule that wins among equal priorities, or -1, and
// whether it speaks for all requests and at all times that are asked for.
func (r *renderer) strongest(items []item, q question) (best int32, sure bool) {
	best = -1
	for _, it := range items {
		if !r.speaks(it, q) {
			continue
		}
		rule := &r.p.Rules[it.rule]
		always := !conditional(rule) && (q.when != anytime || r.times.of[it.rule] == always)
		if best < 0 || precedence[rule.Effect] > precedence[r.p.Rules[best].Effect] ||
			always && !sure && rule.Effect == r.p.Rules[best].Effect {
			best, sure = it.rule, always
		}
	}
	return best, sure
}

// denyBeatsAllow returns the first deny, else the first allow, else -1.
func (r *renderer) denyBeatsAllow(items []item, q question) int32 {
	allow := int32(-1)
	for _, it := range items {
		if !r.speaks(it, q) {
			continue
		}
		switch r.p.Rules[it.rule].Effect {
		case policy.Deny:
			return it.rule
		case policy.Allow:
			if allow < 0 {
				allow = it.rule
			}
		}
	}
	return allow
}

var precedence = [...]int{policy.Pass: 0, policy.Allow: 1, policy.Deny: 2}

// merge combines the decisions of several owners of one address: with
// strictest, deny wins; without, allow. The first owner that decides so is the
// one that is named. Both policies are combined on their own.
func merge(a, b decision, strictest bool) decision {
	switch {
	case a.inForce && b.inForce:
		a.inForceUntil = mergeUntil(a.inForceUntil, b.inForceUntil, strictest)
	case a.inForce == strictest && b.inForce != strictest:
		a.inForce, a.inForceRule, a.inForceOwner, a.inForceUntil = b.inForce, b.inForceRule, b.inForceOwner, b.inForceUntil
	}
	switch {
	case a.toCome && b.toCome:
		a.toComeUntil = mergeUntil(a.toComeUntil, b.toComeUntil, strictest)
	case a.toCome == strictest && b.toCome != strictest:
		a.toCome, a.toComeRule, a.toComeOwner, a.toComeUntil = b.toCome, b.toComeRule, b.toComeOwner, b.toComeUntil
	}
	return a
}

// mergeUntil returns until when both are allowed, or, without strictest, either.
// The latter may be too early, if the first opens again meanwhile, never too
// late.
func mergeUntil(a, b int32, strictest bool) int32 {
	switch {
	case a == 0 || b == 0:
		if strictest {
			return max(a, b)
		}
		return 0
	case strictest:
		return min(a, b)
	default:
		return max(a, b)
	}
}
