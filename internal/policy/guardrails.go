package policy

import (
	"slices"

	"firebreak/internal/flow"
	"firebreak/internal/lang"
)

// guardrail resolves a guardrail, and the deny that it stands for.
func (r *resolver) guardrail(g *lang.Guardrail) {
	from, to := ends{list: g.From}, ends{list: g.To}
	out := Guardrail{
		Name: g.Name, Owner: g.Owner, Kind: g.Kind.String(), Stage: Stage(g.Stage),
		Controls: g.Controls, Rule: -1, Pos: g.Pos, Text: guardrailText(g),
	}
	what := "guardrail " + g.Name
	if g.Kind == lang.Must {
		out.From, out.To = r.peers(from), r.peers(to)
		for _, h := range g.Have {
			out.Have = append(out.Have, h.Text)
		}
		r.checkEnds(spoken{what: what, from: from, to: to}, out.From, out.To)
		r.p.Guardrails = append(r.p.Guardrails, out)
		return
	}
	// The denies of guardrails are the first rules, in the order of the text.
	out.Rule = len(r.p.Rules)
	from.not = g.Kind == lang.Only && !g.GuardsFrom
	to.not = g.Kind == lang.Only && g.GuardsFrom
	r.speak(spoken{what: what, from: from, to: to, ports: g.Ports}, &Rule{
		Ref:    flow.Rule{Policy: g.Name, Rule: out.Kind, File: g.Pos.File, Line: g.Pos.Line},
		Tier:   Guardrails,
		Effect: Deny,
		Stage:  Stage(g.Stage),
		Cond:   r.condition(Condition{HTTP: g.HTTP}),
		Owner:  g.Owner,
		Pos:    g.Pos,
	})
	r.p.Guardrails = append(r.p.Guardrails, out)
}

// guardrailText says what a guardrail demands, for people: "never from select
// env!=prod to zone data", "to zone data only from service orders".
func guardrailText(g *lang.Guardrail) string {
	from, to := " from "+ends{list: g.From}.String(), " to "+ends{list: g.To}.String()
	var text string
	switch {
	case g.Kind == lang.Must:
		text = "must" + from + to + " have"
		for i, h := range g.Have {
			if i > 0 {
				text += ","
			}
			text += " " + h.Text
		}
	case g.Kind == lang.Never:
		text = "never" + from + to
	case g.GuardsFrom:
		text = from[1:] + " only" + to
	default:
		text = to[1:] + " only" + from
	}
	if g.Ports != nil {
		text += " on " + portsText(g.Ports)
	}
	for i, h := range g.HTTP {
		if i > 0 {
			text += " or"
		}
		text += " " + httpText(h)
	}
	return text
}

// mentions lists every endpoint of the text that rules, guardrails and
// exceptions speak of, and with it the ports at that place.
func mentions(d *lang.Dir, visit func(ends []lang.Endpoint, ports []lang.Port)) {
	for _, g := range d.Guardrails {
		visit(slices.Concat(g.From, g.To), g.Ports)
	}
	for _, x := range d.Exceptions {
		visit([]lang.Endpoint{x.From, x.To}, x.Ports)
	}
	for _, pol := range d.Policies {
		for _, rule := range pol.Rules {
			visit([]lang.Endpoint{rule.From, rule.To}, rule.Ports)
		}
	}
}
