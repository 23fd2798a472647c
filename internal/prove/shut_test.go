package prove_test

import (
	"slices"
	"strings"
	"testing"

	"firebreak/internal/layer"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/prove"
)

// TestShut: what a layer says that its platform cannot let in is no fault of it;
// what it could have let in, and does not, still is.
func TestShut(t *testing.T) {
	const (
		some  = `reason: r, http: [{methods: [POST], paths: [/pay/*]}]`
		other = "reason: r}\n  - {name: no-pay, effect: deny, from: {service: web}, to: {service: orders}, ports: [8080/TCP], http: [{paths: [/pay]}], reason: r"
	)
	const ping = "reason: r}\n  - {name: ping, effect: allow, from: {service: web}, to: {service: orders}, ports: [icmp], reason: r"
	portless := netset.Of(netset.ICMP, 0, 0)
	requests := func(paths ...string) *policy.Condition {
		return &policy.Condition{HTTP: []policy.HTTP{{Paths: paths}}, Ambiguous: policy.Meant}
	}
	for _, c := range []struct {
		name, more string
		shut       layer.Shut // Subject and Peer: orders and web where nil
		keeps      *layer.Rule
		denies     *layer.Rule
		want       prove.Word
		text       string
	}{
		{name: "requests that cannot be judged", more: some, shut: layer.Shut{Traffic: tcp(8080), Of: layer.SomeRequests}, want: prove.Approximate, text: "stays shut: networkpolicy cannot"},
		{name: "on another port", more: some, shut: layer.Shut{Traffic: tcp(8081), Of: layer.SomeRequests}, want: prove.Wrong},
		{name: "of another peer", more: some, shut: layer.Shut{Traffic: netset.All(), Of: layer.SomeRequests, Peer: selected(t, "app=db")}, want: prove.Wrong},
		{name: "to another", more: some, shut: layer.Shut{Traffic: netset.All(), Of: layer.SomeRequests, Subject: selected(t, "app=db")}, want: prove.Wrong},
		{name: "all requests could have been let in", more: "reason: r", shut: layer.Shut{Traffic: tcp(8080), Of: layer.SomeRequests}, want: prove.Wrong, text: "may not reach orders"},
		{name: "whatever it is", more: "reason: r", shut: layer.Shut{Traffic: tcp(8080), Of: layer.Whatever}, want: prove.Approximate, text: "cannot"},
		{name: "what has no ports beside what has", more: ping, shut: layer.Shut{Traffic: portless, Of: layer.NotAll},
			keeps: &layer.Rule{Effect: layer.Allow, Traffic: tcp(8080)}, want: prove.Approximate, text: "web > orders ICMP"},
		{name: "and what has ports with it", more: ping, shut: layer.Shut{Traffic: portless, Of: layer.NotAll}, want: prove.Wrong},
		{name: "what has no ports where everything may pass", more: "reason: r}\n  - {name: all, effect: allow, from: {service: web}, to: {service: orders}, reason: r", shut: layer.Shut{Traffic: portless, Of: layer.NotAll},
			keeps: &layer.Rule{Effect: layer.Allow, Traffic: netset.All().Subtract(portless)}, want: prove.Wrong, text: "ICMP"},
		{name: "perhaps it can", more: "reason: r", shut: layer.Shut{Traffic: tcp(8080), Of: layer.Whatever, Peer: in("10.0.0.2/32")}, want: prove.Wrong, text: "web-1"},
		{name: "what is no HTTP beside requests", more: other, shut: layer.Shut{Traffic: tcp(8080), Of: layer.NoRequest},
			keeps:  &layer.Rule{Effect: layer.Allow, Traffic: tcp(8080), Cond: requests()},
			denies: &layer.Rule{Effect: layer.Deny, Traffic: tcp(8080), Cond: requests("/pay")}, want: prove.Approximate, text: "cannot"},
		{name: "and the requests with it", more: other, shut: layer.Shut{Traffic: tcp(8080), Of: layer.NoRequest}, want: prove.Wrong},
		{name: "what is no HTTP where all requests may pass", more: "reason: r", shut: layer.Shut{Traffic: tcp(8080), Of: layer.NoRequest},
			keeps: &layer.Rule{Effect: layer.Allow, Traffic: tcp(8080), Cond: requests()}, want: prove.Wrong},
		{name: "what is no HTTP where all requests may pass that are proven", more: "reason: r, require: mtls", shut: layer.Shut{Traffic: tcp(8080), Of: layer.NoRequest},
			keeps: &layer.Rule{Effect: layer.Allow, Traffic: tcp(8080), Cond: &policy.Condition{HTTP: []policy.HTTP{{}}, Ambiguous: policy.Meant, MTLS: true}}, want: prove.Wrong},
		{name: "what is no HTTP where no request may pass", more: "reason: r}\n  - {name: no-http, effect: deny, from: {service: web}, to: {service: orders}, ports: [8080/TCP], http: [{paths: [/*]}], reason: r",
			shut: layer.Shut{Traffic: tcp(8080), Of: layer.NoRequest}, want: prove.Approximate, text: "cannot"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, again := resolve(t, strings.ReplaceAll(shopPolicy, "reason: r HTTP", c.more), shopInventory)
			l := shop(t)
			tier := &l.Tables[0].Tiers[0]
			subject, peer := (*tier)[1].Subject, (*tier)[1].Peer
			*tier = slices.Delete(*tier, 1, 2)
			for _, r := range []*layer.Rule{c.keeps, c.denies} {
				if r != nil {
					r.Subject, r.Peer = subject, peer
					*tier = append(*tier, *r)
				}
			}
			c.shut.Why = "cannot"
			if c.shut.Subject == nil {
				c.shut.Subject = subject
			}
			if c.shut.Peer == nil {
				c.shut.Peer = peer
			}
			l.Shut = []layer.Shut{c.shut}
			report, err := prove.Prove(prove.Intent{Policy: p, Resolve: again}, []*layer.Layer{l}, prove.Options{At: noon})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range []prove.Result{report.Results[0], *report.Together} {
				all := r.Reason
				for _, x := range append(r.Over, r.Under...) {
					all += "\n" + x.From + " > " + x.To + " " + x.Traffic + " " + x.Reason
				}
				if r.Result != c.want || !strings.Contains(all, c.text) {
					t.Errorf("%s, %s: want %s with %q:\n%s\n%+v", r.Point, r.Result, c.want, c.text, all, r.Witness)
				}
			}
			lax := *l
			lax.Target, lax.Shut = "ebpf", nil
			two, err := prove.Prove(prove.Intent{Policy: p, Resolve: again}, []*layer.Layer{l, &lax}, prove.Options{At: noon})
			if err != nil {
				t.Fatal(err)
			}
			if two.Results[1].Result != prove.Wrong || two.Together.Result != prove.Wrong {
				t.Errorf("beside a layer that could let it in: %s and %s, want wrong", two.Results[1].Result, two.Together.Result)
			}
		})
	}
}
