package inventory_test

import (
	"fmt"
	"testing"

	"firebreak/internal/inventory"
)

func TestAlike(t *testing.T) {
	l := func(kv ...string) map[string]string {
		out := map[string]string{}
		for i := 0; i < len(kv); i += 2 {
			out[kv[i]] = kv[i+1]
		}
		return out
	}
	got := inventory.Alike([]inventory.Workload{
		{Name: "a", Labels: l("app", "x", "env", "y")},
		{Name: "b", Labels: l("app", "y", "env", "x")},
		{Name: "c", Labels: l("env", "y", "app", "x")},
		{Name: "d", Labels: l("app", "x", "env", "y"), Pod: l()},
		{Name: "e"},
		{Name: "f", Labels: l("app", "x", "env", "y"), Pod: l("app", "x")},
		{Name: "g", Labels: l(), Principal: "p"},
		{Name: "h", Labels: l("app", "x", "env", "y"), Pod: l("app", "x")},
	})
	if fmt.Sprint(got) != "[[0 2] [1] [3] [4 6] [5 7]]" {
		t.Error(got)
	}
}
