package policy_test

import (
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"firebreak/internal/diag"
	"firebreak/internal/inventory"
	"firebreak/internal/label"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
)

// estate is a tree and an inventory that a test edits. Trees and snapshots that
// were handed out are not changed by edits.
type estate struct {
	t         *rapid.T
	line      int
	estate    *lang.Estate
	zones     []*lang.Zone
	services  []*lang.Service
	externals []*lang.External
	policies  []*lang.Policy
	rails     []*lang.Guardrail
	exempt    []*lang.Exception
	cases     []*lang.Case
	inv       *inventory.Snapshot
}

func (e *estate) pick(words ...string) string { return rapid.SampledFrom(words).Draw(e.t, "word") }
func (e *estate) chance(of int) bool          { return rapid.IntRange(1, of).Draw(e.t, "chance") == 1 }

func (e *estate) pos() diag.Pos {
	e.line++
	return diag.Pos{File: "p.yaml", Line: e.line, Col: 1}
}

func (e *estate) meta(name string) lang.Meta { return lang.Meta{Name: name, Pos: e.pos()} }

func (e *estate) selector() *lang.Select {
	s, err := label.Parse(e.pick("tier=web", "tier=data", "tier in (web,x)", "tier in (web,data),env=prod", "team in (a,b)", "env=prod", "env!=prod", "env", "team=a", "!team", "tier=web,env=prod", "noise=1"))
	if err != nil {
		e.t.Fatal(err)
	}
	return &lang.Select{Selector: s, Pos: e.pos()}
}

func (e *estate) end() lang.Endpoint {
	out := lang.Endpoint{Pos: e.pos(), ValuePos: e.pos()}
	switch e.pick("any", "zone", "service", "external", "select", "select", "principal") {
	case "any":
		out.Kind = lang.ByAny
	case "zone":
		out.Kind, out.Name = lang.ByZone, e.pick("z0", "z1", "unassigned", "z2")
	case "service":
		out.Kind, out.Name = lang.ByService, e.pick("s0", "s1", "s1", "s2")
	case "external":
		out.Kind, out.Name = lang.ByExternal, e.pick("x0", "x1")
		out.CIDR = e.chance(10)
	case "select":
		out.Kind, out.Selector = lang.BySelect, e.selector().Selector
	case "principal":
		out.Kind, out.Name = lang.ByPrincipal, e.pick("id/a", "id/b")
	}
	return out
}

func (e *estate) ends(n int) []lang.Endpoint {
	var out []lang.Endpoint
	for range n {
		out = append(out, e.end())
	}
	return out
}

func (e *estate) ports() []lang.Port {
	switch e.pick("all", "all", "named", "number", "both") {
	case "named":
		return []lang.Port{{Name: e.pick("http", "alt", "http", "nix"), Pos: e.pos()}}
	case "number":
		return []lang.Port{{Traffic: netset.Of(netset.TCP, 80, 81), Pos: e.pos()}}
	case "both":
		return []lang.Port{{Name: "http", Pos: e.pos()}, {Name: "alt", Pos: e.pos()}, {Traffic: netset.Of(netset.UDP, 53, 53)}}
	}
	return nil
}

func (e *estate) http() []lang.HTTP {
	if e.chance(3) {
		return []lang.HTTP{{Methods: []string{e.pick("GET", "POST")}, Pos: e.pos()}}
	}
	return nil
}

func (e *estate) zone(name string) *lang.Zone {
	return &lang.Zone{Meta: e.meta(name), Select: e.selector(), Stage: lang.Stage(rapid.IntRange(0, 2).Draw(e.t, "stage"))}
}

func (e *estate) service(name string) *lang.Service {
	s := &lang.Service{Meta: e.meta(name), Select: e.selector()}
	if e.chance(2) {
		s.Ports = []lang.ServicePort{{Name: "http", Number: uint16(rapid.IntRange(80, 82).Draw(e.t, "port"))}}
	}
	return s
}

func (e *estate) external(name string) *lang.External {
	if e.chance(3) {
		return &lang.External{Meta: e.meta(name), FQDNs: []lang.Word{{Text: "a.example"}}}
	}
	return &lang.External{Meta: e.meta(name), CIDRs: []lang.CIDR{{Prefix: netip.MustParsePrefix(e.pick("203.0.113.0/24", "0.0.0.0/0", "198.51.100.0/24"))}}}
}

func (e *estate) rule(name string) *lang.Rule {
	return &lang.Rule{
		Name: name, Effect: lang.Effect(rapid.IntRange(0, 1).Draw(e.t, "effect")), From: e.end(), To: e.end(), Ports: e.ports(), HTTP: e.http(),
		MTLS: e.chance(5), Pos: e.pos(),
	}
}

func (e *estate) policy(name string) *lang.Policy {
	p := &lang.Policy{Meta: e.meta(name), Tier: lang.Tier(rapid.IntRange(0, 2).Draw(e.t, "tier"))}
	for i := range rapid.IntRange(1, 4).Draw(e.t, "rules") {
		p.Rules = append(p.Rules, e.rule(fmt.Sprint("r", i)))
	}
	return p
}

func (e *estate) guardrail(name string) *lang.Guardrail {
	g := &lang.Guardrail{Meta: e.meta(name), Kind: lang.GuardrailKind(rapid.IntRange(0, 2).Draw(e.t, "kind")), From: e.ends(1), To: e.ends(1)}
	if g.Kind == lang.Must {
		g.Have = []lang.Word{{Text: "owner"}}
		return g
	}
	g.Ports, g.HTTP = e.ports(), e.http()
	if g.Kind == lang.Only {
		if g.GuardsFrom = e.chance(2); g.GuardsFrom {
			g.To = e.ends(2)
		} else {
			g.From = e.ends(2)
		}
	}
	return g
}

func (e *estate) exception(name string) *lang.Exception {
	return &lang.Exception{Meta: e.meta(name), From: e.end(), To: e.end(), Ports: e.ports(), Expires: time.Unix(int64(rapid.IntRange(1, 2).Draw(e.t, "expires")), 0)}
}

func (e *estate) workload(name string) inventory.Workload {
	w := inventory.Workload{Name: name, Labels: map[string]string{}, Source: e.pos()}
	for _, l := range [][3]string{{"tier", "web", "data"}, {"env", "prod", "dev"}, {"team", "a", "b"}, {"noise", "1", "2"}} {
		if v := e.pick("", l[1], l[2]); v != "" {
			w.Labels[l[0]] = v
		}
	}
	w.Principal, w.Zone = e.pick("", "", "id/a"), e.pick("", "", "", "", "", "z0", "z9")
	w.Addresses = []netip.Addr{netip.MustParseAddr(e.pick("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "192.0.2.1"))}
	if e.chance(2) {
		w.Ports = []inventory.Port{{Name: e.pick("http", "alt"), Number: uint16(rapid.IntRange(80, 82).Draw(e.t, "port"))}}
	}
	return w
}

func newEstate(t *rapid.T) *estate {
	e := &estate{t: t, inv: &inventory.Snapshot{}}
	e.estate = &lang.Estate{Meta: e.meta("e")}
	for i := range 2 {
		e.zones = append(e.zones, e.zone(fmt.Sprint("z", i)))
		e.services = append(e.services, e.service(fmt.Sprint("s", i)))
		e.externals = append(e.externals, e.external(fmt.Sprint("x", i)))
		e.policies = append(e.policies, e.policy(fmt.Sprint("p", i)))
	}
	e.cases = []*lang.Case{{Expect: []*lang.Expectation{{From: lang.Endpoint{Kind: lang.ByWorkload, Name: "w1"}, To: e.end()}}}}
	for range rapid.IntRange(1, 8).Draw(t, "workloads") {
		e.inv = e.inv.With(e.workload(e.pick(workloadPool...)))
	}
	return e
}

var workloadPool = []string{"w1", "w2", "w3", "w4", "w5", "w6", "w7", "w8"}

func (e *estate) dir() *lang.Dir {
	return &lang.Dir{
		Estate: e.estate, Zones: slices.Clone(e.zones), Services: slices.Clone(e.services), Externals: slices.Clone(e.externals),
		Policies: slices.Clone(e.policies), Guardrails: slices.Clone(e.rails), Exceptions: slices.Clone(e.exempt), Cases: e.cases,
	}
}

// some replaces, adds or removes one.
func some[T any](e *estate, list []T, prefix string, fewest int, make func(string) T) []T {
	list = slices.Clone(list)
	i := rapid.IntRange(0, len(list)).Draw(e.t, "at")
	if i == len(list) {
		return append(list, make(fmt.Sprint(prefix, i)))
	}
	if e.chance(3) && len(list) > fewest {
		return slices.Delete(list, i, i+1)
	}
	list[i] = make(fmt.Sprint(prefix, i))
	return list
}

func (e *estate) edit() {
	switch e.pick("nothing", "estate", "zone", "service", "external", "rule", "rule", "rule", "policy", "rail", "exception", "label", "label", "label", "workload", "workload", "facts", "remove", "copy") {
	case "estate":
		e.estate = &lang.Estate{Meta: e.meta("e")}
		if e.chance(2) {
			e.estate.Networks = []lang.CIDR{{Prefix: netip.MustParsePrefix(e.pick("10.0.0.0/8", "10.0.0.0/30"))}}
		}
	case "zone":
		e.zones = some(e, e.zones, "z", 1, e.zone)
	case "service":
		e.services = some(e, e.services, "s", 1, e.service)
	case "external":
		e.externals = some(e, e.externals, "x", 1, e.external)
	case "policy":
		e.policies = some(e, e.policies, "p", 0, e.policy)
	case "rail":
		e.rails = some(e, e.rails, "g", 0, e.guardrail)
	case "exception":
		e.exempt = some(e, e.exempt, "e", 0, e.exception)
	case "rule":
		if len(e.policies) > 0 {
			i := rapid.IntRange(0, len(e.policies)-1).Draw(e.t, "policy")
			p := *e.policies[i]
			p.Rules = some(e, p.Rules, "r", 0, e.rule)
			e.policies = slices.Clone(e.policies)
			e.policies[i] = &p
		}
	case "label":
		if len(e.inv.Workloads) > 0 {
			w := rapid.SampledFrom(e.inv.Workloads).Draw(e.t, "workload")
			w.Labels = maps.Clone(w.Labels)
			w.Labels[e.pick("tier", "env", "team", "noise", "useless")] = e.pick("web", "prod", "a", "1")
			e.inv = e.inv.With(w)
		}
	case "facts":
		if len(e.inv.Workloads) > 0 {
			w, other := rapid.SampledFrom(e.inv.Workloads).Draw(e.t, "workload"), e.workload("other")
			switch e.pick("principal", "zone", "ports", "addresses", "source") {
			case "principal":
				w.Principal = other.Principal
			case "zone":
				w.Zone = other.Zone
			case "ports":
				w.Ports = other.Ports
			case "addresses":
				w.Addresses = other.Addresses
			case "source":
				w.Source = other.Source
			}
			e.inv = e.inv.With(w)
		}
	case "workload":
		e.inv = e.inv.With(e.workload(e.pick(workloadPool...)))
	case "remove":
		if n := len(e.inv.Workloads); n > 0 {
			i := rapid.IntRange(0, n-1).Draw(e.t, "workload")
			e.inv = &inventory.Snapshot{Workloads: slices.Delete(slices.Clone(e.inv.Workloads), i, i+1)}
		}
	case "copy": // the same read again
		inv := &inventory.Snapshot{}
		for _, w := range e.inv.Workloads {
			w.Labels, w.Addresses, w.Ports = maps.Clone(w.Labels), slices.Clone(w.Addresses), slices.Clone(w.Ports)
			inv.Workloads = append(inv.Workloads, w)
		}
		e.inv = inv
	}
}

// renumbered is the policy with its identities numbered as in order.
func renumbered(p *policy.Policy, order map[string]int) *policy.Policy {
	out := *p
	out.Identities = make([]policy.Identity, len(p.Identities))
	to := func(ids []int) []int {
		var out []int
		for _, id := range ids {
			out = append(out, order[p.Identities[id].Key])
		}
		slices.Sort(out)
		return out
	}
	peers := func(x policy.Peers) policy.Peers {
		x.Identities = to(x.Identities)
		return x
	}
	for id, x := range p.Identities {
		x.Workloads = slices.Clone(x.Workloads)
		out.Identities[order[p.Identities[id].Key]] = x
	}
	out.IdentityOf = nil
	for _, id := range p.IdentityOf {
		out.IdentityOf = append(out.IdentityOf, order[p.Identities[id].Key])
	}
	out.Rules = slices.Clone(p.Rules)
	for i := range out.Rules {
		r := &out.Rules[i]
		r.From, r.To, r.Grants = peers(r.From), peers(r.To), slices.Clone(r.Grants)
		for j := range r.Grants {
			r.Grants[j].To = peers(r.Grants[j].To)
		}
	}
	out.Guardrails = slices.Clone(p.Guardrails)
	for i := range out.Guardrails {
		out.Guardrails[i].From, out.Guardrails[i].To = peers(out.Guardrails[i].From), peers(out.Guardrails[i].To)
	}
	return &out
}

func orderOf(p *policy.Policy) map[string]int {
	order := map[string]int{}
	for id, x := range p.Identities {
		order[x.Key] = id
	}
	return order
}

func copied(p *policy.Policy) *policy.Policy { return renumbered(p, orderOf(p)) }

// wrong says how the two policies differ, but for numbering.
func wrong(got, want *policy.Policy) string {
	if (got == nil) != (want == nil) {
		return fmt.Sprintf("there is a policy: %v, fresh: %v", got != nil, want != nil)
	}
	if got == nil {
		return ""
	}
	if len(got.Identities) != len(want.Identities) {
		return fmt.Sprintf("%d identities, fresh %d", len(got.Identities), len(want.Identities))
	}
	order := orderOf(want)
	for _, x := range got.Identities {
		if _, ok := order[x.Key]; !ok || len(x.Workloads) == 0 {
			return fmt.Sprintf("identity %q of %d workloads", x.Key, len(x.Workloads))
		}
	}
	a, b := reflect.ValueOf(*renumbered(got, order)), reflect.ValueOf(*copied(want))
	for i := range a.NumField() {
		if !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
			return fmt.Sprintf("%s:\n%+v\nfresh:\n%+v", a.Type().Field(i).Name, a.Field(i), b.Field(i))
		}
	}
	return ""
}

// keptWrongly says where numbers or slices of before were kept that should not
// have been, or were not that should.
func keptWrongly(before, now *policy.Policy) string {
	order := orderOf(now)
	for id, x := range before.Identities {
		if is, ok := order[x.Key]; ok && is != id && id < len(now.Identities) {
			return fmt.Sprintf("%q had the number %d and now has %d", x.Key, id, is)
		}
	}
	alike := func(ids []int) bool {
		return !slices.ContainsFunc(ids, func(id int) bool {
			return id >= len(before.Identities) || id >= len(now.Identities) || before.Identities[id].Key != now.Identities[id].Key
		})
	}
	shared := func(a, b []int) bool { return len(a) > 0 && len(a) == len(b) && &a[0] == &b[0] }
	was := map[string]*policy.Rule{}
	for i := range before.Rules {
		was[before.Rules[i].Pos.String()] = &before.Rules[i] // no two things have one place
	}
	for i := range now.Rules {
		r := &now.Rules[i]
		old := was[r.Pos.String()]
		if old == nil {
			continue
		}
		pairs := [][2][]int{{old.From.Identities, r.From.Identities}, {old.To.Identities, r.To.Identities}}
		for j := range min(len(r.Grants), len(old.Grants)) {
			pairs = append(pairs, [2][]int{old.Grants[j].To.Identities, r.Grants[j].To.Identities})
		}
		for k, x := range pairs {
			switch {
			case shared(x[0], x[1]) && !alike(x[0]):
				return fmt.Sprintf("rule %s still has %v, which means something else", r.Ref, x[1])
			case k < 2 && len(x[1]) > 0 && slices.Equal(x[0], x[1]) && alike(x[0]) && !shared(x[0], x[1]):
				return fmt.Sprintf("rule %s has a new %v, which means the same", r.Ref, x[1])
			}
		}
	}
	return ""
}

func TestResolvingOneAfterTheOtherGivesWhatAFreshOneGives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := newEstate(t)
		var r policy.Resolver
		var before *policy.Policy
		var kept, copies []*policy.Policy
		for step := range 25 {
			if step > 0 {
				e.edit()
			}
			d := e.dir()
			got, gotDiags := r.Resolve(d, e.inv)
			want, wantDiags := policy.Resolve(d, e.inv)
			if a, b := text(gotDiags), text(wantDiags); a != b {
				t.Fatalf("step %d says\n%s\nfresh:\n%s", step, a, b)
			}
			if s := wrong(got, want); s != "" {
				t.Fatalf("step %d: %s", step, s)
			}
			if got == nil {
				before = nil
				continue
			}
			if before != nil {
				if s := keptWrongly(before, got); s != "" {
					t.Fatalf("step %d: %s", step, s)
				}
			}
			before = got
			kept, copies = append(kept, got), append(copies, copied(got))
		}
		for i := range kept {
			if s := wrong(kept[i], copies[i]); s != "" {
				t.Fatalf("a policy was changed afterwards: %s", s)
			}
		}
	})
}
