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
	names := map[string]int{}
	for n, set := range a.sets {
		said := a.say(set)
		for _, r := range a.rectangles(n) {
			for _, from := range a.endpoints(r.from, r.to) {
				for _, to := range a.endpoints(r.to, nil) {
					for _, what := range said {
						name := from.name + "-to-" + to.name
						if names[name]++; names[name] > 1 {
							name = fmt.Sprintf("%s-%d", name, names[name])
						}
						a.made = append(a.made, rule{name, from.text, to.text, what})
					}
				}
			}
		}
	}
	slices.SortStableFunc(a.made, func(x, y rule) int { return cmp.Or(strings.Compare(x.to, y.to), strings.Compare(x.from, y.from)) })
}

// endpoint is one end of a rule, as it is written and as it is called.
type endpoint struct{ text, name string }

// endpoints says a set of atoms in as few words as there are: any, then whole
// zones, then services by the values of one label, then one by one. other may be the
// rule's other end: an atom of one workload may be added if it is there, since
// then it would only be said what that workload may do with itself. Of one rule only
// one end may be said so.
func (a *adopter) endpoints(atoms, other []int) []endpoint {
	have := map[int]bool{}
	for _, i := range atoms {
		have[i] = true
	}
	in := func(i int) bool {
		return have[i] || a.single(i) && len(other) == 1 && other[0] == i
	}
	everything := len(atoms) > 1
	for i := range a.all {
		everything = everything && in(i)
	}
	if everything {
		return []endpoint{{"{any: true}", "any"}}
	}
	var out []endpoint
	for _, z := range a.zoneList {
		some := slices.ContainsFunc(z.atoms, func(i int) bool { return have[i] })
		if some && (len(z.atoms) > 1 || z.selector == "") && !slices.ContainsFunc(z.atoms, func(i int) bool { return !in(i) }) {
			out = append(out, endpoint{"{zone: " + z.name + "}", z.name})
			for _, i := range z.atoms {
				delete(have, i)
			}
		}
	}
	out = append(out, a.together(have)...)
	for i := range a.all {
		x := &a.all[i]
		switch {
		case !have[i]:
		case i < a.places:
			out = append(out, endpoint{"{service: " + x.name + "}", x.name})
		case x.cidrs != nil:
			out = append(out, endpoint{"{external: " + x.name + "}", x.name})
		default:
			a.note("%s: nothing in the language names these addresses; what they may do is left out", a.r.Ends[x.end].Name)
		}
	}
	return out
}

// fewServices is how many services are still named one by one.
const fewServices = 3

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

// lastKey takes "a=1,b=2" apart into "a=1," and "b".
func lastKey(selector string) (before, key string, ok bool) {
	i := strings.LastIndexByte(selector, ',') + 1
	key, _, ok = strings.Cut(selector[i:], "=")
	return selector[:i], key, ok
}
