package plan_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/inventory/file"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
	"firebreak/internal/plan"
	"firebreak/internal/policy"
	"firebreak/internal/verify"
	"firebreak/internal/verify/space"
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
metadata: {name: audit, labels: {app: audit, tier: back}}
spec: {addresses: [10.0.1.2]}
---
kind: Workload
metadata: {name: stray, labels: {tier: back}}
spec: {addresses: [10.0.1.3]}
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
kind: Service
metadata: {name: web}
spec: {select: app=web, ports: [{port: 80}]}
---
kind: Service
metadata: {name: orders}
spec: {select: app=orders, ports: [{port: 8080}]}
---
kind: Policy
metadata: {name: p, owner: o}
spec:
  stage: enforce
  rules:
  - {name: orders, effect: allow, from: {service: web}, to: {service: orders}, ports: [8080/TCP], http: [{methods: [POST], paths: [/pay/*]}], reason: r}
  - {name: no-refunds, effect: deny, from: {service: web}, to: {service: orders}, ports: [8080/TCP], http: [{paths: [/pay/refund]}], reason: r}
  - {name: all-of-web, effect: allow, from: {zone: front}, to: {zone: back}, ports: [53/UDP], reason: r}
  - {name: not-the-stray, effect: deny, from: {any: true}, to: {select: "!app"}, ports: [53/UDP], reason: r}
  - {name: at-night, effect: allow, from: {service: orders}, to: {select: app=audit}, ports: [9000/TCP], when: {hours: "22:00-06:00"}, reason: r}
`

func want(t *testing.T, text, inv string, o plan.Options) *plan.Wanted {
	t.Helper()
	tree, diags := lang.Parse(fstest.MapFS{"p.yaml": {Data: []byte(text)}})
	part, more := file.Read(fstest.MapFS{"i.yaml": {Data: []byte(inv)}}, "i.yaml")
	snap, joined := inventory.Join(part)
	p, resolved := policy.Resolve(tree, snap)
	if p == nil {
		t.Fatal(slices.Concat(diags, more, joined, resolved))
	}
	e, err := verify.New(p, verify.Options{At: noon})
	if err != nil {
		t.Fatal(err)
	}
	return plan.Make(tree, p, e, o)
}

func subject(t *testing.T, w *plan.Wanted, name string) *plan.Subject {
	t.Helper()
	for i := range w.Subjects {
		if w.Subjects[i].Name == name {
			return &w.Subjects[i]
		}
	}
	t.Fatalf("no subject %s among %d", name, len(w.Subjects))
	return nil
}

// grantOf is what a workload may do with a subject.
func grantOf(t *testing.T, w *plan.Wanted, grants []plan.Grant, workload string) *plan.Grant {
	t.Helper()
	i := slices.IndexFunc(w.Policy.Inventory.Workloads, func(x inventory.Workload) bool { return x.Name == workload })
	peer := w.Engine.OfWorkload(i)
	for k := range grants {
		if slices.Contains(grants[k].Peers, peer) {
			return &grants[k]
		}
	}
	return nil
}

func TestSubjectsAreServicesThenZones(t *testing.T) {
	w := want(t, shopPolicy, shopInventory, plan.Options{})
	var names []string
	for _, s := range w.Subjects {
		names = append(names, s.Name)
	}
	if got := strings.Join(names, " "); got != "orders web zone-back zone-back-2" {
		t.Errorf("subjects %s", got)
	}
	for id := range w.Policy.Identities {
		if !slices.Contains(w.SubjectOf(id).Identities, id) {
			t.Errorf("identity %d is in another subject than SubjectOf says", id)
		}
	}
}

// TestGrantsAreWhatTheEngineSays holds every end of every pair to the engine.
func TestGrantsAreWhatTheEngineSays(t *testing.T) {
	w := want(t, shopPolicy, shopInventory, plan.Options{})
	e := w.Engine
	for i := range w.Subjects {
		s := &w.Subjects[i]
		for _, id := range s.Identities {
			self := e.OfIdentity(id)
			for x := range e.Peers() {
				peer := verify.Peer(x)
				if !e.Exists(peer) {
					continue
				}
				in, _ := e.Arriving(peer, self, true)
				out, _ := e.Leaving(self, peer, true)
				if got := setOf(s.Ingress, peer); !got.Equal(in) {
					t.Errorf("into %s from %s: %s, want %s", s.Name, e.Name(peer), got, in)
				}
				if got := setOf(s.Egress, peer); !got.Equal(out) {
					t.Errorf("out of %s to %s: %s, want %s", s.Name, e.Name(peer), got, out)
				}
			}
		}
	}
}

func setOf(grants []plan.Grant, x verify.Peer) space.Set {
	for _, g := range grants {
		if slices.Contains(g.Peers, x) {
			return g.Set
		}
	}
	return space.Set{}
}

// TestClausesSayTheSameWithoutOrder: an allow of some requests and a deny of
// some of those become two clauses, and everybody who sees only ports opens the
// port.
func TestClausesSayTheSameWithoutOrder(t *testing.T) {
	w := want(t, shopPolicy, shopInventory, plan.Options{})
	g := grantOf(t, w, subject(t, w, "orders").Ingress, "web-1")
	if g == nil || !g.Exact || g.Open.String() != "TCP 8080; UDP 53" {
		t.Fatalf("grant %+v", g)
	}
	var got []string
	for _, c := range g.Clauses {
		got = append(got, map[bool]string{true: "deny ", false: "allow "}[c.Deny]+c.Traffic.String()+" "+c.Rule.Rule)
	}
	slices.Sort(got)
	if s := strings.Join(got, ", "); s != "allow TCP 8080 orders, allow UDP 53 , deny TCP 8080 no-refunds" {
		t.Errorf("clauses %s", s)
	}
}

func TestTimeIsLeftToThoseWhoKeepIt(t *testing.T) {
	for _, keeps := range []bool{false, true} {
		w := want(t, shopPolicy, shopInventory, plan.Options{KeepsTime: func(*inventory.Workload) bool { return keeps }})
		g := grantOf(t, w, subject(t, w, "orders").Egress, "audit")
		if g == nil || g.Open.Contains(netset.TCP, 9000) != keeps || g.Set.IsEmpty() {
			t.Errorf("keeps %v: %+v", keeps, g)
		}
	}
}

func TestEverythingIsOnlyWhatIsWideOpen(t *testing.T) {
	open := strings.Replace(shopPolicy, "select: tier=front, stage: enforce", "select: tier=front, stage: observe", 1)
	w := want(t, open, shopInventory, plan.Options{})
	if !w.Everything(subject(t, w, "web"), flow.Ingress) {
		t.Error("nothing governs what comes in at web, but it is not Everything")
	}
	if w.Everything(subject(t, w, "orders"), flow.Ingress) || w.Everything(subject(t, w, "web"), flow.Egress) {
		t.Error("orders enforces, and a rule denies something to web")
	}
	if w = want(t, open, shopInventory, plan.Options{ToCome: true}); w.Everything(subject(t, w, "web"), flow.Ingress) {
		t.Error("the policy to come closes web")
	}
}

// TestCoversMatchNobodyElse asks for every pair of identities for a cover, and
// holds its selectors to the workloads.
func TestCoversMatchNobodyElse(t *testing.T) {
	w := want(t, shopPolicy, shopInventory, plan.Options{})
	n := len(w.Policy.Identities)
	for mask := 1; mask < 1<<n; mask++ {
		var ids []int
		for id := range n {
			if mask>>id&1 == 1 {
				ids = append(ids, id)
			}
		}
		covers := w.Cover(ids)
		for i, x := range w.Policy.Inventory.Workloads {
			meant := slices.Contains(ids, w.Policy.IdentityOf[i])
			found := slices.ContainsFunc(covers, func(c plan.Cover) bool { return c.Select.Matches(x.Labels) })
			if meant != found {
				t.Errorf("%v: %s is covered %v, want %v", ids, x.Name, found, meant)
			}
		}
	}
	all := w.Cover([]int{0, 1, 2, 3})
	var text []string
	for _, c := range all {
		text = append(text, c.Text)
	}
	if got := strings.Join(text, ", "); got != "zone back, service web" {
		t.Errorf("all of them are %s", got)
	}
}
