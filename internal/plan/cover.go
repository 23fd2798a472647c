package plan

import (
	"cmp"
	"slices"
	"strings"

	"firebreak/internal/label"
	"firebreak/internal/lang"
)

// selection is a selector of the text and the identities that it means.
type selection struct {
	text       string
	selector   label.Selector
	identities []int // ascending
}

// Cover is a set of identities that has a name in the text: those that a
// selector matches.
type Cover struct {
	Text       string // "service orders", "zone web", "select app=x", else the selector
	Select     label.Selector
	Identities []int // ascending
}

// collect finds every selector of the text, and the labels that they speak of.
func (w *Wanted) collect(tree *lang.Dir) {
	seen := map[string]bool{}
	keys := map[string]bool{"k8s/namespace": true}
	add := func(text string, s label.Selector) {
		for _, k := range s.Keys() {
			keys[k] = true
		}
		if seen[s.String()] {
			return
		}
		seen[s.String()] = true
		var ids []int
		for id := range w.Policy.Identities {
			if s.Matches(w.Policy.Inventory.Workloads[w.Policy.Identities[id].Workloads[0]].Labels) {
				ids = append(ids, id)
			}
		}
		if len(ids) > 0 {
			w.selections = append(w.selections, selection{text, s, ids})
		}
	}
	for _, s := range tree.Services {
		if !s.Select.Unread {
			add("service "+s.Name, s.Select.Selector)
		}
	}
	for _, z := range tree.Zones {
		if z.Select != nil && !z.Select.Unread {
			add("zone "+z.Name, z.Select.Selector)
		}
	}
	for _, s := range tree.Selectors() {
		add("select "+s.Selector.String(), s.Selector)
	}
	for k := range keys {
		w.keys = append(w.keys, k)
	}
	slices.Sort(w.keys)
}

// Cover describes identities by selectors that match them and nobody else: as
// few of those in the text as a greedy choice finds, widest first, and for what
// they leave the labels of each identity.
func (w *Wanted) Cover(identities []int) []Cover {
	left := slices.Clone(identities)
	var fit []selection
	for _, s := range w.selections {
		if subset(s.identities, identities) {
			fit = append(fit, s)
		}
	}
	slices.SortStableFunc(fit, func(a, b selection) int { return cmp.Compare(len(b.identities), len(a.identities)) })
	var out []Cover
	for _, s := range fit {
		rest := slices.DeleteFunc(slices.Clone(left), func(id int) bool { _, in := slices.BinarySearch(s.identities, id); return in })
		if len(rest) < len(left) {
			left = rest
			out = append(out, Cover{s.text, s.selector, s.identities})
		}
	}
	for _, id := range left {
		s := w.Own(id)
		out = append(out, Cover{s.String(), s, []int{id}})
	}
	return out
}

// subset reports whether every number of a is in b; both ascend.
func subset(a, b []int) bool {
	if len(a) > len(b) {
		return false
	}
	for _, x := range a {
		if _, in := slices.BinarySearch(b, x); !in {
			return false
		}
	}
	return true
}

// Own returns a selector that matches an identity's workloads by every label
// that the text speaks of, present or absent.
func (w *Wanted) Own(identity int) label.Selector {
	labels := w.Policy.Inventory.Workloads[w.Policy.Identities[identity].Workloads[0]].Labels
	var parts []string
	for _, k := range w.keys {
		switch v, has := labels[k]; {
		case !has:
			parts = append(parts, "!"+k)
		case v == "":
			parts = append(parts, k+"=")
		default:
			parts = append(parts, k+"="+v)
		}
	}
	s, err := label.Parse(strings.Join(parts, ","))
	if err != nil { // a label that no selector can write
		return label.Selector{}
	}
	return s
}
