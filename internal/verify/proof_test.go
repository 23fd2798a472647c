package verify_test

import (
	"testing"

	"firebreak/internal/flow"
	"firebreak/internal/lang"
	"firebreak/internal/semantics"
	"firebreak/internal/verify"
)

// TestProofsAgreeWithTheReference: the reference asks about everything it can
// think of; what it finds the engine must find, and a witness of the engine
// must be one.
func TestProofsAgreeWithTheReference(t *testing.T) {
	violated, held := 0, 0
	for seed := range uint64(120) {
		d := newDice(seed)
		dir, inv, _ := draw(d)
		dir.Guardrails = append(dir.Guardrails, mustGuardrail(d))
		p := resolveAgain(dir, inv)
		if p == nil {
			continue
		}
		j := judge(t, dir, inv, p)
		bare := *dir
		bare.Guardrails = nil
		unguarded := semantics.New(&bare, inv)
		want := j.slow.Guardrails(noon)
		for i, got := range j.fast.Guardrails() {
			if got.Result == verify.Holds {
				held++
			}
			if (got.Result == verify.Violated) == want[i].Holds {
				t.Fatalf("seed %d: guardrail %s %s; the reference: %+v; %s", seed, want[i].Guardrail, got.Result, want[i], j.fast.Text(got))
			}
			if got.Result != verify.Violated || got.Witness.From == verify.None {
				continue
			}
			violated++
			w := got.Witness
			from, to := j.partyOf(w.From), j.partyOf(w.To)
			if v := unguarded.Decide(from, to, w.Proto, w.Port, w.In); v.ToCome != flow.Forwarded || v.ToComeRule != j.fast.Ref(w.By) {
				t.Fatalf("seed %d: the witness %+v is %s by %s, want forwarded by %s", seed, w, v.ToCome, v.ToComeRule, j.fast.Ref(w.By))
			}
			if v := j.slow.Decide(from, to, w.Proto, w.Port, w.In); dir.Guardrails[i].Kind != lang.Must && v.ToCome == flow.Forwarded {
				t.Fatalf("seed %d: no guardrail forbids the witness %+v", seed, w)
			}
		}
	}
	if violated < 20 || held < 20 {
		t.Errorf("%d violated and %d held: too few to mean anything", violated, held)
	}
}

func (j *judged) partyOf(x verify.Peer) semantics.Party {
	for _, e := range j.ends {
		if len(e.peers) == 1 && e.peers[0] == x {
			return e.party
		}
	}
	panic("a witness speaks of nobody")
}

func mustGuardrail(d dice) *lang.Guardrail {
	return &lang.Guardrail{Meta: named("m"), Kind: lang.Must, From: []lang.Endpoint{d.end()}, To: []lang.Endpoint{d.end()},
		Have: []lang.Word{{Text: pick(d, "mtls", "http", "when", "ports", "reason")}}}
}
