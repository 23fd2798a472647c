package nftables

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/layer"
)

// visit reads the rules of one host for all its workloads. What is the same for
// several local addresses is walked once.
type visit struct {
	l      *lifter
	r      *ruleset
	file   string
	own    [2]*area // the host's own addresses
	walks  map[walkKey]*choice
	behind [2]*area // see inner; nil: not known yet
}

// walkKey is what a walk depends on, beside the local address.
type walkKey struct {
	c         *chain
	family    int
	direction flow.Direction
	reply     bool
	outer     bool // only peers that are not behind the host
}

// choice is a place in walks where it matters whether the local address is in an
// area; with no area, it is their end.
type choice struct {
	area *area
	next [2]*choice // if it is not, and if it is
	end  *walked
}

// walked is what a walk came to.
type walked struct {
	id       int // the same for all that came to the same
	entries  []entry
	rewrites []*statements
}

// view is what a base chain says of one direction of a workload's
// conversations.
type view struct {
	table     *table
	chain     *chain
	direction flow.Direction
	workload  int
	point     int
	lists     [2][]*walked // by family: what the walks of its addresses came to
}

// tableKey is what tells tables apart.
type tableKey struct {
	direction           flow.Direction
	family, name, chain string
	said                *answers
}

func (l *lifter) visit(r *ruleset, file string, here []int) *visit {
	return &visit{l, r, file, l.ownAddresses(here), map[walkKey]*choice{}, [2]*area{}}
}

// hooksOf are the hooks that a workload's conversations pass, by direction:
// those of the host itself, or those of what it forwards. Pods have network
// namespaces of their own behind their host; everything else is taken for
// processes of the host, and so are pods in its network. https://wiki.nftables.org/wiki-nftables/index.php/Netfilter_hooks
func hooksOf(w *inventory.Workload, d flow.Direction) []string {
	switch {
	case behind(w):
		return []string{"prerouting", "forward", "postrouting", "ingress", "egress"}
	case d == flow.Ingress:
		return []string{"prerouting", "input", "ingress"}
	}
	return []string{"output", "postrouting", "egress"}
}

// behind reports whether a workload has a network namespace of its own.
func behind(w *inventory.Workload) bool {
	return w.Namespace != "" && w.Labels["k8s/hostnetwork"] != "true"
}

// views reads every base chain for the host's workloads.
func (v *visit) views(here []int) (out []view) {
	for _, t := range v.r.tables {
		if t.dormant || t.family == "arp" {
			continue
		}
		for _, c := range t.chains {
			if c.hook == "" {
				continue
			}
			if t.family == "bridge" || t.family == "netdev" {
				for _, w := range here {
					v.doubt(c.line, fmt.Sprintf("which conversations pass the chain %s of the table %s %s, which is bound to devices, is not known", c.name, t.family, t.name), w)
				}
				continue
			}
			needed := v.directions(t, c, here)
			for _, d := range bothWays {
				for _, w := range here {
					if !v.passes(w, d, c) {
						continue
					}
					if slices.Contains(needed, d) {
						out = append(out, v.view(t, c, w, d))
					}
					v.replies(t, c, w, d)
				}
			}
		}
	}
	return out
}

// passes reports whether a workload's conversations of a direction pass a chain.
func (v *visit) passes(w int, d flow.Direction, c *chain) bool {
	return slices.Contains(hooksOf(&v.l.src.Inventory.Workloads[w], d), c.hook)
}

// directions are those that have to be asked about a chain. Both, but for what is
// between two addresses behind the host: what is one's coming is the other's
// going. If a chain lets everything else of one direction pass, it is enough to
// ask about the other.
func (v *visit) directions(t *table, c *chain, here []int) []flow.Direction {
	for i, d := range bothWays {
		if v.needless(t, c, here, d) {
			return bothWays[1-i : 2-i]
		}
	}
	return bothWays
}

var bothWays = []flow.Direction{flow.Egress, flow.Ingress}

func (v *visit) needless(t *table, c *chain, here []int, d flow.Direction) bool {
	inner, any := v.inner(here), false
	if inner[0].empty() && inner[1].empty() {
		return false
	}
	outer := [2]*area{inner[0].not(0), inner[1].not(1)}
	for _, w := range here {
		if v.passes(w, flow.Ingress, c) != v.passes(w, flow.Egress, c) {
			return false
		}
		if !v.passes(w, d, c) {
			continue
		}
		any = true
		for _, a := range v.l.src.Inventory.Workloads[w].Addresses {
			a = plain(a)
			if f := familyOf(a); t.sees(f) && !v.walk(walkKey{c, f, d, false, true}, t, a, outer[f]).open() {
				return false
			}
		}
	}
	return any
}

// inner are the addresses behind the host that are nobody else's.
func (v *visit) inner(here []int) [2]*area {
	if v.behind[0] == nil {
		var spans [2][]span
		for _, w := range here {
			for _, at := range v.l.peers.places[w] {
				if !slices.ContainsFunc(v.l.peers.owners[at.f][at.k], func(w int) bool {
					return !slices.Contains(here, w) || !behind(&v.l.src.Inventory.Workloads[w])
				}) {
					a := v.l.peers.addrs[at.f][at.k]
					spans[at.f] = append(spans[at.f], span{a, a})
				}
			}
		}
		v.behind = [2]*area{areaOf(spans[0]), areaOf(spans[1])}
	}
	return v.behind
}

func (v *visit) doubt(line int, why string, w int) {
	v.l.doubt(v.file, line, why, layer.Named(v.l.src.Inventory.Workloads[w].Name))
}

func (l *lifter) ownAddresses(here []int) [2]*area {
	var spans [2][]span
	for _, w := range here {
		wl := &l.src.Inventory.Workloads[w]
		for _, a := range wl.Addresses {
			if a = plain(a); !behind(wl) {
				spans[familyOf(a)] = append(spans[familyOf(a)], span{a, a})
			}
		}
	}
	return [2]*area{areaOf(spans[0]), areaOf(spans[1])}
}

func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// sees reports whether a table is asked about a family's packets.
func (t *table) sees(family int) bool {
	return t.family != [2]string{"ip6", "ip"}[family]
}

// open reports whether everything passes.
func (x *walked) open() bool {
	return len(x.rewrites) == 0 && !slices.ContainsFunc(x.entries, func(e entry) bool { return !e.allow || e.unknown != "" })
}

// view reads one base chain for one workload and direction.
func (v *visit) view(t *table, c *chain, w int, d flow.Direction) view {
	out := view{table: t, chain: c, direction: d, workload: w}
	for _, a := range v.l.src.Inventory.Workloads[w].Addresses {
		a = plain(a)
		f := familyOf(a)
		if !t.sees(f) { // it passes
			out.lists[f] = []*walked{v.l.number(f, &walked{entries: []entry{{peer: wholeArea[f], traffic: everything, allow: true}}})}
			continue
		}
		x := v.walk(walkKey{c, f, d, false, false}, t, a, wholeArea[f])
		if !slices.ContainsFunc(out.lists[f], func(y *walked) bool { return x.id == y.id }) {
			out.lists[f] = append(out.lists[f], x)
		}
		for _, r := range x.rewrites {
			v.doubt(r.ref.Line, "the rule rewrites addresses, or leaves connections untracked, so that it is not known who talks with whom", w)
		}
	}
	return out
}

// say turns a view into a table of the layer, and reports whether it governs.
func (l *lifter) say(v *view) bool {
	said := l.answers(v.lists)
	if said.open {
		return false
	}
	key := tableKey{v.direction, v.table.family, v.table.name, v.chain.name, said}
	table := l.tables[key]
	if table == nil {
		table = &layer.Table{Name: fmt.Sprintf("chain %s of table %s %s", v.chain.name, v.table.family, v.table.name), Direction: v.direction, Governs: layer.Match{{Workloads: []string{}}}, Tiers: said.tiers}
		l.tables[key] = table
		l.order = append(l.order, table)
	}
	names := &table.Governs[0].Workloads
	*names = append(*names, l.src.Inventory.Workloads[v.workload].Name)
	return true
}

// walk follows the conversations of a local address with some peers through a
// base chain, or finds that this was done for one that is treated alike.
func (v *visit) walk(key walkKey, t *table, local netip.Addr, peers *area) *walked {
	for at := v.walks[key]; at != nil; at = at.next[rank(at.area.has(local))] {
		if at.end != nil {
			return at.end
		}
	}
	f := key.family
	x := &walker{table: t, local: local, family: f, peers: peers, direction: key.direction, hook: key.c.hook, reply: key.reply, neighbors: v.own[f], lifter: v.l}
	end := &walked{entries: x.base(key.c), rewrites: x.rewrites}
	if !key.outer {
		v.l.number(f, end)
	}
	root := v.walks[key]
	place := &root
	for _, q := range x.asked {
		if *place == nil {
			*place = &choice{area: q.area}
		}
		place = &(*place).next[rank(q.in)]
	}
	*place = &choice{end: end}
	v.walks[key] = root
	return end
}

// number gives a walk its number, and the entries of the first that has it.
func (l *lifter) number(f int, x *walked) *walked {
	key := []byte{byte(f)}
	for i := range x.entries {
		key = l.appendEntry(key, &x.entries[i])
	}
	first := l.walks[string(key)]
	if first == nil {
		x.id = len(l.walks)
		l.walks[string(key)] = x
		return x
	}
	x.id, x.entries = first.id, first.entries
	return x
}

// answers turns what the walks of a workload's addresses, by family, came to
// into rules.
func (l *lifter) answers(lists [2][]*walked) *answers {
	var key []byte
	for f := range lists {
		for _, x := range lists[f] {
			key = binary.AppendUvarint(key, uint64(x.id))
		}
	}
	a := l.said[string(key)]
	if a == nil {
		r := &resolver{l: l}
		for f := range lists {
			for _, x := range lists[f] {
				r.lists[f] = append(r.lists[f], x.entries)
			}
		}
		a = &answers{tiers: r.tiers()}
		a.open = r.open
		l.said[string(key)] = a
	}
	return a
}

// replies checks that what goes back through a chain passes: the replies of what
// the other direction permits are established. They go the other way.
func (v *visit) replies(t *table, c *chain, w int, d flow.Direction) {
	for _, a := range v.l.src.Inventory.Workloads[w].Addresses {
		a = plain(a)
		f := familyOf(a)
		if !t.sees(f) {
			continue
		}
		back := bothWays[rank(d == flow.Egress)]
		for _, e := range v.walk(walkKey{c, f, back, true, false}, t, a, wholeArea[f]).entries {
			if e.allow && e.unknown == "" && e.peer == wholeArea[f] && e.traffic.IsAll() {
				break
			}
			if !e.allow {
				v.doubt(c.line, fmt.Sprintf("the chain %s of table %s %s may drop replies of what is permitted: not all that is established passes it", c.name, t.family, t.name), w)
				break
			}
		}
	}
}
