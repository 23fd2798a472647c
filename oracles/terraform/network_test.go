package terraform

import (
	"maps"
	"slices"
	"strings"
	"testing"

	reader "firebreak/internal/live/terraform"
)

// network is the base network that the template three-tier-aws begins with.
func network(t *testing.T, vars ...string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for name, f := range scaffolded(t, "three-tier-aws") {
		if rest, ok := strings.CutPrefix(name, "network/"); ok && strings.HasSuffix(rest, ".tf") {
			out[rest] = f.Data
		}
	}
	out["terraform.tfvars"] = []byte(strings.Join(vars, "\n") + "\n")
	return out
}

// tagged are the tags that everything must have.
var tagged = []string{"Environment", "Owner", "CostCenter"}

// protected are the resources that keep state.
var protected = []string{"aws_db_instance.orders", "aws_elasticache_replication_group.sessions", "aws_vpclattice_service_network.shop"}

// TestTheBaseNetwork plans and applies it: everything that can has the mandatory
// tags, and what keeps state cannot be destroyed.
func TestTheBaseNetwork(t *testing.T) {
	dir := laid(t, network(t, `owner = "platform"`, `cost_center = "1000"`))
	t.Log(judge(t, dir))
	state, err := terraform(t, dir, "show", "-json")
	if err != nil {
		t.Fatal(err)
	}
	s := read(t, map[string][]byte{"x.tfstate.json": state})
	with := 0
	for i := range s.Resources {
		r := &s.Resources[i]
		tags := r.Attribute("tags_all")
		if r.Data || tags.Kind == reader.Null {
			continue
		}
		with++
		for _, tag := range tagged {
			if v, _ := tags.Field(tag).String(); v == "" {
				t.Errorf("%s has no tag %s, but %v", r.Address, tag, slices.Sorted(maps.Keys(tags.Fields)))
			}
		}
	}
	if with < 20 {
		t.Errorf("only %d resources have tags", with)
	}
	if on, known := s.At("aws_db_instance.orders").Attribute("deletion_protection").True(); !known || !on {
		t.Error("the database can be deleted")
	}
	_, err = terraform(t, dir, "plan", "-destroy", "-input=false", "-lock=false", "-no-color")
	for _, address := range protected {
		if err == nil || !strings.Contains(err.Error(), "Resource "+address+" has\nlifecycle.prevent_destroy") && !strings.Contains(strings.Join(strings.Fields(strings.ReplaceAll(err.Error(), "│", " ")), " "), "Resource "+address+" has lifecycle.prevent_destroy set") {
			t.Errorf("%s can be destroyed: %v", address, err)
		}
	}
}

// TestTheBaseNetworkIsAsked: without its tags, or with values that mean nothing,
// nothing is planned.
func TestTheBaseNetworkIsAsked(t *testing.T) {
	const owner, center = `owner = "platform"`, `cost_center = "1000"`
	for name, c := range map[string]struct {
		vars []string
		want string
	}{
		"no owner":       {[]string{center}, `"owner" is not set`},
		"no cost center": {[]string{owner}, `"cost_center" is not set`},
		"an owner":       {[]string{`owner = "Platform Team"`, center}, "Name a team"},
		"a cost center":  {[]string{owner, `cost_center = "12"`}, "A cost center has four digits or more"},
		"an environment": {[]string{owner, center, `environment = "prod"`}, "Use production, staging or shared"},
		"an account":     {[]string{owner, center, `staging_account = "4444"`}, "An account has twelve digits"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := accepted(t, laid(t, network(t, c.vars...))); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
