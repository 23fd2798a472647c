package terraform

import (
	"slices"
	"strings"

	"firebreak/internal/diag"
)

// disagree is how the reason of a value begins of which sources say different
// things, so that a third one does not settle it.
const disagree = "sources disagree: "

// mostPairs bounds how many elements of two lists are compared with each other.
const mostPairs = 1 << 20

// merger makes one of what configuration, plan and state say of a resource.
type merger struct {
	diags *diag.List
	known map[string]*Resource // of plans and states, the more real ones
	quiet bool                 // while it only tries
	wrong int                  // differences found
	depth int
}

// merge makes one list of the resources of the three sources, one per address.
func merge(config, plans, states []Resource, diags *diag.List) []Resource {
	m := &merger{diags: diags, known: map[string]*Resource{}}
	for _, list := range [][]Resource{plans, states} {
		for i := range list {
			m.known[list[i].Address] = &list[i]
		}
	}
	n := max(len(config), len(plans), len(states))
	out := make(map[string]int, n) // places in all
	all := make([]Resource, 0, n)
	for _, list := range [][]Resource{config, plans, states} {
		for i := range list {
			at, there := out[list[i].Address]
			if !there {
				out[list[i].Address] = len(all)
				all = append(all, list[i])
				continue
			}
			m.one(&all[at], &list[i])
		}
	}
	m.presence(config, plans, states)
	expanded := expandedBases(plans, states)
	return slices.DeleteFunc(all, func(r Resource) bool { return r.Body.Kind == Unresolved && expanded[r.Address] })
}

// expandedBases are the addresses, without their keys, of which plans or states
// have instances.
func expandedBases(lists ...[]Resource) map[string]bool {
	out := map[string]bool{}
	for _, list := range lists {
		for i := range list {
			if a := list[i].Address; strings.HasSuffix(a, "]") {
				out[shorter(a)] = true
			}
		}
	}
	return out
}

// one takes what a more real source says of a resource into what is known of it.
func (m *merger) one(have, more *Resource) {
	from := have.From
	have.Body = m.value(have.Body, more.Body, "", func(what string, a, b Value) {
		m.diags.Errorf(b.Pos, "terraform-disagrees", "%s: %s is %s in the %s and %s in the %s", have.Address, what, show(a), from, show(b), more.From).
			WithHelp("apply the configuration, or make the plan and the state anew").WithSee(a.Pos)
	})
	have.From = more.From
	if more.ID != "" {
		have.ID = more.ID
	}
}

// presence reports managed resources that a source lacks which others have, as
// far as the sources speak of the same module.
func (m *merger) presence(config, plans, states []Resource) {
	in := func(list []Resource) (addresses, modules map[string]bool) {
		addresses, modules = map[string]bool{}, map[string]bool{}
		for i := range list {
			addresses[list[i].Address] = true
			if list[i].Body.Kind == Unresolved {
				modules["?"+list[i].Address] = true
			}
			modules[moduleOf(list[i].Address)] = true
		}
		return
	}
	lists := [][]Resource{config, plans, states}
	for i, list := range lists {
		for k, other := range lists {
			if i == k || len(list) == 0 || len(other) == 0 {
				continue
			}
			addresses, modules := in(other)
			for _, r := range list {
				// Something else of the same module is there.
				if r.Data || r.Body.Kind == Unresolved || addresses[r.Address] || !modules[moduleOf(r.Address)] || modules["?"+shorterKey(r.Address)] {
					continue
				}
				m.diags.Errorf(r.Pos, "terraform-disagrees", "%s is in the %s, but not in the %s", r.Address, From(i), From(k)).
					WithHelp("apply the configuration, or make the plan and the state anew")
			}
		}
	}
}

func shorterKey(a string) string {
	if strings.HasSuffix(a, "]") {
		return shorter(a)
	}
	return a
}

// moduleOf is the part of an address that stands before the resource's own.
func moduleOf(address string) string {
	rest, done := address, 0
	if i := strings.Index(rest, "//"); i >= 0 {
		rest, done = rest[i+2:], i+2
	}
	for strings.HasPrefix(rest, "module.") {
		step, after := addressStep(rest[len("module."):])
		done += len("module.") + len(step) + 1
		rest = after
	}
	return address[:min(done, len(address))]
}
