package verify_test

import (
	"fmt"
	"slices"
	"testing"

	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/policy"
	"firebreak/internal/verify"
)

// edit makes one or two small changes, so that the result still resolves.
func (d dice) edit(dir *lang.Dir, inv *inventory.Snapshot, p *policy.Policy) (*lang.Dir, *inventory.Snapshot, *policy.Policy) {
	for range 20 {
		next, snap := *dir, *inv
		next.Policies = slices.Clone(dir.Policies)
		snap.Workloads = slices.Clone(inv.Workloads)
		for range 1 + d.IntN(2) {
			d.change(&next, &snap)
		}
		if q, _ := policy.Resolve(&next, &snap); q != nil {
			return &next, &snap, q
		}
	}
	return dir, inv, p
}

func (d dice) change(dir *lang.Dir, snap *inventory.Snapshot) {
	switch d.IntN(8) {
	case 0, 1: // another rule
		i := d.IntN(len(dir.Policies))
		p := *dir.Policies[i]
		p.Rules = slices.Clone(p.Rules)
		p.Rules[d.IntN(len(p.Rules))] = d.policyLike(&p).Rules[0]
		for j, r := range p.Rules {
			c := *r
			c.Name = fmt.Sprint("r", j)
			p.Rules[j] = &c
		}
		dir.Policies[i] = &p
	case 2: // one policy less or more, or another order
		if len(dir.Policies) > 1 && d.one(2) {
			dir.Policies = dir.Policies[1:]
		} else {
			dir.Policies = append(dir.Policies, d.policy(10+d.IntN(1000)))
		}
		if d.one(2) {
			slices.Reverse(dir.Policies)
		}
	case 3, 4: // a workload relabelled
		i := d.IntN(len(snap.Workloads))
		snap.Workloads[i] = d.workload(snap.Workloads[i].Name)
	case 5: // a workload less or more
		if len(snap.Workloads) > 1 && d.one(2) {
			snap.Workloads = snap.Workloads[1:]
		} else {
			snap.Workloads = append(snap.Workloads, d.workload(fmt.Sprintf("x%d", 100000+d.IntN(100000))))
		}
	case 6:
		dir.Zones = d.zones()
	case 7:
		dir.Guardrails = append(slices.Clone(dir.Guardrails), d.guardrail(20+d.IntN(1000)))
		if len(dir.Guardrails) > 3 || d.one(2) {
			dir.Guardrails = nil
		}
	}
}

// policyLike is a random policy that may stand in the place of p.
func (d dice) policyLike(p *lang.Policy) *lang.Policy {
	for {
		if q := d.policy(p.Priority); q.Tier == p.Tier {
			return q
		}
	}
}

// renumber finds the ends of a fresh engine in another one.
func renumber(fresh *judged, e *verify.Engine) []end {
	names := map[string]verify.Peer{}
	for x := range e.Peers() {
		if e.Exists(verify.Peer(x)) {
			names[peerName(e, verify.Peer(x))] = verify.Peer(x)
		}
	}
	var out []end
	for _, x := range fresh.ends {
		y := end{party: x.party}
		for _, p := range x.peers {
			y.peers = append(y.peers, names[peerName(fresh.fast, p)])
		}
		out = append(out, y)
	}
	return out
}

// peerName is unique: the identity's key, or what kind of address it is.
func peerName(e *verify.Engine, x verify.Peer) string {
	if i := e.Identity(x); i >= 0 {
		return e.Policy().Identities[i].Key
	}
	return fmt.Sprint(e.Unknown(x), e.ByName(x), e.Name(x))
}

func sameProofs(t *testing.T, want, got *verify.Engine) {
	t.Helper()
	a, b := want.Guardrails(), got.Guardrails()
	if len(a) != len(b) {
		t.Fatalf("%d proofs, want %d", len(b), len(a))
	}
	for i := range a {
		if a[i].Result != b[i].Result {
			t.Fatalf("guardrail %d is %s, want %s", i, b[i].Result, a[i].Result)
		}
	}
}

func needless(e *verify.Engine) string {
	var out []string
	for _, n := range e.Needless() {
		out = append(out, fmt.Sprint(n.Rule, n.Never))
	}
	return fmt.Sprint(out)
}
