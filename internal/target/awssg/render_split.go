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
		if n := v.r.count(g.rules[d]); n > maxRules*maxGroups {
			v.r.overrun(g, flow.Direction(d), n)
			return
		}
	}
	for g.parts = 1; g.parts < maxGroups; g.parts++ {
		if place(g.rules[0], g.parts, false) && place(g.rules[1], g.parts, false) {
			return
		}
	}
	place(g.rules[0], g.parts, true)
	place(g.rules[1], g.parts, true)
}

// place gives each rule the part that it prefers, or if need be, another that
// has room. It reports whether all found one.
func place(rules []rule, parts int, anywhere bool) bool {
	held := make([][2]int, parts) // by part: rules of IPv4 and of IPv6
	for i := range rules {
		order := preferences(rules[i].name, parts)
		if !anywhere {
			order = order[:1]
		}
		found := false
		for _, n := range order {
			if v4, v6 := size(rules[i : i+1]); max(held[n][0]+v4, held[n][1]+v6) <= maxRules {
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
	r.diags.Errorf(diag.Pos{File: most.File, Line: most.Line}, "over-quota",
		"%s of %s in %s needs %d security group rules of one IP family; %d groups of %d hold %d; %d are for rule %s",
		direction(d), g.name, g.vpc, n, maxGroups, maxRules, maxGroups*maxRules, counts[most], most).
		WithHelp("name fewer, wider CIDRs or ports, or services instead of addresses")
}
