package prove_test

import (
	"slices"
	"strings"
	"testing"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/prove"
)

var plain = strings.ReplaceAll(shopPolicy, "reason: r HTTP", "reason: r")

// apart puts the shop into VPCs between which no packet gets: web is in one,
// everything else in another.
func apart(t *testing.T, text string, sure bool) (*policy.Policy, func(*inventory.Snapshot) (*policy.Policy, error)) {
	p, again := resolve(t, text, shopInventory)
	inv := *p.Inventory
	inv.Workloads = slices.Clone(inv.Workloads)
	for i := range inv.Workloads {
		w := &inv.Workloads[i]
		labels := map[string]string{"net/vpc": "vpc-back"}
		for k, v := range w.Labels {
			labels[k] = v
		}
		if w.Labels["app"] == "web" {
			labels["net/vpc"] = "vpc-front"
		}
		w.Labels = labels
	}
	inv.Networks = []inventory.Network{{Name: "vpc-back", Complete: sure}, {Name: "vpc-front", Complete: sure}}
	p, err := again(&inv)
	if err != nil {
		t.Fatal(err)
	}
	return p, again
}

// lattice is a relay that leads web to orders, called at 443.
func lattice(t *testing.T) *layer.Layer {
	abroad := allow("around", layer.Everything(), layer.Match{{Not: selected(t, "app=web")}}, netset.All())
	other := allow("no listener", layer.Everything(), layer.Everything(), netset.All().Subtract(tcp(8080)))
	abroad.Effect, other.Effect = layer.Abstain, layer.Abstain
	return &layer.Layer{
		Target: "lattice", Optional: true, Relays: in("169.254.171.0/24")[0].Prefixes,
		Leads:  []layer.Lead{{To: selected(t, "app=orders"), Protocol: netset.TCP, Called: 443, Port: 8080}},
		Points: []layer.Point{{Name: "orders", Governs: selected(t, "app=orders")}},
		Tables: []layer.Table{{Name: "policy", Direction: flow.Ingress, Governs: selected(t, "app=orders"), Tiers: [][]layer.Rule{
			{abroad, other}, {allow("web", layer.Everything(), selected(t, "app=web"), tcp(8080))},
		}}},
	}
}

// TestRelayedConversations asks what becomes of hosts behind a relay that let in
// the caller, whom they never see, or the relay.
func TestRelayedConversations(t *testing.T) {
	relay := in("169.254.171.0/24")
	for _, c := range []struct {
		name           string
		out, in        layer.Match // whom web may call, and who may call orders
		called         uint16      // the port at which web calls
		plant          func(l, host *layer.Layer)
		unsure         bool
		host, together prove.Word
		text           string
	}{
		{name: "the ends' own addresses", out: selected(t, "app=orders"), in: selected(t, "app=web"), called: 8080, host: prove.Wrong, together: prove.Wrong, text: "not connected"},
		{name: "the relay's", out: relay, in: relay, called: 443, host: prove.Approximate, together: prove.Approximate, text: "caught by lattice"},
		{name: "the relay at the port behind it", out: relay, in: relay, called: 8080, host: prove.Wrong, together: prove.Wrong, text: "not connected"},
		{name: "the relay on the way out only", out: relay, in: selected(t, "app=web"), called: 443, host: prove.Wrong, together: prove.Wrong, text: "not connected"},
		{name: "a relay without leads is called at the port that is meant", out: relay, in: relay, called: 8080, plant: func(l, _ *layer.Layer) { l.Leads = nil }, host: prove.Approximate, together: prove.Approximate},
		{name: "the relay may lead there, and nobody asked whether packets get there", out: selected(t, "app=orders"), in: selected(t, "app=web"), called: 8080, unsure: true, host: prove.Unknown, together: prove.Unknown, text: "nobody asked"},
		{name: "what the relay lets through is not caught by who sees the relay", out: relay, in: relay, called: 443, plant: func(l, host *layer.Layer) {
			l.Tables[0].Tiers[1] = append(l.Tables[0].Tiers[1], allow("wide", layer.Everything(), layer.Everything(), tcp(8081)))
			l.Tables[0].Tiers[0][1].Traffic = netset.All().Subtract(netset.Of(netset.TCP, 8080, 8081))
			l.Leads = append(l.Leads, layer.Lead{To: selected(t, "app=orders"), Protocol: netset.TCP, Called: 443, Port: 8081})
			host.Tables[0].Tiers[0] = append(host.Tables[0].Tiers[0], allow("too", selected(t, "app=orders"), relay, tcp(8081)))
		}, host: prove.Wrong, together: prove.Wrong, text: "web > orders TCP 8081"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, again := apart(t, plain, !c.unsure)
			host, through := shop(t), lattice(t)
			host.Target, host.Names = "nftables", true
			host.Tables[0].Tiers[0][1].Peer = c.in
			host.Tables[1].Tiers[0][0].Peer, host.Tables[1].Tiers[0][0].Traffic = c.out, tcp(c.called)
			if c.plant != nil {
				c.plant(through, host)
			}
			report, err := prove.Prove(prove.Intent{Policy: p, Resolve: again}, []*layer.Layer{host, through}, prove.Options{At: noon})
			if err != nil {
				t.Fatal(err)
			}
			r := report.Results[0]
			all := r.Reason
			for _, x := range append(r.Over, r.Under...) {
				all += "\n" + x.From + " > " + x.To + " " + x.Traffic + " " + x.CaughtBy + " " + x.Reason
			}
			if r.Result != c.host || !strings.Contains(all, c.text) {
				t.Errorf("%s, want %s with %q:\n%s\n%+v", r.Result, c.host, c.text, all, r.Witness)
			}
			if report.Together.Result != c.together {
				t.Errorf("together %s (%s), want %s", report.Together.Result, report.Together.Reason, c.together)
			}
			if report.Together.Result == prove.Wrong != (r.Result == prove.Wrong) {
				t.Error("one is wrong and the other is not")
			}
			if _, err := prove.DriftCovers(prove.Intent{Policy: p}, []*layer.Layer{host, through}, prove.Options{At: noon}); err != nil {
				t.Error(err)
			}
			d, err := prove.Drift(prove.Intent{Policy: p}, []*layer.Layer{host, through}, prove.Options{At: noon})
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range d.Beyond {
				if x.CaughtBy == "" && (x.Target != "lattice" || x.Rule.Rule != "wide") {
					t.Errorf("drift blames %s %s %s for %s", x.Target, x.Point, x.Rule, x.Traffic)
				}
			}
		})
	}
}

// TestShutBesideRelays: what no relay leads stays shut for the reason for which it
// does without one.
func TestShutBesideRelays(t *testing.T) {
	text := strings.ReplaceAll(strings.ReplaceAll(shopPolicy, "reason: r HTTP", "reason: r"), "ports: [8080/TCP], reason", "ports: [8080/TCP, ICMP], reason")
	p, _ := apart(t, text, true)
	relay := in("169.254.171.0/24")
	host := shop(t)
	host.Tables[0].Tiers[0][1].Peer = relay
	host.Tables[1].Tiers[0][0].Peer, host.Tables[1].Tiers[0][0].Traffic = relay, tcp(443)
	icmp := netset.Of(netset.ICMP, 0, 65535)
	host.Shut = []layer.Shut{{Subject: layer.Everything(), Peer: layer.Everything(), Traffic: icmp, Of: layer.Whatever, Why: "has no words for ICMP"}}
	report, err := prove.Prove(prove.Intent{Policy: p}, []*layer.Layer{host, lattice(t)}, prove.Options{At: noon})
	if err != nil {
		t.Fatal(err)
	}
	if r := report.Results[0]; r.Result != prove.Approximate || !strings.Contains(r.Reason, "no words for ICMP") {
		t.Errorf("%s: %s", r.Result, r.Reason)
	}
}

// TestTimesBehindRelays: what the relay's layer cannot tell stays shut, though a
// host could tell the time if it knew who calls.
func TestTimesBehindRelays(t *testing.T) {
	text := strings.ReplaceAll(shopPolicy, "reason: r HTTP", `reason: r, when: {hours: "08:00-18:00"}`)
	p, _ := apart(t, text, true)
	relay := in("169.254.171.0/24")
	host, through := shop(t), lattice(t)
	host.Tables[0].Tiers[0][1].Peer = relay
	host.Tables[1].Tiers[0][0].Peer, host.Tables[1].Tiers[0][0].Traffic = relay, tcp(443)
	through.Timeless = true
	through.Tables[0].Tiers = through.Tables[0].Tiers[:1] // it lets nobody in
	report, err := prove.Prove(prove.Intent{Policy: p}, []*layer.Layer{host, through}, prove.Options{At: noon})
	if err != nil {
		t.Fatal(err)
	}
	if r := report.Together; r.Result != prove.Approximate || !strings.Contains(r.Reason, "tell the time") {
		t.Errorf("together %s: %s", r.Result, r.Reason)
	}
}

// TestWhoNeedsNoRelayMayCallIt: db is in the VPC of orders, which it must not
// reach. Hosts keep it out, and let the relay in.
func TestWhoNeedsNoRelayMayCallIt(t *testing.T) {
	relay := in("169.254.171.0/24")
	for _, c := range []struct {
		name  string
		plant func(host, through *layer.Layer)
		want  prove.Word
	}{
		{"a policy that names no role", func(_, through *layer.Layer) {
			through.Tables[0].Tiers[1][0].Peer = layer.Everything()
		}, prove.Wrong},
		{"one that names web", func(*layer.Layer, *layer.Layer) {}, prove.Exact},
		{"a host that does not let db call the relay", func(host, through *layer.Layer) {
			through.Tables[0].Tiers[1][0].Peer = layer.Everything()
			host.Tables[1].Tiers[0] = host.Tables[1].Tiers[0][:2]
		}, prove.Exact},
	} {
		p, again := apart(t, plain, true)
		host, through := shop(t), lattice(t)
		host.Tables[0].Tiers[0][1].Peer = relay
		host.Tables[1].Tiers[0][0].Peer, host.Tables[1].Tiers[0][0].Traffic = relay, tcp(443)
		host.Tables[1].Tiers[0] = append(host.Tables[1].Tiers[0], allow("db-to-relay", selected(t, "app=db"), relay, tcp(443)))
		through.Tables[0].Tiers[0][0].Around = true
		c.plant(host, through)
		report, err := prove.Prove(prove.Intent{Policy: p, Resolve: again}, []*layer.Layer{through, host}, prove.Options{At: noon})
		if err != nil {
			t.Fatal(err)
		}
		r := report.Results[0]
		if wrong := c.want == prove.Wrong; (r.Result == prove.Wrong) != wrong || (report.Together.Result == prove.Wrong) != wrong {
			t.Errorf("%s: %s (%s), together %s (%s), want %s", c.name, r.Result, r.Reason, report.Together.Result, report.Together.Reason, c.want)
		}
		if c.want != prove.Wrong {
			continue
		}
		if w := r.Witness; w == nil || w.From != "db" || w.To != "orders" {
			t.Errorf("%s: witness %+v", c.name, w)
		}
		d, err := prove.Drift(prove.Intent{Policy: p}, []*layer.Layer{through, host}, prove.Options{At: noon})
		if err != nil || !slices.ContainsFunc(d.Beyond, func(x prove.Line) bool { return x.From == "db" && x.To == "orders" && x.Target == "lattice" }) {
			t.Errorf("%s: drift %+v, %v", c.name, d, err)
		}
	}
}

// TestReachThroughRelays asks what a live estate permits behind a relay: what
// both the relay and the host let through.
func TestReachThroughRelays(t *testing.T) {
	relay := in("169.254.171.0/24")
	for _, c := range []struct {
		name   string
		in     layer.Match
		sure   bool
		lower  string
		upper  string
		reason string
	}{
		{name: "a host that sees the relay", in: relay, sure: true, lower: "TCP 8080", upper: "TCP 8080"},
		{name: "a host that waits for the caller", in: selected(t, "app=web"), sure: true, lower: "none", upper: "none"},
		{name: "nobody asked", in: relay, lower: "none", upper: "TCP 8080", reason: "nobody asked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, _ := apart(t, plain, c.sure)
			host := shop(t)
			host.Tables[0].Tiers[0][1].Peer = c.in
			host.Tables[1].Tiers[0][0].Peer, host.Tables[1].Tiers[0][0].Traffic = relay, tcp(443)
			got, err := prove.Reach(p.Inventory, p, []*layer.Layer{host, lattice(t)}, prove.Options{At: noon})
			if err != nil {
				t.Fatal(err)
			}
			lower, upper, reason := "none", "none", ""
			for _, e := range got.Edges {
				if got.Ends[e.From].Name == "web" && got.Ends[e.To].Name == "orders" {
					lower, upper, reason = e.Lower.String(), e.Upper.String(), e.Reason
				}
			}
			if lower != c.lower || upper != c.upper || !strings.Contains(reason, c.reason) {
				t.Errorf("%s to %s (%s), want %s to %s with %q", lower, upper, reason, c.lower, c.upper, c.reason)
			}
		})
	}
}
