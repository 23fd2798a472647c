package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/netset"
	"firebreak/internal/semantics"
)

// explainText writes the answer on the first line, then how it came about.
func explainText(w io.Writer, x *explanation) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%-7s %s → %s  %s", strings.ToUpper(x.Effect), x.From, x.To, x.Traffic)
	if x.In.HTTP != nil {
		b.WriteString("  " + requestText(x.In.HTTP))
	}
	if x.Timed {
		b.WriteString("  at " + x.In.At.Format(time.RFC3339))
	}
	if !x.In.MTLS {
		b.WriteString("  without mTLS")
	}
	if x.Judged == "in force" {
		b.WriteString("  (judged by what is in force)")
	}
	b.WriteByte('\n')
	if x.Why != "" {
		fmt.Fprintf(&b, "        %s\n", x.Why)
	}
	for _, p := range x.Pairs {
		textPair(&b, x, p)
	}
	if x.Live != nil {
		textWalk(&b, x.Live)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func textPair(b *strings.Builder, x *explanation, p pair) {
	others := ""
	if p.Others > 0 {
		others = fmt.Sprintf(" (and %s alike)", x.morePairs(p.Others))
	}
	if len(x.Pairs) > 1 {
		fmt.Fprintf(b, "\n%-7s %s → %s%s\n", strings.ToUpper(p.Effect), p.From, p.To, others)
		if p.Why != "" {
			fmt.Fprintf(b, "        %s\n", p.Why)
		}
	} else {
		fmt.Fprintf(b, "        %s → %s%s\n", p.From, p.To, others)
	}
	for _, d := range p.Demands {
		fmt.Fprintf(b, "        %s\n", demandText(p.Effect, d))
	}
	textNearest(b, p.Nearest)
	if p.Requests != nil {
		textRequests(b, p)
		return
	}
	if len(p.Decision.Ends) == 0 && p.Decision.InForce == flow.Unjudged {
		return
	}
	b.WriteByte('\n')
	for _, v := range []struct {
		which   string
		verdict flow.Verdict
		rule    flow.Rule
	}{{"to come", p.Decision.ToCome, p.Decision.ToComeRule}, {"in force", p.Decision.InForce, p.Decision.InForceRule}} {
		line := fmt.Sprintf("  %-10s %-10s%s", v.which, v.verdict, p.byRule(v.verdict, v.rule))
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	textSegments(b, p)
	for _, e := range p.Decision.Ends {
		fmt.Fprintf(b, "\n  %s at %s (zone %s)\n", e.Direction, e.Workload, e.Zone)
		for _, s := range p.judgement(e).Steps {
			if p.Effect == "allow" { // what almost refused is no news
				s.Near = nil
			}
			p.textStep(b, s)
		}
	}
}

// morePairs counts pairs, and says of what.
func (x *explanation) morePairs(n int) string {
	of := "of workloads"
	if x.Outside {
		of = "of workloads or address ranges"
	}
	return count(n, "more pair") + " " + of
}

func (p pair) byRule(v flow.Verdict, r flow.Rule) string {
	if v == flow.Unjudged {
		return ""
	}
	return " by " + p.asked.l.ruleText(r)
}

// demandText puts what a rule demands into a sentence.
func demandText(effect, d string) string {
	subject := map[string]string{"allow": "this permission ", "deny": "this refusal "}[effect]
	if d == "demands mTLS" {
		return subject + d + ", which is taken as proven; --no-mtls asks without"
	}
	return subject + "holds " + d
}

// textRequests lists what may pass and what may not, with the rules.
func textRequests(b *strings.Builder, p pair) {
	for _, r := range p.Requests {
		fmt.Fprintf(b, "\n  %-6s by %s\n", r.Effect, p.asked.l.ruleText(r.Rule))
		for _, d := range r.Demands {
			fmt.Fprintf(b, "         %s\n", d)
		}
		shown := r.Examples[:min(3, len(r.Examples))]
		fmt.Fprintf(b, "         for example %s\n", strings.Join(shown, ", "))
	}
}

func segmentTraffic(s semantics.Segment) string {
	return netset.Of(s.Protocol, s.Port, s.Port).String()
}

// textSegments shows the parts of a path through a frontend.
func textSegments(b *strings.Builder, p pair) {
	if p.Decision.Segments == nil {
		return
	}
	b.WriteString("\n  segments\n")
	for _, s := range p.Decision.Segments {
		verdict, rule := s.Decision.ToCome, s.Decision.ToComeRule
		if p.inForce {
			verdict, rule = s.Decision.InForce, s.Decision.InForceRule
		}
		if verdict == flow.Unjudged && s.Decision.Why == "" {
			fmt.Fprintf(b, "    %s → %s  %s  nobody is asked\n", s.From.Name(), s.To.Name(), segmentTraffic(s))
			continue
		}
		fmt.Fprintf(b, "    %s → %s  %s  %s%s\n", s.From.Name(), s.To.Name(), segmentTraffic(s), verdict, p.byRule(verdict, rule))
		if s.Decision.Why != "" {
			fmt.Fprintf(b, "      %s\n", s.Decision.Why)
		}
	}
}

// textStep shows what a tier said. Guardrails and exceptions are only spoken
// of where there are any.
func (p pair) textStep(b *strings.Builder, s semantics.Step) {
	optional := s.Tier == "guardrail" || s.Tier == "exception"
	if s.Effect == "" && !(optional && s.Near == nil) {
		fmt.Fprintf(b, "    %-12s no rule speaks\n", s.Tier)
	}
	for i, r := range s.Rules {
		tier, effect := s.Tier, s.Effect
		if i > 0 {
			tier, effect = "", "and"
		}
		fmt.Fprintf(b, "    %-12s %-6s %s\n", tier, effect, p.asked.l.ruleText(r))
	}
	for _, n := range s.Near {
		fmt.Fprintf(b, "    %-12s but    %s would %s: %s\n", "", n.Rule, n.Effect, n.Why)
	}
}
