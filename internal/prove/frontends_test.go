package prove_test

import (
	"net/netip"
	"strings"
	"testing"

	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/prove"
)

// TestFrontends asks of a layer that sees frontends' addresses. orders stands
// behind one that web may reach, db behind one that web may not.
func TestFrontends(t *testing.T) {
	orders, db := in("10.0.9.1/32"), in("10.0.9.2/32")
	for _, c := range []struct {
		name  string
		plant func(l *layer.Layer)
		want  prove.Word
		text  string
	}{
		{name: "judged as what is behind", plant: func(l *layer.Layer) {
			l.Tables[1].Tiers[0] = append(l.Tables[1].Tiers[0], allow("fe", selected(t, "app=web"), orders, tcp(443)))
		}, want: prove.Exact},
		{name: "judged as an address", plant: func(*layer.Layer) {}, want: prove.Exact},
		{name: "another port of it", plant: func(l *layer.Layer) {
			l.Tables[1].Tiers[0] = append(l.Tables[1].Tiers[0], allow("fe", selected(t, "app=web"), orders, tcp(444)))
		}, want: prove.Wrong, text: "10.0.9.1/32 TCP 444"},
		{name: "another frontend", plant: func(l *layer.Layer) {
			l.Tables[1].Tiers[0] = append(l.Tables[1].Tiers[0], allow("fe", selected(t, "app=web"), db, tcp(443)))
		}, want: prove.Wrong, text: "10.0.9.2/32 TCP 443"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, again := resolve(t, strings.ReplaceAll(shopPolicy, "reason: r HTTP", "reason: r"), shopInventory)
			inv := *p.Inventory
			for name, a := range map[string]string{"orders": "10.0.9.1", "db": "10.0.9.2"} {
				inv.Frontends = append(inv.Frontends, inventory.Frontend{
					Name: name, Addresses: []netip.Addr{netip.MustParseAddr(a)}, Workloads: []string{name},
					Ports: []inventory.FrontendPort{{Number: 443, Target: map[string]uint16{"orders": 8080, "db": 5432}[name]}},
				})
			}
			p, err := again(&inv)
			if err != nil {
				t.Fatal(err)
			}
			l := shop(t)
			c.plant(l)
			report, err := prove.Prove(prove.Intent{Policy: p}, []*layer.Layer{l}, prove.Options{At: noon})
			if err != nil {
				t.Fatal(err)
			}
			r := report.Results[0]
			all := r.Reason
			for _, x := range append(r.Over, r.Under...) {
				all += "\n" + x.From + " > " + x.To + " " + x.Traffic
			}
			if r.Result != c.want || !strings.Contains(all, c.text) {
				t.Errorf("%s, want %s with %q:\n%s", r.Result, c.want, c.text, all)
			}
		})
	}
}

// TestFrontendsBeforeZonesThatObserve: a guardrail denies what is behind, which
// the zone would let pass to any address.
func TestFrontendsBeforeZonesThatObserve(t *testing.T) {
	text := strings.ReplaceAll(strings.ReplaceAll(shopPolicy, "reason: r HTTP", "reason: r"), "stage: enforce, default: deny", "stage: observe, default: deny") + `---
kind: Guardrail
metadata: {name: no-web-to-db}
spec: {stage: enforce, never: {from: {select: "app=web"}, to: {select: "app=db"}}}
`
	p, again := resolve(t, text, shopInventory)
	inv := *p.Inventory
	inv.Frontends = []inventory.Frontend{{Name: "db", Addresses: []netip.Addr{netip.MustParseAddr("10.0.9.2")}, Workloads: []string{"db"}, Ports: []inventory.FrontendPort{{Number: 443, Target: 5432}}}}
	p, err := again(&inv)
	if err != nil {
		t.Fatal(err)
	}
	deny := allow("guard", selected(t, "app=web"), append(selected(t, "app=db"), in("10.0.9.2/32")...), tcp(443).Union(tcp(5432)))
	deny.Effect = layer.Deny
	l := shop(t)
	for i := range l.Tables {
		l.Tables[i].Default, l.Tables[i].Tiers = layer.Allow, nil
	}
	l.Tables[1].Tiers = [][]layer.Rule{{deny}}
	report, err := prove.Prove(prove.Intent{Policy: p}, []*layer.Layer{l}, prove.Options{At: noon})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range report.Results[0].Under {
		if strings.Contains(x.To, "10.0.9.2") && strings.Contains(x.Traffic, "443") {
			t.Errorf("%s > %s by %s was not meant: a guardrail denies what is behind", x.From, x.To, x.Traffic)
		}
	}
}
