package terraform_test

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"firebreak/internal/inventory"
	"firebreak/internal/inventory/file"
	"firebreak/internal/inventory/terraform"
	"firebreak/internal/scaffold"
)

// TestTheTemplateIsOneEstate compares the networks that the template's inventory
// names with those that its Terraform makes.
func TestTheTemplateIsOneEstate(t *testing.T) {
	list, err := scaffold.Files("three-tier-aws", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{}
	for _, f := range list {
		files[f.Name] = &fstest.MapFile{Data: f.Text}
	}
	sub, err := fs.Sub(files, "network")
	if err != nil {
		t.Fatal(err)
	}
	made, diags := terraform.Read(sub, ".", "")
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	said, diags := file.Read(files, "networks.yaml")
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	workloads, diags := file.Read(files, "inventory.yaml")
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	is, want := lines(said, "111122223333", nil), lines(made, "", unused)
	if !slices.Equal(is, want) {
		t.Errorf("networks.yaml has\n%s\nand network/ makes\n%s", strings.Join(is, "\n"), strings.Join(want, "\n"))
	}
	for _, w := range workloads.Workloads {
		i := slices.IndexFunc(said.Networks, func(n inventory.Network) bool { return n.Name == w.Labels["net/subnet"] })
		if i < 0 || said.Networks[i].Within != w.Labels["net/vpc"] || !said.Networks[i].CIDRs[0].Contains(w.Addresses[0]) {
			t.Errorf("%s at %v is not in the subnet %s of %s", w.Name, w.Addresses, w.Labels["net/subnet"], w.Labels["net/vpc"])
		}
	}
}

// unused are subnets without workloads: AWS puts its resource gateway there.
func unused(n inventory.Network) bool { return strings.Contains(n.Name, `"gateway-`) }

// lines are the ranges of an account's networks, and of what they are within.
func lines(s *inventory.Snapshot, account string, but func(inventory.Network) bool) []string {
	ranges := map[string]string{}
	for _, n := range s.Networks {
		ranges[n.Name] = fmt.Sprint(n.CIDRs)
	}
	var out []string
	for _, n := range s.Networks {
		if account != "" && n.Labels["cloud/account"] != account || but != nil && but(n) {
			continue
		}
		out = append(out, strings.TrimSpace(fmt.Sprint(n.CIDRs, " ", ranges[n.Within])))
	}
	slices.Sort(out)
	return out
}
