package target_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/lang"
	"firebreak/internal/plan"
	"firebreak/internal/target"
)

// fake is a target of which only the quotas count.
type fake struct {
	target.Target
	name   string
	quotas []target.Quota
}

func (f fake) Name() string           { return f.name }
func (f fake) Quotas() []target.Quota { return f.quotas }

var (
	groups = fake{name: "groups", quotas: []target.Quota{
		{Key: "rules", Limit: 60, Source: "page"},
		{Key: "groups", Limit: 5, Most: 16, Source: "page"},
		{Key: "both", Limit: 1000, Hard: true, Of: []string{"rules", "groups"}, Source: "page"},
		{Key: "region", Limit: 2500, Source: "page"},
		{Name: "bytes", Limit: 100, Source: "page"},
	}}
	tables = fake{name: "tables", quotas: []target.Quota{{Name: "bytes", Limit: 100, Source: "page"}}}
)

// estate reads an Estate with these quotas, which begin at line 3, column 16.
func estate(t *testing.T, quotas string) *lang.Estate {
	t.Helper()
	tree, diags := lang.Parse(fstest.MapFS{"e.yaml": {Data: []byte("kind: Estate\nmetadata: {name: e}\nspec: {quotas: {" + quotas + "}}\n")}})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return tree.Estate
}

func TestQuotasThatNoAccountHasAreRefused(t *testing.T) {
	for _, row := range []struct{ quotas, at, text, help string }{
		{"groups: {rules: 200, groups: 5, region: 3000}", "", "", ""},
		{"groups: {rules: 60}", "", "", ""},
		{"groups: {rules: 1000, groups: 1}", "", "", ""}, // AWS lowers one for the other
		{"groups: {groups: 16}", "", "", ""},
		{"groups: {rules: 62, groups: 16}", "", "", ""},
		{"groups: {rules: 63, groups: 16}", "3:45", "rules 63 and groups 16 of groups, multiplied, are more than 1000", "page"},
		{"groups: {rules: 201}", "3:33", "rules 201 and groups 5 of groups, multiplied", "page"},
		{"groups: {groups: 2147483647}", "3:34", "raised to 16 at most, not to 2147483647", "page"},
		{"groups: {rules: 2147483647, groups: 16}", "3:53", "multiplied, are more than 1000", "page"},
		{"groups: {region: 2499}", "3:34", "is 2500 for everybody: 2499 would be less", "page"},
		{"groups: {both: 2000}", "3:26", "the quota both of groups is 1000 and is raised for nobody", "page"},
		{"groups: {rule: 200}", "3:26", `has no quota "rule"`, "did you mean rules? it is one of rules, groups, region"},
		{"groups: {bytes: 200}", "3:26", `has no quota "bytes"`, "it is one of rules, groups, region"},
		{"tables: {bytes: 200}", "3:26", "tables has no quota that can be raised", "leave it out"},
		{"group: {rules: 200, groups: 5}", "3:17", `there is no target "group"`, "did you mean groups?"},
	} {
		diags := target.CheckQuotas(estate(t, row.quotas), []target.Target{groups, tables})
		if row.at == "" {
			if len(diags) > 0 {
				t.Errorf("%s: %v", row.quotas, diags)
			}
			continue
		}
		if len(diags) != 1 {
			t.Errorf("%s: %d findings: %v", row.quotas, len(diags), diags)
			continue
		}
		d := diags[0]
		if at := fmt.Sprintf("%d:%d", d.Pos.Line, d.Pos.Col); at != row.at || d.Pos.File != "e.yaml" || !strings.Contains(d.Message, row.text) || !strings.Contains(d.Help, row.help) {
			t.Errorf("%s: %s %v, want %s %q %q", row.quotas, at, d, row.at, row.text, row.help)
		}
	}
	if diags := target.CheckQuotas(nil, nil); len(diags) > 0 {
		t.Error(diags)
	}
}

func TestLimitsAreNeverBeyondWhatIsGranted(t *testing.T) {
	for _, row := range []struct {
		raised        map[string]int
		rules, groups int
	}{
		{nil, 60, 5},
		{map[string]int{"rules": 200}, 200, 5},
		{map[string]int{"rules": 500, "groups": 2}, 500, 2},
		{map[string]int{"groups": 99}, 60, 16},
		{map[string]int{"rules": 2000, "groups": 1}, 1000, 1},
		{map[string]int{"rules": 0, "both": 5000, "bytes": 7}, 60, 5},
	} {
		w := &plan.Wanted{Quotas: map[string]map[string]int{"groups": row.raised, "tables": {"rules": 7}}}
		rules, n := target.Limit(w, groups, "rules"), target.Limit(w, groups, "groups")
		if rules != row.rules || n != row.groups || target.Limit(w, groups, "both") != 1000 || target.Limit(w, groups, "region") != 2500 {
			t.Errorf("%v: %d rules, %d groups", row.raised, rules, n)
		}
	}
	for rules := 1; rules < 3000; rules += 7 {
		for n := 1; n < 20; n++ {
			w := &plan.Wanted{Quotas: map[string]map[string]int{"groups": {"rules": rules, "groups": n}}}
			if r, g := target.Limit(w, groups, "rules"), target.Limit(w, groups, "groups"); r*g > 1000 || r < 1 || g < 1 {
				t.Fatalf("%d and %d: %d times %d", rules, n, r, g)
			}
		}
	}
	if n := target.Limit(&plan.Wanted{}, groups, "bytes"); n != 0 {
		t.Errorf("a key that there is not: %d", n)
	}
}
