package policy_test

import (
	"slices"
	"testing"

	"firebreak/internal/inventory"
	"firebreak/internal/policy"
)

// What stands behind a frontend is judged with everything else by the reference
// evaluator; these are the readings that random estates seldom meet.
func TestBehind(t *testing.T) {
	inv := &inventory.Snapshot{
		Workloads: []inventory.Workload{
			{Name: "a", Namespace: "shop", Labels: map[string]string{"app": "web"}, Ports: []inventory.Port{{Name: "http", Number: 8080}}},
			{Name: "b", Namespace: "other", Labels: map[string]string{"app": "web"}},
			{Name: "c", Namespace: "shop", Labels: map[string]string{"app": "db"}},
		},
		Frontends: []inventory.Frontend{
			{Name: "service", ToService: "web"},
			{Name: "selector", Namespace: "shop", Selector: map[string]string{"app": "web"}},
			{Name: "named", Workloads: []string{"c", "a", "c", "gone"}},
		},
	}
	p := &policy.Policy{
		Inventory:  inv,
		Services:   []policy.Service{{Name: "web", Workloads: []int{0, 1}, Ports: []inventory.Port{{Name: "http", Number: 80}}}},
		ServicesOf: [][]int{{0}, {0}, nil},
	}
	behind := p.Behind()
	for i, want := range [][]int{{0, 1}, {0}, {0, 2}} {
		if got := behind.Workloads(&inv.Frontends[i]); !slices.Equal(got, want) {
			t.Errorf("behind %s are %v, want %v", inv.Frontends[i].Name, got, want)
		}
	}
	name := inventory.FrontendPort{TargetName: "http"}
	for _, c := range []struct {
		frontend, workload int
		port               inventory.FrontendPort
		want               []uint16
	}{
		{0, 0, name, []uint16{80}},   // the service that it stands for says it
		{1, 0, name, []uint16{8080}}, // else the workload
		{1, 1, name, []uint16{80}},   // else its services
		{1, 2, name, nil},
		{1, 2, inventory.FrontendPort{Target: 9}, []uint16{9}},
	} {
		if got := behind.Targets(&inv.Frontends[c.frontend], c.port, c.workload); !slices.Equal(got, c.want) {
			t.Errorf("frontend %s leads to %v of workload %d, want %v", inv.Frontends[c.frontend].Name, got, c.workload, c.want)
		}
	}
}
