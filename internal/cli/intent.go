package cli

import (
	"fmt"
	"slices"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	labels "firebreak/internal/label"
	"firebreak/internal/lang"
	"firebreak/internal/policy"
	"firebreak/internal/prove"
)

// intent is what was meant.
func (l *loaded) intent(toCome bool) prove.Intent {
	return prove.Intent{
		Policy:    l.p,
		ToCome:    toCome,
		Selectors: l.selectors(),
		Accepted:  l.accepted,
		Resolve: func(inv *inventory.Snapshot) (*policy.Policy, error) {
			p, diags := policy.Resolve(l.tree, inv)
			if p == nil || diags.HasErrors() {
				return nil, fmt.Errorf("the policy has errors with this inventory: %v", diags)
			}
			return p, nil
		},
	}
}

// selectors are those of the text.
func (l *loaded) selectors() []labels.Selector {
	var out []labels.Selector
	for _, s := range l.tree.Services {
		if !s.Select.Unread {
			out = append(out, s.Select.Selector)
		}
	}
	for _, z := range l.tree.Zones {
		if z.Select != nil && !z.Select.Unread {
			out = append(out, z.Select.Selector)
		}
	}
	end := func(e *lang.Endpoint) {
		if e.Kind == lang.BySelect {
			out = append(out, e.Selector)
		}
	}
	for _, p := range l.tree.Policies {
		for _, r := range p.Rules {
			end(&r.From)
			end(&r.To)
		}
	}
	for _, g := range l.tree.Guardrails {
		for i := range g.From {
			end(&g.From[i])
		}
		for i := range g.To {
			end(&g.To[i])
		}
	}
	for _, x := range l.tree.Exceptions {
		end(&x.From)
		end(&x.To)
	}
	return out
}

// codeUnenforced is the code by which a document accepts that nothing enforces
// the conditions of its rules.
const codeUnenforced = "unenforced"

// accepted says by which document it is accepted that nobody enforces a rule's
// conditions; empty if it is not.
func (l *loaded) accepted(r flow.Rule) string {
	by := func(kind string, m *lang.Meta) string {
		if m.Name != r.Policy || !slices.Contains(m.Accepts, codeUnenforced) {
			return ""
		}
		return fmt.Sprintf("%s %s says so (%s:%d)", kind, m.Name, l.file(m.Pos.File), m.Pos.Line)
	}
	for _, x := range l.tree.Exceptions {
		if r.Rule == "exception" && by("exception", &x.Meta) != "" {
			return by("exception", &x.Meta)
		}
	}
	for _, p := range l.tree.Policies {
		if why := by("policy", &p.Meta); why != "" {
			return why
		}
	}
	return ""
}
