package verify_test

import (
	"fmt"
	"slices"
	"testing"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/policy"
	"firebreak/internal/semantics"
	"firebreak/internal/verify"
)

// TestDiffSaysWhatDecisionsSay compares random policies, and the difference at
// random conversations with what the reference says of both.
func TestDiffSaysWhatDecisionsSay(t *testing.T) {
	for seed := range uint64(150) {
		d := newDice(seed)
		dirA, invA, a := draw(d)
		dirB, invB, b := d.edit(dirA, invA, a)
		old, new, err := verify.NewPair(a, b, verify.Options{At: noon})
		if err != nil {
			t.Fatal(err)
		}
		delta := verify.Diff(old, new)
		slowA, slowB := semantics.New(dirA, invA), semantics.New(dirB, invB)
		for range 200 {
			i, j := d.IntN(len(delta.Groups)), d.IntN(len(delta.Groups))
			from, to := delta.Groups[i], delta.Groups[j]
			if from.Workloads == nil && to.Workloads == nil || i == j && len(from.Workloads) == 1 {
				continue
			}
			proto, port, c := d.question()
			passes := func(e *semantics.Evaluator) bool {
				x, okX := partyOf(e, from)
				y, okY := partyOf(e, to)
				return okX && okY && e.Decide(x, y, proto, port, c).ToCome == flow.Forwarded
			}
			was, is := passes(slowA), passes(slowB)
			gained, lost := false, false
			for _, x := range delta.Changes {
				if x.From == i && x.To == j {
					has := func(m verify.Moved) bool { return m.Set.Contains(proto, port, new.Locate(c)) }
					gained, lost = slices.ContainsFunc(x.Gained, has), slices.ContainsFunc(x.Lost, has)
				}
			}
			if gained != (is && !was) || lost != (was && !is) {
				t.Fatalf("seed %d: %v → %v %s %d %+v: gained %t lost %t, but it passed before %t and after %t", seed, from, to, proto, port, c, gained, lost, was, is)
			}
		}
	}
}

func partyOf(e *semantics.Evaluator, g verify.Group) (semantics.Party, bool) {
	switch {
	case g.Workloads != nil:
		return e.Workload(g.Workloads[0])
	case g.Prefixes != nil:
		p := e.Address(g.Prefixes[0].Addr())
		p.Owners, p.Frontend = nil, nil
		return p, true
	}
	return semantics.Party{Externals: []string{"n"}}, true
}

// TestEquivalence: a policy written differently is no other policy.
func TestEquivalence(t *testing.T) {
	for seed := range uint64(50) {
		d := newDice(seed)
		dir, inv, p := draw(d)
		other := *dir
		other.Policies = slices.Clone(dir.Policies)
		slices.Reverse(other.Policies)
		for i := range other.Policies {
			c := *other.Policies[i]
			c.Name += "-renamed"
			other.Policies[i] = &c
		}
		q, diags := policy.Resolve(&other, inv)
		if q == nil {
			t.Fatal(diags)
		}
		old, new, err := verify.NewPair(p, q, verify.Options{At: noon})
		if err != nil {
			t.Fatal(err)
		}
		if delta := verify.Diff(old, new); len(delta.Changes) > 0 {
			t.Fatalf("seed %d: %+v", seed, delta.Changes[0])
		}
	}
}

// TestDiffKnowsRegions: the first address of a prefix may belong to a longer
// one, and a prefix may be nothing but its halves.
func TestDiffKnowsRegions(t *testing.T) {
	policyOf := func(prefixes ...string) *policy.Policy {
		dir := &lang.Dir{
			Estate:    &lang.Estate{Meta: named("e")},
			Zones:     []*lang.Zone{{Meta: named("web"), Select: sel("tier=web"), Stage: lang.Enforce, Default: lang.Deny}},
			Externals: []*lang.External{{Meta: named("x"), CIDRs: cidrs(prefixes...)}},
			Policies: []*lang.Policy{{Meta: named("p"), Tier: lang.Application, Rules: []*lang.Rule{{
				Name: "out", Stage: lang.Enforce, From: lang.Endpoint{Kind: lang.ByZone, Name: "web"}, To: lang.Endpoint{Kind: lang.ByExternal, Name: "x"}}}}},
		}
		inv := &inventory.Snapshot{Workloads: []inventory.Workload{{Name: "w", Labels: map[string]string{"tier": "web"}}}}
		p, diags := policy.Resolve(dir, inv)
		if p == nil {
			t.Fatal(diags)
		}
		return p
	}
	var many []string // as clouds publish; to compare each with each takes minutes
	for i := range 40_000 {
		many = append(many, fmt.Sprintf("100.%d.%d.0/24", i>>8, i&255))
	}
	for _, c := range []struct {
		old, new     []string
		gained, lost int
	}{
		{many, many[1:], 0, 1},
		{[]string{"192.0.2.0/24"}, []string{"192.0.2.0/25", "192.0.2.128/25"}, 0, 0},
		{[]string{"192.0.2.0/24"}, []string{"192.0.2.0/25"}, 0, 1},
		{[]string{"192.0.2.0/25"}, []string{"192.0.2.0/24"}, 1, 0},
		{[]string{"192.0.2.0/24"}, []string{"192.0.2.0/25", "192.0.2.128/26"}, 0, 1},
		{[]string{"192.0.2.0/24", "198.51.100.0/24"}, []string{"192.0.2.0/24", "203.0.113.0/24"}, 1, 1},
		{[]string{"0.0.0.0/0"}, []string{"0.0.0.0/1", "128.0.0.0/1"}, 0, 0},
	} {
		old, new, err := verify.NewPair(policyOf(c.old...), policyOf(c.new...), verify.Options{At: noon})
		if err != nil {
			t.Fatal(err)
		}
		gained, lost := 0, 0
		for _, x := range verify.Diff(old, new).Changes {
			gained, lost = gained+len(x.Gained), lost+len(x.Lost)
		}
		if gained != c.gained || lost != c.lost {
			t.Errorf("%v → %v: %d gained and %d lost, want %d and %d", c.old, c.new, gained, lost, c.gained, c.lost)
		}
	}
}

// TestNoPeerWithoutAddresses: an External of which others leave nothing is no
// end of any conversation, so that nothing can be violated there.
func TestNoPeerWithoutAddresses(t *testing.T) {
	of := func(halves ...string) int {
		dir := &lang.Dir{
			Estate: &lang.Estate{Meta: named("e")},
			Externals: []*lang.External{
				{Meta: named("whole"), CIDRs: cidrs("192.0.2.0/24")},
				{Meta: named("halves"), CIDRs: cidrs(halves...)},
			},
		}
		p, diags := policy.Resolve(dir, &inventory.Snapshot{})
		if p == nil {
			t.Fatal(diags)
		}
		e, err := verify.New(p, verify.Options{At: noon})
		if err != nil {
			t.Fatal(err)
		}
		return e.Peers()
	}
	if one, two := of("192.0.2.0/25"), of("192.0.2.0/25", "192.0.2.128/25"); one != 3 || two != 2 {
		t.Errorf("%d peers with a half, %d with both; want world, whole and whole+halves, then world and whole+halves", one, two)
	}
}
