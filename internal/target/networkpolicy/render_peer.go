package networkpolicy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"firebreak/internal/flow"
	"firebreak/internal/label"
	"firebreak/internal/netset"
	"firebreak/internal/plan"
	"firebreak/internal/policy"
)

// peers writes who a grant speaks of, an item each; everyone is set if that is
// everybody there is, for which no list need be written.
func (r *renderer) peers(s *plan.Subject, dir flow.Direction, g *plan.Grant) (items []string, everyone bool) {
	if len(g.Peers) == r.everybody {
		return nil, true
	}
	e := r.w.Engine
	var ids []int
	in := map[string]bool{} // kinds of address
	unknown := false
	for _, x := range g.Peers {
		switch id := e.Identity(x); {
		case id >= 0:
			ids = append(ids, id)
		case e.ByName(x):
			r.closed(s, dir, "%s, known by its name only", e.Name(x)).
				WithHelp("give the External CIDRs, or let a target enforce it that follows names")
		case e.Unknown(x):
			unknown = true
		default:
			in[kind(e.Externals(x))] = true
		}
	}
	slices.Sort(ids)
	items = r.selected(s, dir, ids)
	items = append(items, r.addressed(s, dir, ids)...)
	if unknown && r.mayOpenUnknown(ids) {
		in["unknown"] = true
	} else if unknown {
		r.closed(s, dir, "what is unknown in the estate's networks").
			WithHelp("an ipBlock of the networks could also let in pods that the policy does not permit")
	}
	if len(in) > 0 {
		items = append(items, r.blocks(in)...)
	}
	return items, false
}

// mayOpenUnknown reports whether the estate's own networks may be opened by
// address: there is no workload in them that would be let in too.
func (r *renderer) mayOpenUnknown(granted []int) bool {
	for id := range r.podsOf {
		if _, in := slices.BinarySearch(granted, id); !in && len(r.podsOf[id])+len(r.hosts[id]) > 0 {
			return false
		}
	}
	return len(r.odd) == 0
}

// kind names a kind of address by the Externals that it is in.
func kind(externals []int) string {
	return fmt.Sprint("externals", externals)
}

// selected writes pods, by selectors of the text where the cluster knows their
// labels.
func (r *renderer) selected(s *plan.Subject, dir flow.Direction, ids []int) []string {
	var out []string
	for _, c := range r.covers(ids) {
		if c.known {
			out = append(out, c.peer)
			continue
		}
		for _, o := range r.exactly(c.Identities) {
			if x := r.mistaken(o, ids); x != nil {
				r.closed(s, dir, "%s, whose pods the cluster cannot tell from those of %s,", o.of.Name, x.Name).WithHelp(tellApart)
				continue
			}
			space := []label.Requirement{{Key: "kubernetes.io/metadata.name", Op: label.In, Values: []string{o.namespace}}}
			out = append(out, peerYAML(space, o.pods, "all labels of "+o.of.Name))
		}
	}
	return out
}

const tellApart = "give the pods a label that tells them apart, and let the policy select by it"

func peerYAML(spaces, pods []label.Requirement, text string) string {
	first := "    - namespaceSelector: " + selectorYAML(spaces)
	if len(pods) == 0 {
		return first + trailing(text) + "\n"
	}
	return first + "\n      podSelector: " + selectorYAML(pods) + trailing(text) + "\n"
}

// addressed writes workloads outside of the cluster by their addresses.
func (r *renderer) addressed(s *plan.Subject, dir flow.Direction, ids []int) []string {
	var out []string
	for _, id := range ids {
		write := r.lines[id] == nil
		for _, w := range r.hosts[id] {
			if len(w.Addresses) == 0 {
				r.closed(s, dir, "%s, which is not in the cluster and has no known address,", w.Name).
					WithHelp("give it addresses in the inventory")
			}
			for _, a := range w.Addresses {
				if write {
					r.lines[id] = append(r.lines[id], blockYAML(netip.PrefixFrom(a, a.BitLen()), nil, w.Name))
				}
			}
		}
		out = append(out, r.lines[id]...)
	}
	return out
}

// blocks writes kinds of address, so that nothing of another kind is in them.
func (r *renderer) blocks(in map[string]bool) []string {
	key := strings.Join(sortedNames(in), " ")
	if done, ok := r.blocksOf[key]; ok {
		return done
	}
	table := r.table
	for i := range r.w.Policy.Inventory.Workloads { // those outside of the networks would be in what is external
		for _, a := range r.w.Policy.Inventory.Workloads[i].Addresses {
			if !slices.ContainsFunc(r.w.Policy.Networks, func(p netip.Prefix) bool { return p.Contains(a) }) {
				table = append(slices.Clip(table), policy.PrefixPeer{Prefix: netip.PrefixFrom(a, a.BitLen()), Builtin: "workload"})
			}
		}
	}
	if len(table) > len(r.table) {
		slices.SortStableFunc(table, func(a, b policy.PrefixPeer) int { return comparePrefixes(a.Prefix, b.Prefix) })
	}
	wanted := func(x policy.PrefixPeer) bool {
		switch {
		case x.Builtin != "":
			return false
		case x.Unknown:
			return in["unknown"]
		}
		return in[kind(x.Externals)]
	}
	r.blocksOf[key] = r.cut(table, wanted)
	return r.blocksOf[key]
}

func comparePrefixes(a, b netip.Prefix) int {
	if c := a.Addr().Compare(b.Addr()); c != 0 {
		return c
	}
	return a.Bits() - b.Bits()
}

// cut turns a table of longest matches, sorted by address and then by length,
// into blocks: a prefix that is wanted and whose next shorter one is not begins
// a block; what is not wanted is excepted from it.
func (r *renderer) cut(table []policy.PrefixPeer, wanted func(policy.PrefixPeer) bool) []string {
	type open struct {
		prefix netip.Prefix
		wanted bool
		block  int
	}
	type block struct {
		prefix netip.Prefix
		except []netip.Prefix
		text   string
	}
	var blocks []block
	var stack []open
	for _, x := range table {
		for len(stack) > 0 && !holds(stack[len(stack)-1].prefix, x.Prefix) {
			stack = stack[:len(stack)-1]
		}
		now, was := wanted(x), open{block: -1}
		if len(stack) > 0 {
			was = stack[len(stack)-1]
		}
		next := open{x.Prefix, now, was.block}
		switch {
		case was.prefix == x.Prefix && was.wanted && !now && was.block >= 0 && blocks[was.block].prefix == x.Prefix:
			blocks[was.block].prefix = netip.Prefix{} // the same addresses, but a workload's
		case now && !was.wanted:
			next.block = len(blocks)
			blocks = append(blocks, block{x.Prefix, nil, r.external(x)})
		case !now && was.wanted:
			blocks[was.block].except = append(blocks[was.block].except, x.Prefix)
		}
		stack = append(stack, next)
	}
	var out []string
	for _, b := range blocks {
		if b.prefix.IsValid() {
			out = append(out, blockYAML(b.prefix, b.except, b.text))
		}
	}
	return out
}

// holds reports whether a contains all of b.
func holds(a, b netip.Prefix) bool {
	return a.Bits() <= b.Bits() && a.Contains(b.Addr())
}

func (r *renderer) external(x policy.PrefixPeer) string {
	if x.Builtin != "" {
		return x.Builtin
	}
	if x.Unknown {
		return "unknown addresses of the estate"
	}
	if len(x.Externals) == 0 {
		return "the rest of the world"
	}
	var names []string
	for _, i := range x.Externals {
		names = append(names, r.w.Policy.Externals[i].Name)
	}
	return "external " + strings.Join(names, ", ")
}

func blockYAML(p netip.Prefix, except []netip.Prefix, text string) string {
	if len(except) == 0 {
		return fmt.Sprintf("    - ipBlock: {cidr: %q}%s\n", p, trailing(text))
	}
	var list []string
	for _, x := range except {
		list = append(list, fmt.Sprintf("%q", x))
	}
	return fmt.Sprintf("    - ipBlock: {cidr: %q, except: [%s]}%s\n", p, strings.Join(list, ", "), trailing(text))
}

// ports writes a grant's traffic, an item each; all is set if it is everything,
// for which no list need be written.
func (r *renderer) ports(s *plan.Subject, dir flow.Direction, g *plan.Grant) (items []string, all bool) {
	if later := g.Set.Ports().Subtract(g.Open); !later.IsEmpty() {
		r.closed(s, dir, "%s at some times only", later)
	}
	if g.Open.IsAll() {
		return nil, true
	}
	lost := netset.None()
	for proto, ports := range g.Open.Runs() {
		switch lo := max(ports.Lo, 1); {
		case !proto.HasPorts():
			lost = lost.Union(netset.Of(proto, 0, 0))
		case ports.Lo == 0 && ports.Hi == 65535:
			items = append(items, fmt.Sprintf("    - {protocol: %s}\n", proto))
		case lo > ports.Hi: // port 0 alone
			lost = lost.Union(netset.Of(proto, 0, 0))
		case lo == ports.Hi && ports.Lo != 0:
			items = append(items, fmt.Sprintf("    - {protocol: %s, port: %d}\n", proto, lo))
		default:
			items = append(items, fmt.Sprintf("    - {protocol: %s, port: %d, endPort: %d}\n", proto, lo, ports.Hi))
		}
	}
	if !lost.IsEmpty() {
		r.noteLost(s, dir, lost)
	}
	return items, false
}

// noteDNS remembers a subject that may not ask the cluster's DNS.
func (r *renderer) noteDNS(s *plan.Subject) {
	for _, g := range s.Egress {
		if !g.Open.Contains(netset.UDP, 53) {
			continue
		}
		for _, x := range g.Peers {
			if r.dns[x] {
				return
			}
		}
		if len(r.dns) == 0 && len(g.Peers) == r.everybody {
			return
		}
	}
	r.noDNS = append(r.noDNS, s.Name)
}

// servesDNS recognises the cluster's DNS by the label that kube-dns, CoreDNS and
// the caches before them have: https://kubernetes.io/docs/tasks/administer-cluster/dns-custom-nameservers/
func servesDNS(labels map[string]string, name string) bool {
	app := labels["k8s-app"]
	return app == "kube-dns" || app == "coredns" || app == "node-local-dns" ||
		labels["k8s/namespace"] == "kube-system" && (strings.Contains(name, "/coredns") || strings.Contains(name, "/kube-dns"))
}
