package cli

import (
	"io"
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/semantics"
)

type explainStep struct {
	Tier   string        `json:"tier"`
	Effect string        `json:"effect"`
	Rules  []flow.Rule   `json:"rules"`
	Near   []explainNear `json:"near,omitempty"`
}

type explainNear struct {
	Rule   flow.Rule `json:"rule"`
	Effect string    `json:"effect"`
	Why    string    `json:"why"`
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

type explainSegment struct {
	From    string    `json:"from"`
	To      string    `json:"to"`
	Traffic string    `json:"traffic"`
	ToCome  string    `json:"toCome"`
	InForce string    `json:"inForce"`
	Rule    flow.Rule `json:"rule"`
	Why     string    `json:"why,omitempty"`
}

type explainPair struct {
	From       string           `json:"from"`
	To         string           `json:"to"`
	Others     int              `json:"others"`
	Effect     string           `json:"effect"`
	InForce    string           `json:"inForce"`
	Why        string           `json:"why,omitempty"`
	Rule       flow.Rule        `json:"rule"`
	Conditions []string         `json:"conditions,omitempty"`
	Requests   []requests       `json:"requests,omitempty"`
	Nearest    []nearRule       `json:"nearest,omitempty"`
	Segments   []explainSegment `json:"segments,omitempty"`
	Ends       []explainEnd     `json:"ends"`
}

func explainJSON(w io.Writer, x *explanation) error {
	out := struct {
		From       string          `json:"from"`
		To         string          `json:"to"`
		Traffic    string          `json:"traffic"`
		HTTP       string          `json:"http,omitempty"`
		At         time.Time       `json:"at"`
		MTLS       bool            `json:"mtls"`
		Effect     string          `json:"effect"`
		InForce    string          `json:"inForce"`
		Judged     string          `json:"judged"`
		Why        string          `json:"why,omitempty"`
		Rule       flow.Rule       `json:"rule"`
		Conditions []string        `json:"conditions,omitempty"`
		Tiers      []explainStep   `json:"tiers"`
		Nearest    []nearRule      `json:"nearest"`
		Effective  string          `json:"effective,omitempty"`
		Layers     []explainLayer  `json:"layers"`
		Bypasses   []explainBypass `json:"bypasses"`
		Ways       []explainWay    `json:"ways,omitempty"`
		Pairs      []explainPair   `json:"pairs"`
		Findings   *[]jsonFinding  `json:"diagnostics,omitempty"` // of a live folder
	}{
		From: x.From, To: x.To, Traffic: x.Traffic, At: x.In.At, MTLS: x.In.MTLS, Effect: x.Effect, InForce: x.InForce, Judged: x.Judged, Why: x.Why,
		Rule: x.Rule, Tiers: []explainStep{}, Nearest: []nearRule{}, Layers: []explainLayer{}, Bypasses: []explainBypass{}, Pairs: []explainPair{},
	}
	if x.In.HTTP != nil {
		out.HTTP = requestText(x.In.HTTP)
	}
	if x.Live != nil {
		findings := jsonFindings(x.Live.diags)
		out.Effective, out.Findings = x.Live.Effect, &findings
		for i, y := range x.Live.Ways {
			j := jsonWay(y)
			if i == 0 {
				out.Layers, out.Bypasses = j.Layers, j.Bypasses
			}
			out.Ways = append(out.Ways, j)
		}
	}
	for _, p := range x.Pairs {
		out.Pairs = append(out.Pairs, jsonPair(p))
	}
	if x.Effect != "unknown" {
		out.Tiers, out.Conditions = decidingTiers(x.Pairs[0]), x.Pairs[0].Demands
		out.Nearest = append(out.Nearest, x.Pairs[0].Nearest...)
	}
	return writeJSON(w, out)
}

func jsonPair(p pair) explainPair {
	out := explainPair{
		From: p.From, To: p.To, Others: p.Others, Effect: p.Effect, InForce: p.Decision.InForce.String(), Why: p.Why, Rule: p.rule(),
		Conditions: p.Demands, Requests: p.Requests, Nearest: p.Nearest, Ends: []explainEnd{},
	}
	for _, s := range p.Decision.Segments {
		rule := s.Decision.ToComeRule
		if p.inForce {
			rule = s.Decision.InForceRule
		}
		out.Segments = append(out.Segments, explainSegment{
			s.From.Name(), s.To.Name(), segmentTraffic(s), s.Decision.ToCome.String(), s.Decision.InForce.String(), rule, s.Decision.Why,
		})
	}
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
		step := explainStep{Tier: s.Tier, Effect: s.Effect, Rules: s.Rules}
		if step.Rules == nil {
			step.Rules = []flow.Rule{}
		}
		for _, n := range s.Near {
			step.Near = append(step.Near, explainNear(n))
		}
		out = append(out, step)
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
