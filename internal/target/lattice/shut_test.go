package lattice_test

import (
	"strings"
	"testing"

	"firebreak/internal/prove"
	"firebreak/internal/target"
	"firebreak/internal/target/lattice"
)

// TestCallersWithoutARole: who has no role cannot be let in alone, which is no
// fault of what was written; a rule about somebody else that is missing is one.
func TestCallersWithoutARole(t *testing.T) {
	e := crowd(t, 2, "")
	delete(e.inv.Workloads[0].Labels, "aws/role")
	e, err := resolve(e.text, e.inv)
	if err != nil {
		t.Fatal(err)
	}
	files, diags := lattice.Target{}.Render(e.wanted)
	if diags.HasErrors() || !has(diags, "web0 may not reach orders, without a role") {
		t.Fatal(diags)
	}
	for _, r := range e.proofs(t, files).Results {
		if r.Result != prove.Approximate || !strings.Contains(r.Reason, "has none") || len(r.Under) != 1 || len(r.Over) > 0 {
			t.Errorf("%s is %s: %s, over %v, under %v", r.Point, r.Result, r.Reason, r.Over, r.Under)
		}
	}
	var less []target.File
	for _, f := range files {
		f.Data = []byte(strings.ReplaceAll(string(f.Data), "role/web-001", "role/web-002"))
		less = append(less, f)
	}
	for _, r := range e.proofs(t, less).Results {
		if r.Result != prove.Wrong {
			t.Errorf("a role is missing, and %s is %s: %s", r.Point, r.Result, r.Reason)
		}
	}
}
