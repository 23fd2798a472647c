package ebpf

import (
	"net/netip"
	"slices"
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
)

// far is what an address is, by the policy alone.
type farEnd struct {
	idents    []int // of all its owners
	externals []int
}

func farOf(p *policy.Policy, a netip.Addr) farEnd {
	var f farEnd
	for w := range p.Inventory.Workloads {
		if slices.Contains(p.Inventory.Workloads[w].Addresses, a) {
			f.idents = append(f.idents, p.IdentityOf[w])
		}
	}
	if f.idents != nil {
		return f
	}
	for _, n := range p.Networks {
		if n.Contains(a) {
			return f
		}
	}
	for x := range p.Externals {
		for _, c := range p.Externals[x].CIDRs {
			if c.Contains(a) {
				f.externals = append(f.externals, x)
			}
		}
	}
	return f
}

// says is the answer of the slow evaluation: whether it passes, and by what.
type says struct {
	allow bool
	ref   flow.Rule
}

// asked is under which policy, when, and about a request that which of the
// rules with http mean: bit i is rule i.
type asked struct {
	inForce  bool
	at       time.Time
	requests uint
}

// there reports whether a rule counts, as the language defines it.
func (a asked) there(i int, r policy.Rule) bool {
	if a.inForce && r.Stage != policy.Enforce {
		return false
	}
	if r.Cond == nil {
		return true
	}
	if r.Cond.HTTP != nil && (r.Effect == policy.Deny || a.requests>>i&1 == 0) {
		return false
	}
	if !r.Cond.Expires.IsZero() && !a.at.Before(r.Cond.Expires) {
		return false
	}
	if w := r.Cond.When; w != nil { // these are drawn in UTC
		minute := a.at.Hour()*60 + a.at.Minute()
		on := func(days int) bool { return w.Days>>a.at.AddDate(0, 0, days).Weekday()&1 != 0 }
		if w.Lo < w.Hi {
			return on(0) && w.Lo <= minute && minute < w.Hi
		}
		return on(0) && w.Lo <= minute || on(-1) && minute < w.Hi
	}
	return true
}

// slow evaluates every rule for one end, one far identity (or -1), one set of
// Externals and one port, tier by tier, as the language defines it. A packet
// passes if it can be part of some request that is permitted.
func slow(p *policy.Policy, local int, d flow.Direction, far int, externals []int, proto netset.Protocol, port uint16, a asked) says {
	var conditional uint
	for i, r := range p.Rules {
		if r.Cond != nil && r.Cond.HTTP != nil {
			conditional |= 1 << i
		}
	}
	var deny says
	for a.requests = conditional; ; a.requests = (a.requests - 1) & conditional { // every subset
		s := slowRequest(p, local, d, far, externals, proto, port, a)
		if s.allow {
			return s
		}
		deny = s // the last one is about what is no request
		if a.requests == 0 {
			return deny
		}
	}
}

func slowRequest(p *policy.Policy, local int, d flow.Direction, far int, externals []int, proto netset.Protocol, port uint16, a asked) says {
	matches := func(e policy.Peers, ident int, exts []int) bool {
		if ident >= 0 {
			return e.Identity(ident)
		}
		return e.Address(exts)
	}
	var speaking []policy.Rule
	for i, r := range p.Rules {
		if !a.there(i, r) {
			continue
		}
		for _, g := range r.Grants {
			ok := false
			if d == flow.Egress {
				ok = matches(r.From, local, nil) && matches(g.To, far, externals)
			} else {
				ok = matches(r.From, far, externals) && matches(g.To, local, nil)
			}
			if ok && g.Traffic.Contains(proto, port) {
				speaking = append(speaking, r)
				break
			}
		}
	}
	find := func(f func(policy.Rule) bool) (policy.Rule, bool) {
		if i := slices.IndexFunc(speaking, f); i >= 0 {
			return speaking[i], true
		}
		return policy.Rule{}, false
	}
	if r, ok := find(func(r policy.Rule) bool { return r.Tier == policy.Guardrails }); ok {
		return says{false, r.Ref}
	}
	if r, ok := find(func(r policy.Rule) bool { return r.Tier == policy.Platform }); ok && r.Effect != policy.Pass {
		return says{r.Effect == policy.Allow, r.Ref}
	}
	for _, tier := range []policy.Tier{policy.Exceptions, policy.Application, policy.Baseline} {
		for _, e := range []policy.Effect{policy.Deny, policy.Allow} {
			if r, ok := find(func(r policy.Rule) bool { return r.Tier == tier && r.Effect == e }); ok {
				return says{e == policy.Allow, r.Ref}
			}
		}
	}
	z := p.Zones[p.Identities[local].Zone]
	if z.DefaultAllow || a.inForce && z.Stage != policy.Enforce {
		return says{true, flow.Rule{Rule: "default-allow", File: z.Pos.File, Line: z.Pos.Line}}
	}
	return says{false, flow.Rule{Rule: "default-deny", File: z.Pos.File, Line: z.Pos.Line}}
}

// slowAddress is slow for several possible ends here and all owners there:
// the strictest far owner, then the loosest end here. It returns the verdict
// and every rule that may be named for it.
func slowAddress(p *policy.Policy, locals []int, d flow.Direction, f farEnd, proto netset.Protocol, port uint16, a asked) (bool, []flow.Rule) {
	allow, refs := false, map[bool][]flow.Rule{}
	for _, l := range locals {
		fars := f.idents
		if len(fars) == 0 {
			fars = []int{-1}
		}
		all, by := true, map[bool][]flow.Rule{}
		for _, far := range fars {
			s := slow(p, l, d, far, f.externals, proto, port, a)
			all = all && s.allow
			by[s.allow] = append(by[s.allow], s.ref)
		}
		allow = allow || all
		refs[all] = append(refs[all], by[all]...)
	}
	return allow, refs[allow]
}
