package adopt

import (
	"cmp"
	"slices"
	"strings"

	"firebreak/internal/inventory"
	"firebreak/internal/label"
)

// describer finds selectors for sets of workloads.
type describer struct {
	inv  *inventory.Snapshot
	have map[pair][]int // workloads by label, ascending
}

type pair struct{ key, value string }

func newDescriber(inv *inventory.Snapshot) *describer {
	d := &describer{inv, map[pair][]int{}}
	for i := range inv.Workloads {
		for k, v := range inv.Workloads[i].Labels {
			if usable(k, v) {
				d.have[pair{k, v}] = append(d.have[pair{k, v}], i)
			}
		}
	}
	return d
}

// usable reports whether a selector can name a label, and should: hashes that a
// controller gives each revision anew say nothing.
func usable(key, value string) bool {
	switch key {
	case "pod-template-hash", "controller-revision-hash", "pod-template-generation", "statefulset.kubernetes.io/pod-name":
		return false
	}
	if label.CheckKey(key) != nil || label.CheckValue(key, value) != nil {
		return false
	}
	_, err := label.Parse(key + "=" + value)
	return err == nil && value != ""
}

// mostLabels is how many labels a selector may have: one with more is no longer
// read by people.
const mostLabels = 3

// describe returns a selector that matches these workloads and no other, with as
// few labels as there can be, of those that people use first; "" if there is
// none.
func (d *describer) describe(ws []int) string {
	shared := d.shared(ws)
	for n := 1; n <= mostLabels; n++ {
		if s := d.search(ws, shared, nil, nil, n); s != "" {
			return s
		}
	}
	return ""
}

// shared lists the labels that all of them have, the most telling first.
func (d *describer) shared(ws []int) []pair {
	var out []pair
	for k, v := range d.inv.Workloads[ws[0]].Labels {
		if usable(k, v) && subset(ws, d.have[pair{k, v}]) {
			out = append(out, pair{k, v})
		}
	}
	slices.SortFunc(out, func(a, b pair) int {
		return cmp.Or(cmp.Compare(rank(a.key), rank(b.key)), cmp.Compare(len(d.have[a]), len(d.have[b])), strings.Compare(a.key, b.key))
	})
	return out[:min(len(out), 12)]
}

func rank(key string) int {
	if i := slices.Index(groupKeys, key); i >= 0 {
		return i
	}
	if key == "k8s/namespace" {
		return len(groupKeys)
	}
	return len(groupKeys) + 1
}

// search tries all choices of n more labels, in order. left are the workloads
// that the labels taken so far match; nil for all.
func (d *describer) search(ws []int, from, taken []pair, left []int, n int) string {
	if n == 0 {
		if len(left) == len(ws) {
			return text(taken)
		}
		return ""
	}
	for i, p := range from {
		next := d.have[p]
		if taken != nil {
			next = intersect(left, next)
		}
		if s := d.search(ws, from[i+1:], append(slices.Clip(taken), p), next, n-1); s != "" {
			return s
		}
	}
	return ""
}

func text(pairs []pair) string {
	var parts []string
	for _, p := range pairs {
		parts = append(parts, p.key+"="+p.value)
	}
	return strings.Join(parts, ",")
}

func subset(a, b []int) bool { return len(intersect(a, b)) == len(a) }

// intersect returns what is in both; both ascend.
func intersect(a, b []int) []int {
	var out []int
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] < b[j]:
			i++
		case a[i] > b[j]:
			j++
		default:
			out = append(out, a[i])
			i, j = i+1, j+1
		}
	}
	return out
}
