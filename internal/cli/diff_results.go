package cli

import (
	"fmt"
	"slices"

	"firebreak/internal/ask"
	"firebreak/internal/flow"
	"firebreak/internal/verify"
)

// proofs compares the guardrails of both by name.
func (d *difference) proofs(x, y *verify.Engine) []resultChange {
	var out []resultChange
	was := map[string]string{}
	for _, p := range x.Guardrails() {
		was[d.old.p.Guardrails[p.Guardrail].Name] = p.Result.String()
	}
	for _, p := range y.Guardrails() {
		g := &d.new.p.Guardrails[p.Guardrail]
		before := was[g.Name]
		delete(was, g.Name)
		if before == p.Result.String() {
			continue
		}
		c := resultChange{Name: g.Name, Was: before, Is: p.Result.String(), Place: placeOf(d.new, g.Name, g.Pos.File, g.Pos.Line)}
		if why := d.new.proofText(y, p); why != "" {
			c.Why = []string{why}
		}
		out = append(out, c)
	}
	for i := range d.old.p.Guardrails {
		g := &d.old.p.Guardrails[i]
		if before, gone := was[g.Name]; gone {
			out = append(out, resultChange{Name: g.Name, Was: before, Place: placeOf(d.old, g.Name, g.Pos.File, g.Pos.Line)})
		}
	}
	return out
}

func placeOf(l *loaded, name, file string, line int) flow.Rule {
	return l.rule(flow.Rule{Rule: name, File: file, Line: line})
}

// caseResult is what became of all lines of a Case.
type caseResult struct {
	result string
	failed []string
	place  flow.Rule
}

func caseResults(l *loaded, e *verify.Engine) (names []string, results map[string]*caseResult) {
	results = map[string]*caseResult{}
	asked := expectations(l.tree)
	for i, o := range ask.Cases(l.tree, e) {
		r := results[o.Case]
		if r == nil {
			r = &caseResult{result: "holds", place: placeOf(l, o.Case, o.Pos.File, o.Pos.Line)}
			results[o.Case] = r
			names = append(names, o.Case)
		}
		if !o.OK() {
			r.result = "fails"
			r.failed = append(r.failed, caseLine{Outcome: o, asked: asked[i]}.message())
		}
	}
	return names, results
}

// judged compares the Cases of both by name.
func (d *difference) judged(x, y *verify.Engine) []resultChange {
	var out []resultChange
	before, was := caseResults(d.old, x)
	after, is := caseResults(d.new, y)
	for _, name := range after {
		now, then := is[name], was[name]
		if then == nil {
			then = &caseResult{}
		}
		fresh := slices.DeleteFunc(slices.Clone(now.failed), func(s string) bool { return slices.Contains(then.failed, s) })
		if then.result != now.result || len(fresh) > 0 {
			out = append(out, resultChange{Name: name, Was: then.result, Is: now.result, Why: fresh, Place: now.place})
		}
	}
	for _, name := range before {
		if is[name] == nil {
			out = append(out, resultChange{Name: name, Was: was[name].result, Place: was[name].place})
		}
	}
	return out
}

// worse reports whether it held, or was not there, and does not hold now; or
// held and is gone.
func (c resultChange) worse() bool { return c.Is != "holds" && (c.Is != "" || c.Was == "holds") }

// String says what became of it: "held before, is violated now", "new, fails",
// "held before, is gone".
func (c resultChange) String() string {
	past := map[string]string{"": "new", "holds": "held before", "violated": "was violated", "unknown": "was unproven", "fails": "failed before"}[c.Was]
	now := map[string]string{"": "is gone", "holds": "holds", "violated": "is violated", "unknown": "is unproven", "fails": "fails"}[c.Is]
	if c.Was != "" && c.Is != "" {
		now += " now"
	}
	return fmt.Sprintf("%s, %s", past, now)
}
