package prove_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/inventory/file"
	"firebreak/internal/label"
	"firebreak/internal/lang"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/prove"
)

var noon = time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)

const shopInventory = `
kind: Workload
metadata: {name: web-1, labels: {app: web, tier: front}}
spec: {addresses: [10.0.0.1]}
---
kind: Workload
metadata: {name: web-2, labels: {app: web, tier: front}}
spec: {addresses: [10.0.0.2]}
---
kind: Workload
metadata: {name: orders, labels: {app: orders, tier: back}}
spec: {addresses: [10.0.1.1]}
---
kind: Workload
metadata: {name: db, labels: {app: db, tier: data}}
spec: {addresses: [10.0.2.1]}
`

const shopPolicy = `
kind: Estate
metadata: {name: shop}
spec: {networks: [10.0.0.0/8]}
---
kind: Zone
metadata: {name: front}
spec: {select: tier=front, stage: enforce, default: deny}
---
kind: Zone
metadata: {name: back}
spec: {select: tier=back, stage: enforce, default: deny}
---
kind: Zone
metadata: {name: data}
spec: {select: tier=data, stage: enforce, default: deny}
---
kind: Service
metadata: {name: web}
spec: {select: app=web, ports: [{port: 80}]}
---
kind: Service
metadata: {name: orders}
spec: {select: app=orders, ports: [{port: 8080}]}
---
kind: Service
metadata: {name: db}
spec: {select: app=db, ports: [{port: 5432}]}
---
kind: External
metadata: {name: office, owner: o}
spec: {cidrs: [192.0.2.0/24], reason: r}
---
kind: External
metadata: {name: psp, owner: o}
spec: {fqdns: [psp.example], reason: r}
---
kind: Policy
metadata: {name: p, owner: o}
spec:
  stage: enforce
  rules:
  - {name: office-to-web, effect: allow, from: {external: office}, to: {service: web}, ports: [80/TCP], reason: r}
  - {name: web-to-orders, effect: allow, from: {service: web}, to: {service: orders}, ports: [8080/TCP], reason: r HTTP}
  - {name: orders-to-db, effect: allow, from: {service: orders}, to: {service: db}, ports: [5432/TCP], reason: r}
`

const withHTTP = `reason: r, http: [{methods: [POST], paths: [/pay/*]}]`

func resolve(t testing.TB, text, inv string) (*policy.Policy, func(*inventory.Snapshot) (*policy.Policy, error)) {
	t.Helper()
	tree, diags := lang.Parse(fstest.MapFS{"p.yaml": {Data: []byte(text)}})
	part, more := file.Read(fstest.MapFS{"i.yaml": {Data: []byte(inv)}}, "i.yaml")
	snap, joined := inventory.Join(part)
	p, resolved := policy.Resolve(tree, snap)
	if p == nil {
		t.Fatal(slices.Concat(diags, more, joined, resolved))
	}
	return p, func(s *inventory.Snapshot) (*policy.Policy, error) {
		p, _ := policy.Resolve(tree, s)
		return p, nil
	}
}

func selected(t testing.TB, text string) layer.Match {
	s, err := label.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return layer.Selected(s)
}

func in(prefixes ...string) layer.Match {
	var out []netip.Prefix
	for _, p := range prefixes {
		out = append(out, netip.MustParsePrefix(p))
	}
	return layer.In(out...)
}

func tcp(lo uint16) netset.Traffic { return netset.Of(netset.TCP, lo, lo) }

func allow(name string, subject, peer layer.Match, traffic netset.Traffic) layer.Rule {
	return layer.Rule{Ref: flow.Rule{Policy: "np", Rule: name, File: "np.yaml", Line: 3}, Effect: layer.Allow, Subject: subject, Peer: peer, Traffic: traffic}
}

// shop is a layer that says exactly what shopPolicy means.
func shop(t testing.TB) *layer.Layer {
	web, orders, db := selected(t, "app=web"), selected(t, "app=orders"), selected(t, "app=db")
	return &layer.Layer{
		Target: "networkpolicy",
		Points: []layer.Point{{Name: "cluster", Governs: layer.AnyWorkload()}},
		Tables: []layer.Table{
			{Name: "ingress", Direction: flow.Ingress, Governs: layer.AnyWorkload(), Tiers: [][]layer.Rule{{
				allow("web-in", web, in("192.0.2.0/24"), tcp(80)), allow("orders-in", orders, web, tcp(8080)), allow("db-in", db, orders, tcp(5432)),
			}}},
			{Name: "egress", Direction: flow.Egress, Governs: layer.AnyWorkload(), Tiers: [][]layer.Rule{{
				allow("web-out", web, orders, tcp(8080)), allow("orders-out", orders, db, tcp(5432)),
			}}},
		},
	}
}

// replies lets web reach orders by some traffic whose replies are stopped.
func replies(l *layer.Layer, traffic netset.Traffic) {
	for i := range l.Tables {
		r := l.Tables[i].Tiers[0][1-i] // in: orders from web; out: web to orders
		if i == 0 {
			r = l.Tables[1].Tiers[0][0]
			r.Subject, r.Peer = r.Peer, r.Subject
		}
		r.Traffic, r.Unknown, r.OneWay = traffic, "replies are stopped", true
		l.Tables[i].Tiers[0] = append(l.Tables[i].Tiers[0], r)
	}
}

// TestClassification plants one thing after the other into a layer that is
// exact, and asks for the word.
func TestClassification(t *testing.T) {
	rule := func(l *layer.Layer, table, i int) *layer.Rule { return &l.Tables[table].Tiers[0][i] }
	catcher := func(t *testing.T) *layer.Layer { l := shop(t); l.Target = "awssg"; return l }
	for _, c := range []struct {
		name     string
		plant    func(t *testing.T, l *layer.Layer) []*layer.Layer
		http     bool
		more     string // that rules say
		accepted bool
		want     prove.Word
		together prove.Word
		text     string // of reason, lines or witness
	}{
		{name: "as meant", want: prove.Exact, together: prove.Exact},
		{name: "a port too many", want: prove.Wrong, together: prove.Wrong, text: "web > orders TCP 8081", plant: func(t *testing.T, l *layer.Layer) []*layer.Layer {
			rule(l, 0, 1).Traffic, rule(l, 1, 0).Traffic = netset.Of(netset.TCP, 8080, 8081), netset.Of(netset.TCP, 8080, 8081)
			return nil
		}},
		{name: "a port too many at one end", want: prove.Exact, together: prove.Exact, plant: func(t *testing.T, l *layer.Layer) []*layer.Layer {
			rule(l, 0, 1).Traffic = netset.Of(netset.TCP, 8080, 8081)
			return nil
		}},
		{name: "a port too many from outside", want: prove.Wrong, together: prove.Wrong, text: "office > web TCP 443", plant: func(t *testing.T, l *layer.Layer) []*layer.Layer {
			rule(l, 0, 0).Traffic = tcp(80).Union(tcp(443))
			return nil
		}},
		{name: "a port too many that others catch", want: prove.Approximate, together: prove.Exact, text: "awssg", plant: func(t *testing.T, l *layer.Layer) []*layer.Layer {
			rule(l, 0, 0).Traffic = tcp(80).Union(tcp(443))
			return []*layer.Layer{catcher(t)}
		}},
		{name: "others that can be gone around catch nothing", want: prove.Wrong, together: prove.Wrong, plant: func(t *testing.T, l *layer.Layer) []*layer.Layer {
			rule(l, 0, 0).Traffic = tcp(80).Union(tcp(443))
			o := catcher(t)
			o.Optional = true
			return []*layer.Layer{o}
		}},
		{name: "a rule too few", want: prove.Wrong, together: prove.Wrong, text: "orders may not reach db", plant: func(t *testing.T, l *layer.Layer) []*layer.Layer {
			l.Tables[0].Tiers[0] = l.Tables[0].Tiers[0][:2]
			return nil
		}},
		{name: "a wider prefix", want: prove.Wrong, together: prove.Wrong, text: "world 192.0.3.0/24", plant: func(t *testing.T, l *layer.Layer) []*layer.Layer {
			rule(l, 0, 0).Peer = in("192.0.2.0/23")
			return nil
		}},
		{name: "the addresses instead of the labels", want: prove.Exact, together: prove.Exact, plant: func(t *testing.T, l *layer.Layer) []*layer.Layer {
			rule(l, 0, 1).Peer = in("10.0.0.1/32", "10.0.0.2/32")
			return nil
		}},
		{name: "an address too many", want: prove.Wrong, together: prove.Wrong, text: "unknown 10.0.0.2/31", plant: func(t *testing.T, l *layer.Layer) []*layer.Layer {
			rule(l, 0, 1).Peer = in("10.0.0.1/32", "10.0.0.2/31")
			return nil
		}},
		{name: "names", want: prove.ExactToday, together: prove.Exact, plant: func(t *testing.T, l *layer.Layer) []*layer.Layer { l.Names = true; return nil }},
		{name: "what could be labelled so", want: prove.ExactToday, together: prove.Exact, text: "app=web", plant: func(t *testing.T, l *layer.Layer) []*layer.Layer {
			rule(l, 1, 0).Subject = selected(t, "app=web,tier=front") // the intent asks for app only
			return nil
		}},
		{name: "the same by another label", want: prove.ExactToday, together: prove.Exact, text: "would be treated otherwise", plant: func(t *testing.T, l *layer.Layer) []*layer.Layer {
			rule(l, 0, 2).Peer = selected(t, "tier=back")
			rule(l, 1, 1).Subject = selected(t, "tier=back")
			return nil
		}},
		{name: "no egress at all", want: prove.Wrong, together: prove.Wrong, plant: func(t *testing.T, l *layer.Layer) []*layer.Layer {
			l.Tables[1].Governs = nil
			return nil
		}},
		{name: "a rule that is not understood", want: prove.Unknown, together: prove.Unknown, text: "endPort", plant: func(t *testing.T, l *layer.Layer) []*layer.Layer {
			rule(l, 0, 0).Unknown = "endPort is not a number"
			return nil
		}},
		{name: "a point that is not understood", want: prove.Unknown, together: prove.Unknown, text: "no answer", plant: func(t *testing.T, l *layer.Layer) []*layer.Layer {
			l.Points[0].Unknown = "no answer"
			return nil
		}},
		{name: "something that is not understood", want: prove.Unknown, together: prove.Unknown, text: "what is this", plant: func(t *testing.T, l *layer.Layer) []*layer.Layer {
			l.Unknown = []layer.Unknown{{Why: "what is this", Concerns: selected(t, "app=db")}}
			return nil
		}},
		{name: "nothing enforces", want: prove.Unenforced, together: prove.Wrong, text: "no CNI", plant: func(t *testing.T, l *layer.Layer) []*layer.Layer {
			l.Points[0].Missing = "no CNI that enforces"
			return nil
		}},
		{name: "a point for nobody", want: prove.NotApplicable, together: prove.Exact, plant: func(t *testing.T, l *layer.Layer) []*layer.Layer {
			l.Points = []layer.Point{{Name: "cluster", Governs: selected(t, "app=none")}, {Name: "other", Governs: layer.AnyWorkload()}}
			return nil
		}},
		{name: "requests that nobody looks at", http: true, want: prove.Unenforced, together: prove.Unenforced, text: "web-to-orders (p.yaml", plant: func(t *testing.T, l *layer.Layer) []*layer.Layer { return nil }},
		{name: "requests that another looks at", http: true, want: prove.Approximate, together: prove.Exact, text: "awssg", plant: func(t *testing.T, l *layer.Layer) []*layer.Layer {
			o := catcher(t)
			rule(o, 0, 1).Cond = &policy.Condition{HTTP: []policy.HTTP{{Methods: []string{"POST"}, Paths: []string{"/pay/*"}}}, Ambiguous: policy.NotMeant}
			return []*layer.Layer{o}
		}},
		{name: "a relay", want: prove.Approximate, together: prove.Approximate, text: "lattice", plant: func(t *testing.T, l *layer.Layer) []*layer.Layer {
			relay := in("169.254.171.0/24")
			l.Tables[0].Tiers[0] = append(l.Tables[0].Tiers[0], allow("relay", selected(t, "app=orders"), relay, tcp(8080)))
			return []*layer.Layer{{Target: "lattice", Optional: true, Relays: relay[0].Prefixes, Points: []layer.Point{{Name: "n", Governs: selected(t, "app=orders")}}}}
		}},
		{name: "a relay that leads elsewhere", want: prove.Approximate, together: prove.Approximate, text: "lattice", plant: func(t *testing.T, l *layer.Layer) []*layer.Layer {
			relay := in("169.254.171.0/24")
			l.Tables[0].Tiers[0] = append(l.Tables[0].Tiers[0], allow("relay", selected(t, "app=orders"), relay, tcp(8080)))
			return []*layer.Layer{{Target: "lattice", Optional: true, Relays: relay[0].Prefixes, Points: []layer.Point{{Name: "n", Governs: selected(t, "app=web")}}}}
		}},
		{name: "a relay of which not all is known", want: prove.Wrong, together: prove.Wrong, text: "may reach orders", plant: func(t *testing.T, l *layer.Layer) []*layer.Layer {
			relay := in("169.254.171.0/24")
			l.Tables[0].Tiers[0] = append(l.Tables[0].Tiers[0], allow("relay", selected(t, "app=orders"), relay, tcp(8080)))
			return []*layer.Layer{{Target: "lattice", Optional: true, Relays: relay[0].Prefixes, Points: []layer.Point{{Name: "n", Governs: selected(t, "app=web")}},
				Unknown: []layer.Unknown{{Concerns: selected(t, "app=web"), Why: "a service of another account"}}}}
		}},
		{name: "replies that are stopped, of what was not meant", want: prove.Wrong, together: prove.Wrong, text: "web > orders UDP 514", plant: func(t *testing.T, l *layer.Layer) []*layer.Layer {
			replies(l, netset.Of(netset.UDP, 514, 514))
			return nil
		}},
		{name: "replies that are stopped, of what was meant", want: prove.Wrong, together: prove.Wrong, text: "web > orders TCP 8080", plant: func(t *testing.T, l *layer.Layer) []*layer.Layer {
			l.Tables[0].Tiers[0] = slices.Delete(l.Tables[0].Tiers[0], 1, 2)
			replies(l, tcp(8080))
			return nil
		}},
		{name: "replies that are stopped, and something unknown", want: prove.Unknown, together: prove.Unknown, text: "what is this", plant: func(t *testing.T, l *layer.Layer) []*layer.Layer {
			replies(l, netset.Of(netset.UDP, 514, 514))
			l.Tables[0].Tiers[0][len(l.Tables[0].Tiers[0])-1].OneWay = false
			l.Tables[0].Tiers[0][len(l.Tables[0].Tiers[0])-1].Unknown = "what is this"
			return nil
		}},
		{name: "time that cannot be told", more: `reason: r, when: {hours: "08:00-18:00"}`, want: prove.Approximate, together: prove.Approximate, text: "cannot tell the time", plant: func(t *testing.T, l *layer.Layer) []*layer.Layer {
			l.Timeless = true
			l.Tables[0].Tiers[0] = slices.Delete(l.Tables[0].Tiers[0], 1, 2)
			return nil
		}},
		{name: "time that could be told", more: `reason: r, when: {hours: "08:00-18:00"}`, want: prove.Wrong, together: prove.Wrong, plant: func(t *testing.T, l *layer.Layer) []*layer.Layer {
			l.Tables[0].Tiers[0] = slices.Delete(l.Tables[0].Tiers[0], 1, 2)
			return nil
		}},
		{name: "time that nobody keeps", more: `reason: r, when: {hours: "08:00-18:00"}`, want: prove.Unenforced, together: prove.Unenforced, text: "a time"},
		{name: "requests that nobody looks at, which is accepted", http: true, accepted: true, want: prove.Approximate, together: prove.Approximate, text: "accepted: for now"},
		{name: "names that cannot be followed", more: "reason: r}\n  - {name: psp, effect: allow, from: {service: orders}, to: {external: psp}, ports: [443/TCP], reason: r", want: prove.Approximate, together: prove.Approximate, text: "cannot follow names", plant: func(t *testing.T, l *layer.Layer) []*layer.Layer {
			l.Nameless = true
			return nil
		}},
		{name: "names that could be followed", more: "reason: r}\n  - {name: psp, effect: allow, from: {service: orders}, to: {external: psp}, ports: [443/TCP], reason: r", want: prove.Wrong, together: prove.Wrong, text: "external psp"},
		{name: "names that are followed", more: "reason: r}\n  - {name: psp, effect: allow, from: {service: orders}, to: {external: psp}, ports: [443/TCP], reason: r", want: prove.Exact, together: prove.Exact, plant: func(t *testing.T, l *layer.Layer) []*layer.Layer {
			l.Tables[1].Tiers[0] = append(l.Tables[1].Tiers[0], allow("psp", selected(t, "app=orders"), layer.Match{{Names: []string{"psp"}}}, tcp(443)))
			return nil
		}},
		{name: "time that an agent keeps", more: `reason: r, when: {hours: "08:00-18:00"}`, want: prove.Exact, together: prove.Exact, plant: func(t *testing.T, l *layer.Layer) []*layer.Layer {
			l.Renewed = true // and it is noon
			return nil
		}},
		{name: "time that an agent should keep", more: `reason: r, when: {hours: "18:00-20:00"}`, want: prove.Unenforced, together: prove.Unenforced, text: "a time", plant: func(t *testing.T, l *layer.Layer) []*layer.Layer {
			l.Renewed = true
			return nil
		}},
		{name: "time that another's agent keeps", more: `reason: r, when: {hours: "08:00-18:00"}`, want: prove.Approximate, together: prove.Exact, text: "awssg", plant: func(t *testing.T, l *layer.Layer) []*layer.Layer {
			o := catcher(t)
			o.Renewed = true
			return []*layer.Layer{o}
		}},
		{name: "workloads that are named one by one", want: prove.ExactToday, together: prove.Exact, text: "before the next render", plant: func(t *testing.T, l *layer.Layer) []*layer.Layer {
			l.Names = true
			return nil
		}},
		{name: "workloads that an agent names one by one", want: prove.ExactToday, together: prove.Exact, text: "before the agent has learned of it", plant: func(t *testing.T, l *layer.Layer) []*layer.Layer {
			l.Names, l.Renewed = true, true
			return nil
		}},
		{name: "not asked, and nobody else is there", want: prove.Exact, together: prove.Unenforced, plant: func(t *testing.T, l *layer.Layer) []*layer.Layer {
			for i := range l.Tables {
				r := allow("route", layer.Everything(), layer.AnyWorkload(), netset.All())
				r.Effect = layer.Abstain
				l.Tables[i].Tiers = append([][]layer.Rule{{r}}, l.Tables[i].Tiers...)
			}
			return nil
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.ReplaceAll(shopPolicy, "reason: r HTTP", "reason: r")
			if c.http {
				text = strings.ReplaceAll(shopPolicy, "reason: r HTTP", withHTTP)
			}
			if c.more != "" {
				text = strings.ReplaceAll(shopPolicy, "reason: r HTTP", c.more)
			}
			p, again := resolve(t, text, shopInventory)
			l := shop(t)
			layers := []*layer.Layer{l}
			if c.plant != nil {
				layers = append(layers, c.plant(t, l)...)
			}
			intent := prove.Intent{Policy: p, Resolve: again}
			if c.accepted {
				intent.Accepted = func(flow.Rule) string { return "for now" }
			}
			report, err := prove.Prove(intent, layers, prove.Options{At: noon})
			if err != nil {
				t.Fatal(err)
			}
			r := report.Results[0]
			all := r.Reason
			if r.Witness != nil {
				all += "\n" + r.Witness.From + " > " + r.Witness.To
			}
			for _, x := range append(r.Over, r.Under...) {
				all += "\n" + x.From + " > " + x.To + " " + x.Traffic + " " + x.CaughtBy
			}
			if r.Result != c.want || !strings.Contains(all, c.text) {
				t.Errorf("%s, want %s with %q:\n%s\n%+v", r.Result, c.want, c.text, all, r.Witness)
			}
			if strings.Contains(c.text, "cannot ") && !strings.Contains(report.Together.Reason, strings.Replace(c.text, "cannot ", "no layer there can ", 1)) {
				t.Errorf("together for another reason: %s", report.Together.Reason)
			}
			if report.Together.Result != c.together {
				t.Errorf("together %s (%s), want %s", report.Together.Result, report.Together.Reason, c.together)
			}
		})
	}
}
