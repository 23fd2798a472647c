package flow_test

import (
	"testing"

	"firebreak/internal/flow"
)

// TestRuleText leaves out what is empty.
func TestRuleText(t *testing.T) {
	for want, r := range map[string]flow.Rule{
		"":                  {},
		"web/in (p.yaml:3)": {Policy: "web", Rule: "in", File: "p.yaml", Line: 3},
		"web (p.yaml:3)":    {Policy: "web", File: "p.yaml", Line: 3},
		"in":                {Rule: "in"},
		"p.yaml:3":          {File: "p.yaml", Line: 3},
	} {
		if got := r.String(); got != want {
			t.Errorf("%+v is %q, want %q", r, got, want)
		}
	}
}
