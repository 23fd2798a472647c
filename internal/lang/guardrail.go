package lang

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

func (r *reader) guardrail(n *yaml.Node) {
	g := &Guardrail{}
	var kinds []string
	g.Meta = r.body(n, "Guardrail", func(n *yaml.Node) {
		before := len(r.list)
		kind := func(k GuardrailKind, read func(*yaml.Node, *Guardrail)) field {
			return may(k.String(), func(n *yaml.Node) {
				kinds = append(kinds, k.String())
				g.Kind = k
				read(n, g)
			})
		}
		read := r.object(n, "a Guardrail's spec",
			may("stage", choiceTo(r, &g.Stage, "bad-stage", "stage", stages)),
			kind(Never, r.never), kind(Only, r.only), kind(Must, r.must),
			may("controls", func(n *yaml.Node) {
				r.words(n, "controls", "a control", func(_ *yaml.Node, s string) { g.Controls = append(g.Controls, s) })
			}))
		if read && len(kinds) != 1 && len(r.list) == before {
			r.errorf(n, "bad-guardrail", "a Guardrail demands one thing, not %d", len(kinds)).
				WithHelp("exactly one of: never, only, must; give each a Guardrail of its own")
		}
	})
	if g.Name == "" || len(g.From) == 0 || len(g.To) == 0 {
		r.unread = r.unread || g.Name == ""
		return
	}
	r.dir.Guardrails = append(r.dir.Guardrails, g)
}

func (r *reader) never(n *yaml.Node, g *Guardrail) {
	g.From, g.To = make([]Endpoint, 1), make([]Endpoint, 1)
	r.object(n, "never",
		need("from", func(n *yaml.Node) { g.From[0] = r.endpoint(n, "from", inRule) }),
		need("to", func(n *yaml.Node) { g.To[0] = r.endpoint(n, "to", inRule) }),
		may("ports", func(n *yaml.Node) { g.Ports = r.ports(n) }),
		may("http", func(n *yaml.Node) { g.HTTP = r.https(n) }))
}

// only reads one end that is guarded, and a list at the other end.
func (r *reader) only(n *yaml.Node, g *Guardrail) {
	lists, before := 0, len(r.list)
	end := func(what string, dst *[]Endpoint) func(*yaml.Node) {
		return func(n *yaml.Node) {
			if v := r.enter(n); v == nil || v.Kind != yaml.SequenceNode {
				*dst = []Endpoint{r.endpoint(n, what, inRule)}
				return
			}
			lists++
			g.GuardsFrom = what == "to"
			r.each(n, what, func(n *yaml.Node) { *dst = append(*dst, r.endpoint(n, what, inRule)) })
		}
	}
	read := r.object(n, "only", need("from", end("from", &g.From)), need("to", end("to", &g.To)),
		may("ports", func(n *yaml.Node) { g.Ports = r.ports(n) }),
		may("http", func(n *yaml.Node) { g.HTTP = r.https(n) }))
	if read && lists != 1 && len(r.list) == before {
		r.errorf(n, "bad-guardrail", "only guards one end and lists the peers that may be at the other; here %d ends are lists", lists).
			WithHelp("write {to: X, from: [A, B]} or {from: X, to: [A, B]}; a list may have one entry")
	}
}

func (r *reader) must(n *yaml.Node, g *Guardrail) {
	anyone := []Endpoint{{Kind: ByAny, Pos: r.pos(n), ValuePos: r.pos(n)}}
	g.From, g.To = anyone, slices.Clone(anyone)
	end := func(what string, dst []Endpoint) field {
		return may(what, func(n *yaml.Node) { dst[0] = r.endpoint(n, what, inRule) })
	}
	r.object(n, "must",
		need("rule", func(n *yaml.Node) { r.object(n, "the rule of must", end("from", g.From), end("to", g.To)) }),
		need("have", func(n *yaml.Node) {
			r.each(n, "have", func(n *yaml.Node) {
				if i, ok := r.choice(n, "bad-guardrail", "thing that a rule can have", ruleHas); ok {
					g.Have = append(g.Have, Word{ruleHas[i], r.pos(n)})
				}
			})
		}))
}
