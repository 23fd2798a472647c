package awssg_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/live"
	"firebreak/internal/target"
	"firebreak/internal/target/awssg"
)

// TestRulesInAFileThatCannotBeRead are not absent: nobody knows what they say, of
// whomever.
func TestRulesInAFileThatCannotBeRead(t *testing.T) {
	w := inventory.Workload{Name: "i-1", Labels: map[string]string{"net/vpc": "vpc-1"}}
	pod := inventory.Workload{Name: "pod"}
	fsys := fstest.MapFS{"main.tf": {Data: []byte(`resource "aws_vpc" "a" { cidr_block = "10.0.0.0/16" }`)}, "groups.tf": {Data: []byte(`resource {{`)}}
	l, _ := awssg.Target{}.Lift(&target.Source{Folder: live.Open(fsys), Inventory: &inventory.Snapshot{Workloads: []inventory.Workload{w, pod}}})
	for _, u := range l.Unknown {
		if u.Where.File == "groups.tf" && strings.Contains(u.Why, "cannot be read") &&
			u.Concerns.Matches(layer.Party{Workload: &w}, nil) == layer.Yes && u.Concerns.Matches(layer.Party{Workload: &pod}, nil) == layer.No {
			return
		}
	}
	t.Errorf("%+v", l.Unknown)
}
