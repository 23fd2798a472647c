package policy

import (
	"firebreak/internal/flow"
	"firebreak/internal/lang"
)

// guardrail begins a guardrail, and the deny that it stands for.
func (r *resolver) guardrail(g *lang.Guardrail) *record {
	from, to := ends{list: g.From}, ends{list: g.To}
	from.not = g.Kind == lang.Only && !g.GuardsFrom
	to.not = g.Kind == lang.Only && g.GuardsFrom
	rec := &record{
		said: spoken{what: "guardrail " + g.Name, from: from, to: to, ports: g.Ports},
		must: g.Kind == lang.Must,
		guardrail: &Guardrail{
			Name: g.Name, Owner: g.Owner, Kind: g.Kind.String(), Stage: Stage(g.Stage),
			Controls: g.Controls, Pos: g.Pos, Text: guardrailText(g),
		},
		out: Rule{
			Ref:    flow.Rule{Policy: g.Name, Rule: g.Kind.String(), File: g.Pos.File, Line: g.Pos.Line},
			Tier:   Guardrails,
			Effect: Deny,
			Stage:  Stage(g.Stage),
			Owner:  g.Owner,
			Pos:    g.Pos,
		},
	}
	for _, h := range g.Have {
		rec.guardrail.Have = append(rec.guardrail.Have, h.Text)
	}
	r.condition(rec, Condition{HTTP: g.HTTP})
	return rec
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
