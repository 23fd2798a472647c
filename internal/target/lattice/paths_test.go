package lattice_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/netset"
	"firebreak/internal/target/lattice"
)

// pathEstate has a caller and a service in two VPCs, and one rule about requests
// beside one that allows everything, if the rule denies.
func pathEstate(t *testing.T, effect, requests string) *estate {
	t.Helper()
	inv := &inventory.Snapshot{}
	for v, app := range []string{"web", "orders"} {
		inv.Networks = append(inv.Networks, inventory.Network{Name: fmt.Sprint("vpc-", v), Labels: map[string]string{"cloud/provider": "aws", "cloud/account": "111122223333"}})
		inv.Workloads = append(inv.Workloads, inventory.Workload{
			Name: app, Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, byte(v), 0, 1})}, Ports: []inventory.Port{{Name: "http", Number: 8080, Protocol: netset.TCP}},
			Labels: map[string]string{"app": app, "net/vpc": fmt.Sprint("vpc-", v), "aws/role": "arn:aws:iam::111122223333:role/" + app},
		})
	}
	text := `
kind: Estate
metadata: {name: shop}
spec: {networks: [10.0.0.0/8]}
---
kind: Zone
metadata: {name: all}
spec: {select: app, stage: enforce, default: deny}
---
kind: Service
metadata: {name: orders}
spec: {select: app=orders}
---
kind: Policy
metadata: {name: p}
spec:
  stage: enforce
  rules:
  - {name: r, effect: ` + effect + `, from: {select: app=web}, to: {service: orders}, ports: [8080/TCP], http: ` + requests + `}
`
	if effect == "deny" {
		text += "  - {name: rest, effect: allow, from: {select: app=web}, to: {service: orders}, ports: [8080/TCP]}\n"
	}
	e, err := resolve(text, inv)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// asked tries requests on what was rendered, by the judge, and on the policy.
func (e *estate) asked(tiny *tinyEstate, path string) (passes, meant bool) {
	q := request{method: "GET", path: path, at: noon}
	x, y := e.wanted.Engine.OfWorkload(0), e.wanted.Engine.OfWorkload(1)
	set, _ := e.wanted.Engine.Permitted(x, y, true)
	at := e.wanted.Engine.Locate(flow.Circumstances{At: noon, HTTP: &flow.Request{Method: "GET", Path: path}})
	return tiny.permits(&e.inv.Workloads[0], &e.inv.Workloads[1], 8080, q), set.Contains(netset.TCP, 8080, at)
}

// TestWildcardsInThePath: IAM's '*' spans slashes, so that an allow with one
// before its end permits more than was meant, which the proof has to list; a deny
// denies no more than was meant, and where that cannot be said it is said.
// docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
func TestWildcardsInThePath(t *testing.T) {
	paths := []string{"/", "/a", "/a/", "/a/b", "/a/b/c", "/a//c", "/a/b/x/c", "/a/c", "/u/7", "/u/", "/u/7/x", "/u/7/x/y", "/u/7/8/x", "/u//x", "/v1/a.json", "/v1/b/a.json", "/v1/.json", "/v1/a.xml", "/p/1/q/2", "/p/1/2/q/3", "/%61/b/c", "/z/1/t/2", "/z/1/t/2/3", "/z/1/u", "/z/1/2/t/3", "/x.json/1", "/x/y.json/1"}
	for _, row := range []struct {
		pattern string
		wider   bool // than was meant, as an allow
		left    bool // out, as a deny
	}{
		{"/a/*/c", true, false},
		{"/u/{id}", true, false},
		{"/u/{id}/x", true, false},
		{"/p/{p}/q/{q}", true, false},
		{"/v1/*.json", true, false},
		{"/a*/b", true, false},
		{"/u/{id}/*", false, false},
		{"/a*/*", false, false},
		{"/z/*/*", false, false},
		{"/z/*/t/*", true, true},
		{"/*.json/*", true, true},
		{"/a/*", false, false},
		{"/a/b", false, false},
	} {
		for _, effect := range []string{"allow", "deny"} {
			e := pathEstate(t, effect, "[{paths: ['"+row.pattern+"']}]")
			files, diags := lattice.Target{}.Render(e.wanted)
			over, under := 0, 0
			tiny := &tinyEstate{inv: e.inv, all: tinyRead(t, files)}
			for _, p := range paths {
				switch passes, meant := e.asked(tiny, p); {
				case passes && !meant:
					over++
				case !passes && meant:
					under++
				}
			}
			wider := row.wider && effect == "allow" || row.left && effect == "deny"
			if under > 0 || over > 0 && !wider {
				t.Errorf("%s %s: %d over and %d under", effect, row.pattern, over, under)
			}
			proven, summary := e.verdict(t, files)
			if over > 0 && proven {
				t.Errorf("%s %s: %d over, and the proof says nothing", effect, row.pattern, over)
			}
			if !wider && !proven {
				t.Errorf("%s %s: %s", effect, row.pattern, summary)
			}
			if said := has(diags, row.pattern); said != (row.left && effect == "deny") {
				t.Errorf("%s %s: %v", effect, row.pattern, diags)
			}
		}
	}
}

func has(diags diag.List, text string) bool {
	for _, d := range diags {
		if strings.Contains(d.Message, text) {
			return true
		}
	}
	return false
}
