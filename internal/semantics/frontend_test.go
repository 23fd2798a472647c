package semantics_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
	"firebreak/internal/semantics"
)

// behindFronts is a in zone a, and b and b2 in zone b, behind frontends of
// every shape. b2 lacks the label ok.
func behindFronts(rewrites string) *inventory.Snapshot {
	front := func(name, address string, f inventory.Frontend) inventory.Frontend {
		f.Name, f.Rewrites, f.Addresses = name, rewrites, []netip.Addr{addr(address)}
		f.Ports = []inventory.FrontendPort{{Number: 80, Target: 8080}, {Number: 81, TargetName: "admin"}, {Number: 82, TargetName: "nobody's"}}
		return f
	}
	return &inventory.Snapshot{
		Workloads: []inventory.Workload{
			{Name: "a", Labels: map[string]string{"z": "a"}},
			{Name: "b", Namespace: "n", Labels: map[string]string{"z": "b", "ok": "yes"}, Ports: []inventory.Port{{Name: "admin", Number: 9000}}},
			{Name: "b2", Namespace: "n", Labels: map[string]string{"z": "b"}},
			{Name: "b3", Namespace: "other", Labels: map[string]string{"z": "b", "ok": "yes"}},
		},
		Frontends: []inventory.Frontend{
			front("both", "10.1.0.2", inventory.Frontend{Workloads: []string{"b", "b2"}}),
			front("listed", "10.1.0.1", inventory.Frontend{Workloads: []string{"b"}}),
			front("none", "10.1.0.4", inventory.Frontend{Namespace: "n", Selector: map[string]string{"ok": "no"}}),
			front("selected", "10.1.0.3", inventory.Frontend{Namespace: "n", Selector: map[string]string{"ok": "yes"}}),
			front("service", "10.1.0.5", inventory.Frontend{ToService: "s"}),
		},
	}
}

func frontEstate(t *testing.T, rules ...lang.Rule) *lang.Dir {
	d := pair(t)
	d.Services = []*lang.Service{{Meta: lang.Meta{Name: "s"}, Select: selector(t, "ok=yes"), Ports: []lang.ServicePort{{Name: "admin", Number: 9001}}}}
	d.Estate = &lang.Estate{Networks: []lang.CIDR{{Prefix: netip.MustParsePrefix("10.0.0.0/8")}}}
	for _, r := range rules {
		with(d, lang.Application, r)
	}
	return d
}

// The destination is rewritten and the source kept: every backend is asked, on
// the port that it serves.
func TestAFrontendGoesOnToItsWorkloads(t *testing.T) {
	toOK := lang.Endpoint{Kind: lang.BySelect, Selector: selector(t, "ok").Selector}
	d := frontEstate(t,
		lang.Rule{Name: "web", From: byZone("a"), To: toOK, Ports: tcp(8080)},
		lang.Rule{Name: "admin", From: byZone("a"), To: byZone("b"), Ports: tcp(9000)})
	e := semantics.New(d, behindFronts("destination"))
	a, _ := e.Workload("a")
	for _, c := range []struct {
		to       string
		port     uint16
		want     string
		segments string
	}{
		{"10.1.0.1", 80, "forwarded p/web", "b:8080"},
		{"10.1.0.1", 8080, "dropped default-deny (a)", ""}, // not served: nothing but an address
		{"10.1.0.1", 81, "forwarded p/admin", "b:9000"},
		{"10.1.0.1", 82, "dropped default-deny (a)", ""},
		{"10.1.0.2", 80, "dropped default-deny (a)", "b:8080 b2:8080"},
		{"10.1.0.3", 80, "forwarded p/web", "b:8080"}, // b3 is of another namespace
		{"10.1.0.4", 80, "dropped default-deny (a)", ""},
		{"10.1.0.5", 80, "forwarded p/web", "b:8080 b3:8080"},
		{"10.1.0.5", 81, "dropped default-deny (a)", "b:9001 b3:9001"}, // the service says what admin is
	} {
		got := e.Decide(a, e.Address(addr(c.to)), netset.TCP, c.port, flow.Circumstances{})
		var segments []string
		for _, s := range got.Segments {
			segments = append(segments, s.To.Name()+":"+netset.Of(s.Protocol, s.Port, s.Port).String()[len("TCP "):])
		}
		rule := got.ToComeRule
		rule.Line = 0
		if s := got.ToCome.String() + " " + strings.TrimSuffix(rule.String(), ":0)"); strings.TrimSuffix(s, ")") != strings.TrimSuffix(c.want, ")") || strings.Join(segments, " ") != c.segments {
			t.Errorf("%s:%d is %s through %v, want %s through %s", c.to, c.port, s, segments, c.want, c.segments)
		}
	}
	sum := e.Summarize(a, e.Address(addr("10.1.0.1")), false, flow.Circumstances{})
	if sum.Permitted.String() != "TCP 80-81" {
		t.Errorf("through the frontend there may pass %s", sum.Permitted)
	}
	world := e.Decide(e.Address(addr("8.8.8.8")), e.Address(addr("10.1.0.1")), netset.TCP, 80, flow.Circumstances{})
	if world.ToCome != flow.Dropped || len(world.Ends) != 1 {
		t.Errorf("the world to the frontend: %+v", world)
	}
	if p, ok := e.Frontend("listed"); !ok || p.Name() != "10.1.0.1 (frontend listed)" || !p.Unknown {
		t.Errorf("by name it is %+v", p)
	}
}

// The source is lost: the backend must let in everyone who may enter.
func TestAFrontendThatHidesWhoBegan(t *testing.T) {
	any := lang.Endpoint{Kind: lang.ByAny}
	for _, c := range []struct {
		name   string
		rules  []lang.Rule
		from   string
		toCome flow.Verdict
		why    bool
	}{
		{"everyone is let in", []lang.Rule{{Name: "r", From: any, To: byZone("b"), Ports: tcp(8080)}}, "a", flow.Forwarded, false},
		{"only a is", []lang.Rule{{Name: "r", From: byZone("a"), To: byZone("b"), Ports: tcp(8080)}}, "a", flow.Unjudged, true},
		{"b may not leave", []lang.Rule{{Name: "r", From: byZone("a"), To: byZone("b"), Ports: tcp(8080)}}, "b", flow.Dropped, false},
		{"nobody is", nil, "a", flow.Dropped, false},
		{"nobody is, and the world enters", nil, "world", flow.Dropped, false},
		{"a is, and the world enters", []lang.Rule{{Name: "r", From: byZone("a"), To: byZone("b"), Ports: tcp(8080)}}, "world", flow.Unjudged, true},
	} {
		for _, rewrites := range []string{"source", "both"} {
			e := semantics.New(frontEstate(t, c.rules...), behindFronts(rewrites))
			from := e.Address(addr("8.8.8.8"))
			if c.from != "world" {
				from, _ = e.Workload(c.from)
			}
			got := e.From(from).Decide(from, e.Address(addr("10.1.0.1")), netset.TCP, 80, flow.Circumstances{})
			if got.ToCome != c.toCome || (got.Why != "") != c.why || len(got.Segments) != 2 {
				t.Errorf("%s (%s): %s because %q, through %d segments", c.name, rewrites, got.ToCome, got.Why, len(got.Segments))
			}
		}
	}
}

func TestHiddenSourceKeepsBothPolicies(t *testing.T) {
	d := frontEstate(t, lang.Rule{Name: "r", From: byZone("a"), To: byZone("b"), Ports: tcp(8080), Stage: lang.Enforce})
	for _, z := range d.Zones {
		z.Stage = lang.Observe
	}
	e := semantics.New(d, behindFronts("both"))
	from, _ := e.Workload("a")
	got := e.Decide(from, e.Address(addr("10.1.0.1")), netset.TCP, 80, flow.Circumstances{At: time.Now()})
	if got.InForce != flow.Forwarded || got.ToCome != flow.Unjudged {
		t.Errorf("in force %s, to come %s", got.InForce, got.ToCome)
	}
}
