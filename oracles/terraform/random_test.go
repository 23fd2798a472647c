package terraform

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/gen"
	"firebreak/internal/inventory"
	"firebreak/internal/target/all"
)

// small writes an estate of three VPCs, of which two are peered, with subnets,
// roles, a service network and guardrails, so that every target has something to
// say.
func small(seed uint64) (fstest.MapFS, []inventory.Network) {
	d := rand.New(rand.NewPCG(seed, 11))
	pick := func(words ...string) string { return words[d.IntN(len(words))] }
	var b, inv strings.Builder
	b.WriteString("kind: Estate\nmetadata: {name: e}\nspec: {inventory: [{file: inventory.yaml}], networks: [10.0.0.0/8, \"fd00::/16\"]}\n")
	for _, z := range []string{"web", "app", "data"} {
		fmt.Fprintf(&b, "---\nkind: Zone\nmetadata: {name: %s}\nspec: {select: tier=%s, stage: enforce, default: deny}\n", z, z)
		fmt.Fprintf(&b, "---\nkind: Service\nmetadata: {name: s%s}\nspec: {select: \"tier=%s,env=prod\", ports: [{name: %s}]}\n", z, z, pick("http, port: 80", "https, port: 443", "https, port: 8443"))
	}
	b.WriteString("---\nkind: External\nmetadata: {name: inet}\nspec: {cidrs: [0.0.0.0/0, \"::/0\"], reason: x}\n")
	b.WriteString("---\nkind: External\nmetadata: {name: office}\nspec: {cidrs: [203.0.113.0/24, \"2001:db8::/32\"], reason: x}\n")
	from := func() string {
		return pick("{service: sweb}", "{service: sapp}", "{zone: web}", "{select: \"env=prod\"}", "{external: inet}", "{external: office}")
	}
	for i := range 2 + d.IntN(6) {
		fmt.Fprintf(&b, "---\nkind: Policy\nmetadata: {name: p%d}\nspec:\n  tier: %s\n  stage: enforce\n  rules:\n  - {name: r, effect: allow, from: %s, to: %s, ports: [%s]%s}\n", i, pick("application", "baseline"), from(),
			pick("{service: sapp}", "{service: sdata}", "{zone: data}"), pick("443/TCP", "443/TCP, 8000-8010/TCP, 53/UDP", "80/TCP"), pick("", "", ", when: {hours: \"22:00-06:00\", timeZone: Europe/Berlin}"))
	}
	b.WriteString("---\nkind: Policy\nmetadata: {name: calls}\nspec:\n  tier: application\n  stage: enforce\n  rules:\n  - {name: r, effect: allow, from: {service: sweb}, to: {service: sapp}, ports: [443/TCP, 80/TCP, 8443/TCP]}\n")
	for i := range 1 + d.IntN(3) {
		fmt.Fprintf(&b, "---\nkind: Guardrail\nmetadata: {name: g%d}\nspec:\n  stage: enforce\n  never: {from: %s, to: {any: true}%s}\n", i, pick("{select: env=dev}", "{external: office}", "{external: inet}"), pick(", ports: [22/TCP, 3389/TCP]", ", ports: [22/TCP, 161/UDP]"))
	}
	for i := range 6 + d.IntN(6) {
		if i > 0 {
			inv.WriteString("---\n")
		}
		vpc, subnet := 1+i%3, d.IntN(2)
		tier, env := []string{"web", "app", "data"}[i%3], pick("prod", "prod", "dev")
		fmt.Fprintf(&inv, "kind: Workload\nmetadata: {name: w%d, labels: {tier: %s, env: %s, cloud/provider: aws, cloud/account: \"111122223333\", cloud/region: eu-west-1, net/vpc: vpc-%d, net/subnet: subnet-%d-%d, aws/role: \"arn:aws:iam::111122223333:role/%s-%s\"}}\nspec: {addresses: [10.%d.%d.%d], host: i-%d}\n", i,
			tier, env, vpc, vpc, subnet, tier, env, vpc, subnet, 10+i, i)
	}
	return fstest.MapFS{"policy.yaml": {Data: []byte(b.String())}, "inventory.yaml": {Data: []byte(inv.String())}}, networks(d.IntN(2) == 0)
}

func networks(peered bool) []inventory.Network {
	peers := map[int][]string{}
	if peered {
		peers = map[int][]string{1: {"vpc-2"}, 2: {"vpc-1"}}
	}
	labels := map[string]string{"cloud/provider": "aws", "cloud/account": "111122223333", "cloud/region": "eu-west-1", "net/service-network": "sn-0123456789abcdef0"}
	var out []inventory.Network
	for v := 1; v <= 3; v++ {
		vpc := fmt.Sprintf("vpc-%d", v)
		out = append(out, inventory.Network{Name: vpc, CIDRs: []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("10.%d.0.0/16", v))}, Peers: peers[v], Labels: labels})
		for s := range 2 {
			cidrs := []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("10.%d.%d.0/24", v, s))}
			if s == 1 { // with two families everywhere, ACLs have more entries than are allowed
				cidrs = append(cidrs, netip.MustParsePrefix(fmt.Sprintf("fd00:%d:%d::/64", v, s)))
			}
			out = append(out, inventory.Network{Name: fmt.Sprintf("subnet-%d-%d", v, s), Within: vpc, CIDRs: cidrs})
		}
	}
	return out
}

// TestTerraformAcceptsRandomEstates does the same for estates that nobody wrote:
// all points of an estate are modules of one configuration.
func TestTerraformAcceptsRandomEstates(t *testing.T) {
	points, sum := tried{}, &tally{}
	for seed := range uint64(6) {
		files, nets := small(seed + 1)
		t.Run(fmt.Sprintf("small-%d", seed+1), func(t *testing.T) { estates(t, files, nets, points, sum) })
	}
	for _, seed := range []uint64{9} { // a small estate is in one cloud: this one in AWS
		fsys, err := gen.Estate(gen.Options{Workloads: 24, Identities: 10, Rules: 20, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		files, ok := fsys.(fstest.MapFS)
		if !ok {
			t.Fatalf("%T", fsys)
		}
		t.Run(fmt.Sprintf("generated-%d", seed), func(t *testing.T) { estates(t, files, nil, points, sum) })
	}
	points.check(t)
	t.Log(sum)
}

func estates(t *testing.T, files fstest.MapFS, nets []inventory.Network, points tried, sum *tally) {
	w := wanted(t, files, nets...)
	of := map[string]map[string][]byte{}
	for _, name := range targets {
		out, diags := all.Named(name).Render(w)
		for _, d := range diags {
			t.Logf("%s: %s", name, d)
		}
		for point, files := range pointsOf(out) {
			of[name+"-"+point] = files
			points[name]++
		}
	}
	if len(of) == 0 {
		t.Error("nothing is rendered")
		return
	}
	n := judge(t, laid(t, together(of)))
	t.Log(n)
	sum.add(n)
}
