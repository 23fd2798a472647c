package nacl_test

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
	"firebreak/internal/target/nacl"
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
	for i := range 1 + d.IntN(3) {
		fmt.Fprintf(&b, "---\nkind: Guardrail\nmetadata: {name: g%d}\nspec:\n  stage: enforce\n  never: {from: %s, to: %s%s}\n", i, pick("{select: env=dev}", "{external: office}", "{external: inet}", "{zone: web}"), pick("{zone: data}", "{service: sapp}", "{any: true}"), pick("", "", ", ports: [22/TCP, 3389/TCP]", ", ports: [22/TCP, 161/UDP]"))
	}
	for i := range 4 + d.IntN(6) {
		vpc, subnet := 1+d.IntN(3), d.IntN(2)
		addrs := fmt.Sprintf("10.%d.%d.%d", vpc, subnet, 10+i)
		if d.IntN(4) == 0 {
			addrs += fmt.Sprintf(", \"fd00:%d:%d::%d\"", vpc, subnet, 10+i)
		}
		if i > 0 {
			inv.WriteString("---\n")
		}
		fmt.Fprintf(&inv, "kind: Workload\nmetadata: {name: w%d, labels: {tier: %s, env: %s, net/vpc: vpc-%d, net/subnet: subnet-%d-%d}}\nspec: {addresses: [%s]}\n", i,
			pick("web", "app", "data"), pick("prod", "dev"), vpc, vpc, subnet, addrs)
	}
	return open(t, fstest.MapFS{"policy.yaml": {Data: []byte(b.String())}, "inventory.yaml": {Data: []byte(inv.String())}}, networks...)
}

var networks = func() []inventory.Network {
	peers := map[int][]string{1: {"vpc-2"}, 2: {"vpc-1"}}
	var out []inventory.Network
	for v := 1; v <= 3; v++ {
		vpc := fmt.Sprintf("vpc-%d", v)
		out = append(out, inventory.Network{Name: vpc, CIDRs: []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("10.%d.0.0/16", v))}, Peers: peers[v], Complete: true})
		for s := range 2 {
			out = append(out, inventory.Network{Name: fmt.Sprintf("subnet-%d-%d", v, s), Within: vpc, CIDRs: []netip.Prefix{
				netip.MustParsePrefix(fmt.Sprintf("10.%d.%d.0/24", v, s)), netip.MustParsePrefix(fmt.Sprintf("fd00:%d:%d::/64", v, s)),
			}})
		}
	}
	return out
}()

// TestRandomEstates renders random policies, reads the bytes back and proves
// that nothing is cut off that was meant to pass: neither conversations nor their
// replies.
func TestRandomEstates(t *testing.T) {
	rendered, denies, tight := 0, 0, 0
	for seed := range uint64(120) {
		e := randomEstate(t, seed)
		for _, toCome := range []bool{false, true} {
			w := e.wanted(toCome)
			files, diags := nacl.Target{}.Render(w)
			if diags.HasErrors() {
				t.Logf("seed %d: %v", seed, diags)
				continue
			}
			l, more := nacl.Target{}.Lift(targettest.Estate{Wanted: w}.Source(files))
			if more.HasErrors() || len(l.Unknown) > 0 {
				t.Fatalf("seed %d: %v %v", seed, more, l.Unknown)
			}
			if len(files) > 0 {
				rendered++
			}
			for _, f := range files {
				denies += strings.Count(string(f.Data), `"deny"`)
			}
			r, err := prove.Prove(prove.Intent{Policy: e.policy, ToCome: toCome}, []*layer.Layer{l}, prove.Options{At: noon})
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range r.Results {
				if len(x.Under) > 0 || x.Result == prove.Unknown {
					t.Errorf("seed %d, to come %v: %s is %s: %s\nunder %+v", seed, toCome, x.Point, x.Result, x.Reason, x.Under)
				}
				if len(x.Over) == 0 {
					tight++
				}
			}
		}
	}
	t.Logf("%d policies with network ACLs, %d entries that deny, %d points that let nothing more pass", rendered, denies, tight)
	if rendered < 40 || denies < 200 {
		t.Error("too little was rendered")
	}
}
