package lang

import (
	"os"
	"testing"
)

// FuzzParse looks for input that panics, or brings out diagnostics without a
// place, or leaves a tree without errors that breaks its own promises.
func FuzzParse(f *testing.F) {
	for _, c := range diagnosticCases {
		f.Add([]byte(c.text))
	}
	for _, name := range []string{"estate.yaml", "policy.yaml", "hosts.yaml"} {
		text, err := os.ReadFile("testdata/shop/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d, list := parseBeside(string(text))
		for _, one := range list {
			if one.Code == "" || one.Message == "" || one.Pos.Line < 1 && one.Code != "no-estate" {
				t.Errorf("incomplete diagnostic: %s", one)
			}
		}
		if list.HasErrors() {
			return
		}
		if d.Estate == nil {
			t.Error("no Estate and no error")
		}
		checkPromises(t, d)
	})
}

// checkPromises holds a tree without errors to what tree.go says of it.
func checkPromises(t *testing.T, d *Dir) {
	t.Helper()
	for _, z := range d.Zones {
		if (z.Select == nil) != (z.Name == Unassigned) || z.Name == "" || z.Default > Deny || z.Select != nil && z.Select.Selector.IsZero() {
			t.Errorf("zone %+v", z)
		}
	}
	for _, s := range d.Services {
		if s.Name == "" || s.Select == nil || s.Select.Selector.IsZero() {
			t.Errorf("service %+v", s)
		}
		for _, p := range s.Ports {
			if p.Number == 0 || !p.Protocol.HasPorts() {
				t.Errorf("port %+v", p)
			}
		}
	}
	for _, x := range d.Externals {
		if x.Name == "" || len(x.CIDRs) == 0 {
			t.Errorf("external %+v", x)
		}
		for _, c := range x.CIDRs {
			if c.Prefix != c.Prefix.Masked() || !c.Prefix.IsValid() {
				t.Errorf("cidr %s", c.Prefix)
			}
		}
	}
	for _, p := range d.Policies {
		if p.Name == "" || len(p.Rules) == 0 || p.Tier > Baseline || p.Tier != Platform && p.Priority != 0 {
			t.Errorf("policy %+v", p)
		}
		for _, r := range p.Rules {
			checkRule(t, p, r)
		}
	}
	for _, c := range d.Cases {
		for _, x := range c.Expect {
			if x.From.Kind == ByNothing || x.To.Kind == ByNothing || x.Effect > Deny {
				t.Errorf("expectation %+v", x)
			}
		}
	}
}

func checkRule(t *testing.T, p *Policy, r *Rule) {
	t.Helper()
	if r.Name == "" || r.Effect > Pass || r.Effect == Pass && p.Tier != Platform || r.Ports != nil && len(r.Ports) == 0 {
		t.Errorf("rule %+v", r)
	}
	for _, port := range r.Ports {
		if (port.Name == "") == port.Traffic.IsEmpty() {
			t.Errorf("port %+v", port)
		}
	}
	for _, e := range []Endpoint{r.From, r.To} {
		named := e.Kind == ByService || e.Kind == ByZone || e.Kind == ByExternal || e.Kind == ByPrincipal
		if e.Kind == ByNothing || e.Kind >= ByWorkload || named != (e.Name != "") || (e.Kind == BySelect) == e.Selector.IsZero() {
			t.Errorf("endpoint %+v", e)
		}
	}
}
