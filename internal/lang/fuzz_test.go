package lang

import (
	"bytes"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// FuzzParse looks for input that panics, or brings out diagnostics without a
// place, or leaves a tree without errors that breaks its own promises.
func FuzzParse(f *testing.F) {
	for _, c := range allDiagnosticCases() {
		f.Add([]byte(c.text))
	}
	f.Add([]byte(everything))
	f.Add([]byte(long("application")))
	for _, name := range []string{"estate.yaml", "policy.yaml", "hosts.yaml"} {
		text, err := os.ReadFile("testdata/shop/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d, list := parseBeside(string(text))
		checkCache(t, text)
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

// checkCache moves a text, then takes a line out of its middle, and reads it
// anew and from memory.
func checkCache(t *testing.T, text []byte) {
	t.Helper()
	var c Cache
	c.Parse(fstest.MapFS{"p.yaml": {Data: text}})
	lines := bytes.SplitAfter(text, []byte("\n"))
	shorter := bytes.Join(slices.Delete(lines, len(lines)/2, len(lines)/2+1), nil)
	for _, files := range []fstest.MapFS{
		{"q.yaml": {Data: slices.Concat([]byte("# moved\nkind: Zone\n---\n"), text)}, "p.yaml": {Data: text}},
		{"p.yaml": {Data: shorter}},
	} {
		d, list := c.Parse(files)
		if want, wantList := Parse(files); !reflect.DeepEqual(d, want) || !reflect.DeepEqual(list, wantList) {
			t.Errorf("from memory:\n%s\nanew:\n%s", texts(list), texts(wantList))
		}
	}
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
		if x.Name == "" || len(x.CIDRs)+len(x.FQDNs) == 0 {
			t.Errorf("external %+v", x)
		}
		for _, f := range x.FQDNs {
			if f.Text != strings.ToLower(f.Text) || checkFQDN(strings.TrimPrefix(f.Text, "*.")) != nil {
				t.Errorf("fqdn %q", f.Text)
			}
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
	for _, g := range d.Guardrails {
		checkGuardrail(t, g)
	}
	for _, e := range d.Exceptions {
		if e.Name == "" || e.Ticket == "" || e.Approver == "" || e.Expires.IsZero() {
			t.Errorf("exception %+v", e)
		}
		checkSays(t, e.Ports, e.HTTP, e.From, e.To)
	}
	for _, c := range d.Cases {
		for _, x := range c.Expect {
			if x.From.Kind == ByNothing || x.To.Kind == ByNothing || x.Effect > Deny || x.HTTP != nil && (x.HTTP.Method == "" || x.HTTP.Path[0] != '/') {
				t.Errorf("expectation %+v", x)
			}
		}
	}
}

func checkGuardrail(t *testing.T, g *Guardrail) {
	t.Helper()
	guarded, listed := g.To, g.From
	if g.GuardsFrom {
		guarded, listed = g.From, g.To
	}
	switch {
	case g.Name == "" || g.Kind > Must || len(guarded) != 1 || len(listed) == 0 || g.Kind != Only && (len(listed) != 1 || g.GuardsFrom):
		t.Errorf("guardrail %+v", g)
	case (g.Kind == Must) != (len(g.Have) > 0) || g.Kind == Must && (g.Ports != nil || g.HTTP != nil):
		t.Errorf("must %+v", g)
	}
	checkSays(t, g.Ports, g.HTTP, slices.Concat(g.From, g.To)...)
}

func checkRule(t *testing.T, p *Policy, r *Rule) {
	t.Helper()
	if r.Name == "" || r.Effect > Pass || r.Effect == Pass && p.Tier != Platform || r.MTLS && r.Effect != Allow {
		t.Errorf("rule %+v", r)
	}
	if w := r.When; w != nil && (w.Lo == w.Hi || w.Lo < 0 || w.Lo >= 1440 || w.Hi < 0 || w.Hi > 1440 || w.Days == 0 || w.Days > 127 || w.Location == nil || w.Text == "") {
		t.Errorf("window %+v", w)
	}
	checkSays(t, r.Ports, r.HTTP, r.From, r.To)
}

// checkSays looks at what rules, guardrails and exceptions have in common.
func checkSays(t *testing.T, ports []Port, https []HTTP, ends ...Endpoint) {
	t.Helper()
	if ports != nil && len(ports) == 0 || https != nil && len(https) == 0 {
		t.Errorf("ports %v, http %v", ports, https)
	}
	for _, port := range ports {
		if (port.Name == "") == port.Traffic.IsEmpty() {
			t.Errorf("port %+v", port)
		}
	}
	for _, e := range ends {
		named := e.Kind == ByService || e.Kind == ByZone || e.Kind == ByExternal || e.Kind == ByPrincipal
		if e.Kind == ByNothing || e.Kind >= ByWorkload || named != (e.Name != "") || (e.Kind == BySelect) == e.Selector.IsZero() {
			t.Errorf("endpoint %+v", e)
		}
	}
	for _, h := range https {
		checkHTTP(t, h)
	}
}

func checkHTTP(t *testing.T, h HTTP) {
	t.Helper()
	if h.Methods == nil && h.Paths == nil && h.Hosts == nil && h.Headers == nil || !slices.IsSorted(h.Methods) {
		t.Errorf("http %+v", h)
	}
	for _, p := range h.Paths {
		if err := ValidPathPattern(p); err != nil {
			t.Errorf("path %q: %v", p, err)
		}
	}
	for i, x := range h.Headers {
		if x.Name != strings.ToLower(x.Name) || !isToken(x.Name) || i > 0 && x.Name <= h.Headers[i-1].Name || x.Values != nil && len(x.Values) == 0 || !slices.IsSorted(x.Values) {
			t.Errorf("header %+v", x)
		}
	}
}
