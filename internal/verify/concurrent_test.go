package verify_test

import (
	"sync"
	"testing"

	"firebreak/internal/flow"
	"firebreak/internal/netset"
	"firebreak/internal/verify"
)

// TestManyAskAtOnce puts every kind of question to one engine from several
// sides; the race detector judges.
func TestManyAskAtOnce(t *testing.T) {
	for seed := range uint64(6) {
		dir, inv, p := draw(newDice(seed + 900))
		j := judge(t, dir, inv, p)
		var all sync.WaitGroup
		for n := range 4 {
			all.Go(func() {
				if s := j.questions(newDice(uint64(n)), 20); s != "" {
					t.Errorf("seed %d: %s", seed, s)
				}
				j.fast.Guardrails()
				j.fast.Needless()
				j.fast.Conflicts()
				j.fast.WhyNot(0, 0, netset.TCP, 80, j.fast.Locate(flow.Circumstances{At: noon}), 5)
				for a := range j.fast.Peers() {
					if set, managed := j.fast.Permitted(verify.Peer(a), 0, true); managed {
						_ = set.String()
						set.Witness()
					}
				}
			})
		}
		all.Wait()
	}
}
