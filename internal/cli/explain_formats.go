package cli

import (
	"fmt"
	"io"
	"strings"

	"firebreak/internal/flow"
	"firebreak/internal/semantics"
)

type explainStep struct {
	Tier   string      `json:"tier"`
	Effect string      `json:"effect"`
	Rules  []flow.Rule `json:"rules"`
}

type explainEnd struct {
	Direction string        `json:"direction"`
	Workload  string        `json:"workload"`
	Zone      string        `json:"zone"`
	Effect    string        `json:"effect"`
	InForce   string        `json:"inForce"`
	Rule      flow.Rule     `json:"rule"`
	Tiers     []explainStep `json:"tiers"`
}

type explainPair struct {
	From    string       `json:"from"`
	To      string       `json:"to"`
	Others  int          `json:"others"`
	Effect  string       `json:"effect"`
	InForce string       `json:"inForce"`
	Rule    flow.Rule    `json:"rule"`
	Ends    []explainEnd `json:"ends"`
}

func explainJSON(w io.Writer, x *explanation) error {
	out := struct {
		From     string        `json:"from"`
		To       string        `json:"to"`
		Traffic  string        `json:"traffic"`
		Effect   string        `json:"effect"`
		InForce  string        `json:"inForce"`
		Judged   string        `json:"judged"`
		Why      string        `json:"why,omitempty"`
		Rule     flow.Rule     `json:"rule"`
		Tiers    []explainStep `json:"tiers"`
		Layers   []any         `json:"layers"`
		Bypasses []any         `json:"bypasses"`
		Pairs    []explainPair `json:"pairs"`
	}{x.From, x.To, x.Traffic, x.Effect, x.InForce, x.Judged, x.Why, x.Rule, []explainStep{}, []any{}, []any{}, []explainPair{}}
	for _, p := range x.Pairs {
		out.Pairs = append(out.Pairs, jsonPair(p))
	}
	if x.Effect != "unknown" {
		out.Tiers = decidingTiers(x.Pairs[0])
	}
	return writeJSON(w, out)
}

func jsonPair(p pair) explainPair {
	out := explainPair{p.From, p.To, p.Others, p.Effect, p.Decision.InForce.String(), p.rule(), []explainEnd{}}
	for _, e := range p.Decision.Ends {
		j := p.judgement(e)
		out.Ends = append(out.Ends, explainEnd{
			e.Direction.String(), e.Workload, e.Zone, effectOf(j.Permits), effectOf(e.InForce.Permits), j.Rule, jsonSteps(j.Steps),
		})
	}
	return out
}

func (p pair) judgement(e semantics.End) semantics.Judgement {
	if p.inForce {
		return e.InForce
	}
	return e.ToCome
}

func effectOf(permits bool) string {
	if permits {
		return "allow"
	}
	return "deny"
}

func jsonSteps(steps []semantics.Step) []explainStep {
	out := []explainStep{}
	for _, s := range steps {
		rules := s.Rules
		if rules == nil {
			rules = []flow.Rule{}
		}
		out = append(out, explainStep{s.Tier, s.Effect, rules})
	}
	return out
}

// decidingTiers are those of the end whose rule is named; a built-in has none.
func decidingTiers(p pair) []explainStep {
	for _, e := range p.Decision.Ends {
		if j := p.judgement(e); j.Rule == p.rule() {
			return jsonSteps(j.Steps)
		}
	}
	return []explainStep{}
}

// explainText writes the answer on the first line, then how it came about.
func explainText(w io.Writer, x *explanation) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%-7s %s → %s  %s", strings.ToUpper(x.Effect), x.From, x.To, x.Traffic)
	if x.Judged == "in force" {
		b.WriteString("  (judged by what is in force)")
	}
	b.WriteByte('\n')
	if x.Why != "" {
		fmt.Fprintf(&b, "        %s\n", x.Why)
	}
	for _, p := range x.Pairs {
		textPair(&b, p, len(x.Pairs) > 1)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func textPair(b *strings.Builder, p pair, many bool) {
	others := ""
	if p.Others > 0 {
		others = fmt.Sprintf(" (and %d more alike)", p.Others)
	}
	if many {
		fmt.Fprintf(b, "\n%-7s %s → %s%s\n", strings.ToUpper(p.Effect), p.From, p.To, others)
	} else {
		fmt.Fprintf(b, "        %s → %s%s\n", p.From, p.To, others)
	}
	if p.Decision.InForce == flow.Unjudged {
		return
	}
	fmt.Fprintf(b, "\n  to come    %-10s by %s\n", p.Decision.ToCome, p.Decision.ToComeRule)
	fmt.Fprintf(b, "  in force   %-10s by %s\n", p.Decision.InForce, p.Decision.InForceRule)
	for _, e := range p.Decision.Ends {
		fmt.Fprintf(b, "\n  %s at %s (zone %s)\n", e.Direction, e.Workload, e.Zone)
		for _, s := range p.judgement(e).Steps {
			textStep(b, s)
		}
	}
}

func textStep(b *strings.Builder, s semantics.Step) {
	if s.Effect == "" {
		fmt.Fprintf(b, "    %-12s no rule speaks\n", s.Tier)
		return
	}
	for i, r := range s.Rules {
		tier, effect := s.Tier, s.Effect
		if i > 0 {
			tier, effect = "", "and"
		}
		fmt.Fprintf(b, "    %-12s %-6s %s\n", tier, effect, r)
	}
}
