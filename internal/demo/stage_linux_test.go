package demo

import (
	"context"
	"testing"
	"time"

	"firebreak/internal/demo/actor"
)

// testPrefix lets the tests run beside a demonstration.
const testPrefix = "fbdtest"

// testStage builds the shop, and fails if closing it leaves anything.
func testStage(t *testing.T) (context.Context, *stage) {
	t.Helper()
	requireRoot(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	s, err := newStage(testPrefix, []string{"/proc/self/exe"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
		assertNothingLeft(t, testPrefix)
	})
	if err := s.furnish(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx, s
}

// The doors must be there before anybody shuts them: a demonstration whose
// attacks fail by themselves shows nothing.
func TestEveryDoorIsOpenWithNothingEnforced(t *testing.T) {
	ctx, s := testStage(t)
	if err := s.order(ctx, attackerName, actor.OrderOpen); err != nil {
		t.Fatal(err)
	}
	for _, a := range s.ledger.attacks() {
		if a.ReachedOpen == 0 || a.AttemptsOpen < a.ReachedOpen {
			t.Errorf("%s: reached %d of %d", a.Name, a.ReachedOpen, a.AttemptsOpen)
		}
		if a.Attempts != 0 || a.Reached != 0 {
			t.Errorf("%s: %d attempts under enforcement, which there was none of", a.Name, a.Attempts)
		}
	}
	if n := s.ledger.strays(); n > 0 {
		t.Errorf("victims saw %d attempts that the attacker did not make", n)
	}
}

func TestShoppersAreServedThroughAllTiers(t *testing.T) {
	ctx, s := testStage(t)
	var got actor.Samples
	for len(got.Micros) < 20 {
		now, late, err := s.measured(ctx, actor.OrderCut)
		if err != nil {
			t.Fatal(err)
		}
		for _, more := range []actor.Samples{now, late} {
			if more.Failed > 0 {
				t.Fatalf("%d requests failed: %s", more.Failed, more.Error)
			}
			got.Micros = append(got.Micros, more.Micros...)
		}
	}
}

// What a victim sees counts, even where the attacker saw nothing.
func TestVictimsAreWitnesses(t *testing.T) {
	ctx, s := testStage(t)
	seen := map[actor.Kind]int{}
	if err := s.order(ctx, attackerName, actor.OrderOpen); err != nil {
		t.Fatal(err)
	}
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	for sight, try := range s.ledger.tries {
		if try.seen {
			seen[sight.Kind]++
		}
	}
	for _, k := range []actor.Kind{actor.Line, actor.UDP, actor.ICMP} {
		if seen[k] == 0 {
			t.Errorf("no victim saw anything of kind %s", k)
		}
	}
}

func TestAProcessThatDiesIsAFailure(t *testing.T) {
	ctx, s := testStage(t)
	if err := s.actors["cache-1"].cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.failed:
	case <-ctx.Done():
		t.Fatal("nobody noticed")
	}
}
