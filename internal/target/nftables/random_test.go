package nftables

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"firebreak/internal/layer"
	"firebreak/internal/netset"
	"firebreak/internal/plan"
)

// ground is where the estates of these tests live: three hosts, each with two
// addresses of each family, and two workloads at them. Host c is no host of the
// estate: its addresses are outside.
func ground() map[string][]netip.Prefix {
	out := map[string][]netip.Prefix{}
	for i, h := range []string{"a", "b"} {
		for _, n := range []int{11, 12} {
			out[h] = append(out[h], netip.MustParsePrefix(fmt.Sprintf("10.91.%d.%d/24", i+1, n)), netip.MustParsePrefix(fmt.Sprintf("fd91:0:0:%d::%d/64", i+1, n)))
		}
	}
	out["c"] = []netip.Prefix{netip.MustParsePrefix("203.0.113.11/25"), netip.MustParsePrefix("2001:db8:91::11/64"), netip.MustParsePrefix("203.0.113.211/25")}
	return out
}

func inventoryText() string {
	var b strings.Builder
	b.WriteString("")
	for i, h := range []string{"a", "b"} {
		for k, n := range []int{11, 12} {
			labels := []string{"tier: web, env: prod", "tier: data, env: prod", "tier: web, env: dev", "tier: app"}[2*i+k]
			fmt.Fprintf(&b, "---\nkind: Workload\nmetadata: {name: w%d%d, labels: {%s}}\nspec:\n  host: %s\n  addresses: [10.91.%d.%d, \"fd91:0:0:%d::%d\"]\n", i+1, n, labels, h, i+1, n, i+1, n)
		}
	}
	return b.String()
}

// randomPolicy is the text of a small policy.
func randomPolicy(seed uint64) string {
	r := rand.New(rand.NewPCG(seed, 7))
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	var b strings.Builder
	fmt.Fprintf(&b, "kind: Estate\nmetadata: {name: e}\nspec:\n  networks: [10.91.0.0/16, \"fd91::/16\"]\n  targets: [nftables]\n  inventory: [{file: inventory.yaml}]\n")
	for _, z := range []string{"web", "data"} {
		fmt.Fprintf(&b, "---\nkind: Zone\nmetadata: {name: %s}\nspec:\n  select: tier=%s\n  stage: %s\n  default: %s\n", z, z, pick("enforce", "enforce", "enforce", "observe"), pick("deny", "deny", "deny", "allow"))
	}
	fmt.Fprintf(&b, "---\nkind: Zone\nmetadata: {name: unassigned}\nspec:\n  stage: %s\n  default: deny\n", pick("enforce", "enforce", "observe"))
	fmt.Fprintf(&b, "---\nkind: External\nmetadata: {name: x}\nspec:\n  cidrs: [%s]\n  reason: r\n", pick("203.0.113.0/25, \"2001:db8:91::/48\"", "203.0.113.0/24", "203.0.113.11/32, \"2001:db8::/32\""))
	ends := func() string {
		return pick("{zone: web}", "{zone: data}", "{select: env=prod}", "{select: \"tier=web,env!=dev\"}", "{select: tier=app}", "{external: x}", "{any: true}")
	}
	for i := range 2 + r.IntN(3) {
		fmt.Fprintf(&b, "---\nkind: Policy\nmetadata: {name: p%d}\nspec:\n  tier: %s\n  stage: %s\n  rules:\n", i, pick("application", "application", "baseline"), pick("enforce", "enforce", "enforce", "observe"))
		for k := range 1 + r.IntN(3) {
			from, to := ends(), ends()
			for from == "{external: x}" && to == "{external: x}" || from == "{any: true}" && to == "{any: true}" {
				to = ends()
			}
			fmt.Fprintf(&b, "    - name: r%d\n      from: %s\n      to: %s\n      effect: %s\n      ports: %s\n      reason: r\n", k, from, to, pick("allow", "allow", "allow", "deny"),
				pick("[80/TCP]", "[80/TCP, 53/UDP]", "[50-100/TCP, ICMP]", "[443/TCP]", "[ICMP]", "[5432/TCP, 80/UDP]"))
		}
	}
	return b.String()
}

var sent = []port{{netset.TCP, 80}, {netset.TCP, 443}, {netset.TCP, 5432}, {netset.TCP, 9}, {netset.UDP, 53}, {netset.UDP, 80}, {netset.ICMP, 0}}

// question is a probe and the parties that it is between.
type question struct {
	probe
	a, b       layer.Party
	fromW, toW int // -1: no workload
}

// questions are all conversations of the estate, and with two addresses outside.
func questions(w *plan.Wanted, f *field) []*question {
	type place struct {
		host string
		addr netip.Addr
		w    int
	}
	var places []place
	for host, h := range f.hosts {
		for _, p := range h.Addresses() {
			at := place{host, p.Addr(), -1}
			for i := range w.Policy.Inventory.Workloads {
				for _, a := range w.Policy.Inventory.Workloads[i].Addresses {
					if a == at.addr {
						at.w = i
					}
				}
			}
			places = append(places, at)
		}
	}
	party := func(p place) layer.Party {
		if p.w < 0 {
			return layer.Party{Addr: p.addr}
		}
		return layer.Party{Workload: &w.Policy.Inventory.Workloads[p.w]}
	}
	var out []*question
	for _, x := range places {
		for _, y := range places {
			if x.addr == y.addr || x.addr.Is4() != y.addr.Is4() || x.w < 0 && y.w < 0 {
				continue
			}
			for _, p := range sent {
				out = append(out, &question{probe{host: x.host, from: x.addr, to: y.addr, port: p}, party(x), party(y), x.w, y.w})
			}
		}
	}
	return out
}

func probesOf(qs []*question) []*probe {
	out := make([]*probe, len(qs))
	for i := range qs {
		out[i] = &qs[i].probe
	}
	return out
}

// The kernel, the lifted layer and the intent say the same about every
// conversation of random estates.
func TestPacketsJudgeRandomPolicies(t *testing.T) {
	f := newField(t, "fbnftr", ground())
	f.quiet()
	agreed, passed := 0, 0
	for seed := range uint64(20) {
		w := wantedText(t, randomPolicy(seed), inventoryText())
		files := rendered(t, w)
		live := map[string][]byte{}
		for _, host := range []string{"a", "b"} {
			if err := f.load(host, files[host+"/firebreak.nft.json"]); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			out, err := f.nft(host, nil, "-j", "list", "ruleset")
			if err != nil {
				t.Fatal(err)
			}
			live[host+".nft.json"] = out
		}
		alone, listed := liftOf(t, w, files, true), liftOf(t, w, live, false)
		for _, u := range append(alone.Unknown, listed.Unknown...) {
			t.Errorf("seed %d: unknown: %v", seed, u)
		}
		qs := questions(w, f)
		f.send(probesOf(qs))
		for _, q := range qs {
			want := intended(w, q)
			ok := !want || f.passes(&q.probe)
			for which, l := range map[string]*layer.Layer{"rendered": alone, "listed": listed} {
				lower, upper := says(l, w.Policy.Networks, q.a, q.b, q.port)
				if (lower != layer.Deny) != q.passed || (upper != layer.Deny) != q.passed {
					t.Errorf("seed %d: %s → %s %s %d: packet %v, %s %s to %s", seed, q.from, q.to, q.port.protocol, q.port.number, q.passed, which, lower, upper)
					ok = false
				}
			}
			if want != q.passed {
				t.Errorf("seed %d: %s → %s %s %d: packet %v, wanted %v", seed, q.from, q.to, q.port.protocol, q.port.number, q.passed, want)
				ok = false
			}
			if ok {
				agreed++
			}
			if q.passed {
				passed++
			}
		}
		if t.Failed() {
			t.Log(randomPolicy(seed))
			break
		}
	}
	t.Logf("%d conversations agreed, %d passed", agreed, passed)
	if passed < agreed/20 || passed > agreed*19/20 {
		t.Errorf("only %d of %d passed: the test shows little", passed, agreed)
	}
}

// intended reports what the engine says: both ends must let it pass.
func intended(w *plan.Wanted, q *question) bool {
	x, _ := w.Engine.OfAddress(q.from)
	if q.fromW >= 0 {
		x = w.Engine.OfWorkload(q.fromW)
	}
	y, _ := w.Engine.OfAddress(q.to)
	if q.toW >= 0 {
		y = w.Engine.OfWorkload(q.toW)
	}
	set, managed := w.Engine.Permitted(x, y, true)
	return !managed || set.Ports().Contains(q.port.protocol, q.port.number)
}
