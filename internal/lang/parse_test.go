package lang

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/diag"
	"firebreak/internal/netset"
)

// estate is added where a test is not about the Estate.
const estate = "kind: Estate\nmetadata: {name: shop}\nspec: {networks: [10.0.0.0/8]}\n"

// parseText parses one file called p.yaml.
func parseText(text string) (*Dir, diag.List) {
	return Parse(fstest.MapFS{"p.yaml": {Data: []byte(text)}})
}

// parseBeside parses p.yaml beside a file with an Estate, unless it has its own.
func parseBeside(text string) (*Dir, diag.List) {
	if strings.Contains(text, "kind: Estate") {
		return parseText(text)
	}
	return Parse(fstest.MapFS{"a.yaml": {Data: []byte(estate)}, "p.yaml": {Data: []byte(text)}})
}

// texts renders diagnostics, one a line.
func texts(l diag.List) string {
	var b strings.Builder
	for _, d := range l {
		b.WriteString(d.String() + "\n")
	}
	return b.String()
}

func TestParseWholeEstate(t *testing.T) {
	d, list := Parse(os.DirFS("testdata/shop"))
	if len(list) > 0 {
		t.Fatalf("diagnostics:\n%s", texts(list))
	}
	if d.Estate == nil || d.Estate.Name != "shop" || len(d.Estate.Inventory) != 2 || d.Estate.Inventory[1].Kind != "file" || d.Estate.Inventory[1].Path != "./hosts.yaml" {
		t.Errorf("estate: %+v", d.Estate)
	}
	if n := d.Estate.Networks; len(n) != 2 || n[0].Prefix.String() != "10.0.0.0/8" {
		t.Errorf("networks: %v", n)
	}
	if m := d.Estate.Labels; len(m) != 1 || m[0].To != "env" || m[0].Map["production"] != "prod" || m[0].Authority != "controller" {
		t.Errorf("labels: %+v", m)
	}
	if len(d.Zones) != 3 || d.Zones[0].Select.Selector.String() != "env=prod,tier=data" || d.Zones[0].Stage != Enforce || d.Zones[0].Default != Deny {
		t.Errorf("zones: %+v", d.Zones)
	}
	if z := d.Zones[2]; z.Name != Unassigned || z.Select != nil || z.Default != Allow || z.Stage != Alert {
		t.Errorf("unassigned: %+v", z)
	}
	if s := d.Services[0]; s.Ports[0].Name != "postgres" || s.Ports[0].Number != 5432 || s.Ports[0].Protocol != netset.TCP || s.Ports[1].Protocol != netset.UDP {
		t.Errorf("service: %+v", s)
	}
	if x := d.Externals[0]; x.Owner != "payments" || x.Reason != "card capture" || len(x.CIDRs) != 2 {
		t.Errorf("external: %+v", x)
	}
	checkPolicies(t, d)
	if c := d.Cases[0]; len(c.Expect) != 4 || c.Expect[0].Effect != Deny || c.Expect[0].InForce || c.Expect[1].Port != nil ||
		!c.Expect[2].InForce || c.Expect[2].From.Kind != ByWorkload || c.Expect[3].To.Kind != ByIP || c.Expect[3].To.IP.String() != "2001:db8::1" {
		t.Errorf("case: %+v", c)
	}
}

func checkPolicies(t *testing.T, d *Dir) {
	t.Helper()
	if len(d.Policies) != 2 {
		t.Fatalf("%d policies, want 2", len(d.Policies))
	}
	p := d.Policies[0]
	if p.Tier != Application || p.Stage != Enforce || p.Priority != 0 || len(p.Rules) != 2 {
		t.Errorf("policy: %+v", p)
	}
	r := p.Rules[0]
	if r.Name != "app-to-db" || r.Stage != Enforce || r.Owner != "orders-team" || r.Reason != "orders owns these tables" ||
		r.From.Kind != ByService || r.From.Name != "orders" || r.Ports[0].Name != "postgres" {
		t.Errorf("first rule: %+v", r)
	}
	if want := (diag.Pos{File: "policy.yaml", Line: 8, Col: 5}); r.Pos != want {
		t.Errorf("first rule is at %s, want %s", r.Pos, want)
	}
	r = p.Rules[1]
	want := netset.Of(netset.TCP, 8080, 8080).Union(netset.Of(netset.UDP, 9000, 9100)).Union(netset.Of(netset.ICMP, 0, 0))
	got := netset.None()
	for _, port := range r.Ports {
		got = got.Union(port.Traffic)
	}
	if r.Stage != Observe || r.Owner != "web-team" || !got.Equal(want) || r.From.Kind != BySelect || r.To.Kind != ByAny {
		t.Errorf("second rule: %+v, traffic %s", r, got)
	}
	if p := d.Policies[1]; p.Tier != Platform || p.Priority != 10 || p.Rules[0].Effect != Pass || p.Rules[0].Ports != nil || p.Rules[0].From.Kind != ByPrincipal {
		t.Errorf("platform policy: %+v", p)
	}
}
