package adopt

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// rule is one line of the policy to be. from and to are endpoints as they are
// written: "{zone: web}".
type rule struct {
	name     string
	from, to string
	what     terms
}

// rules turns every set's rectangles into rules, those about the fewest first.
func (a *adopter) rules() {
	names := newNames()
	if a.cover != nil {
		a.cover.rules(names)
	}
	for n, set := range a.sets {
		said := a.say(set)
		for _, r := range a.rects[n] {
			a.make(names, a.endpoints(r.from, r.to), a.endpoints(r.to, nil), said)
		}
	}
	slices.SortStableFunc(a.made, func(x, y rule) int { return cmp.Or(strings.Compare(x.to, y.to), strings.Compare(x.from, y.from)) })
}

// make adds the rules from each of some ends to each of others.
func (a *adopter) make(names *names, froms, tos []endpoint, said []terms) {
	for _, from := range froms {
		for _, to := range tos {
			for _, what := range said {
				a.made = append(a.made, rule{names.free(ruleName(from.name, to.name)), from.text, to.text, what})
			}
		}
	}
}

// half is how much of an end's name stands in that of a rule: two of them, what
// is between and a number behind fit into the 63 letters that names may have.
const half = 26

func ruleName(from, to string) string {
	short := func(s string) string { return strings.Trim(s[:min(len(s), half)], "-") }
	return short(from) + "-to-" + short(to)
}

// endpoint is one end of a rule, as it is written and as it is called.
type endpoint struct{ text, name string }

// endpoints says a set of atoms in as few words as there are: any, then whole
// zones, then services by the values of one label, then one by one; all addresses
// are one External, or a few. other may be the rule's other end: an atom of one
// workload may be added if it is there, since then it would only be said what that
// workload may do with itself. Of one rule only one end may be said so.
func (a *adopter) endpoints(atoms, other []int) []endpoint {
	everything, whole, have := a.coarse(atoms, other)
	if everything {
		return []endpoint{{"{any: true}", "any"}}
	}
	out := append(a.zonesTogether(whole), a.together(have)...)
	for i := range a.all[:a.places] {
		if have[i] {
			out = append(out, endpoint{"{service: " + a.all[i].name + "}", a.all[i].name})
		}
	}
	var outside []int
	for i := a.places; i < len(a.all); i++ {
		if have[i] {
			outside = append(outside, i)
		}
	}
	for _, name := range a.externals(outside) {
		out = append(out, endpoint{"{external: " + name + "}", name})
	}
	return out
}

// coarse divides a set of atoms into whole zones and what is in none of these,
// unless it is everything.
func (a *adopter) coarse(atoms, other []int) (everything bool, whole []int, have map[int]bool) {
	have = map[int]bool{}
	for _, i := range atoms {
		have[i] = true
	}
	in := func(i int) bool {
		return have[i] || a.single(i) && len(other) == 1 && other[0] == i
	}
	everything = len(atoms) > 1
	for i := range a.all {
		everything = everything && in(i)
	}
	if everything {
		return true, nil, nil
	}
	for n, z := range a.zoneList {
		some := slices.ContainsFunc(z.atoms, func(i int) bool { return have[i] })
		if some && (len(z.atoms) > 1 || z.selector == "") && !slices.ContainsFunc(z.atoms, func(i int) bool { return !in(i) }) {
			whole = append(whole, n)
			for _, i := range z.atoms {
				delete(have, i)
			}
		}
	}
	return false, whole, have
}

// fewServices is how many services are still named one by one.
const fewServices = 3

// zonesTogether says whole zones: many whose selectors are one label's values in
// one selector, others one by one.
func (a *adopter) zonesTogether(zones []int) []endpoint {
	byShape := map[string][]int{}
	for _, n := range zones {
		shape := "\x00" + a.zoneList[n].name // of its own
		if before, key, ok := lastKey(a.zoneList[n].selector); before == "" && ok {
			shape = key
		}
		byShape[shape] = append(byShape[shape], n)
	}
	var out []endpoint
	for _, some := range inOrder(byShape) {
		if len(some) <= fewServices {
			for _, n := range some {
				out = append(out, a.zoneEnd(n))
			}
			continue
		}
		_, key, _ := lastKey(a.zoneList[some[0]].selector)
		var values []string
		for _, n := range some {
			_, v, _ := strings.Cut(a.zoneList[n].selector, "=")
			values = append(values, v)
		}
		slices.Sort(values)
		out = append(out, endpoint{fmt.Sprintf("{select: %q}", key+" in ("+strings.Join(values, ",")+")"), fmt.Sprintf("%d-zones", len(some))})
	}
	return out
}

func (a *adopter) zoneEnd(n int) endpoint {
	name := a.zoneList[n].name
	return endpoint{"{zone: " + name + "}", name}
}

// together says services whose selectors are one label's values in one selector,
// and takes them out of have.
func (a *adopter) together(have map[int]bool) []endpoint {
	byShape := map[string][]int{}
	for i := range a.all[:a.places] {
		if before, key, ok := lastKey(a.all[i].selector); have[i] && ok {
			byShape[before+"\x00"+key] = append(byShape[before+"\x00"+key], i)
		}
	}
	var out []endpoint
	for _, atoms := range inOrder(byShape) {
		if len(atoms) <= fewServices {
			continue
		}
		if x, ok := a.shared(atoms); ok {
			out = append(out, x)
			for _, i := range atoms {
				delete(have, i)
			}
			continue
		}
		before, key, _ := lastKey(a.all[atoms[0]].selector)
		var values []string
		for _, i := range atoms {
			_, v, _ := strings.Cut(a.all[i].selector[len(before):], "=")
			values = append(values, v)
			delete(have, i)
		}
		slices.Sort(values)
		out = append(out, endpoint{fmt.Sprintf("{select: %q}", before+key+" in ("+strings.Join(values, ",")+")"),
			fmt.Sprintf("%d-services-of-%s", len(atoms), a.zoneList[a.all[atoms[0]].zone].name)})
	}
	return out
}

// shared says services by labels that they all have, and nobody else.
func (a *adopter) shared(atoms []int) (endpoint, bool) {
	var ws []int
	for _, i := range atoms {
		ws = append(ws, a.all[i].workloads...)
	}
	slices.Sort(ws)
	s := a.labels.describe(ws)
	return endpoint{fmt.Sprintf("{select: %q}", s), slug(s)}, s != ""
}

// lastKey takes "a=1,b=2" apart into "a=1," and "b".
func lastKey(selector string) (before, key string, ok bool) {
	i := strings.LastIndexByte(selector, ',') + 1
	key, _, ok = strings.Cut(selector[i:], "=")
	return selector[:i], key, ok
}
