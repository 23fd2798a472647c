package verify_test

import (
	"flag"
	"fmt"
	"testing"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/semantics"
	"firebreak/internal/verify"
)

var (
	estates   = flag.Int("estates", 400, "how many random estates to judge; each is asked about 500 questions")
	firstSeed = flag.Uint64("seed", 1, "of the first random estate; the next ones follow it")
)

// judged is one random estate before both evaluators.
type judged struct {
	dir  *lang.Dir
	inv  *inventory.Snapshot
	p    *policy.Policy
	slow *semantics.Evaluator
	fast *verify.Engine
	ends []end
}

// end is one party and the peers that it may be.
type end struct {
	party semantics.Party
	peers []verify.Peer
}

// draw makes estates until one resolves: ties and contradictions are refused
// before anyone evaluates them.
func draw(d dice) (*lang.Dir, *inventory.Snapshot, *policy.Policy) {
	for {
		dir, inv := d.estate()
		if p, _ := policy.Resolve(dir, inv); p != nil {
			return dir, inv, p
		}
	}
}

func resolveAgain(dir *lang.Dir, inv *inventory.Snapshot) *policy.Policy {
	p, _ := policy.Resolve(dir, inv)
	return p
}

func judge(t testing.TB, dir *lang.Dir, inv *inventory.Snapshot, p *policy.Policy) *judged {
	t.Helper()
	e, err := verify.New(p, verify.Options{At: noon})
	if err != nil {
		t.Fatal(err)
	}
	j := &judged{dir: dir, inv: inv, p: p, slow: semantics.New(dir, inv), fast: e}
	for i := range inv.Workloads {
		party, _ := j.slow.Workload(inv.Workloads[i].Name)
		j.ends = append(j.ends, end{party, []verify.Peer{e.OfWorkload(i)}})
	}
	for _, s := range j.slow.Spans() {
		x := end{party: s.Party}
		for _, w := range s.Party.Owners {
			for i := range inv.Workloads {
				if &inv.Workloads[i] == w {
					x.peers = append(x.peers, e.OfWorkload(i))
				}
			}
		}
		if len(s.Party.Owners) == 0 {
			peer, builtin := e.OfAddress(s.Lo)
			if builtin != s.Party.Builtin {
				t.Fatalf("%s is built in as %q, want %q", s.Lo, builtin, s.Party.Builtin)
			}
			if builtin != "" {
				continue
			}
			x.peers = []verify.Peer{peer}
		}
		j.ends = append(j.ends, x)
	}
	if peer := e.OfName("n"); peer != verify.None {
		j.ends = append(j.ends, end{semantics.Party{Externals: []string{"n"}}, []verify.Peer{peer}})
	}
	return j
}

// ask puts one question to both and says how they disagree; "" if they do not.
func (j *judged) ask(from, to end, proto netset.Protocol, port uint16, c flow.Circumstances) string {
	want := j.slow.Decide(from.party, to.party, proto, port, c)
	at := j.fast.Locate(c)
	inForce, toCome := flow.Unjudged, flow.Unjudged
	for _, a := range from.peers {
		for _, b := range to.peers {
			got := j.fast.Decide(a, b, proto, port, at)
			inForce, toCome = flow.Stricter(inForce, got.InForce), flow.Stricter(toCome, got.ToCome)
			if s := j.ofPair(a, b, proto, port, c, got); s != "" {
				return s
			}
			if len(from.peers)*len(to.peers) > 1 {
				continue // which of several owners is named does not matter
			}
			if r := j.fast.Ref(got.ToComeBy); r != want.ToComeRule {
				return fmt.Sprintf("to come by %s, want %s", r, want.ToComeRule)
			}
			if r := j.fast.Ref(got.InForceBy); r != want.InForceRule {
				return fmt.Sprintf("in force by %s, want %s", r, want.InForceRule)
			}
		}
	}
	if toCome != want.ToCome || inForce != want.InForce && len(from.peers)*len(to.peers) == 1 {
		return fmt.Sprintf("in force %s and to come %s, want %s and %s", inForce, toCome, want.InForce, want.ToCome)
	}
	return ""
}

// ofPair compares the sets about a pair with the decision about one member.
func (j *judged) ofPair(a, b verify.Peer, proto netset.Protocol, port uint16, c flow.Circumstances, got verify.Decision) string {
	at := j.fast.Locate(c)
	for _, inForce := range []bool{false, true} {
		verdict, by := got.ToCome, got.ToComeBy
		if inForce {
			verdict, by = got.InForce, got.InForceBy
		}
		passes := verdict == flow.Forwarded || verdict == flow.Audited
		set, _ := j.fast.Permitted(a, b, inForce)
		if set.Contains(proto, port, at) != passes {
			return fmt.Sprintf("%s (in force %t) is not among what is permitted: %s", verdict, inForce, set)
		}
		n := 0
		for _, x := range j.fast.Parts(a, b, inForce) {
			if x.Set.Contains(proto, port, at) {
				n++
				if x.By != by || x.Permits != passes {
					return fmt.Sprintf("part of %s, decided by %s", j.fast.Ref(x.By), j.fast.Ref(by))
				}
			}
		}
		if n != 1 && verdict != flow.Unjudged {
			return fmt.Sprintf("in %d parts", n)
		}
	}
	return ""
}

// questions asks both about random pairs and returns the first disagreement.
func (j *judged) questions(d dice, n int) string {
	for range n {
		from, to := pick(d, j.ends...), pick(d, j.ends...)
		proto, port, c := d.question()
		if s := j.ask(from, to, proto, port, c); s != "" {
			return fmt.Sprintf("%s → %s, %s %d, %+v, request %+v: %s", from.party.Name(), to.party.Name(), proto, port, c, c.HTTP, s)
		}
	}
	return ""
}

// TestAgreesWithTheReference asks both evaluators about random estates. The
// seed of one that fails is in the message; add it to TestSeedsOfOldFaults.
func TestAgreesWithTheReference(t *testing.T) {
	for seed := *firstSeed; seed < *firstSeed+uint64(*estates); seed++ {
		d := newDice(seed)
		dir, inv, p := draw(d)
		if s := judge(t, dir, inv, p).questions(d, 500); s != "" {
			t.Fatalf("seed %d: %s", seed, s)
		}
	}
	t.Logf("%d questions", *estates*500)
}

// TestSeedsOfOldFaults asks again where the two once disagreed.
func TestSeedsOfOldFaults(t *testing.T) {
	for seed, fault := range map[uint64]string{
		1004944: "a pass with a condition before an unconditional rule of its tier led nowhere",
	} {
		d := newDice(seed)
		dir, inv, p := draw(d)
		if s := judge(t, dir, inv, p).questions(d, 500); s != "" {
			t.Errorf("seed %d (%s): %s", seed, fault, s)
		}
	}
}
