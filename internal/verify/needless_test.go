package verify_test

import (
	"slices"
	"testing"

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
