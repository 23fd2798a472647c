// Package adopt writes a policy for an estate that has none: zones, services
// and rules, in the words of its labels, that say what its layers permit today.
// Whether they do is for a proof to say; nothing here is taken on trust.
package adopt

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"firebreak/internal/inventory"
	"firebreak/internal/prove"
	"firebreak/internal/verify/space"
)

// File is a file of the policy directory that is written.
type File struct {
	Name string
	Text []byte
}

// Options are what the text needs beside what was seen.
type Options struct {
	Estate  string
	Sources []Source // of the inventory, as the Estate is to name them
	// Networks are the estate's own, as CIDRs; nil where that is not known.
	Networks []string
	Targets  []string // whose layers were found, in the order of the Estate's list
}

// Source is an entry of the Estate's inventory.
type Source struct{ Kind, Path string }

// Policy is what was made of an estate. Notes say in sentences what could not
// be said in labels, or not exactly.
type Policy struct {
	Files []File
	Zones int
	Rules int
	Notes []string
}

// Write makes a policy that permits what was reached. What is not known to be
// refused is permitted, and a note says so.
func Write(inv *inventory.Snapshot, r *prove.Reachability, o Options) *Policy {
	a := &adopter{inv: inv, r: r, o: o}
	a.atoms()
	a.zones()
	a.cover = newCover(a)
	a.matrix()
	a.named()
	a.rules()
	return a.write()
}

// adopter goes from ends to text, step by step.
type adopter struct {
	inv *inventory.Snapshot
	r   *prove.Reachability
	o   Options

	labels   *describer
	all      []atom  // workload atoms first, then places
	places   int     // index of the first place
	ofEnd    [][]int // by end: atoms
	zoneKey  string  // the label that zones outside Kubernetes go by; may be empty
	clusters bool    // some workloads are in Kubernetes
	zoneList []zone
	sets     []space.Set
	cover    *cover         // the rules that speak of groups; nil for none
	cells    map[[2]int]int // pair of atoms to an index into sets, of what they do not say
	rects    [][]rectangle  // by set: what of the cells is said together
	made     []rule
	every    []netip.Prefix // of all ends, byAddress
	outsides []outside
	ofPlaces map[string][]string // names of outsides by the places that they are
	labelled map[string]string   // workloads that needed a label of their own
	notes    []string
}

// atom is a set of workloads that are treated alike and have a selector of their
// own, or a set of addresses.
type atom struct {
	name      string
	selector  string // of workloads
	workloads []int
	zone      int // index into zoneList; of workloads
	end       int
	cidrs     []netip.Prefix // of addresses, once cidrsOf was asked
}

func (a *adopter) note(format string, args ...any) {
	n := fmt.Sprintf(format, args...)
	if !slices.Contains(a.notes, n) {
		a.notes = append(a.notes, n)
	}
}

// groupKeys are labels by which people usually tell services apart, the first
// that a workload has. app.kubernetes.io/name is Kubernetes' own
// recommendation (kubernetes.io/docs/concepts/overview/working-with-objects/common-labels).
var groupKeys = []string{"app.kubernetes.io/name", "app", "k8s-app", "service", "component", "name", "Name", "aws/role", "k8s/serviceaccount", "aws/interface"}

// group is the service that a workload seems to belong to.
func group(w *inventory.Workload) (key, value string) {
	for _, k := range groupKeys {
		if v := w.Labels[k]; v != "" {
			return k, v
		}
	}
	return "", ""
}

// atoms divides the workloads of every end into services, none of which is in
// two zones, and makes places of the ends that are addresses.
func (a *adopter) atoms() {
	a.ofEnd = make([][]int, len(a.r.Ends))
	a.zoneKey = a.commonKey()
	a.clusters = slices.ContainsFunc(a.inv.Workloads, func(w inventory.Workload) bool { return w.Labels[namespaceKey] != "" })
	for i := range a.r.Ends {
		e := &a.r.Ends[i]
		byGroup := map[string][]int{}
		for _, w := range e.Workloads {
			x := &a.inv.Workloads[w]
			k, v := group(x)
			_, zone := a.zoneOf(x)
			key := zone + "\x00" + k + "\x00" + v
			byGroup[key] = append(byGroup[key], w)
		}
		for _, ws := range inOrder(byGroup) {
			a.ofEnd[i] = append(a.ofEnd[i], len(a.all))
			a.all = append(a.all, atom{workloads: ws, end: i})
		}
	}
	a.places = len(a.all)
	a.placesOf()
}

// named gives a selector and a name to what rules are to speak of one by one.
func (a *adopter) named() {
	a.labels = newDescriber(a.inv)
	used := map[int]bool{}
	for n := range a.sets {
		a.rects = append(a.rects, a.rectangles(n))
		for _, r := range a.rects[n] {
			_, _, from := a.coarse(r.from, r.to)
			_, _, to := a.coarse(r.to, nil)
			maps.Copy(used, from)
			maps.Copy(used, to)
		}
	}
	var some []int
	for i := range a.all[:a.places] {
		x := &a.all[i]
		if !used[i] {
			continue
		}
		if x.selector = a.labels.describe(x.workloads); x.selector == "" {
			x.selector = a.label(i)
		}
		x.name = a.nameOf(x)
		some = append(some, i)
	}
	a.distinct(some)
}

// inOrder returns the values of a map by key.
func inOrder(m map[string][]int) [][]int {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	out := make([][]int, 0, len(m))
	for _, k := range keys {
		out = append(out, m[k])
	}
	return out
}

// labelKey is the label that workloads get which no label of theirs tells apart.
const labelKey = "adopted"

// label gives an atom's workloads a label of their own: what treats them
// differently (a group's members, an address) is nothing that labels say.
func (a *adopter) label(i int) string {
	if a.labelled == nil {
		a.labelled = map[string]string{}
	}
	_, value := group(&a.inv.Workloads[a.all[i].workloads[0]])
	value = fmt.Sprintf("%s-%d", cmp.Or(slug(value), "group"), i+1)
	for _, w := range a.all[i].workloads {
		a.labelled[a.inv.Workloads[w].Name] = value
	}
	a.note("%s: no label tells them from others that are treated differently; labels.yaml gives them %s=%s",
		few(a.inv, a.all[i].workloads), labelKey, value)
	return labelKey + "=" + value
}

func few(inv *inventory.Snapshot, ws []int) string {
	var names []string
	for _, w := range ws[:min(3, len(ws))] {
		names = append(names, inv.Workloads[w].Name)
	}
	if len(ws) > 3 {
		names = append(names, fmt.Sprintf("%d more", len(ws)-3))
	}
	return strings.Join(names, ", ")
}

// nameOf proposes a name for a service.
func (a *adopter) nameOf(x *atom) string {
	_, value := group(&a.inv.Workloads[x.workloads[0]])
	if i := strings.LastIndexByte(value, '/'); i >= 0 {
		value = value[i+1:] // of a role's ARN
	}
	return cmp.Or(slug(value), slug(a.inv.Workloads[x.workloads[0]].Name), "workloads")
}

// names hands out names that nothing else of the kind has.
type names struct {
	taken map[string]bool
	next  map[string]int // by name: the number to try
}

// newNames knows the names that the language keeps for itself, and the word that
// means no value in YAML.
func newNames(more ...string) *names {
	n := &names{taken: map[string]bool{"world": true, "unknown": true, "builtin": true, "null": true}, next: map[string]int{}}
	for _, x := range more {
		n.taken[x] = true
	}
	return n
}

// distinct makes the names of services different: by their zones, then by
// numbers. Groups, which people gave their names, come first.
func (a *adopter) distinct(atoms []int) {
	count := map[string]int{}
	groups := a.groups()
	for _, g := range groups {
		count[g.name]++
	}
	for _, i := range atoms {
		count[a.all[i].name]++
	}
	free := newNames()
	in := func(zone, name string) string {
		if count[name] > 1 && zone != "" {
			name = slug(zone[:min(len(zone), 24)] + "-" + name)
		}
		return free.free(name)
	}
	for _, g := range groups {
		g.name = in(g.zone, cmp.Or(g.name, "group"))
	}
	for _, i := range atoms {
		x := &a.all[i]
		zone, selector := a.zoneOf(&a.inv.Workloads[x.workloads[0]])
		if selector == "" {
			zone = ""
		}
		x.name = in(zone, x.name)
	}
}

// groups lists those that rules speak of.
func (a *adopter) groups() []*membership {
	if a.cover == nil {
		return nil
	}
	var out []*membership
	for _, g := range a.cover.groups {
		if g.taken {
			out = append(out, g)
		}
	}
	slices.SortFunc(out, func(x, y *membership) int { return x.label.compare(y.label) })
	return out
}

// free is the name, with a number behind it if it is taken.
func (n *names) free(base string) string {
	name := base
	for n.taken[name] {
		n.next[base] = max(n.next[base], 1) + 1
		name = fmt.Sprintf("%s-%d", base, n.next[base])
	}
	n.taken[name] = true
	return name
}

// slug turns a text into a name of the language: lower case letters, digits and
// dashes.
func slug(s string) string {
	var b strings.Builder
	for _, c := range strings.ToLower(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			b.WriteRune(c)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	out := strings.Trim(b.String(), "-")
	return strings.Trim(out[:min(len(out), 50)], "-")
}
