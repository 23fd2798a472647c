package verify_test

import (
	"fmt"
	"slices"
	"testing"

	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/verify"
)

// TestNeedlessRulesCanGo removes, one at a time, what is called needless, and
// one that is not.
func TestNeedlessRulesCanGo(t *testing.T) {
	removed := 0
	for seed := range uint64(150) {
		d := newDice(seed)
		_, _, p := draw(d)
		e, err := verify.New(p, verify.Options{At: noon})
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range e.Needless() {
			removed++
			if s := changes(t, p, without(p, n.Rule), d); s != "" {
				t.Fatalf("seed %d: rule %s is called needless, and without it %s", seed, p.Rules[n.Rule].Ref, s)
			}
		}
	}
	if removed < 50 {
		t.Errorf("only %d rules were called needless: too few to mean anything", removed)
	}
}

func without(p *policy.Policy, rule int) *policy.Policy {
	q := *p
	q.Rules = slices.Delete(slices.Clone(p.Rules), rule, rule+1)
	return &q
}

// changes says where two policies differ, in force or to come.
func changes(t *testing.T, p, q *policy.Policy, d dice) string {
	t.Helper()
	old, new, err := verify.NewPair(p, q, verify.Options{At: noon})
	if err != nil {
		t.Fatal(err)
	}
	if delta := verify.Diff(old, new); len(delta.Changes) > 0 {
		return "something else passes in the policy to come"
	}
	for a := range old.Peers() {
		for b := range old.Peers() {
			x, _ := old.Permitted(verify.Peer(a), verify.Peer(b), true)
			y, _ := new.Permitted(verify.Peer(a), verify.Peer(b), true)
			if !x.Equal(y) {
				return "something else passes in the policy in force"
			}
		}
	}
	return ""
}

// TestNeedlessAmongManyRules: rules about one pair that have nothing to do with
// each other cost no more than their number; asking each about all the others
// would go on for an hour.
func TestNeedlessAmongManyRules(t *testing.T) {
	const n = 3000
	rules := &lang.Policy{Meta: named("p"), Tier: lang.Application}
	for i := range n {
		port := uint16(2 * i)
		if i == n-1 {
			port -= 2 // says what the one before says
		}
		end := lang.Endpoint{Kind: lang.BySelect, Selector: sel("tier=web").Selector}
		rules.Rules = append(rules.Rules, &lang.Rule{Name: fmt.Sprint("r", i), From: end, To: end, Stage: lang.Enforce, Pos: named("").Pos,
			Ports: []lang.Port{{Traffic: netset.Of(netset.TCP, port, port)}}})
	}
	dir := &lang.Dir{Estate: &lang.Estate{Meta: named("e")}, Policies: []*lang.Policy{rules}}
	inv := &inventory.Snapshot{Workloads: []inventory.Workload{{Name: "a", Labels: map[string]string{"tier": "web"}}}}
	p, diags := policy.Resolve(dir, inv)
	if p == nil {
		t.Fatal(diags)
	}
	e, err := verify.New(p, verify.Options{At: noon})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := needless(e), fmt.Sprint([]string{fmt.Sprint(n-2, false), fmt.Sprint(n-1, true)}); got != want {
		t.Errorf("needless are %s, want the last two: %s", got, want)
	}
}
