package lattice_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
	"firebreak/internal/plan"
	"firebreak/internal/policy"
	"firebreak/internal/prove"
	"firebreak/internal/target"
	"firebreak/internal/target/lattice"
	"firebreak/internal/verify"
)

// farther is an estate with web, orders and stock in a VPC each, all of which
// may call each other; places say where the VPCs are: "eu-central-1", "gcp/europe"
// or nothing.
func farther(t *testing.T, places ...string) *estate {
	t.Helper()
	inv := &inventory.Snapshot{}
	for i, place := range places {
		app := []string{"web", "orders", "stock", "mail"}[i]
		labels := map[string]string{}
		if cloud, region, ok := strings.Cut(place, "/"); ok {
			labels["cloud/provider"], place = cloud, region
		}
		if place != "" {
			labels["cloud/region"] = place
		}
		inv.Networks = append(inv.Networks, inventory.Network{Name: fmt.Sprint("vpc-", app), Complete: true, Labels: labels})
		inv.Workloads = append(inv.Workloads, inventory.Workload{Name: app, Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, byte(i), 0, 1})}, Ports: []inventory.Port{{Name: "http", Number: 8080, Protocol: netset.TCP}},
			Labels: map[string]string{"app": app, "net/vpc": fmt.Sprint("vpc-", app), "aws/role": "arn:aws:iam::111122223333:role/" + app}})
	}
	e, err := resolve(everybody(places), inv)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func everybody(places []string) string {
	var b strings.Builder
	b.WriteString("kind: Estate\nmetadata: {name: shop}\nspec: {networks: [10.0.0.0/8]}\n---\nkind: Zone\nmetadata: {name: all}\nspec: {select: app, stage: enforce, default: deny}\n")
	for i := range places {
		app := []string{"web", "orders", "stock", "mail"}[i]
		fmt.Fprintf(&b, "---\nkind: Service\nmetadata: {name: %s}\nspec: {select: app=%s}\n", app, app)
	}
	b.WriteString("---\nkind: Policy\nmetadata: {name: p}\nspec:\n  stage: enforce\n  rules:\n  - {name: r, effect: allow, from: {select: app}, to: {select: app}, ports: [8080/TCP]}\n")
	return b.String()
}

// TestRegionsAreNotJoined: a service network joins VPCs of its own Region only.
// github.com/aws/aws-application-networking-k8s/blob/main/docs/guides/ram-sharing.md
func TestRegionsAreNotJoined(t *testing.T) {
	for _, row := range []struct {
		places  []string
		folders string // of those joined: folder: VPCs
		said    []string
	}{
		{[]string{"", "", ""}, "shop: vpc-orders vpc-stock vpc-web", nil},
		{[]string{"eu-west-1", "eu-west-1", "aws/eu-west-1"}, "shop-eu-west-1: vpc-orders vpc-stock vpc-web", nil},
		{[]string{"eu-west-1", "eu-west-1", ""}, "shop-eu-west-1: vpc-orders vpc-stock vpc-web", nil},
		{[]string{"eu-west-1", "us-east-1", "eu-west-1"}, "shop-eu-west-1: vpc-stock vpc-web", []string{
			"vpc-stock, vpc-web (eu-west-1) and vpc-orders (us-east-1) cannot be joined, since a service network is of one Region: stock, web may not reach orders there",
			"vpc-orders (us-east-1) and vpc-stock, vpc-web (eu-west-1) cannot be joined, since a service network is of one Region: orders may not reach stock, web there"}},
		{[]string{"eu-west-1", "eu-west-1", "us-east-1", "us-east-1"}, "shop-eu-west-1: vpc-orders vpc-web; shop-us-east-1: vpc-mail vpc-stock", []string{"(eu-west-1) and", "(us-east-1) and"}},
		{[]string{"eu-west-1", "us-east-1", "us-east-1", ""}, "shop-us-east-1: vpc-orders vpc-stock", []string{"vpc-web (eu-west-1) and vpc-mail (a Region that is not known) cannot be joined", "(us-east-1) and vpc-mail", "vpc-mail (a Region that is not known) and"}},
		{[]string{"eu-west-1", "us-east-1"}, "", []string{"vpc-web (eu-west-1) and vpc-orders", "vpc-orders (us-east-1) and vpc-web"}},
		{[]string{"eu-west-1", "eu-west-1", "gcp/eu-west-1"}, "shop-eu-west-1: vpc-orders vpc-web", []string{"vpc-orders, vpc-web (eu-west-1) and vpc-stock (the cloud gcp)", "vpc-stock (the cloud gcp) and"}},
	} {
		e := farther(t, row.places...)
		files, diags := lattice.Target{}.Render(e.wanted)
		if diags.HasErrors() {
			t.Fatalf("%v: %v", row.places, diags)
		}
		if got := associated(t, files); got != row.folders {
			t.Errorf("%v: %s, want %s", row.places, got, row.folders)
		}
		for _, text := range row.said {
			if !has(diags, text) {
				t.Errorf("%v: nobody says %q: %v", row.places, text, diags)
			}
		}
		if len(row.said) == 0 && len(diags) > 0 {
			t.Errorf("%v: %v", row.places, diags)
		}
		for _, r := range e.proofs(t, files).Results {
			unknown := slices.Contains(row.places, "") && len(row.said) > 0
			switch {
			case r.Result == prove.Approximate && len(row.said) > 0 && strings.Contains(r.Reason, "one Region only") && len(r.Over) == 0:
			case r.Result.Proven() && len(row.said) == 0 && len(r.Over)+len(r.Under) == 0:
			case unknown && len(r.Over) == 0: // what could be rendered if somebody said the Region is missed
			default:
				t.Errorf("%v: %s is %s: %s over %v under %v", row.places, r.Point, r.Result, r.Reason, r.Over, r.Under)
			}
		}
		p := e.policy
		relay := lattice.Target{}.Relay(p, false)
		for a := range p.Inventory.Workloads {
			for b := range p.Inventory.Workloads {
				from := relay.From(&p.Inventory.Workloads[a])
				to, _ := relay.To(b)
				leads := from != "" && to != "" && relay.Leads(from, to)
				joined := slices.ContainsFunc(strings.Split(row.folders, "; "), func(s string) bool {
					return a != b && slices.Contains(strings.Fields(s), from) && slices.Contains(strings.Fields(s), to)
				})
				if leads != joined {
					t.Errorf("%v: the relay leads from %s to %s: %v", row.places, p.Inventory.Workloads[a].Name, p.Inventory.Workloads[b].Name, leads)
				}
			}
		}
	}
}

// associated says which VPCs are joined in which folder.
func associated(t *testing.T, files []target.File) string {
	t.Helper()
	of := map[string][]target.File{}
	var folders, out []string
	for _, f := range files {
		dir := path.Dir(f.Path)
		if of[dir] == nil {
			folders = append(folders, dir)
		}
		of[dir] = append(of[dir], f)
	}
	for _, dir := range folders {
		var vpcs []string
		for _, r := range tinyRead(t, of[dir]) {
			if r.kind == "aws_vpclattice_service_network_vpc_association" {
				vpcs = append(vpcs, r.at["vpc_identifier"].(string))
			}
		}
		slices.Sort(vpcs)
		out = append(out, dir+": "+strings.Join(vpcs, " "))
	}
	return strings.Join(out, "; ")
}

// TestAssociationsThatAWSRefusesProveNothing: of files that join VPCs of two
// Regions it is not known what becomes of the associations that AWS would take. Of
// those that go from one Region to the other alone it is known.
func TestAssociationsThatAWSRefusesProveNothing(t *testing.T) {
	e := farther(t, "eu-west-1", "eu-west-1", "eu-west-1")
	files, _ := lattice.Target{}.Render(e.wanted)
	for _, r := range e.proofs(t, files).Results {
		if r.Result != prove.Exact && r.Result != prove.ExactToday {
			t.Fatalf("%s is %s", r.Point, r.Result)
		}
	}
	moved := farther(t, "eu-west-1", "us-east-1", "eu-west-1")
	results := moved.proofs(t, files).Results
	for _, r := range results {
		want := prove.Unknown
		if r.Point == "service shop-orders" {
			want = prove.Approximate
		}
		if r.Result != want || r.Result == prove.Unknown && !strings.Contains(r.Reason, "AWS takes no such associations: the VPC ") {
			t.Errorf("%s is %s: %s", r.Point, r.Result, r.Reason)
		}
	}
	if len(results) != 4 {
		t.Errorf("%d results", len(results))
	}
}

// TestRandomRegions holds random estates over two Regions to what the relay says,
// and to the policy: nothing is let through that should not, and what is missing
// is missing between Regions.
func TestRandomRegions(t *testing.T) {
	folders, between := 0, 0
	for seed := range uint64(60) {
		d := rand.New(rand.NewPCG(seed, 23))
		inv, text := world(d), rules(d)
		divide(inv, d)
		tree, _ := lang.Parse(fstest.MapFS{"policy.yaml": {Data: []byte(text)}})
		p, diags := policy.Resolve(tree, inv)
		if diags.HasErrors() {
			continue
		}
		v, err := verify.New(p, verify.Options{At: noon})
		if err != nil {
			t.Fatal(err)
		}
		w := plan.Make(tree, p, v, plan.Options{At: noon})
		files, diags := lattice.Target{}.Render(w)
		if diags.HasErrors() {
			t.Fatalf("seed %d: %v", seed, diags)
		}
		some := map[string]bool{}
		for _, f := range files {
			some[path.Dir(f.Path)] = true
		}
		folders = max(folders, len(some))
		e := &estate{text, inv, p, w}
		for _, r := range e.proofs(t, files).Results {
			if len(r.Over) > 0 || r.Result == prove.Wrong || r.Result == prove.Unknown {
				t.Fatalf("seed %d: %s is %s: %s over %v under %v\n%s", seed, r.Point, r.Result, r.Reason, r.Over, r.Under, text)
			}
			if r.Result == prove.Approximate {
				between++
			}
		}
	}
	t.Logf("%d points miss what goes between Regions", between)
	if folders != 2 || between < 10 {
		t.Errorf("at most %d folders, and %d points miss something", folders, between)
	}
}

// divide puts VPCs of a world into two Regions, each with a service network of its
// own if there is one.
func divide(inv *inventory.Snapshot, d *rand.Rand) {
	for i := range inv.Networks {
		n := &inv.Networks[i]
		n.Labels["cloud/region"] = []string{"eu-west-1", "us-east-1"}[i/2*d.IntN(2)]
		if n.Labels["net/service-network"] != "" {
			n.Labels["net/service-network"] += "-" + n.Labels["cloud/region"]
		}
	}
}
