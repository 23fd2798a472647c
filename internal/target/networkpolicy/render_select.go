package networkpolicy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/label"
	"firebreak/internal/plan"
)

// object is what one NetworkPolicy selects.
type object struct {
	namespace string
	selector  string // in YAML
	text      string // for a comment
}

// objects lists the NetworkPolicies that select a subject's pods, by namespace.
func (r *renderer) objects(s *plan.Subject) []object {
	var out []object
	seen := map[object]bool{}
	add := func(namespace, selector, text string) {
		if key := (object{namespace: namespace, selector: selector}); !seen[key] {
			seen[key] = true
			out = append(out, object{namespace, selector, text})
		}
	}
	for _, c := range r.covers(s.Identities) {
		if c.known {
			selector := selectorYAML(c.pods)
			for _, id := range c.Identities {
				for _, w := range r.kinds[id] {
					add(w.Labels["k8s/namespace"], selector, c.Text)
				}
			}
			continue
		}
		for _, o := range r.exactly(c.Identities) {
			if x := r.mistaken(o, s.Identities); x != nil {
				r.diags.Errorf(r.place(s), "not-expressible", "networkpolicy: %s: the cluster cannot tell the pods of %s from those of %s, which are treated otherwise", s.Name, o.of.Name, x.Name).
					WithHelp(tellApart)
			}
			add(o.namespace, selectorYAML(o.pods), "all labels of "+o.of.Name)
		}
	}
	slices.SortStableFunc(out, func(a, b object) int { return strings.Compare(a.namespace, b.namespace) })
	return out
}

// cover is a set of pods and how the cluster may select it; known is not set
// where it has no selector for it.
type cover struct {
	plan.Cover
	*split
	known bool
}

// split is a selector of the text as the cluster would have it.
type split struct {
	spaces, pods []label.Requirement
	ok           bool   // the cluster has it
	peer         string // in YAML, if it is ok
	others       []int  // of one that was made of an identity's labels: whose pods it selects
}

// splitOf divides the selector of a cover, once for each that there is.
func (r *renderer) splitOf(c plan.Cover) *split {
	if x := r.splits[c.Text]; x != nil {
		return x
	}
	x := &split{}
	r.splits[c.Text] = x
	if x.spaces, x.pods, x.ok = r.split(c.Select); !x.ok {
		return x
	}
	x.peer = peerYAML(x.spaces, x.pods, c.Text)
	if len(c.Identities) == 1 && c.Text == c.Select.String() {
		for id, pods := range r.kinds {
			if slices.ContainsFunc(pods, func(w *inventory.Workload) bool { return c.Select.Matches(w.Labels) }) {
				x.others = append(x.others, id)
			}
		}
	}
	return x
}

// covers describes the pods of identities. A selector of the text means them and
// nobody else; one made of an identity's labels may also match others, that
// differ in what is no label.
func (r *renderer) covers(ids []int) []cover {
	var out []cover
	for _, c := range r.w.Cover(ids) {
		if !r.hasPods(c.Identities) {
			continue
		}
		x := cover{Cover: c, split: r.splitOf(c)}
		x.known = x.ok
		for _, id := range x.others {
			_, in := slices.BinarySearch(ids, id)
			x.known = x.known && in
		}
		out = append(out, x)
	}
	return out
}

// split divides a selector of the text into one of namespaces and one of pods.
// It is not ok where the cluster has no such label: those of service accounts,
// those that the inventory made, and those of namespaces with a dot, of which it
// is not known whether it was a slash.
func (r *renderer) split(s label.Selector) (spaces, pods []label.Requirement, ok bool) {
	for _, q := range s.Requirements() {
		key, ofSpace := strings.CutPrefix(q.Key, "k8s/namespace.")
		switch {
		case q.Key == "k8s/namespace" && q.Op == label.Exists: // all pods have one
		case q.Key == "k8s/namespace":
			spaces = append(spaces, label.Requirement{Key: "kubernetes.io/metadata.name", Op: q.Op, Values: q.Values})
		case ofSpace && !strings.Contains(key, "."):
			spaces = append(spaces, label.Requirement{Key: key, Op: q.Op, Values: q.Values})
		case q.Key == "k8s/hostnetwork" && q.Op == label.NotExists: // only those are written about
		case label.IsBuiltin(q.Key) || r.made[q.Key]:
			return nil, nil, false
		default:
			pods = append(pods, q)
		}
	}
	needs := func(q label.Requirement) bool { return q.Op == label.In || q.Op == label.Exists }
	if len(spaces) > 0 && !slices.ContainsFunc(spaces, needs) {
		// Every namespace has a name. Cilium lets a selector that is met by the
		// absence of labels also match what is in no namespace at all.
		spaces = append(spaces, label.Requirement{Key: "kubernetes.io/metadata.name", Op: label.Exists})
	}
	return spaces, pods, true
}

// alike are the pods in a namespace that have some labels.
type alike struct {
	namespace string
	pods      []label.Requirement
	of        *inventory.Workload
}

// exactly selects the pods of some identities by all labels that they have in
// the cluster.
func (r *renderer) exactly(ids []int) []alike {
	var out []alike
	seen := map[object]bool{}
	for _, id := range ids {
		for _, w := range r.kinds[id] {
			list := requirements(own(w))
			key := object{namespace: w.Labels["k8s/namespace"], selector: selectorYAML(list)}
			if !seen[key] {
				seen[key] = true
				out = append(out, alike{key.namespace, list, w})
			}
		}
	}
	return out
}

// mistaken returns a pod that is selected and is of none of those identities.
func (r *renderer) mistaken(a alike, ids []int) *inventory.Workload {
	for _, x := range r.kindsIn[a.namespace] {
		if _, in := slices.BinarySearch(ids, x.identity); in {
			continue
		}
		if !slices.ContainsFunc(a.pods, func(q label.Requirement) bool { return !q.Matches(own(x.Workload)) }) {
			return x.Workload
		}
	}
	return nil
}

// own returns the labels of a workload's pods.
func own(w *inventory.Workload) map[string]string {
	if w.Pod != nil {
		return w.Pod
	}
	return w.Labels
}

func requirements(labels map[string]string) []label.Requirement {
	var out []label.Requirement
	for _, k := range sortedNames(labels) {
		if !label.IsBuiltin(k) {
			out = append(out, label.Requirement{Key: k, Op: label.In, Values: []string{labels[k]}})
		}
	}
	return out
}

// selectorYAML writes a label selector on one line.
func selectorYAML(list []label.Requirement) string {
	var equal, other []string
	seen := map[string]bool{}
	for _, q := range list {
		if q.Op == label.In && len(q.Values) == 1 && !seen[q.Key] {
			seen[q.Key] = true
			equal = append(equal, quote(q.Key)+": "+quote(q.Values[0]))
			continue
		}
		other = append(other, expressionYAML(q))
	}
	var parts []string
	if equal != nil {
		parts = append(parts, "matchLabels: {"+strings.Join(equal, ", ")+"}")
	}
	if other != nil {
		parts = append(parts, "matchExpressions: ["+strings.Join(other, ", ")+"]")
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func expressionYAML(q label.Requirement) string {
	op := [...]string{label.In: "In", label.NotIn: "NotIn", label.Exists: "Exists", label.NotExists: "DoesNotExist"}[q.Op]
	if q.Op == label.Exists || q.Op == label.NotExists {
		return fmt.Sprintf("{key: %s, operator: %s}", quote(q.Key), op)
	}
	var values []string
	for _, v := range q.Values {
		values = append(values, quote(v))
	}
	return fmt.Sprintf("{key: %s, operator: %s, values: [%s]}", quote(q.Key), op, strings.Join(values, ", "))
}

// quote writes a string so that YAML reads it back as that string. What looks
// like a plain word stays one.
func quote(s string) string {
	plain := s != "" && s[0] >= 'a' && s[0] <= 'z'
	for _, c := range []byte(s) {
		plain = plain && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '/')
	}
	switch s {
	case "true", "false", "yes", "no", "on", "off", "null", "y", "n":
		plain = false
	}
	if plain {
		return s
	}
	return strconv.Quote(s)
}

// comment makes a text fit for a comment: it stays on its line.
func comment(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c == 0x85 || c == 0x2028 || c == 0x2029 || c == 0xfeff {
			return '?'
		}
		return c
	}, s)
}

func trailing(text string) string {
	if text == "" {
		return ""
	}
	return "  # " + comment(text)
}

// objectName makes a name that an object may have: small letters, digits,
// hyphens and dots, at most 253 of them, beginning as ours do.
func objectName(s string) string {
	b := []byte("firebreak-" + strings.ToLower(s))
	for i, c := range b {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			b[i] = '-'
		}
	}
	const most = 240 // with room for a number
	if len(b) > most {
		b = b[:most]
	}
	return strings.TrimRight(string(b), "-")
}

// unique returns a name that no other object has.
func (r *renderer) unique(name string) string {
	out := name
	for n := 2; r.names[out]; n++ {
		out = fmt.Sprintf("%s-%d", name, n)
	}
	r.names[out] = true
	return out
}

// closed says that something the policy permits is not opened.
func (r *renderer) closed(s *plan.Subject, dir flow.Direction, format string, args ...any) *diag.Diagnostic {
	word := "to reach " + s.Name
	if dir == flow.Egress {
		word = "to be reached by " + s.Name
	}
	return r.diags.Warnf(r.place(s), "not-expressible", "networkpolicy: %s, which the policy permits %s, stays closed", fmt.Sprintf(format, args...), word)
}

func (r *renderer) place(s *plan.Subject) diag.Pos {
	if len(s.Services) > 0 {
		return r.w.Policy.Services[s.Services[0]].Pos
	}
	return r.w.Policy.Zones[s.Zone].Pos
}
