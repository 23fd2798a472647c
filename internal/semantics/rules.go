package semantics

import (
	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
)

// platform finds, of the rules that speak, those of the best priority. Rules
// of one priority may not disagree.
func (e *Evaluator) platform(c conversation, inForce bool) Step {
	step := Step{Tier: "platform"}
	best := 0
	e.speaking(lang.Platform, c, inForce, func(p *lang.Policy, r *lang.Rule) {
		switch {
		case step.Rules == nil || p.Priority < best:
			best = p.Priority
			step.Effect, step.Rules = r.Effect.String(), []flow.Rule{ref(p, r)}
		case p.Priority == best:
			step.Rules = append(step.Rules, ref(p, r))
		}
	})
	return step
}

func (e *Evaluator) application(c conversation, inForce bool) Step {
	return e.denyBeatsAllow("application", lang.Application, c, inForce)
}

func (e *Evaluator) baseline(c conversation, inForce bool) Step {
	return e.denyBeatsAllow("baseline", lang.Baseline, c, inForce)
}

func (e *Evaluator) denyBeatsAllow(name string, tier lang.Tier, c conversation, inForce bool) Step {
	var allows, denies []flow.Rule
	e.speaking(tier, c, inForce, func(p *lang.Policy, r *lang.Rule) {
		if r.Effect == lang.Deny {
			denies = append(denies, ref(p, r))
		} else {
			allows = append(allows, ref(p, r))
		}
	})
	switch {
	case denies != nil:
		return Step{Tier: name, Effect: "deny", Rules: denies}
	case allows != nil:
		return Step{Tier: name, Effect: "allow", Rules: allows}
	default:
		return Step{Tier: name}
	}
}

func ref(p *lang.Policy, r *lang.Rule) flow.Rule {
	return flow.Rule{Policy: p.Name, Rule: r.Name, File: r.Pos.File, Line: r.Pos.Line}
}

// speaking visits, in the order of the text, the rules of a tier that speak
// about a conversation.
func (e *Evaluator) speaking(tier lang.Tier, c conversation, inForce bool, visit func(*lang.Policy, *lang.Rule)) {
	for _, p := range e.dir.Policies {
		if p.Tier != tier {
			continue
		}
		for _, r := range p.Rules {
			counts := !inForce || r.Stage == lang.Enforce
			if counts && e.matches(r.From, c.from) && e.matches(r.To, c.to) && e.traffic(r, c.to).Contains(c.proto, c.port) {
				visit(p, r)
			}
		}
	}
}

// matches reports whether an end of a rule means a party, which is one
// workload or one address that is not built in.
func (e *Evaluator) matches(end lang.Endpoint, p Party) bool {
	if end.Kind == lang.ByAny {
		return true
	}
	if end.Kind == lang.ByExternal {
		return p.isExternal(end.Name)
	}
	if len(p.Owners) == 0 {
		return false
	}
	w := p.Owners[0]
	switch end.Kind {
	case lang.ByService:
		return e.inService(w, end.Name)
	case lang.ByZone:
		return e.zone(w).Name == end.Name
	case lang.BySelect:
		return end.Selector.Matches(w.Labels)
	case lang.ByPrincipal:
		return w.Principal == end.Name
	case lang.ByWorkload:
		return w.Name == end.Name
	}
	return false
}

func (e *Evaluator) inService(w *inventory.Workload, name string) bool {
	s := e.services[name]
	return s != nil && s.Select.Selector.Matches(w.Labels)
}

// zone returns the zone that a workload is in: the one it was assigned, the
// one that selects it, or unassigned, which observes if nothing declares it.
func (e *Evaluator) zone(w *inventory.Workload) lang.Zone {
	unassigned := lang.Zone{Meta: lang.Meta{Name: lang.Unassigned}, Default: lang.Deny, Stage: lang.Observe}
	for _, z := range e.dir.Zones {
		if z.Name == lang.Unassigned {
			unassigned = *z
		}
		if z.Name == w.Zone || w.Zone == "" && z.Select != nil && z.Select.Selector.Matches(w.Labels) {
			return *z
		}
	}
	return unassigned
}

// traffic is what a rule speaks of at a destination.
func (e *Evaluator) traffic(r *lang.Rule, to Party) netset.Traffic {
	if r.Ports == nil {
		return netset.All()
	}
	sum := netset.None()
	for _, p := range r.Ports {
		if p.Name == "" {
			sum = sum.Union(p.Traffic)
		} else if len(to.Owners) > 0 {
			sum = sum.Union(e.named(p.Name, r.To, to.Owners[0]))
		}
	}
	return sum
}

// named is what a port name means at a workload. If the rule names a service
// that declares it, the service says it. Otherwise everyone does who knows the
// workload: itself and the services it belongs to. An address that no workload
// owns has no named ports.
func (e *Evaluator) named(name string, to lang.Endpoint, w *inventory.Workload) netset.Traffic {
	everyone, asked := netset.None(), netset.None()
	for _, p := range w.Ports {
		if p.Name == name {
			everyone = everyone.Union(netset.Of(p.Protocol, p.Number, p.Number))
		}
	}
	for _, s := range e.dir.Services {
		for _, p := range s.Ports {
			if p.Name != name || !s.Select.Selector.Matches(w.Labels) {
				continue
			}
			t := netset.Of(p.Protocol, p.Number, p.Number)
			everyone = everyone.Union(t)
			if to.Kind == lang.ByService && s.Name == to.Name {
				asked = asked.Union(t)
			}
		}
	}
	if !asked.IsEmpty() {
		return asked
	}
	return everyone
}
