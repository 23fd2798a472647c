package networkpolicy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/label"
	"firebreak/internal/netset"
	"firebreak/internal/plan"
	"firebreak/internal/policy"
	"firebreak/internal/verify"
)

// watch is what may pass at the end of a subject whose zone observes: everything,
// but for what is denied in force. A NetworkPolicy can only permit, so all the
// rest has to be said, also of what no inventory knows.
type watch struct {
	r       *renderer
	s       *plan.Subject
	dir     flow.Direction
	traffic map[verify.Peer]netset.Traffic // nothing where it is missing
}

// observed writes what can be said of a subject whose zone observes, and lists the
// objects for it. It takes out of isolates the directions that stay open, since
// what is denied in force could not be kept out without shutting out others, too.
func (r *renderer) observed(spec *strings.Builder, s *plan.Subject, isolates *[2]bool) []object {
	said := len(r.diags)
	objects := r.objects(s)
	selected := ""
	if len(r.diags) > said {
		r.diags = r.diags[:said]
		selected = "pods that it cannot tell from these"
	}
	for _, dir := range []flow.Direction{flow.Ingress, flow.Egress} {
		if !isolates[dir] {
			continue
		}
		if r.everything(s, dir) {
			isolates[dir] = false
			continue
		}
		text, why := "", selected
		if why == "" {
			text, why = r.watched(s, dir)
		}
		if why == "" {
			spec.WriteString(text)
			continue
		}
		isolates[dir] = false
		word := "to"
		if dir == flow.Egress {
			word = "from"
		}
		r.diags.Warnf(r.place(s), "unenforced", "networkpolicy: what is denied %s %s is not enforced here, since its zone %s observes and a policy would also shut out %s", word, s.Name, r.w.Policy.Zones[s.Zone].Name, why).
			WithHelp("let a target that can deny enforce it (istio, nftables, ebpf), or promote the zone to enforce")
	}
	return objects
}

// everything reports whether everything passes, as far as somebody can tell who
// sees no requests and times.
func (r *renderer) everything(s *plan.Subject, dir flow.Direction) bool {
	n := 0
	for _, g := range s.Grants(dir) {
		if g.Open.IsAll() {
			n += len(g.Peers)
		}
	}
	return n == r.everybody
}

// watched writes one direction of a subject whose zone observes. Where that would
// shut out anything beside what is denied, why says what, and nothing is to be
// written.
func (r *renderer) watched(s *plan.Subject, dir flow.Direction) (spec, why string) {
	w := &watch{r: r, s: s, dir: dir, traffic: map[verify.Peer]netset.Traffic{}}
	for i := range s.Grants(dir) {
		g := &s.Grants(dir)[i]
		if portless := g.Open.Subtract(withPorts); !g.Open.IsAll() && !portless.IsEmpty() {
			return "", fmt.Sprintf("%s, of which it cannot speak beside ports", portless)
		}
		for _, x := range g.Peers {
			w.traffic[x] = g.Open
		}
	}
	said := len(r.diags)
	if why := w.names(); why != "" {
		return "", why
	}
	pods, why := w.pods()
	if why != "" {
		return "", why
	}
	blocks, why := w.blocks()
	if why != "" {
		return "", why
	}
	var b strings.Builder
	word := "from"
	if dir == flow.Egress {
		word = "to"
	}
	if items := append(pods, blocks...); len(items) > 0 {
		fmt.Fprintf(&b, "  # the zone %s observes: everything but what is denied in force\n  - %s:\n%s", comment(r.w.Policy.Zones[s.Zone].Name), word, strings.Join(items, ""))
	}
	for i := range s.Grants(dir) {
		if g := &s.Grants(dir)[i]; !g.Open.IsAll() {
			r.grant(&b, s, dir, g)
		}
	}
	if len(r.diags) > said {
		why, _, _ := strings.Cut(strings.TrimPrefix(r.diags[said].Message, "networkpolicy: "), ", which the policy permits")
		r.diags = r.diags[:said]
		return "", why
	}
	r.relayed(&b, s, dir)
	if b.Len() == 0 {
		return fmt.Sprintf("  %s: []  # nobody\n", dir), ""
	}
	return fmt.Sprintf("  %s:\n%s", dir, b.String()), ""
}

// What addresses of workloads are in the table of prefixes.
const (
	openAddress   = "outside of the cluster"
	closedAddress = "workload"
)

// withPorts is all of which a NetworkPolicy can speak beside ports.
var withPorts = netset.Of(netset.TCP, 0, 65535).Union(netset.Of(netset.UDP, 0, 65535)).Union(netset.Of(netset.SCTP, 0, 65535))

func (w *watch) full(x verify.Peer) bool { return w.traffic[x].IsAll() }

// names sees to it that what may be reached by a name may be reached wherever the
// name may lead to.
func (w *watch) names() (why string) {
	e := w.r.w.Engine
	if w.dir == flow.Ingress {
		return "" // nobody comes from a name
	}
	for x := range verify.Peer(e.Peers()) {
		if !e.Exists(x) || !e.ByName(x) || w.traffic[x].IsEmpty() {
			continue
		}
		for a := range verify.Peer(e.Peers()) {
			if e.Exists(a) && e.Identity(a) < 0 && !e.ByName(a) && !w.traffic[x].Subtract(w.traffic[a]).IsEmpty() {
				return fmt.Sprintf("%s, known by its name only", e.Name(x))
			}
		}
	}
	return ""
}

// pods selects all pods but those of which something is denied, also those that
// come to be: by the contrary of the selectors of these.
func (w *watch) pods() (items []string, why string) {
	e, inv := w.r.w.Engine, w.r.w.Policy.Inventory
	for i := range inv.Workloads {
		if x := &inv.Workloads[i]; slices.Contains(w.r.odd, x) && !w.full(e.OfWorkload(i)) {
			return nil, fmt.Sprintf("the node of %s, which is in its network", x.Name)
		}
	}
	var open, denied []int
	for id := range w.r.podsOf {
		if len(w.r.podsOf[id]) == 0 {
			continue
		}
		if w.full(e.OfIdentity(id)) {
			open = append(open, id)
		} else {
			denied = append(denied, id)
		}
	}
	if !w.strangers() { // so are pods that come to be
		return w.r.selected(w.s, w.dir, open), ""
	}
	named := []label.Requirement{{Key: "kubernetes.io/metadata.name", Op: label.Exists}}
	choices := [][]term{{{spaces: named}}}
	for _, c := range w.r.covers(denied) {
		if !c.known {
			return nil, fmt.Sprintf("pods beside those of %s, which the cluster has no selector for", c.Text)
		}
		var contrary []term
		for _, q := range c.spaces {
			if q.Key == "kubernetes.io/metadata.name" && q.Op == label.Exists {
				continue // every namespace has one
			}
			contrary = append(contrary, term{spaces: []label.Requirement{not(q)}})
		}
		for _, q := range c.pods {
			contrary = append(contrary, term{pods: []label.Requirement{not(q)}})
		}
		if contrary == nil {
			return nil, "" // all pods are denied
		}
		choices = append(choices, contrary)
	}
	terms, ok := product(choices)
	if !ok {
		return nil, fmt.Sprintf("pods beside the many of which something is denied (more than %d selectors)", mostTerms)
	}
	for _, t := range terms {
		items = append(items, peerYAML(t.spaces, t.pods, "all pods but those that are denied"))
	}
	return items, ""
}

// term is a conjunction of requirements.
type term struct{ spaces, pods []label.Requirement }

// mostTerms is how many selectors a rule may have for all pods but some.
const mostTerms = 64

// product makes of a conjunction of choices a choice of conjunctions.
func product(choices [][]term) ([]term, bool) {
	out := []term{{}}
	for _, choice := range choices {
		var next []term
		for _, t := range out {
			for _, c := range choice {
				next = append(next, term{spaces: join(t.spaces, c.spaces), pods: join(t.pods, c.pods)})
			}
		}
		if out = next; len(out) > mostTerms {
			return nil, false
		}
	}
	return out, true
}

func join(a, b []label.Requirement) []label.Requirement {
	return append(slices.Clip(a), b...)
}

// not is the contrary of a requirement. A label that is missing meets NotIn:
// https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#set-based-requirement
func not(q label.Requirement) label.Requirement {
	q.Op = map[label.Op]label.Op{label.In: label.NotIn, label.NotIn: label.In, label.Exists: label.NotExists, label.NotExists: label.Exists}[q.Op]
	return q
}

// strangers reports whether what no inventory knows may do everything: unknown
// addresses of the estate, or if it has no networks, the world.
func (w *watch) strangers() bool {
	e := w.r.w.Engine
	for x := range w.traffic {
		if w.full(x) && e.Identity(x) < 0 && (e.Unknown(x) || x == e.World() && len(w.r.w.Policy.Networks) == 0) {
			return true
		}
	}
	return false
}

// blocks opens all addresses but those of which something is denied. An ipBlock
// may also match pods, so that those have to be left out by their addresses.
func (w *watch) blocks() (items []string, why string) {
	e, p := w.r.w.Engine, w.r.w.Policy
	kinds, unknown, outside := map[string]bool{}, false, false
	for x := range w.traffic {
		if !w.full(x) || e.Identity(x) >= 0 || e.ByName(x) {
			continue
		}
		if e.Unknown(x) {
			unknown = true
		} else {
			kinds[kind(e.Externals(x))], outside = true, true
		}
	}
	table := slices.Clone(w.r.table)
	owner := map[netip.Addr]bool{} // whether its owner may do everything
	within := false                // something in the estate's networks is left out
	var nowhere *inventory.Workload
	for i := range p.Inventory.Workloads {
		x := &p.Inventory.Workloads[i]
		pod := x.Labels["k8s/namespace"] != ""
		open := w.full(e.OfWorkload(i))
		if len(x.Addresses) == 0 && !open && (unknown || outside && len(p.Networks) == 0) {
			return nil, fmt.Sprintf("addresses of the estate that no workload is known to have: one of them may be that of %s, which is denied", x.Name)
		}
		if len(x.Addresses) == 0 && open && !pod {
			nowhere = x
		}
		for _, a := range x.Addresses {
			if was, seen := owner[a]; seen && was != open {
				return nil, fmt.Sprintf("%s, whose address %s another workload has, too", x.Name, a)
			}
			owner[a] = open
			in := slices.ContainsFunc(p.Networks, func(n netip.Prefix) bool { return n.Contains(a) })
			within = within || in && !open
			word := closedAddress
			if open && pod {
				continue // by its labels
			} else if open {
				word = openAddress
			}
			table = append(table, policy.PrefixPeer{Prefix: netip.PrefixFrom(a, a.BitLen()), Builtin: word})
		}
	}
	if nowhere != nil && (!unknown || within) {
		return nil, fmt.Sprintf("%s, which is not in the cluster and has no known address", nowhere.Name)
	}
	slices.SortStableFunc(table, func(a, b policy.PrefixPeer) int { return comparePrefixes(a.Prefix, b.Prefix) })
	return w.r.cut(table, func(x policy.PrefixPeer) bool {
		switch {
		case x.Builtin == openAddress:
			return true
		case x.Builtin != "": // metadata and resolvers pass in the intent, whatever is denied
			return w.dir == flow.Egress && x.Builtin != closedAddress && x.Builtin != "loopback"
		case x.Unknown:
			return unknown
		}
		return kinds[kind(x.Externals)]
	}), ""
}
