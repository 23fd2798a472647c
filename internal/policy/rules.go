package policy

import (
	"cmp"
	"slices"

	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/lang"
)

// tierOf translates the tiers that a Policy can be in.
var tierOf = [...]Tier{lang.Platform: Platform, lang.Application: Application, lang.Baseline: Baseline}

func compareRules(a, b *record) int {
	return cmp.Or(cmp.Compare(a.out.Tier, b.out.Tier), cmp.Compare(a.out.Priority, b.out.Priority))
}

// spoken is what a rule, a guardrail and an exception have in common: what
// they speak of, before names are looked up.
type spoken struct {
	what     string // for people: "rule r"
	allows   bool
	from, to ends
	ports    []lang.Port
}

// record is a rule, guardrail or exception of the text and what has become of
// it. It is kept as long as the text is there.
type record struct {
	source   any // *lang.Rule, *lang.Guardrail or *lang.Exception
	policy   *lang.Policy
	said     spoken
	mentions mention
	overall  bool // what becomes of it depends on workloads that its ends do not name, too
	condKey  string

	out       Rule       // but for ends and grants complete from the start; of a must only the ends
	guardrail *Guardrail // nil if it is none; Rule is not set
	must      bool       // a guardrail that stands for no rule
	speaks    []*endpoint
	diags     diag.List
	resolved  int // the generation in which it was last resolved; 0 if never
	renewed   int // the generation in which out changed last
}

// rules resolves everything that decides. What is wrong is added as well, so
// that everything that is wrong is found.
func (r *resolver) rules() {
	var decide []*record
	for _, rec := range r.records {
		r.speak(rec)
		if rec.guardrail != nil {
			g := *rec.guardrail
			if rec.must {
				g.Rule, g.From, g.To = -1, rec.out.From, rec.out.To
			} else {
				g.Rule = len(decide) // the denies of guardrails are the first rules, in the order of the text
			}
			r.p.Guardrails = append(r.p.Guardrails, g)
			if g.Rule < 0 {
				continue
			}
		}
		decide = append(decide, rec)
	}
	slices.SortStableFunc(decide, compareRules)
	r.decide = decide
	r.platform = slices.DeleteFunc(slices.Clone(decide), func(rec *record) bool { return rec.out.Tier != Platform })
	if r.old != nil && slices.Equal(decide, r.old.decide) && !slices.ContainsFunc(decide, r.isRenewed) {
		r.p.Rules = r.old.p.Rules
		return
	}
	if len(decide) > 0 {
		r.p.Rules = make([]Rule, len(decide))
	}
	for i, rec := range decide {
		r.p.Rules[i] = rec.out
	}
}

func (r *resolver) isRenewed(rec *record) bool { return rec.renewed == r.generation }

// speak resolves the ends and the traffic of a record, and finds what is
// unwise in them, unless all of that is known.
func (r *resolver) speak(rec *record) {
	if r.holds(rec) {
		for _, x := range rec.speaks {
			x.used = r.generation
		}
		r.diags = append(r.diags, rec.diags...)
		return
	}
	all := r.diags
	r.diags = nil
	before := rec.out
	s := &rec.said
	rec.out.From, rec.out.To = r.peers(s.from), r.peers(s.to)
	if !rec.must {
		rec.out.Grants = r.grants(s, rec.out.To)
	}
	r.checkEnds(s, rec.out.From, rec.out.To)
	rec.speaks = rec.speaks[:0]
	for _, e := range [...]ends{s.from, s.to} {
		for i := range e.list {
			rec.speaks = append(rec.speaks, r.endpoint(&e.list[i]))
		}
	}
	if !r.keepRule(rec, &before) {
		rec.renewed = r.generation
	}
	rec.resolved, rec.diags = r.generation, slices.Clone(r.diags)
	r.diags = append(all, r.diags...)
}

// holds reports whether resolving the record again would give the same.
func (r *resolver) holds(rec *record) bool {
	switch {
	case rec.resolved == 0:
		return false
	case r.same():
		return true
	case (len(r.old.p.Inventory.Workloads) == 0) != r.empty():
		return false
	case r.frame != r.old.frame || len(rec.diags) > 0 || r.touched > rec.resolved && rec.overall:
		return false
	}
	return !slices.ContainsFunc(rec.speaks, func(x *endpoint) bool { return x.touched > rec.resolved })
}

// keepRule puts the slices of before into a rule that means what it meant, so
// that one can see that it does.
func (r *resolver) keepRule(rec *record, before *Rule) bool {
	if rec.resolved == 0 {
		return false
	}
	now := &rec.out
	kept := r.keepPeers(&now.From, &before.From)
	kept = r.keepPeers(&now.To, &before.To) && kept
	if len(now.Grants) != len(before.Grants) {
		return false
	}
	for i := range now.Grants {
		if !now.Grants[i].Traffic.Equal(before.Grants[i].Traffic) || !r.keepPeers(&now.Grants[i].To, &before.Grants[i].To) {
			return false
		}
	}
	if kept {
		now.Grants = before.Grants
	}
	return kept
}

func (r *resolver) keepPeers(now, before *Peers) bool {
	if !slices.Equal(now.Identities, before.Identities) || r.touches(now.Identities) {
		return false
	}
	now.Identities = before.Identities
	// Externals are numbered by the frame.
	return now.Any == before.Any && now.Not == before.Not && slices.Equal(now.Externals, before.Externals) &&
		(r.frame == r.old.frame || len(now.Externals) == 0)
}

// findRecords finds the record of before for everything in the text that is
// still there, and begins one for everything else.
func (r *resolver) findRecords() {
	r.conditions = map[string]*Condition{}
	var before []*record
	if r.old != nil {
		before, r.conditions = r.old.records, r.old.conditions
	}
	old := oldRecords{list: before}
	add := func(source any, policy *lang.Policy, begin func() *record) {
		rec := old.find(source, policy)
		if rec == nil {
			rec = begin()
			f, t := rec.said.from, rec.said.to
			rec.overall = f.wide() || t.wide() || f.lists() || t.lists()
			rec.source, rec.policy, rec.mentions = source, policy, rec.said.mention()
			rec.out.FromText, rec.out.ToText, rec.out.PortsText = rec.said.from.String(), rec.said.to.String(), portsText(rec.said.ports)
		}
		r.records = append(r.records, rec)
	}
	for _, g := range r.dir.Guardrails {
		add(g, nil, func() *record { return r.guardrail(g) })
	}
	for _, x := range r.dir.Exceptions {
		add(x, nil, func() *record { return r.exception(x) })
	}
	for _, pol := range r.dir.Policies {
		for _, rule := range pol.Rules {
			add(rule, pol, func() *record { return r.rule(pol, rule) })
		}
	}
}

// oldRecords finds records by what they were made from. Most stand where they
// stood.
type oldRecords struct {
	list []*record
	next int
	by   map[any]int // indices into list; nil until it is needed
}

// find returns nil if there is no such record, or it was of another policy.
func (o *oldRecords) find(source any, policy *lang.Policy) *record {
	if o.next >= len(o.list) || o.list[o.next].source != source {
		if o.by == nil {
			o.by = make(map[any]int, len(o.list))
			for i, rec := range o.list {
				o.by[rec.source] = i
			}
		}
		i, ok := o.by[source]
		if !ok {
			return nil
		}
		o.next = i
	}
	rec := o.list[o.next]
	o.next++
	if p := rec.policy; p != policy && (p.Name != policy.Name || p.Tier != policy.Tier || p.Priority != policy.Priority) {
		return nil
	}
	return rec
}

func (r *resolver) rule(pol *lang.Policy, rule *lang.Rule) *record {
	rec := &record{
		said: spoken{
			what: "rule " + rule.Name, allows: rule.Effect == lang.Allow,
			from: one(rule.From), to: one(rule.To), ports: rule.Ports,
		},
		out: Rule{
			Ref:      flow.Rule{Policy: pol.Name, Rule: rule.Name, File: rule.Pos.File, Line: rule.Pos.Line},
			Tier:     tierOf[pol.Tier],
			Priority: pol.Priority,
			Effect:   Effect(rule.Effect),
			Stage:    Stage(rule.Stage),
			Reason:   rule.Reason,
			Owner:    rule.Owner,
			Pos:      rule.Pos,
		},
	}
	r.condition(rec, Condition{HTTP: rule.HTTP, MTLS: rule.MTLS, When: rule.When})
	return rec
}

// exception begins an exception as an allow of its own tier. Whether it has
// expired is for whoever knows the time.
func (r *resolver) exception(x *lang.Exception) *record {
	rec := &record{
		said: spoken{
			what: "exception " + x.Name, allows: true,
			from: one(x.From), to: one(x.To), ports: x.Ports,
		},
		out: Rule{
			Ref:    flow.Rule{Policy: x.Name, Rule: "exception", File: x.Pos.File, Line: x.Pos.Line},
			Tier:   Exceptions,
			Effect: Allow,
			Stage:  Enforce,
			Reason: x.Reason,
			Owner:  x.Owner,
			Pos:    x.Pos,
		},
	}
	r.condition(rec, Condition{HTTP: x.HTTP, Expires: x.Expires})
	return rec
}
