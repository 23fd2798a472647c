package policy_test

import (
	"slices"
	"testing"

	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/policy"
)

// An identity that vanishes leaves no hole, and as few others as possible get
// another number.
func TestNumbersOfIdentitiesAreStable(t *testing.T) {
	d := edited(t, func(d *lang.Dir) {
		d.Guardrails = []*lang.Guardrail{guard("g", lang.Must, many(selects(t, "app")), many(zone("web")))}
	})
	inv := &inventory.Snapshot{}
	for _, app := range []string{"a", "b", "c", "d"} {
		inv = inv.With(workload("db-"+app, "tier=data,app="+app)).With(workload("db-"+app+"2", "tier=data,app="+app)).With(workload("web", "tier=web,app=w"))
	}
	inv = inv.With(workload("db", "app=db,tier=data"))
	var r policy.Resolver
	numbers := func(inv *inventory.Snapshot) []int {
		p, list := r.Resolve(d, inv)
		if p == nil {
			t.Fatal(list)
		}
		return p.IdentityOf // by db, db-a, db-a2, db-b … db-d2, web
	}
	for _, step := range []struct {
		why  string
		with []inventory.Workload
		want []int
	}{
		{"in the order of their first workloads", nil, []int{0, 1, 1, 2, 2, 3, 3, 4, 4, 5}},
		{"another value of one workload of two", []inventory.Workload{workload("db-b", "tier=data,app=e")}, []int{0, 1, 1, 6, 2, 3, 3, 4, 4, 5}},
		{"one that vanishes, and the last fills the hole", []inventory.Workload{workload("db-a", "tier=data,app=c"), workload("db-a2", "tier=data,app=c")}, []int{0, 3, 3, 1, 2, 3, 3, 4, 4, 5}},
		{"the last vanishes", []inventory.Workload{workload("web", "tier=web,app=w,noise=1"), workload("db-d", "tier=data,app=c"), workload("db-d2", "tier=data,app=db")}, []int{0, 3, 3, 1, 2, 3, 3, 3, 0, 4}},
		{"another takes the number of one that vanishes", []inventory.Workload{workload("db-b", "tier=data,app=z")}, []int{0, 3, 3, 1, 2, 3, 3, 3, 0, 4}},
	} {
		for _, w := range step.with {
			inv = inv.With(w)
		}
		if got := numbers(inv); !slices.Equal(got, step.want) {
			t.Errorf("%s: %v, want %v", step.why, got, step.want)
		}
	}
}

// What a change does not concern is the same to the pointer, so that a later
// stage can tell.
func TestWhatDidNotChangeIsShared(t *testing.T) {
	d, inv := large(t, 400, 40, 200)
	var r policy.Resolver
	before, list := r.Resolve(d, inv)
	if before == nil {
		t.Fatal(list)
	}
	out := *d
	out.Policies = slices.Clone(d.Policies)
	pol, rule := *d.Policies[2], *d.Policies[2].Rules[4]
	rule.To = service("s9")
	pol.Rules = slices.Clone(pol.Rules)
	pol.Rules[4], out.Policies[2] = &rule, &pol
	now, _ := r.Resolve(&out, inv)
	if &now.IdentityOf[0] != &before.IdentityOf[0] || &now.Identities[0] != &before.Identities[0] || &now.ServicesOf[0] != &before.ServicesOf[0] {
		t.Error("a rule has changed, and not who is who")
	}
	shared := func(a, b []policy.Grant) bool { return len(a) == len(b) && len(a) > 0 && &a[0] == &b[0] }
	for i := range now.Rules {
		changed := now.Rules[i].Ref.Policy == "p2" && now.Rules[i].Ref.Rule == "r4"
		if shared(now.Rules[i].Grants, before.Rules[i].Grants) == changed {
			t.Errorf("rule %s: shared is %v", now.Rules[i].Ref, !changed)
		}
	}
	w := inv.Workloads[7]
	w.Labels = map[string]string{"app": "a7", "zone": "z7", "env": "prod", "team": "t7", "version": "2"}
	if again, _ := r.Resolve(&out, inv.With(w)); &again.Rules[0] != &now.Rules[0] || &again.IdentityOf[0] != &now.IdentityOf[0] {
		t.Error("a label has changed that no rule speaks of")
	}
}
