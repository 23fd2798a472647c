package awssg

import (
	"hash/fnv"
	"slices"

	"firebreak/internal/diag"
	"firebreak/internal/flow"
)

// size counts rules as AWS does, for each IP family apart: one that names a
// group counts in both.
func size(rules []rule) (v4, v6 int) {
	for _, x := range rules {
		n := 1
		if x.list {
			n = listWeight
		}
		if x.peer != nil || !x.v6 {
			v4 += n
		}
		if x.peer != nil || x.v6 {
			v6 += n
		}
	}
	return v4, v6
}

func (r *renderer) count(rules []rule) int { return max(size(rules)) }

// split divides a group whose rules are too many for one among several that all
// its members are in: an interface is let what any of its groups allows. Which
// of them holds a rule depends on the rule's name and hardly on other rules.
func (v *network) split(g *group) {
	for d := range g.rules {
		if n := v.r.count(g.rules[d]); n > v.r.most.all() {
			v.r.overrun(g, flow.Direction(d), n)
			return
		}
	}
	most := v.r.most
	for g.parts = 1; g.parts < most.groups; g.parts++ {
		if place(g.rules[0], g.parts, most.rules, false) && place(g.rules[1], g.parts, most.rules, false) {
			return
		}
	}
	for d := range g.rules {
		if !place(g.rules[d], g.parts, most.rules, true) {
			v.r.overrun(g, flow.Direction(d), v.r.count(g.rules[d]))
			return
		}
	}
}

// place gives each rule the part that it prefers, or if need be, another that
// has room: then those first that count for more than one. It reports whether all
// found one.
func place(rules []rule, parts, most int, anywhere bool) bool {
	held := make([][2]int, parts) // by part: rules of IPv4 and of IPv6
	turn := make([]int, len(rules))
	for i := range turn {
		turn[i] = i
	}
	if anywhere {
		weight := func(i int) int { v4, v6 := size(rules[i : i+1]); return v4 + v6 }
		slices.SortStableFunc(turn, func(a, b int) int { return weight(b) - weight(a) })
	}
	for _, i := range turn {
		order := preferences(rules[i].name, parts)
		if !anywhere {
			order = order[:1]
		}
		found := false
		for _, n := range order {
			if v4, v6 := size(rules[i : i+1]); max(held[n][0]+v4, held[n][1]+v6) <= most {
				held[n][0], held[n][1] = held[n][0]+v4, held[n][1]+v6
				rules[i].part, found = n, true
				break
			}
		}
		if !found {
			return false
		}
	}
	return true
}

// preferences orders parts by a digest of each with the rule's name, so that few
// rules move when a part is added.
func preferences(name string, parts int) []int {
	weight := func(n int) uint64 {
		h := fnv.New64a()
		h.Write([]byte{byte(n)})
		h.Write([]byte(name))
		return h.Sum64() * 0x9e3779b97f4a7c15 >> 8
	}
	out := make([]int, parts)
	for i := range out {
		out[i] = i
	}
	slices.SortFunc(out, func(a, b int) int {
		if x, y := weight(a), weight(b); x != y {
			if x > y {
				return -1
			}
			return 1
		}
		return a - b
	})
	return out
}

// overrun reports rules that no number of groups holds, and the rule of the
// policy that most of them are for.
func (r *renderer) overrun(g *group, d flow.Direction, n int) {
	counts := map[flow.Rule]int{}
	var most flow.Rule
	for _, x := range g.rules[d] {
		for _, by := range x.by {
			counts[by]++
			if c := counts[by] - counts[most]; c > 0 || c == 0 && by.String() < most.String() {
				most = by
			}
		}
	}
	left := ""
	if n <= r.most.all() {
		left = ", and what counts for several finds no room in any"
	}
	r.diags.Errorf(diag.Pos{File: most.File, Line: most.Line}, "over-quota",
		"%s of %s in %s needs %d security group rules of one IP family; %d groups of %d hold %d%s; %d are for rule %s",
		direction(d), g.name, g.vpc, n, r.most.groups, r.most.rules, r.most.all(), left, counts[most], most).
		WithHelp("%s", orRaise("name fewer, wider CIDRs or ports, or services instead of addresses", rulesPerGroup, groupsPerInterface))
}
