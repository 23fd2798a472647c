package ebpf

import (
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/inventory"
	"firebreak/internal/live"
	"firebreak/internal/target"
)

// TestTwoFilesOfOneHost: which of them the kernel has is not known.
func TestTwoFilesOfOneHost(t *testing.T) {
	empty := &fstest.MapFile{Data: []byte(`{"maps": 4, "host": "h", "addresses": [], "classes": [], "policy": []}`)}
	inv := &inventory.Snapshot{Workloads: []inventory.Workload{{Name: "a", Host: "h"}}}
	l, diags := Target{}.Lift(&target.Source{Folder: live.Open(fstest.MapFS{"h.maps.json": empty, "old/firebreak.maps.json": empty}), Inventory: inv})
	for _, u := range l.Unknown {
		if strings.Contains(u.Why, "h.maps.json is of the same host") && u.Concerns != nil {
			return
		}
	}
	t.Error(l.Unknown, diags)
}
