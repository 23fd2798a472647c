package cli

import (
	"firebreak/internal/ask"
	"firebreak/internal/verify"
)

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

// unknowns are all such pairs of a policy, whoever begins.
func (l *loaded) unknowns(e *verify.Engine, inForce bool) []unknownPair {
	var out []unknownPair
	for _, h := range ask.HiddenBy(e, inForce, func(int) bool { return true }) {
		out = append(out, unknownPair{"any", "frontend:" + h.Frontend, h.Traffic.String(), h.String()})
	}
	return out
}

// unknown are the pairs of a question of which nobody can say whether something
// may pass: all but what does not lead to where it asks about.
func (r *reach) unknown() []unknownPair {
	wanted := make(map[int]bool, len(r.to))
	for i := range r.to {
		wanted[r.to[i].at] = true
	}
	from := r.q.from
	if from == "" {
		from = "any"
	}
	var out []unknownPair
	for _, h := range ask.HiddenBy(r.e, r.q.inForce, func(w int) bool { return wanted[w] }) {
		out = append(out, unknownPair{from, "frontend:" + h.Frontend, h.Traffic.String(), h.String()})
	}
	return out
}
