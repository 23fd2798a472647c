package inventory_test

import (
	"net/netip"
	"reflect"
	"testing"

	"firebreak/internal/diag"
	"firebreak/internal/inventory"
)

func TestJoinUnitesOneWorkloadOfTwoSources(t *testing.T) {
	a := &inventory.Snapshot{Workloads: []inventory.Workload{
		{Name: "z"},
		{Name: "db", Labels: map[string]string{"app": "db"}, Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.2")}},
	}}
	b := &inventory.Snapshot{Workloads: []inventory.Workload{
		{Name: "db", Labels: map[string]string{"app": "db", "env": "prod"}, Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")}, Host: "h"},
	}}
	snap, diags := inventory.Join(a, nil, b)
	if len(diags) > 0 || len(snap.Workloads) != 2 || snap.Workloads[1].Name != "z" {
		t.Fatalf("got %+v, %v", snap, diags)
	}
	db := snap.Workloads[0]
	if !reflect.DeepEqual(db.Labels, map[string]string{"app": "db", "env": "prod"}) || len(db.Addresses) != 2 || db.Host != "h" {
		t.Errorf("db is %+v", db)
	}
	if len(a.Workloads[1].Labels) != 1 {
		t.Error("Join changed its input")
	}
}

func TestJoinRefusesContradictions(t *testing.T) {
	pos := func(f string) diag.Pos { return diag.Pos{File: f, Line: 1} }
	one := &inventory.Snapshot{Workloads: []inventory.Workload{{Name: "db", Labels: map[string]string{"env": "prod"}, Source: pos("a")}}}
	other := &inventory.Snapshot{Workloads: []inventory.Workload{{Name: "db", Labels: map[string]string{"env": "dev"}, Source: pos("b")}}}
	twice := &inventory.Snapshot{
		Workloads: []inventory.Workload{{Name: "w"}, {Name: "w"}},
		Frontends: []inventory.Frontend{{Name: "f"}, {Name: "f"}},
	}
	if _, diags := inventory.Join(one, other); len(diags) != 1 || diags[0].Code != "sources-disagree" || diags[0].Pos.File != "b" {
		t.Errorf("disagreement: %v", diags)
	}
	if _, diags := inventory.Join(twice); len(diags) != 2 || diags[0].Code != "duplicate-name" {
		t.Errorf("duplicates: %v", diags)
	}
}

func TestRelabel(t *testing.T) {
	in := &inventory.Snapshot{Workloads: []inventory.Workload{
		{Name: "a", Labels: map[string]string{"Environment": "production"}},
		{Name: "b", Labels: map[string]string{"Environment": "dev", "env": "dev"}},
		{Name: "c"},
		{Name: "d", Labels: map[string]string{"Environment": "dev", "env": "prod"}},
		{Name: "e", Labels: map[string]string{"Environment": "not a value"}},
	}}
	list := []inventory.Relabeling{{From: "tag:Environment", To: "env", Map: map[string]string{"production": "prod"}}}
	out, diags := inventory.Relabel(in, list)
	for i, want := range []string{"prod", "dev", "", "prod", ""} {
		if got := out.Workloads[i].Labels["env"]; got != want {
			t.Errorf("%s has env=%q, want %q", out.Workloads[i].Name, got, want)
		}
	}
	if len(diags) != 2 || diags[0].Code != "sources-disagree" || diags[1].Code != "bad-label" {
		t.Errorf("diagnostics: %v", diags)
	}
	if _, changed := in.Workloads[0].Labels["env"]; changed {
		t.Error("Relabel changed its input")
	}
}

// TestReplicasShareLabels relabels workloads that share their labels, one of
// them such that each of them is to be reported.
func TestReplicasShareLabels(t *testing.T) {
	good, bad := map[string]string{"Environment": "production"}, map[string]string{"Environment": "not a value"}
	in := &inventory.Snapshot{Workloads: []inventory.Workload{{Name: "a", Labels: good}, {Name: "b", Labels: bad}, {Name: "c", Labels: good}, {Name: "d", Labels: bad}, {Name: "e"}, {Name: "f"}}}
	out, diags := inventory.Relabel(in, []inventory.Relabeling{{From: "Environment", To: "env", Map: map[string]string{"production": "prod"}}})
	for i, want := range []string{"prod", "", "prod", "", "", ""} {
		if got := out.Workloads[i].Labels["env"]; got != want {
			t.Errorf("%s has env=%q, want %q", out.Workloads[i].Name, got, want)
		}
	}
	if len(diags) != 2 || len(good) != 1 {
		t.Errorf("%d diagnostics, want 2; the labels given are now %v", len(diags), good)
	}
}
