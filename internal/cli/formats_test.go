package cli_test

import (
	"encoding/json"
	"encoding/xml"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// broken is a policy with warnings, an error with a place, and a Case that does
// not hold.
const broken = `
kind: Estate
metadata: {name: shop}
spec: {inventory: [{file: "inv @#.yaml"}]}
---
kind: Zone
metadata: {name: web}
spec: {select: tier=web, stage: enforce}
---
kind: Guardrail
metadata: {name: g, owner: o}
spec: {never: {from: {zone: web}, to: {zone: web}, ports: [80/TCP]}}
---
kind: Policy
metadata: {name: p, owner: o}
spec: {rules: [{name: "a", effect: allow, from: {zone: web}, to: {zone: web}, ports: [80/TCP], reason: "<b>|"}]}
---
kind: Case
metadata: {name: c}
spec: {expect: [{from: {zone: web}, to: {zone: web}, port: 80/TCP, effect: allow}]}
`

const twoWebs = "kind: Workload\nmetadata: {name: a, labels: {tier: web}}\n---\nkind: Workload\nmetadata: {name: b, labels: {tier: web}}\n"

func brokenDir(t *testing.T, policy string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"p #1.yaml": policy, "inv @#.yaml": twoWebs} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

type sarif struct {
	Schema  string `json:"$schema"`
	Version string
	Runs    []struct {
		Tool struct {
			Driver struct {
				Name           string
				InformationURI string
				Rules          []struct {
					ID, HelpURI      string
					ShortDescription struct{ Text string }
				}
			}
		}
		Results []struct {
			RuleID, Level       string
			RuleIndex           *int
			Message             struct{ Text string }
			PartialFingerprints map[string]string
			Locations           []struct {
				PhysicalLocation struct {
					ArtifactLocation struct{ URI string }
					Region           *struct{ StartLine, StartColumn int }
				}
			}
		}
	}
}

// SARIF 2.1.0 demands these of what we write.
func TestSARIFHasWhatItMust(t *testing.T) {
	dir := brokenDir(t, broken)
	other := brokenDir(t, strings.Replace(broken, "80/TCP]", "81/TCP]", 1))
	checked, _ := run(t, 1, "check", dir, "--format", "sarif")
	compared, _ := run(t, 0, "diff", dir, other, "--format", "sarif")
	for _, text := range []string{checked, compared} {
		var s sarif
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			t.Fatal(err)
		}
		if s.Version != "2.1.0" || len(s.Runs) != 1 || s.Schema == "" {
			t.Fatalf("version %q, %d runs, schema %q", s.Version, len(s.Runs), s.Schema)
		}
		d := s.Runs[0].Tool.Driver
		if d.Name != "firebreak" || len(d.Rules) == 0 || len(s.Runs[0].Results) == 0 {
			t.Fatalf("driver %q, %d rules, %d results", d.Name, len(d.Rules), len(s.Runs[0].Results))
		}
		for _, r := range d.Rules {
			if u, err := url.Parse(r.HelpURI); err != nil || !u.IsAbs() || r.ID == "" || r.ShortDescription.Text == "" {
				t.Errorf("rule %+v", r)
			}
		}
		prints := map[string]bool{}
		for _, r := range s.Runs[0].Results {
			if r.RuleIndex == nil || d.Rules[*r.RuleIndex].ID != r.RuleID || r.Message.Text == "" || !strings.Contains("error warning note", r.Level) {
				t.Errorf("result %+v", r)
			}
			print := r.PartialFingerprints["firebreak/v1"]
			if print == "" || prints[print] {
				t.Errorf("fingerprint %q of %s is empty or not its own", print, r.Message.Text)
			}
			prints[print] = true
			for _, l := range r.Locations {
				uri := l.PhysicalLocation.ArtifactLocation.URI
				if u, err := url.Parse(uri); err != nil || u.Fragment != "" || strings.ContainsAny(uri, " #") {
					t.Errorf("uri %q", uri)
				}
				if g := l.PhysicalLocation.Region; g != nil && (g.StartLine < 1 || g.StartColumn < 1) {
					t.Errorf("region %+v", g)
				}
			}
		}
	}
}

// A finding keeps its fingerprint when its line moves.
func TestFingerprintsOutliveLines(t *testing.T) {
	dir := brokenDir(t, broken)
	fingerprints := func() string {
		var out []string
		text, _ := run(t, 1, "check", dir, "--format", "sarif")
		for line := range strings.Lines(text) {
			if strings.Contains(line, "firebreak/v1") {
				out = append(out, line)
			}
		}
		return strings.Join(out, "")
	}
	before := fingerprints()
	if err := os.WriteFile(filepath.Join(dir, "p #1.yaml"), []byte("\n\n# moved\n"+broken), 0o600); err != nil {
		t.Fatal(err)
	}
	if after := fingerprints(); before == "" || after != before {
		t.Errorf("before\n%safter\n%s", before, after)
	}
}

// JUnit's sums are those of its tests, and what check fails on has failed.
func TestJUnitSums(t *testing.T) {
	text, _ := run(t, 1, "check", brokenDir(t, broken), "--format", "junit")
	var s struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Suites   []struct {
			Tests    int `xml:"tests,attr"`
			Failures int `xml:"failures,attr"`
			Cases    []struct {
				Name    string    `xml:"name,attr"`
				Failure *struct{} `xml:"failure"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	tests, failures := 0, 0
	for _, x := range s.Suites {
		failed := 0
		for _, c := range x.Cases {
			if c.Failure != nil {
				failed++
			}
		}
		if x.Tests != len(x.Cases) || x.Failures != failed {
			t.Errorf("%+v", x)
		}
		tests, failures = tests+x.Tests, failures+failed
	}
	if tests == 0 || failures == 0 || s.Tests != tests || s.Failures != failures {
		t.Errorf("%d tests, %d failures, but it says %d and %d", tests, failures, s.Tests, s.Failures)
	}
}

// Markdown for a pull request stays within what a comment may hold, and what
// stands in a policy is text in it, not markup.
func TestMarkdownIsBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString(broken)
	for i := range 3000 {
		b.WriteString("---\nkind: Case\nmetadata: {name: c" + strings.Repeat("x", 50) + string(rune('a'+i%26)) + strings.Repeat("y", i%97) + strings.Repeat("z", i/97) + "}\n" +
			"spec: {expect: [{from: {zone: web}, to: {zone: web}, port: 80/TCP, effect: allow}]}\n")
	}
	text, _ := run(t, 1, "check", brokenDir(t, b.String()), "--format", "markdown")
	if len(text) > 65536 {
		t.Errorf("%d bytes", len(text))
	}
	if !strings.Contains(text, "<details>") || !strings.Contains(text, "… and ") {
		t.Errorf("neither folded nor cut:\n%.2000s", text)
	}
	if strings.Count(text, "<details>") != strings.Count(text, "</details>") {
		t.Error("what was folded is not closed")
	}
	if strings.Contains(text, "<b>") {
		t.Error("markup from the policy")
	}
}
