package awssg_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/prove"
	"firebreak/internal/target/awssg"
	"firebreak/internal/target/targettest"
)

// randomEstate writes a policy over two peered VPCs and one that is apart, with
// workloads of one and of two families, of known and unknown addresses, in zones
// that observe and in zones that enforce.
func randomEstate(t testing.TB, seed uint64) *estate {
	d := rand.New(rand.NewPCG(seed, 7))
	pick := func(words ...string) string { return words[d.IntN(len(words))] }
	var b, inv strings.Builder
	b.WriteString("kind: Estate\nmetadata: {name: e}\nspec: {inventory: [{file: inventory.yaml}], networks: [10.0.0.0/8, \"fd00::/16\"]}\n")
	for _, z := range []string{"web", "app", "data"} {
		fmt.Fprintf(&b, "---\nkind: Zone\nmetadata: {name: %s}\nspec: {select: tier=%s, stage: %s, default: %s}\n", z, z, pick("enforce", "enforce", "observe"), pick("deny", "deny", "allow"))
		fmt.Fprintf(&b, "---\nkind: Service\nmetadata: {name: s%s}\nspec: {select: \"tier=%s,env=prod\", ports: [{name: main, port: %s}]}\n", z, z, pick("80", "443", "5432"))
	}
	b.WriteString("---\nkind: External\nmetadata: {name: inet}\nspec: {cidrs: [0.0.0.0/0, \"::/0\"], reason: x}\n")
	b.WriteString("---\nkind: External\nmetadata: {name: office}\nspec: {cidrs: [203.0.113.0/24, \"2001:db8::/32\"], reason: x}\n")
	end := func() string {
		return pick("{service: sweb}", "{service: sapp}", "{service: sdata}", "{zone: web}", "{zone: data}", "{select: env=dev}", "{select: \"env!=prod\"}", "{external: inet}", "{external: office}", "{any: true}")
	}
	for i := range 1 + d.IntN(5) {
		from, to := end(), end()
		if strings.Contains(from, "external") && strings.Contains(to, "external") {
			to = "{service: sapp}"
		}
		fmt.Fprintf(&b, "---\nkind: Policy\nmetadata: {name: p%d}\nspec:\n  tier: %s\n  stage: %s\n  rules:\n  - {name: r, effect: %s, from: %s, to: %s%s}\n", i,
			pick("application", "baseline"), pick("enforce", "enforce", "observe"), pick("allow", "allow", "allow", "deny"), from, to,
			pick("", ", ports: [443/TCP]", ", ports: [443/TCP, 8000-8010/TCP, 53/UDP]", ", ports: [icmp]", ", ports: [80/TCP, icmp]"))
	}
	if d.IntN(2) == 0 {
		fmt.Fprintf(&b, "---\nkind: Guardrail\nmetadata: {name: g}\nspec:\n  stage: enforce\n  never: {from: %s, to: %s}\n", pick("{select: env=dev}", "{external: office}", "{zone: web}"), pick("{zone: data}", "{service: sapp}"))
	}
	for i := range 4 + d.IntN(6) {
		vpc := 1 + d.IntN(3)
		addrs := fmt.Sprintf("10.%d.%d.%d", vpc, d.IntN(2), 10+i)
		if d.IntN(4) == 0 {
			addrs += fmt.Sprintf(", \"fd00:%d::%d\"", vpc, 10+i)
		}
		if i > 0 {
			inv.WriteString("---\n")
		}
		fmt.Fprintf(&inv, "kind: Workload\nmetadata: {name: w%d, labels: {tier: %s, env: %s, net/vpc: vpc-%d, net/subnet: subnet-%d}}\nspec: {addresses: [%s]}\n", i,
			pick("web", "app", "data"), pick("prod", "dev"), vpc, vpc, addrs)
	}
	return open(t, fstest.MapFS{"policy.yaml": {Data: []byte(b.String())}, "inventory.yaml": {Data: []byte(inv.String())}}, networks...)
}

var networks = []inventory.Network{
	{Name: "vpc-1", CIDRs: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}, Complete: true, Peers: []string{"vpc-2"}},
	{Name: "vpc-2", CIDRs: []netip.Prefix{netip.MustParsePrefix("10.2.0.0/16")}, Complete: true, Peers: []string{"vpc-1"}},
	{Name: "vpc-3", CIDRs: []netip.Prefix{netip.MustParsePrefix("10.3.0.0/16")}, Complete: true},
}

// TestRandomEstates renders random policies, reads the bytes back and proves
// them: where nothing was widened or left out, nothing more and nothing less
// passes than was meant.
func TestRandomEstates(t *testing.T) {
	words := map[prove.Word]int{}
	cases, widened := 0, 0
	for seed := range uint64(60) {
		e := randomEstate(t, seed)
		for _, toCome := range []bool{false, true} {
			w := e.wanted(toCome)
			files, diags := awssg.Target{}.Render(w)
			if diags.HasErrors() {
				t.Fatalf("seed %d: %v", seed, diags)
			}
			l, more := awssg.Target{}.Lift(targettest.Estate{Wanted: w}.Source(files))
			if more.HasErrors() {
				t.Fatalf("seed %d: %v", seed, more)
			}
			r, err := prove.Prove(prove.Intent{Policy: e.policy, ToCome: toCome}, []*layer.Layer{l}, prove.Options{At: noon})
			if err != nil {
				t.Fatal(err)
			}
			cases++
			for _, x := range r.Results {
				words[x.Result]++
				if len(x.Under) > 0 || x.Result == prove.Unknown || len(diags) == 0 && x.Result != prove.Exact && x.Result != prove.ExactToday {
					t.Errorf("seed %d, to come %v: %s is %s: %s\nover %+v\nunder %+v\n%v", seed, toCome, x.Point, x.Result, x.Reason, x.Over, x.Under, diags)
				}
			}
			if len(diags) > 0 {
				widened++
			}
		}
	}
	t.Logf("%d policies, of which %d say more than groups can: %v", cases, widened, words)
	if widened > cases/2 || words[prove.ExactToday]+words[prove.Exact] < 80 {
		t.Error("too little was proven exact")
	}
}
