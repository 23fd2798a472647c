package prove

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
)

// intent is a random policy about an inventory of dice.
func (d *dice) intent(t *testing.T, inv *inventory.Snapshot) *policy.Policy {
	var b strings.Builder
	b.WriteString("kind: Estate\nmetadata: {name: e}\nspec: {networks: [10.0.0.0/8]}\n")
	for _, app := range []string{"a", "b", "c"} {
		fmt.Fprintf(&b, "---\nkind: Zone\nmetadata: {name: %s}\nspec: {select: app=%s, stage: enforce, default: deny}\n---\nkind: Service\nmetadata: {name: s%s}\nspec: {select: app=%s, ports: [{port: 80}]}\n", app, app, app, app)
	}
	b.WriteString("---\nkind: External\nmetadata: {name: psp, owner: o}\nspec: {fqdns: [psp.example], reason: r}\n---\nkind: Policy\nmetadata: {name: p, owner: o}\nspec:\n  stage: enforce\n  rules:\n")
	for i := range 4 {
		fmt.Fprintf(&b, "  - {name: r%d, effect: allow, from: {service: s%c}, to: {service: s%c}, ports: [%d/TCP], reason: r}\n", i, 'a'+d.IntN(3), 'a'+d.IntN(3), 80+d.IntN(3))
	}
	tree, diags := lang.Parse(fstest.MapFS{"p.yaml": {Data: []byte(b.String())}})
	p, more := policy.Resolve(tree, inv)
	if p == nil {
		t.Fatal(diags, more)
	}
	return p
}

// TestProofsThroughRelaysAgree holds what all layers together are said to do
// beyond the intent, and short of it, to a composition by hand: nothing that
// surely differs is passed over, and nothing is surely said that surely is not so.
func TestProofsThroughRelaysAgree(t *testing.T) {
	const estates, seed = 1200, uint64(20261123)
	var cases, overs, unders, unsure int
	for n := range estates {
		d := newDice(seed + uint64(n))
		p := d.intent(t, d.apartInventory())
		h := &byHand{inv: p.Inventory, networks: p.Networks, hosts: d.hosts(), relay: d.relay()}
		c, err := newComparison(Intent{Policy: p}, append(slices.Clone(h.hosts), h.relay), Options{At: noon})
		if err != nil {
			t.Fatal(err)
		}
		found := map[[2]int]*judged{}
		c.pairs.each(nil, func(int32) bool { return true }, func(i, j int, sig int32) {
			for _, a := range c.e.u.ends[i].workloads {
				for _, b := range c.e.u.ends[j].workloads {
					found[[2]int{int(a), int(b)}] = c.of(sig)
				}
			}
		})
		for _, in := range []flow.Circumstances{{At: noon}, {At: noon.Add(2 * time.Hour), MTLS: true, HTTP: &flow.Request{Method: "GET", Path: "/a/b"}}} {
			at := c.e.u.space.Locate(in)
			h.holds = c.e.holds(at)
			for pair, x := range found {
				from, to := layer.Party{Workload: &p.Inventory.Workloads[pair[0]]}, layer.Party{Workload: &p.Inventory.Workloads[pair[1]]}
				for _, port := range []uint16{80, 81, 82, 83} {
					if pair[0] == pair[1] {
						continue
					}
					permitted, _ := c.e.u.engine.Permitted(c.e.u.engine.OfWorkload(pair[0]), c.e.u.engine.OfWorkload(pair[1]), true)
					want := permitted.Contains(netset.TCP, port, at)
					is, some := h.judged(from, to, port)
					if !some {
						continue
					}
					kinds := map[kind]bool{}
					for _, y := range x.together {
						if y.set.Contains(netset.TCP, port, at) {
							kinds[y.kind] = true
						}
					}
					cases++
					where := fmt.Sprintf("seed %d, %s to %s, port %d, %+v: meant %t, passes %+v", seed+uint64(n), from.Workload.Name, to.Workload.Name, port, in, want, is)
					switch {
					case x.open != [2]bool{}:
					case !want && is.lower:
						if overs++; !kinds[over] && !kinds[perhaps] && !kinds[unenforcedOver] {
							t.Fatalf("%s: nothing is said, %v", where, kinds)
						}
					case want && !is.upper:
						if unders++; !kinds[under] && !kinds[perhaps] {
							t.Fatalf("%s: nothing is said, %v", where, kinds)
						}
					case is.lower != is.upper && (!want || h.inWay(from, to)): // that there is no way is no layer's fault
						if unsure++; len(kinds) == 0 {
							t.Fatalf("%s: nothing is said", where)
						}
					}
					if kinds[over] && !is.lower && h.inWay(from, to) || kinds[under] && is.upper {
						t.Fatalf("%s: but %v is said", where, kinds)
					}
				}
			}
		}
	}
	t.Logf("%d conversations, %d too many, %d too few, %d perhaps, of %d estates, seed %d", cases, overs, unders, unsure, estates, seed)
}

// inWay reports whether packets get from one to the other.
func (h *byHand) inWay(from, to layer.Party) bool {
	a, b := from.Workload.Labels["net/vpc"], to.Workload.Labels["net/vpc"]
	apart, _ := h.inv.Routes().Apart(a, b)
	return !mute(from.Workload, to.Workload) && (!apart || a == "" || b == "")
}

// judged is what a proof judges: what a relay leads where it leads something, and
// else what layers let pass. some is whether there perhaps is a way at all: where
// there is none, layers may say what they like.
func (h *byHand) judged(from, to layer.Party, port uint16) (is bound, some bool) {
	direct := h.direct(from, to, port)
	if h.inWay(from, to) {
		return direct, true
	}
	v := h.says(h.relay, []flow.Direction{flow.Ingress}, from, to, port)
	may := len(h.relay.Leads) == 0
	for _, l := range h.relay.Leads {
		if leads := l.To.Matches(to, h.networks); l.Port == port && leads != layer.No {
			may = true
		}
	}
	for _, w := range []*inventory.Workload{from.Workload, to.Workload} { // it talks with no relay
		if !slices.ContainsFunc(h.relay.Relays, func(p netip.Prefix) bool {
			return len(w.Addresses) == 0 || slices.ContainsFunc(w.Addresses, func(a netip.Addr) bool { return a.Is4() == p.Addr().Is4() })
		}) {
			may = false
		}
	}
	a, b := v.Lower == layer.Allow, v.Upper == layer.Allow
	led := h.led(from, to, port)
	_, closed := h.inv.Routes().Apart(from.Workload.Labels["net/vpc"], to.Workload.Labels["net/vpc"])
	closed = closed || mute(from.Workload, to.Workload)
	switch {
	case !may || !a && !b:
		return bound{direct.lower && v.Lower != layer.Deny, direct.upper}, !closed
	case closed:
		return led, true
	}
	return bound{direct.lower && led.lower, direct.upper || led.upper}, true
}
