package prove

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/label"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/verify/space"
)

var noon = time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)

// dice makes small random layers in which everything happens.
type dice struct {
	*rand.Rand
	conds []*policy.Condition
}

func newDice(seed uint64) *dice {
	return &dice{Rand: rand.New(rand.NewPCG(seed, 1)), conds: []*policy.Condition{
		{MTLS: true},
		{HTTP: []policy.HTTP{{Methods: []string{"GET"}, Paths: []string{"~/a*"}}}, Ambiguous: policy.NotMeant},
		{HTTP: []policy.HTTP{{Paths: []string{"/a/*"}}}, Ambiguous: policy.Meant},
		{Expires: noon.Add(time.Hour)},
	}}
}

func (d *dice) rarely() bool { return d.IntN(4) == 0 }

var somePrefixes = []string{"10.0.0.0/8", "10.0.0.0/30", "10.0.0.0/31", "10.0.0.1/32", "10.0.0.2/31", "10.0.0.4/30", "192.0.2.0/24", "192.0.2.7/32", "0.0.0.0/0", "::/0", "fd00::/8"}

func (d *dice) prefixes(most int) []netip.Prefix {
	out := []netip.Prefix{}
	for range 1 + d.IntN(most) {
		out = append(out, netip.MustParsePrefix(somePrefixes[d.IntN(len(somePrefixes))]))
	}
	return out
}

func (d *dice) inventory() *inventory.Snapshot {
	inv := &inventory.Snapshot{}
	for i := range 2 + d.IntN(4) {
		w := inventory.Workload{Name: fmt.Sprint("w", i), Labels: map[string]string{"app": string(rune('a' + d.IntN(3)))}}
		if d.IntN(2) == 0 {
			w.Labels["tier"] = string(rune('x' + d.IntN(2)))
		}
		if d.IntN(2) == 0 {
			w.Principal = "spiffe://t/" + string(rune('a'+d.IntN(2)))
		}
		for range d.IntN(3) {
			w.Addresses = append(w.Addresses, netip.AddrFrom4([4]byte{10, 0, 0, byte(d.IntN(8))}))
		}
		if d.rarely() {
			w.Addresses = append(w.Addresses, netip.MustParseAddr("fd00::1"))
		}
		slices.SortFunc(w.Addresses, netip.Addr.Compare)
		w.Addresses = slices.Compact(w.Addresses)
		inv.Workloads = append(inv.Workloads, w)
	}
	return inv
}

var someSelectors = []string{"app=a", "app in (a,b)", "app!=a", "tier", "!tier", "tier=x,app=b", "tier notin (x)"}

func (d *dice) term(depth int) layer.Term {
	var t layer.Term
	switch d.IntN(10) {
	case 0:
		t.Workloads = []string{"w0", "w2"}
	case 1, 2:
		s, _ := label.Parse(someSelectors[d.IntN(len(someSelectors))])
		t.Select = &s
	case 3:
		t.Principals = [][]string{{"spiffe://t/a"}, {"spiffe://*/b"}, {"*"}}[d.IntN(3)]
	case 4, 5, 6:
		t.Prefixes = d.prefixes(2)
		if d.rarely() {
			t.Except = d.prefixes(2)
		}
	case 7:
		t.Names = []string{"psp"}
	case 8:
		t.Workload, t.Address = d.IntN(2) == 0, d.rarely()
	}
	if d.rarely() {
		t.Workload = true
	}
	if d.rarely() && t.Select == nil {
		s, _ := label.Parse(someSelectors[d.IntN(len(someSelectors))])
		t.Select = &s
	}
	if depth > 0 && d.rarely() {
		t.Not = d.match(depth - 1)
	}
	return t
}

func (d *dice) match(depth int) layer.Match {
	if d.IntN(4) == 0 {
		return layer.Everything()
	}
	var m layer.Match
	for range d.IntN(3) {
		m = append(m, d.term(depth))
	}
	return m
}

func (d *dice) traffic() netset.Traffic {
	switch d.IntN(4) {
	case 0:
		return netset.All()
	case 1:
		return netset.Of(netset.ICMP, 0, 0).Union(netset.Of(netset.TCP, 80, 81))
	}
	return netset.Of(netset.TCP, 80, uint16(80+d.IntN(3)))
}

func (d *dice) rule(i int) layer.Rule {
	r := layer.Rule{Ref: flow.Rule{Rule: fmt.Sprint("r", i)}, Effect: layer.Effect(d.IntN(3)), Subject: d.match(1), Peer: d.match(1), Traffic: d.traffic()}
	if d.rarely() {
		r.Cond = d.conds[d.IntN(len(d.conds))]
	}
	if d.IntN(6) == 0 {
		r.Unknown = "for some reason"
	}
	return r
}

func (d *dice) layer() *layer.Layer {
	l := &layer.Layer{Target: "t"}
	for i := range 1 + d.IntN(3) {
		t := layer.Table{Name: fmt.Sprint("table ", i), Direction: flow.Direction(d.IntN(2)), Governs: d.match(1), Default: layer.Effect(d.IntN(3))}
		for range d.IntN(3) {
			var tier []layer.Rule
			for k := range 1 + d.IntN(3) {
				tier = append(tier, d.rule(k))
			}
			t.Tiers = append(t.Tiers, tier)
		}
		l.Tables = append(l.Tables, t)
	}
	return l
}

// parties are all workloads, addresses of all kinds, and a name, with the ends
// that they are.
func parties(u *universe) (out []layer.Party, ends []int32) {
	owned := map[netip.Addr]bool{}
	for i := range u.inv.Workloads {
		out, ends = append(out, layer.Party{Workload: &u.inv.Workloads[i]}), append(ends, u.class[i])
		for _, a := range u.inv.Workloads[i].Addresses {
			owned[a] = true
		}
	}
	for _, text := range []string{"10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.6", "10.0.0.7", "10.9.9.9", "192.0.2.1", "192.0.2.7", "203.0.113.1", "fd00::1", "fd00::2", "2001:db8::1"} {
		a := netip.MustParseAddr(text)
		if owned[a] {
			continue
		}
		best := -1
		for i, r := range u.regions {
			if r.Contains(a) && (best < 0 || r.Bits() > u.regions[best].Bits()) {
				best = i
			}
		}
		out, ends = append(out, layer.Party{Addr: a}), append(ends, u.class[len(u.inv.Workloads)+best])
	}
	for i, n := range u.names {
		out, ends = append(out, layer.Party{External: n}), append(ends, u.class[len(u.inv.Workloads)+len(u.regions)+i])
	}
	return out, ends
}

// TestTheReferenceAgrees holds what is said of every pair by every table to the
// slow and obvious judge, conversation by conversation.
func TestTheReferenceAgrees(t *testing.T) {
	const estates = 1500
	seed, cases := uint64(20261122), 0
	for n := range estates {
		d := newDice(seed + uint64(n))
		inv := d.inventory()
		p := &policy.Policy{Externals: []policy.External{{Name: "psp", FQDNs: []string{"psp.example"}}}}
		if !d.rarely() {
			p.Networks = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		}
		l := d.layer()
		e, err := build(inv, p, false, []*layer.Layer{l}, Options{At: noon})
		if err != nil {
			t.Fatal(err)
		}
		who, ends := parties(e.u)
		for i := range l.Tables {
			for a := range who {
				for b := range who {
					cases += agree(t, e, e.layers[0].tables[i], who[a], who[b], ends[a], ends[b], seed+uint64(n))
				}
			}
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d conversations of %d estates, seed %d", cases, estates, seed)
}

func agree(t *testing.T, e *estate, x *table, from, to layer.Party, i, j int32, seed uint64) (cases int) {
	t.Helper()
	self, other := i, j
	if x.Direction == flow.Ingress {
		self, other = j, i
	}
	b := nobody
	g, governs := x.governs(int(self))
	if governs != layer.No {
		b = x.says(saidKey{list: x.rows[g][e.u.peerClass[other]], perhaps: governs == layer.Maybe})
	}
	for _, in := range []flow.Circumstances{{At: noon}, {At: noon, MTLS: true, HTTP: &flow.Request{Method: "GET", Path: "/a/b"}}, {At: noon.Add(2 * time.Hour), HTTP: &flow.Request{Method: "POST", Path: "/a//b"}}} {
		at := e.u.space.Locate(in)
		for _, port := range []uint16{80, 82, 443} {
			want := x.Table.Decide(layer.Conversation{From: from, To: to, Protocol: netset.TCP, Port: port, Holds: e.holds(at)}, e.u.networks)
			if r, effect := x.decider(int(self), int(other), netset.TCP, port, at); r != want.Rule || governs == layer.Yes && effect != want.Upper {
				if governs == layer.Yes {
					t.Errorf("seed %d, %s: %v decides, want %v", seed, x.Name, r, want.Rule)
				}
			}
			effect := func(passes, abstains bool) layer.Effect {
				switch {
				case abstains:
					return layer.Abstain
				case passes:
					return layer.Allow
				}
				return layer.Deny
			}
			lower := effect(b.lower.Contains(netset.TCP, port, at), b.lowerAbstains.Contains(netset.TCP, port, at))
			upper := effect(b.upper.Contains(netset.TCP, port, at), b.upperAbstains.Contains(netset.TCP, port, at))
			if cases++; lower != want.Lower || upper != want.Upper {
				t.Errorf("seed %d, %s, %s to %s, port %d, %+v: %s to %s, want %s to %s", seed, x.Name, partyText(from), partyText(to), port, in, lower, upper, want.Lower, want.Upper)
				return cases
			}
		}
	}
	return cases
}

// holds answers for the reference whether conditions hold.
func (e *estate) holds(at space.Point) func(*layer.Rule) bool {
	return func(r *layer.Rule) bool {
		for p, run := range r.Traffic.Runs() {
			set, ok := e.u.space.Of(r.Traffic, r.Cond, r.Effect == layer.Deny)
			return ok && set.Contains(p, run.Lo, at)
		}
		return false
	}
}
