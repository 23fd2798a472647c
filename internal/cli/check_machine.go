package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/verify"
)

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

func checkJSON(w io.Writer, r *checkReport) error {
	type line struct {
		Name    string    `json:"name"`
		Index   int       `json:"index"`
		Want    string    `json:"want"`
		Got     string    `json:"got"`
		Rule    flow.Rule `json:"rule"`
		From    string    `json:"from,omitempty"`
		To      string    `json:"to,omitempty"`
		Traffic string    `json:"traffic,omitempty"`
		Why     string    `json:"why,omitempty"`
		File    string    `json:"file"`
		Line    int       `json:"line"`
	}
	type proof struct {
		Name   string     `json:"name"`
		Kind   string     `json:"kind"`
		Stage  string     `json:"stage"`
		Result string     `json:"result"`
		Why    string     `json:"why,omitempty"`
		Rule   *flow.Rule `json:"rule,omitempty"`
		File   string     `json:"file"`
		Line   int        `json:"line"`
	}
	out := struct {
		Diagnostics []jsonFinding `json:"diagnostics"`
		Guardrails  []proof       `json:"guardrails"`
		Cases       []line        `json:"cases"`
	}{jsonFindings(r.diags), []proof{}, []line{}}
	for _, p := range r.proofs {
		x := proof{Name: p.Name, Kind: p.Kind, Stage: p.Stage, Result: p.Result.String(), Why: p.Why, File: p.Pos.File, Line: p.Pos.Line}
		if p.Rule.Rule != "" {
			x.Rule = &p.Rule
		}
		out.Guardrails = append(out.Guardrails, x)
	}
	for _, c := range r.cases {
		out.Cases = append(out.Cases, line{c.Case, c.Index, c.Want, c.Got, c.Rule, c.From, c.To, c.Traffic, c.Why, c.Pos.File, c.Pos.Line})
	}
	return writeJSON(w, out)
}

// see is the second place of a finding.
type see struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Col  int    `json:"col"`
}

func seeOf(d diag.Diagnostic) *see {
	if d.See == (diag.Pos{}) {
		return nil
	}
	return &see{d.See.File, d.See.Line, d.See.Col}
}

// codeMismatch stands for a line of a Case that does not hold, where a format
// knows findings only.
const codeMismatch = "case-mismatch"

// findings are the diagnostics, and the lines of Cases that do not hold.
func (r *checkReport) findings() diag.List {
	out := append(diag.List(nil), r.diags...)
	for _, c := range r.cases {
		if !c.OK() {
			out.Errorf(c.Pos, codeMismatch, "Case %s %s", c.Case, c.message())
		}
	}
	return out
}

// checkSARIF writes SARIF 2.1.0, which code hosts show beside the lines.
func checkSARIF(w io.Writer, r *checkReport) error { return writeSARIF(w, r.findings()) }

// junitProofs is the suite of the guardrails. What is not proven has failed, or
// is skipped where that is accepted: a pipeline must not take it for proven.
func junitProofs(proofs []proofLine) junitSuite {
	s := junitSuite{Name: "guardrails"}
	for _, p := range proofs {
		j := junitCase{Name: p.Name, Class: "guardrails", File: p.Pos.File, Line: p.Pos.Line}
		switch {
		case p.Accepted:
			j.Skipped = &junitSkipped{"not proven, which is accepted: " + p.Why}
		case p.Result != verify.Holds:
			j.Failure = &junitFailure{p.Result.String() + ": " + p.Why, fmt.Sprintf("%s: %s", p.Pos, p.Why)}
		}
		s.add(j)
	}
	return s
}

// ofProof reports whether the suite of the guardrails says the same.
func ofProof(d diag.Diagnostic) bool {
	return d.Severity == diag.Error && strings.HasPrefix(d.Code, "guardrail-")
}

// checkJUnit writes one suite for the text itself, one for the guardrails and
// one per Case.
func checkJUnit(w io.Writer, r *checkReport) error {
	text := junitSuite{Name: "policy"}
	for _, d := range r.diags {
		if r.fails(d) && !ofProof(d) {
			text.add(junitCase{Name: d.Code, Class: "policy", File: d.Pos.File, Line: d.Pos.Line, Failure: &junitFailure{d.Message, d.String()}})
		}
	}
	if text.Tests == 0 {
		text.add(junitCase{Name: "no errors", Class: "policy"})
	}
	suites := []junitSuite{text}
	if len(r.proofs) > 0 {
		suites = append(suites, junitProofs(r.proofs))
	}
	for i := 0; i < len(r.cases); {
		n := caseLength(r.cases[i:])
		s := junitSuite{Name: r.cases[i].Case}
		for _, c := range r.cases[i : i+n] {
			j := junitCase{Name: c.title(), Class: c.Case, File: c.Pos.File, Line: c.Pos.Line}
			if !c.OK() {
				j.Failure = &junitFailure{c.message(), fmt.Sprintf("%s: %s\ndecided by %s", c.Pos, c.message(), c.by)}
			}
			s.add(j)
		}
		suites, i = append(suites, s), i+n
	}
	return writeJUnit(w, suites)
}
