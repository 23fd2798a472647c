package awssg_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/layer"
	"firebreak/internal/prove"
	"firebreak/internal/target"
	"firebreak/internal/target/awssg"
	"firebreak/internal/target/targettest"
)

// crowd is an estate in which one database lets in n partners, each from a range
// of its own that nothing can be joined with, over a peering two services, and
// from a VPC that no packets come from one that therefore is not named.
func crowd(t *testing.T, n int) *estate { return crowdOf(t, n, "") }

// crowdOf is a crowd whose Estate has a field more.
func crowdOf(t *testing.T, n int, field string) *estate {
	var b, inv strings.Builder
	b.WriteString("kind: Estate\nmetadata: {name: e}\nspec: {inventory: [{file: inventory.yaml}], networks: [10.0.0.0/8]" + field + "}\n")
	b.WriteString("---\nkind: Zone\nmetadata: {name: all}\nspec: {select: tier, stage: enforce, default: deny}\n")
	b.WriteString("---\nkind: Service\nmetadata: {name: db}\nspec: {select: tier=db, ports: [{name: main, port: 5432}]}\n")
	b.WriteString("---\nkind: Service\nmetadata: {name: app}\nspec: {select: tier=app, ports: [{name: main, port: 80}]}\n")
	b.WriteString("---\nkind: External\nmetadata: {name: partners}\nspec:\n  reason: x\n  cidrs:\n")
	for i := range n {
		fmt.Fprintf(&b, "  - 203.0.%d.%d/32\n", i/128, i%128*2)
	}
	b.WriteString("---\nkind: Policy\nmetadata: {name: p}\nspec:\n  stage: enforce\n  rules:\n")
	b.WriteString("  - {name: partners, effect: allow, from: {external: partners}, to: {service: db}, ports: [5432/TCP]}\n")
	b.WriteString("  - {name: app, effect: allow, from: {service: app}, to: {service: db}, ports: [5432/TCP]}\n")
	for i, w := range []struct{ tier, vpc string }{{"db", "vpc-1"}, {"db", "vpc-1"}, {"app", "vpc-1"}, {"app", "vpc-2"}, {"app", "vpc-2"}, {"app", "vpc-3"}, {"web", "vpc-1"}} {
		if i > 0 {
			inv.WriteString("---\n")
		}
		fmt.Fprintf(&inv, "kind: Workload\nmetadata: {name: w%d, labels: {tier: %s, net/vpc: %s}}\nspec: {addresses: [10.%s.0.%d]}\n", i, w.tier, w.vpc, w.vpc[4:], 10+i)
	}
	return open(t, fstest.MapFS{"policy.yaml": {Data: []byte(b.String())}, "inventory.yaml": {Data: []byte(inv.String())}}, networks...)
}

// TestRulesAreDividedAmongGroups proves that as many groups as it takes permit
// what one would, up to what an interface can be in.
func TestRulesAreDividedAmongGroups(t *testing.T) {
	for _, row := range []struct {
		partners, groups int // groups of the database; 0: too many rules
	}{{20, 1}, {100, 3}, {200, 5}, {297, 5}, {298, 0}} {
		w := crowd(t, row.partners).wanted(false)
		files, diags := awssg.Target{}.Render(w)
		if row.groups == 0 {
			if len(diags) != 1 || diags[0].Code != "over-quota" || !strings.Contains(diags[0].Message, "needs 301") {
				t.Errorf("%d partners: %v", row.partners, diags)
			}
			continue
		}
		if diags.HasErrors() {
			t.Fatalf("%d partners: %v", row.partners, diags)
		}
		if n := count(files, `resource "aws_security_group" "db`); n < (row.partners+3+59)/60 || n > 5 || row.groups == 1 && n != 1 {
			t.Errorf("%d partners: %d groups, want about %d", row.partners, n, row.groups)
		}
		if count(files, `"10.3.0.`) > 0 || count(files, `cidr_ipv4 = toset(["10.2.0.`) == 0 {
			t.Error("peers over the peering are named by address, and what has no route is not named")
		}
		l, more := awssg.Target{}.Lift(targettest.Estate{Wanted: w}.Source(files))
		if more.HasErrors() {
			t.Fatal(more)
		}
		r, err := prove.Prove(prove.Intent{Policy: w.Policy}, []*layer.Layer{l}, prove.Options{At: noon})
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range r.Results {
			if x.Result != prove.Exact && x.Result != prove.ExactToday {
				t.Errorf("%d partners: %s is %s: %s %+v %+v", row.partners, x.Point, x.Result, x.Reason, x.Over, x.Under)
			}
		}
	}
}

func count(files []target.File, text string) int {
	n := 0
	for _, f := range files {
		n += strings.Count(string(f.Data), text)
	}
	return n
}

// TestRaisedQuotasAreUsed renders what the default does not hold, where the Estate
// says that AWS granted more, and no further than that.
func TestRaisedQuotasAreUsed(t *testing.T) {
	for _, row := range []struct {
		partners int
		quotas   string
		groups   int // 0: too many rules
		text     string
	}{
		{298, "rules-per-group: 60", 0, "needs 301 security group rules of one IP family; 5 groups of 60 hold 300"},
		{298, "rules-per-group: 70", 5, ""},
		{298, "groups-per-interface: 6", 6, ""},
		{298, "rules-per-group: 500, groups-per-interface: 2", 1, ""},
		{298, "rules-per-group: 1000, groups-per-interface: 1", 1, ""},
		{480, "rules-per-group: 200, groups-per-interface: 5", 3, ""},
		{480, "groups-per-interface: 8", 0, "8 groups of 60 hold 480"},
		{480, "groups-per-interface: 9", 9, ""},
		{1000, "rules-per-group: 400, groups-per-interface: 16", 0, "hold "}, // CheckQuotas refuses it; what nobody grants is not used
	} {
		w := crowdOf(t, row.partners, ", quotas: {awssg: {"+row.quotas+"}}").wanted(false)
		files, diags := awssg.Target{}.Render(w)
		if row.groups == 0 {
			if len(diags) != 1 || diags[0].Code != "over-quota" || !strings.Contains(diags[0].Message, row.text) || len(files) > 0 ||
				!strings.Contains(diags[0].Help, "quotas: {awssg: {rules-per-group: N, groups-per-interface: N}}") {
				t.Errorf("%d partners, %s: %v", row.partners, row.quotas, diags)
			}
			continue
		}
		if diags.HasErrors() {
			t.Fatalf("%d partners, %s: %v", row.partners, row.quotas, diags)
		}
		if n := count(files, `resource "aws_security_group" "db`); n > row.groups || n < 1 {
			t.Errorf("%d partners, %s: %d groups, want at most %d", row.partners, row.quotas, n, row.groups)
		}
	}
}

// TestGroupsOfARegionAreCounted: of all its VPCs together. There are three in vpc-1
// and one in each of the two others.
func TestGroupsOfARegionAreCounted(t *testing.T) {
	for _, row := range []struct {
		region string
		most   int
		fits   bool
	}{{"eu-west-1", 5, true}, {"eu-west-1", 4, false}, {"", 3, true}, {"", 2, false}} {
		e := crowdOf(t, 20, fmt.Sprintf(", quotas: {awssg: {groups-per-region: %d}}", row.most))
		for i := range e.policy.Inventory.Networks {
			e.policy.Inventory.Networks[i].Labels = map[string]string{"cloud/region": row.region}
		}
		files, diags := awssg.Target{}.Render(e.wanted(false))
		if diags.HasErrors() == row.fits || (len(files) > 0) != row.fits {
			t.Errorf("%+v: %v", row, diags)
		}
		if !row.fits && (len(diags) != 1 || diags[0].Code != "over-quota" || !strings.Contains(diags[0].Help, "groups-per-region: N")) {
			t.Errorf("%+v: %v", row, diags)
		}
	}
}
