package cli

import "firebreak/internal/verify"

// unknownPair is traffic of which nobody can say whether it may pass.
type unknownPair struct {
	From    string `json:"from"`
	To      string `json:"to"`
	Traffic string `json:"traffic"`
	Reason  string `json:"reason"`
}

// newlyUnknown are the pairs that are unknown in the new policy and were not in
// the old one.
func newlyUnknown(old, new *loaded, x, y *verify.Engine) []unknownPair {
	was := map[unknownPair]bool{}
	for _, u := range old.unknowns(x, false) {
		was[u] = true
	}
	var out []unknownPair
	for _, u := range new.unknowns(y, false) {
		if !was[u] {
			out = append(out, u)
		}
	}
	return out
}

// unknowns are all such pairs of a policy.
func (l *loaded) unknowns(e *verify.Engine, inForce bool) []unknownPair { return nil }

// unknown are the pairs of a question of which nobody can say whether something
// may pass.
func (r *reach) unknown() []unknownPair { return r.l.unknowns(r.e, r.q.inForce) }
