package prove

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/verify/space"
)

var someRelays = []netip.Prefix{netip.MustParsePrefix("169.254.171.0/24"), netip.MustParsePrefix("fd00:ec2:80::/64")}

// apartInventory puts random workloads into VPCs of which some exchange packets,
// some do not, and of some nobody asked.
func (d *dice) apartInventory() *inventory.Snapshot {
	inv := d.inventory()
	for i := range inv.Workloads {
		if w := &inv.Workloads[i]; !d.rarely() {
			w.Labels["net/vpc"] = fmt.Sprint("v", d.IntN(3))
		}
	}
	for i := range 3 {
		inv.Networks = append(inv.Networks, inventory.Network{Name: fmt.Sprint("v", i), Complete: d.IntN(2) == 0})
	}
	if d.rarely() {
		inv.Networks[0].Peers = []string{"v1"}
	}
	return inv
}

// aboutRelay is a match of relays' addresses: all, some, or those of a family.
func (d *dice) aboutRelay() layer.Match {
	switch d.IntN(6) {
	case 0:
		return layer.In(netip.MustParsePrefix("169.254.171.0/25"))
	case 1:
		return layer.In(someRelays[d.IntN(2)])
	}
	return layer.In(someRelays...)
}

// hosts are layers that ends cannot go around, and that often speak of relays.
func (d *dice) hosts() []*layer.Layer {
	var out []*layer.Layer
	for n := range 1 + d.IntN(2) {
		l := d.layer()
		l.Target = fmt.Sprint("host ", n)
		for i := range l.Tables {
			t := &l.Tables[i]
			t.Governs = layer.AnyWorkload()
			for _, tier := range t.Tiers {
				for k := range tier {
					if d.IntN(2) == 0 {
						tier[k].Peer = d.aboutRelay()
					}
				}
			}
		}
		out = append(out, l)
	}
	return out
}

// relay is a layer that leads conversations.
func (d *dice) relay() *layer.Layer {
	l := d.layer()
	l.Target, l.Optional, l.Relays = "relay", true, someRelays[:1+d.IntN(2)]
	for i := range l.Tables {
		t := &l.Tables[i]
		t.Direction, t.Default = flow.Ingress, layer.Effect(d.IntN(3))
		if d.IntN(2) == 0 {
			t.Governs = layer.AnyWorkload()
		} else {
			t.Governs = append(layer.Match{{Workload: true, Workloads: []string{"w0", "w1"}}}, layer.Term{Workloads: []string{"w2"}})
		}
	}
	for range d.IntN(3) {
		l.Leads = append(l.Leads, layer.Lead{To: d.match(0), Protocol: netset.TCP, Called: uint16(80 + d.IntN(4)), Port: uint16(80 + d.IntN(3))})
	}
	return l
}

// byHand composes what becomes of one conversation between workloads, plainly.
type byHand struct {
	inv      *inventory.Snapshot
	networks []netip.Prefix
	hosts    []*layer.Layer
	relay    *layer.Layer
	holds    func(*layer.Rule) bool
}

// bound is whether something passes: surely, and perhaps.
type bound struct{ lower, upper bool }

func (b bound) and(o bound) bound { return bound{b.lower && o.lower, b.upper && o.upper} }

// says is what a layer's tables of some directions say.
func (h *byHand) says(l *layer.Layer, dirs []flow.Direction, from, to layer.Party, port uint16) layer.Verdict {
	v := layer.Verdict{Lower: layer.Abstain, Upper: layer.Abstain}
	for i := range l.Tables {
		if t := &l.Tables[i]; slices.Contains(dirs, t.Direction) {
			one := t.Decide(layer.Conversation{From: from, To: to, Protocol: netset.TCP, Port: port, Holds: h.holds}, h.networks)
			v.Lower, v.Upper = min(v.Lower, one.Lower), min(v.Upper, one.Upper)
		}
	}
	return v
}

var bothEnds = []flow.Direction{flow.Egress, flow.Ingress}

// direct is what passes from end to end.
func (h *byHand) direct(from, to layer.Party, port uint16) bound {
	v := layer.Verdict{Lower: layer.Abstain, Upper: layer.Abstain}
	for _, l := range h.hosts {
		one := h.says(l, bothEnds, from, to, port)
		v.Lower, v.Upper = min(v.Lower, one.Lower), min(v.Upper, one.Upper)
	}
	led := h.says(h.relay, bothEnds, from, to, port)
	read := func(firm, loose layer.Effect) bool {
		return firm != layer.Deny && (firm != layer.Abstain || loose != layer.Deny)
	}
	a, b := read(v.Lower, led.Lower), read(v.Upper, led.Upper)
	return bound{a && b, a || b}
}

// about is what the hosts of one end say about a relay's addresses: the relay
// takes any of a family, and either family.
func (h *byHand) about(d flow.Direction, w *inventory.Workload, port uint16) bound {
	families := map[bool]*bound{}
	for _, p := range h.relay.Relays {
		v4 := p.Addr().Is4()
		if len(w.Addresses) > 0 && !slices.ContainsFunc(w.Addresses, func(a netip.Addr) bool { return a.Is4() == v4 }) {
			continue
		}
		first, last := p.Addr().Next(), netip.MustParseAddr("169.254.171.200")
		if !v4 {
			last = netip.MustParseAddr("fd00:ec2:80::ffff")
		}
		for _, a := range []netip.Addr{first, last} {
			one := bound{true, true}
			for _, l := range h.hosts {
				from, to := layer.Party{Workload: w}, layer.Party{Addr: a}
				if d == flow.Ingress {
					from, to = to, from
				}
				v := h.says(l, []flow.Direction{d}, from, to, port)
				one = one.and(bound{v.Lower != layer.Deny, v.Upper != layer.Deny})
			}
			if f := families[v4]; f != nil {
				f.lower, f.upper = f.lower && one.lower, f.upper || one.upper
			} else {
				families[v4] = &one
			}
		}
	}
	if len(families) == 0 { // no address of the relay's can be talked with
		return bound{}
	}
	var out bound
	for _, f := range families {
		out.lower, out.upper = out.lower || f.lower, out.upper || f.upper
	}
	return out
}

// led is what passes by the relay.
func (h *byHand) led(from, to layer.Party, port uint16) bound {
	v := h.says(h.relay, []flow.Direction{flow.Ingress}, from, to, port)
	a, b := v.Lower == layer.Allow, v.Upper == layer.Allow
	out := bound{a && b, a || b}
	var calls bound
	if len(h.relay.Leads) == 0 {
		calls = h.about(flow.Egress, from.Workload, port)
	}
	for _, l := range h.relay.Leads {
		leads := l.To.Matches(to, h.networks)
		if l.Port != port || leads == layer.No {
			continue
		}
		one := h.about(flow.Egress, from.Workload, l.Called)
		calls.lower, calls.upper = calls.lower || one.lower && leads == layer.Yes, calls.upper || one.upper
	}
	return out.and(calls).and(h.about(flow.Ingress, to.Workload, port))
}

// passes is what becomes of a conversation on the ways that there are.
func (h *byHand) passes(from, to layer.Party, port uint16) bound {
	a, b := from.Workload.Labels["net/vpc"], to.Workload.Labels["net/vpc"]
	apart, sure := h.inv.Routes().Apart(a, b)
	direct, led := h.direct(from, to, port), h.led(from, to, port)
	switch {
	case mute(from.Workload, to.Workload):
		return led
	case !apart || a == "" || b == "":
		return direct
	case sure:
		return led
	}
	return bound{direct.lower && led.lower, direct.upper || led.upper}
}

// mute reports whether two workloads have no family of addresses in common.
func mute(a, b *inventory.Workload) bool {
	if len(a.Addresses) == 0 || len(b.Addresses) == 0 {
		return false
	}
	return !slices.ContainsFunc(a.Addresses, func(x netip.Addr) bool {
		return slices.ContainsFunc(b.Addresses, func(y netip.Addr) bool { return x.Is4() == y.Is4() })
	})
}

// TestReachThroughRelaysAgrees holds what is said of workloads with a relay
// between them to a composition by hand, conversation by conversation: nothing is
// surer than that, and where all is known nothing is less sure.
func TestReachThroughRelaysAgrees(t *testing.T) {
	const estates, seed = 1500, uint64(20261122)
	cases, sure := 0, 0
	for n := range estates {
		d := newDice(seed + uint64(n))
		inv := d.apartInventory()
		p := &policy.Policy{Inventory: inv, Externals: []policy.External{{Name: "psp", FQDNs: []string{"psp.example"}}}, Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
		h := &byHand{inv: inv, networks: p.Networks, hosts: d.hosts(), relay: d.relay()}
		layers := append(slices.Clone(h.hosts), h.relay)
		e, err := build(inv, p, false, layers, Options{At: noon})
		if err != nil {
			t.Fatal(err)
		}
		got, err := reach(inv, p, layers, Options{At: noon})
		if err != nil {
			t.Fatal(err)
		}
		edges := map[[2]int]*Reached{}
		for i := range got.Edges {
			x := &got.Edges[i]
			for _, a := range got.Ends[x.From].Workloads {
				for _, b := range got.Ends[x.To].Workloads {
					edges[[2]int{a, b}] = x
				}
			}
		}
		for _, in := range []flow.Circumstances{{At: noon}, {At: noon.Add(2 * time.Hour), MTLS: true, HTTP: &flow.Request{Method: "GET", Path: "/a/b"}}} {
			at := e.u.space.Locate(in)
			h.holds = e.holds(at)
			for a := range inv.Workloads {
				for b := range inv.Workloads {
					if a == b {
						continue
					}
					for _, port := range []uint16{80, 81, 82, 83} {
						want := h.passes(layer.Party{Workload: &inv.Workloads[a]}, layer.Party{Workload: &inv.Workloads[b]}, port)
						var is bound
						if x := edges[[2]int{a, b}]; x != nil {
							is = bound{holdsSet(x.Lower, port, at), holdsSet(x.Upper, port, at)}
						}
						if cases++; want.lower == want.upper {
							sure++
						}
						if is != want {
							t.Fatalf("seed %d, %s to %s, port %d, %+v: %+v, want %+v", seed+uint64(n), inv.Workloads[a].Name, inv.Workloads[b].Name, port, in, is, want)
						}
					}
				}
			}
		}
	}
	t.Logf("%d conversations, %d of them sure, of %d estates, seed %d", cases, sure, estates, seed)
}

func holdsSet(s space.Set, port uint16, at space.Point) bool { return s.Contains(netset.TCP, port, at) }
