package lang

import (
	"cmp"
	"slices"
)

// Accepted returns why a finding of that code is accepted by the Policy,
// Guardrail or Exception of that name: the reason that the document gives, or
// words that say that it gives none. It is empty if the document does not accept
// it, or if there is no such document.
func (d *Dir) Accepted(code, document string) string {
	why := func(m Meta) string {
		if m.Name != document || !slices.Contains(m.Accepts, code) {
			return ""
		}
		return cmp.Or(m.Because, "without a reason")
	}
	for _, p := range d.Policies {
		if s := why(p.Meta); s != "" {
			return s
		}
	}
	for _, g := range d.Guardrails {
		if s := why(g.Meta); s != "" {
			return s
		}
	}
	for _, x := range d.Exceptions {
		if s := why(x.Meta); s != "" {
			return s
		}
	}
	return ""
}

// Selectors returns every selector of the text, in its order; those that could
// not be read are left out.
func (d *Dir) Selectors() []Select {
	var out []Select
	add := func(s *Select) {
		if s != nil && !s.Unread {
			out = append(out, *s)
		}
	}
	for _, z := range d.Zones {
		add(z.Select)
	}
	for _, s := range d.Services {
		add(s.Select)
	}
	end := func(e *Endpoint) {
		if e.Kind == BySelect {
			add(&Select{Selector: e.Selector, Pos: e.ValuePos})
		}
	}
	for _, p := range d.Policies {
		for _, r := range p.Rules {
			end(&r.From)
			end(&r.To)
		}
	}
	for _, g := range d.Guardrails {
		for i := range g.From {
			end(&g.From[i])
		}
		for i := range g.To {
			end(&g.To[i])
		}
	}
	for _, x := range d.Exceptions {
		end(&x.From)
		end(&x.To)
	}
	return out
}
