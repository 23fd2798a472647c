package verify_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/label"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
)

// A random estate over few words, so that everything meets everything: trees
// are made directly, since what text means is judged elsewhere.
type dice struct{ *rand.Rand }

func newDice(seed uint64) dice { return dice{rand.New(rand.NewPCG(seed, 42))} }

func (d dice) one(of int) bool { return d.IntN(of) == 0 }

func pick[T any](d dice, from ...T) T { return from[d.IntN(len(from))] }

// some picks each with a chance of one in n, but at least one.
func some[T any](d dice, n int, from ...T) []T {
	var out []T
	for _, x := range from {
		if d.one(n) {
			out = append(out, x)
		}
	}
	if out == nil {
		out = append(out, pick(d, from...))
	}
	return out
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func sel(text string) *lang.Select { return &lang.Select{Selector: must(label.Parse(text))} }

var (
	selectors  = []string{"tier=web", "tier=data", "tier", "env=prod", "env!=prod", "!env", "env in (prod,dev)", "tier=web,env!=dev", "app"}
	principals = []string{"id/a", "spiffe://corp/web", "arn:aws:iam::123456789012:role/x", "system:serviceaccount:shop:web"}
	noon       = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) // a Monday
	berlin     = must(time.LoadLocation("Europe/Berlin"))
)

func (d dice) estate() (*lang.Dir, *inventory.Snapshot) {
	t := &lang.Dir{Estate: &lang.Estate{Meta: lang.Meta{Name: "e"}}}
	for _, p := range pick(d, []string{"10.0.0.0/8"}, []string{"10.0.0.0/30", "10.0.0.0/24"}, []string{"fd00::/8"}) {
		t.Estate.Networks = append(t.Estate.Networks, lang.CIDR{Prefix: netip.MustParsePrefix(p)})
	}
	t.Zones = d.zones()
	t.Services = []*lang.Service{
		{Meta: named("s"), Select: sel(pick(d, "env=prod", "tier=web")), Ports: []lang.ServicePort{{Name: "http", Number: 80}, {Name: "alt", Number: 8080}}},
		{Meta: named("u"), Select: sel("env"), Ports: []lang.ServicePort{{Name: "http", Number: 53, Protocol: netset.UDP}}},
	}
	t.Externals = []*lang.External{
		{Meta: named("x"), CIDRs: cidrs(pick(d, []string{"203.0.113.0/24"}, []string{"0.0.0.0/0"}, []string{"126.0.0.0/7", "10.0.0.0/25"}, []string{"::/0"})...)},
		{Meta: named("y"), CIDRs: cidrs("203.0.113.128/25", "fc00::/7")},
		{Meta: named("n"), FQDNs: []lang.Word{{Text: "api.example"}}},
	}
	for i := range 1 + d.IntN(3) {
		t.Policies = append(t.Policies, d.policy(i))
	}
	for i := range d.IntN(3) {
		t.Guardrails = append(t.Guardrails, d.guardrail(i))
	}
	for i := range d.IntN(3) {
		t.Exceptions = append(t.Exceptions, d.exception(i))
	}
	return t, d.inventory()
}

var line int

// named gives every document a place of its own.
func named(name string) lang.Meta {
	line++
	return lang.Meta{Name: name, Pos: diag.Pos{File: "p.yaml", Line: line}}
}

func cidrs(texts ...string) []lang.CIDR {
	var out []lang.CIDR
	for _, s := range texts {
		out = append(out, lang.CIDR{Prefix: netip.MustParsePrefix(s)})
	}
	return out
}

func (d dice) zones() []*lang.Zone {
	settle := func(z *lang.Zone) *lang.Zone {
		z.Stage, z.Default = pick(d, lang.Observe, lang.Alert, lang.Enforce), pick(d, lang.Allow, lang.Deny, lang.Deny)
		return z
	}
	out := []*lang.Zone{
		settle(&lang.Zone{Meta: named("web"), Select: sel("tier=web")}),
		settle(&lang.Zone{Meta: named("data"), Select: sel(pick(d, "tier=data", "tier in (data,x)", "tier,tier!=web"))}),
	}
	if d.one(2) {
		out = append(out, settle(&lang.Zone{Meta: named(lang.Unassigned)}))
	}
	return out
}

func (d dice) end() lang.Endpoint {
	switch d.IntN(8) {
	case 0:
		return lang.Endpoint{Kind: lang.ByAny}
	case 1, 2:
		return lang.Endpoint{Kind: lang.ByZone, Name: pick(d, "web", "data", lang.Unassigned)}
	case 3, 4:
		return lang.Endpoint{Kind: lang.ByService, Name: pick(d, "s", "u")}
	case 5:
		return lang.Endpoint{Kind: lang.ByExternal, Name: pick(d, "x", "y", "n")}
	case 6:
		return lang.Endpoint{Kind: lang.ByPrincipal, Name: pick(d, principals...)}
	}
	return lang.Endpoint{Kind: lang.BySelect, Selector: sel(pick(d, selectors...)).Selector}
}

func (d dice) ports(to lang.Endpoint) []lang.Port {
	var out []lang.Port
	tcp := func(lo, hi uint16) lang.Port { return lang.Port{Traffic: netset.Of(netset.TCP, lo, hi)} }
	switch d.IntN(6) {
	case 0:
		return nil
	case 1:
		out = []lang.Port{tcp(80, 80)}
	case 2:
		out = []lang.Port{tcp(50, 100), {Traffic: netset.Of(netset.ICMP, 0, 0)}}
	case 3:
		out = []lang.Port{tcp(8080, 8080), {Traffic: netset.Of(netset.UDP, 53, 53)}}
	default:
		if to.Kind == lang.ByExternal {
			return []lang.Port{tcp(443, 443)}
		}
		out = []lang.Port{{Name: "http"}, tcp(443, 443)}
	}
	return out
}

func (d dice) http() []lang.HTTP {
	if !d.one(3) {
		return nil
	}
	var out []lang.HTTP
	for range 1 + d.IntN(2) {
		var h lang.HTTP
		if d.one(2) {
			h.Methods = some(d, 2, "GET", "POST")
		}
		if !d.one(3) {
			h.Paths = some(d, 3, "/", "/a", "/a/*", "/a/*/c", "/*", "/a/{id}", "/a/b*")
		}
		if d.one(3) {
			h.Hosts = some(d, 2, "api.example", "*.example", "*.api.example")
		}
		if d.one(3) {
			h.Headers = []lang.Header{{Name: "x-app", Values: pick(d, nil, []string{"shop"}, []string{"a", "shop"})}}
		}
		out = append(out, h)
	}
	return out
}

func (d dice) window() *lang.Window {
	if !d.one(4) {
		return nil
	}
	w := pick(d,
		lang.Window{Lo: 6 * 60, Hi: 22 * 60, Days: 0x7f, Location: time.UTC},
		lang.Window{Lo: 22 * 60, Hi: 6 * 60, Days: 0x3e, Location: time.UTC},
		lang.Window{Lo: 0, Hi: 1440, Days: 1 << time.Sunday, Location: time.UTC},
		lang.Window{Lo: 150, Hi: 160, Days: 0x7f, Location: berlin})
	return &w
}

func (d dice) policy(i int) *lang.Policy {
	p := &lang.Policy{Meta: named(fmt.Sprint("p", i)), Tier: pick(d, lang.Platform, lang.Application, lang.Application, lang.Baseline)}
	effects := []lang.Effect{lang.Allow, lang.Allow, lang.Deny}
	if p.Tier == lang.Platform { // rules of one priority may not disagree
		p.Priority = i
		effects = []lang.Effect{pick(d, lang.Allow, lang.Deny, lang.Pass)}
	}
	for j := range 1 + d.IntN(4) {
		r := &lang.Rule{Name: fmt.Sprint("r", j), Effect: pick(d, effects...), Stage: pick(d, lang.Observe, lang.Enforce, lang.Enforce), Pos: named("").Pos}
		r.From, r.To = d.end(), d.end()
		r.Ports, r.HTTP, r.When = d.ports(r.To), d.http(), d.window()
		r.MTLS = r.Effect == lang.Allow && d.one(4)
		p.Rules = append(p.Rules, r)
	}
	return p
}

func (d dice) guardrail(i int) *lang.Guardrail {
	g := &lang.Guardrail{Meta: named(fmt.Sprint("g", i)), Stage: pick(d, lang.Observe, lang.Enforce), Kind: pick(d, lang.Never, lang.Only)}
	g.From, g.To = []lang.Endpoint{d.end()}, []lang.Endpoint{d.end()}
	if g.Kind == lang.Only {
		g.GuardsFrom = d.one(2)
		list := &g.From
		if g.GuardsFrom {
			list = &g.To
		}
		for range d.IntN(3) {
			*list = append(*list, d.end())
		}
	}
	g.HTTP = d.http()
	if d.one(2) {
		g.Ports = []lang.Port{{Traffic: netset.Of(netset.TCP, 80, 443)}}
	}
	return g
}

func (d dice) exception(i int) *lang.Exception {
	x := &lang.Exception{Meta: named(fmt.Sprint("x", i)), From: d.end(), To: d.end(), HTTP: d.http(), Expires: noon.Add(pick(d, -time.Hour, time.Hour, 1000*time.Hour))}
	x.Ports = d.ports(x.To)
	return x
}

var addressPool = []string{"10.0.0.1", "10.0.0.2", "10.0.0.200", "203.0.113.200", "fd00::1"}

func (d dice) inventory() *inventory.Snapshot {
	snap := &inventory.Snapshot{}
	for i := range 1 + d.IntN(6) {
		snap.Workloads = append(snap.Workloads, d.workload(fmt.Sprint("w", i)))
	}
	return snap
}

func (d dice) workload(name string) inventory.Workload {
	w := inventory.Workload{Name: name, Labels: map[string]string{"irrelevant": name}}
	for _, l := range [][]string{{"tier", "", "web", "data", "x"}, {"env", "", "prod", "dev"}, {"app", "", "a"}, {"spiffe/id", "", principals[1]}, {"aws/role", "", principals[2]}} {
		if v := pick(d, l[1:]...); v != "" {
			w.Labels[l[0]] = v
		}
	}
	if d.one(3) {
		w.Labels["k8s/namespace"], w.Labels["k8s/serviceaccount"] = "shop", "web"
		w.Namespace = "shop"
	}
	w.Principal = pick(d, "", "", "id/a")
	w.Zone = pick(d, "", "", "", "web")
	for range d.IntN(3) {
		if a := netip.MustParseAddr(pick(d, addressPool...)); !slices.Contains(w.Addresses, a) {
			w.Addresses = append(w.Addresses, a)
		}
	}
	if d.one(2) {
		w.Ports = []inventory.Port{{Name: "http", Number: pick[uint16](d, 80, 81)}}
	}
	return w
}

// question is one conversation's traffic and circumstances.
func (d dice) question() (netset.Protocol, uint16, flow.Circumstances) {
	c := flow.Circumstances{MTLS: d.one(2), At: noon.Add(time.Duration(d.IntN(14*24*60)) * time.Minute)}
	if d.one(4) { // the night in which the clock goes forward
		c.At = time.Date(2027, 3, 28, 0, d.IntN(180), 0, 0, time.UTC)
	}
	if !d.one(3) {
		c.HTTP = &flow.Request{
			Method: pick(d, "GET", "POST", "PUT"),
			Path:   pick(d, "/", "/a", "/a/", "/a/b", "/a/b/c", "/a//c", "/a/x/c", "/b", "/a%2Fb", "/a/../b", "/a/.", "/a/%2e%2E/b", "/%61", "/a%5Cb", `/a\b`, "/a/%7b", "/a/bcd"),
			Host:   pick(d, "", "api.example", "www.example", "a.b.example", "x.api.example", "example"),
		}
		if d.one(2) {
			c.HTTP.Headers = map[string]string{"x-app": pick(d, "shop", "a", "other")}
		}
	}
	return pick(d, netset.TCP, netset.TCP, netset.TCP, netset.UDP, netset.ICMP, netset.SCTP, netset.Other),
		pick[uint16](d, 0, 49, 50, 53, 79, 80, 81, 100, 443, 8080, 8081, 65535), c
}
