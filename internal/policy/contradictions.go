package policy

import (
	"slices"

	"firebreak/internal/lang"
	"firebreak/internal/netset"
)

// checkGuardrails finds guardrails that cannot both be meant, and exceptions
// that would go through one.
func (r *resolver) checkGuardrails() {
	reported := map[[2]int]bool{} // pairs of guardrails
	for i, g := range r.dir.Guardrails {
		if g.Kind == lang.Only {
			r.checkOnly(i, g, reported)
		}
	}
	var denies, exceptions []sides
	for i := range r.p.Rules {
		switch rule := &r.p.Rules[i]; rule.Tier {
		case Guardrails:
			denies = append(denies, r.sidesOf(rule))
		case Exceptions:
			exceptions = append(exceptions, r.sidesOf(rule))
		}
	}
	for i := range exceptions {
		r.checkException(&exceptions[i], denies)
	}
}

// mostPierced bounds how many guardrails are named for one exception.
const mostPierced = 10

// checkException looks for guardrails, whose denies are the first rules, that
// forbid what the exception would let through.
func (r *resolver) checkException(x *sides, denies []sides) {
	found := 0
	for _, g := range r.p.Guardrails {
		if g.Rule < 0 || !r.meet(&denies[g.Rule], x) {
			continue
		}
		if found++; found > mostPierced {
			return
		}
		r.diags.Errorf(x.rule.Pos, "exception-pierces-guardrail", "exception %s would let through what guardrail %s forbids", x.rule.Ref.Policy, g.Name).
			WithHelp("no exception lifts a guardrail (%s): narrow one of the two", g.Text).WithSee(g.Pos)
	}
}

// checkOnly reports another guardrail that wholly forbids what an only leaves
// open for one of the peers on its list.
func (r *resolver) checkOnly(nth int, g *lang.Guardrail, reported map[[2]int]bool) {
	list := g.From
	if g.GuardsFrom {
		list = g.To
	}
	for i := range list {
		e := &list[i]
		open := r.leftOpen(g, *e)
		open.Cond = r.p.Rules[r.p.Guardrails[nth].Rule].Cond
		for j, h := range r.p.Guardrails {
			pair := [2]int{min(nth, j), max(nth, j)}
			if j == nth || h.Rule < 0 || reported[pair] || !r.forbids(&r.p.Rules[h.Rule], &open) {
				continue
			}
			reported[pair] = true
			r.diags.Errorf(e.Pos, "contradictory-guardrails", "guardrail %s leaves a way for %s, and guardrail %s forbids all of it", g.Name, endText(*e), h.Name).
				WithHelp("%s: take %s off the list, or narrow the other guardrail", h.Text, endText(*e)).WithSee(h.Pos)
		}
	}
}

// leftOpen is the allow that an only hints at for one peer on its list. It says
// nothing, since all of it was looked up, and reported on, before.
func (r *resolver) leftOpen(g *lang.Guardrail, e lang.Endpoint) Rule {
	s := spoken{from: one(e), to: ends{list: g.To}, ports: g.Ports}
	if g.GuardsFrom {
		s.from, s.to = ends{list: g.From}, one(e)
	}
	said := r.diags
	r.diags = nil
	out := Rule{From: r.peers(s.from), To: r.peers(s.to)}
	out.Grants = r.grants(&s, out.To)
	r.diags = said
	return out
}

// forbids reports whether the deny covers all that is open, and that is not
// nothing.
func (r *resolver) forbids(deny, open *Rule) bool {
	if deny.Cond != nil && deny.Cond != open.Cond || !r.within(open.From, deny.From) {
		return false
	}
	for _, g := range open.Grants {
		denied := netset.None()
		for _, d := range deny.Grants {
			if r.within(g.To, d.To) {
				denied = denied.Union(d.Traffic)
			}
		}
		if !g.Traffic.Subtract(denied).IsEmpty() {
			return false
		}
	}
	return len(open.Grants) > 0
}

// within reports whether all that a matches is matched by b, and a matches
// something.
func (r *resolver) within(a, b Peers) bool {
	some := false
	for _, id := range r.identitiesOf(a) {
		if some = true; !b.Identity(id) {
			return false
		}
	}
	for _, x := range r.outside {
		if a.Address(x) {
			if some = true; !b.Address(x) {
				return false
			}
		}
	}
	return some
}

// outsiders are the sets of Externals that something which is no workload can
// be in: an address, or what has a name only.
func outsiders(p *Policy, table []PrefixPeer) [][]int {
	var out [][]int
	for _, x := range table {
		if x.Builtin == "" {
			out = append(out, x.Externals)
		}
	}
	for i, x := range p.Externals {
		if x.FQDNs != nil {
			out = append(out, []int{i})
		}
	}
	slices.SortFunc(out, slices.Compare)
	return slices.CompactFunc(out, slices.Equal)
}
