package verify_test

import (
	"slices"
	"testing"

	"firebreak/internal/verify"
)

// TestWithout compares with an engine of a policy that has one rule less.
func TestWithout(t *testing.T) {
	asked := 0
	for seed := range uint64(40) {
		d := newDice(seed)
		_, _, p := draw(d)
		if len(p.Rules) == 0 {
			continue
		}
		rule := d.IntN(len(p.Rules))
		less := *p
		less.Rules = slices.Delete(slices.Clone(p.Rules), rule, rule+1)
		less.Guardrails = nil // their indices of rules would be wrong
		whole, rest, err := verify.NewPair(p, &less, verify.Options{At: noon})
		if err != nil {
			t.Fatal(err)
		}
		for a := range verify.Peer(whole.Peers()) {
			for b := range verify.Peer(whole.Peers()) {
				for _, inForce := range []bool{false, true} {
					want, managed := rest.Permitted(a, b, inForce)
					if got := whole.Without(a, b, inForce, rule); managed && !got.Equal(want) {
						t.Fatalf("seed %d: from %s to %s without rule %d: %s, want %s", seed, whole.Name(a), whole.Name(b), rule, got, want)
					}
					asked++
				}
			}
		}
	}
	if asked < 1000 {
		t.Errorf("only %d questions", asked)
	}
}
