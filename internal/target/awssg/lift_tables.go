package awssg

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/label"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
)

// tabler makes tables of what was gathered.
type tabler struct {
	*lifter
	all     []standing
	members map[string]*membership // by group
	doubted []int                  // workloads of which it is not known in which groups they are
	sorted  []string               // the keys of the groups
	labels  []string               // VPCs, as workloads say themselves
	label   []int                  // by workload: which of them
	in      map[string][]string    // by VPC: the keys of the groups that workloads there are in
	byName  []int                  // workloads in the order of their names
	rank    []int                  // by workload: its place in that order
	homes   []home                 // of workloads with several addresses, by address
	mixed   layer.Match            // the workloads with addresses of both families
	routes  inventory.Routes
}

// membership is who is in a group.
type membership struct {
	sure, maybe []int        // workloads, ascending
	addrs       []netip.Addr // of interfaces that no workload stands behind
	hidden      string       // an interface of which not even the address is known
}

func (l *lifter) layer() *layer.Layer {
	out := &layer.Layer{Target: "awssg", Modelled: true, Names: true, Timeless: true, Nameless: true}
	t := &tabler{lifter: l, members: map[string]*membership{}, sorted: l.keys(), routes: l.src.Inventory.Routes()}
	t.order()
	t.settle()
	var taken []bool
	t.all, taken = l.standings()
	t.enrol(taken)
	for _, k := range t.sorted {
		if l.groups[k].ours {
			out.Ours++
		} else {
			out.Foreign++
		}
	}
	for _, vpc := range t.vpcs() {
		t.point(out, vpc)
	}
	for _, u := range l.unread {
		var all layer.Match
		for i := range out.Points {
			all = append(all, out.Points[i].Governs...)
		}
		if u.File {
			all = inSomeVPC()
		}
		l.doubtful(u.Address, u.Address+" may have rules, and put interfaces into groups: "+u.Why, u.Pos, all)
	}
	t.detached(out)
	out.Unknown = l.unknown
	return out
}

// inSomeVPC is whom a file that cannot be read may be about.
func inSomeVPC() layer.Match {
	s, _ := label.Parse("net/vpc")
	return layer.Selected(s)
}

func (t *tabler) enrol(taken []bool) {
	of := func(key string) *membership {
		if t.members[key] == nil {
			t.members[key] = &membership{}
		}
		return t.members[key]
	}
	for i := range t.all {
		if t.all[i].doubt != "" {
			t.doubted = append(t.doubted, i)
		}
		for _, k := range t.all[i].sure {
			of(k).sure = append(of(k).sure, i)
		}
		for _, k := range t.all[i].maybe {
			of(k).maybe = append(of(k).maybe, i)
		}
	}
	for n, h := range t.holders {
		for _, k := range h.groups {
			if taken[n] {
				continue
			}
			if len(h.addrs) == 0 {
				of(k).hidden = cmp.Or(of(k).hidden, h.doubt, h.what+" is in the group, and its addresses are not known")
			}
			of(k).addrs = append(of(k).addrs, h.addrs...)
		}
	}
	t.in = map[string][]string{}
	for _, k := range t.sorted {
		if m := t.members[k]; m != nil {
			for _, i := range slices.Concat(m.sure, m.maybe) {
				vpc := t.all[i].vpc
				if keys := t.in[vpc]; len(keys) == 0 || keys[len(keys)-1] != k {
					t.in[vpc] = append(keys, k)
				}
			}
		}
	}
}

// vpcs lists where workloads are governed.
func (t *tabler) vpcs() []string {
	var out []string
	for _, s := range t.all {
		if s.governed && !slices.Contains(out, s.vpc) {
			out = append(out, s.vpc)
		}
	}
	slices.Sort(out)
	return out
}

// order sorts the workloads by name, once.
func (t *tabler) order() {
	all := t.src.Inventory.Workloads
	t.byName, t.rank = make([]int, len(all)), make([]int, len(all))
	t.label = make([]int, len(all))
	at := map[string]int{}
	for i := range all {
		vpc := all[i].Labels["net/vpc"]
		n, known := at[vpc]
		if !known {
			n = len(t.labels)
			at[vpc] = n
			t.labels = append(t.labels, vpc)
		}
		t.byName[i], t.label[i] = i, n
	}
	slices.SortFunc(t.byName, func(a, b int) int { return cmp.Or(strings.Compare(all[a].Name, all[b].Name), a-b) })
	for n, i := range t.byName {
		t.rank[i] = n
	}
}

func (t *tabler) named(workloads []int) layer.Match {
	ranks := make([]int, 0, len(workloads))
	for _, i := range workloads {
		ranks = append(ranks, t.rank[i])
	}
	slices.Sort(ranks)
	names := make([]string, 0, len(workloads))
	for _, n := range ranks {
		names = append(names, t.src.Inventory.Workloads[t.byName[n]].Name)
	}
	return layer.Named(slices.Compact(names)...)
}

// point adds the point of a VPC, and its tables. What is not known of one workload
// or of one group is said by rules, so that it makes nothing else unknown.
func (t *tabler) point(out *layer.Layer, vpc string) {
	var governed []int
	p := layer.Point{Name: cmp.Or(vpc, "default VPC")}
	for i, s := range t.all {
		if s.governed && s.vpc == vpc {
			governed = append(governed, i)
		}
	}
	p.Governs = t.named(governed)
	far, peers := t.unrouted(vpc)
	homes := slices.DeleteFunc(slices.Clone(t.homes), func(h home) bool { return far[h.workload] })
	for d := range both {
		table := layer.Table{Name: "security groups of " + p.Name, Direction: flow.Direction(d), Governs: p.Governs, Default: layer.Deny}
		if len(peers) > 0 {
			table.Tiers = append(table.Tiers, []layer.Rule{{
				Ref: flow.Rule{Rule: "no packets are exchanged with its VPC"}, Effect: layer.Abstain, Subject: layer.Everything(), Peer: peers, Traffic: netset.All(),
			}})
		}
		table.Tiers = append(table.Tiers, t.rules(vpc, flow.Direction(d), governed, homes))
		out.Tables = append(out.Tables, table)
	}
	out.Points = append(out.Points, p)
}

// unrouted says by workload whether it is in a VPC of which it is known that it
// exchanges no packets with this one, and names those of which that is so: there
// are no conversations to judge.
func (t *tabler) unrouted(vpc string) (far []bool, peers layer.Match) {
	far = make([]bool, len(t.all))
	names := make([]string, 0, len(t.all))
	away := make([]bool, len(t.labels))
	for n, other := range t.labels {
		apart, sure := t.routes.Apart(vpc, other)
		away[n] = apart && sure && !t.peered[[2]string{vpc, other}]
	}
	for _, i := range t.byName {
		if far[i] = away[t.label[i]]; far[i] {
			names = append(names, t.src.Inventory.Workloads[i].Name)
		}
	}
	if len(names) == 0 {
		return far, nil
	}
	return far, layer.Named(slices.Compact(names)...)
}

// rules lists what the groups of a VPC's workloads allow in a direction.
func (t *tabler) rules(vpc string, d flow.Direction, governed []int, homes []home) []layer.Rule {
	var out []layer.Rule
	everything := func(subject layer.Match, why string, ref flow.Rule) {
		out = append(out, layer.Rule{Ref: ref, Effect: layer.Allow, Subject: subject, Peer: layer.Everything(), Traffic: netset.All(), Unknown: why})
	}
	for _, i := range governed {
		if why := t.all[i].doubt; why != "" {
			everything(t.named([]int{i}), why, flow.Rule{Rule: "groups of " + t.src.Inventory.Workloads[i].Name})
		}
	}
	for _, k := range t.in[vpc] {
		g, m := t.groups[k], t.members[k]
		in := func(i int) bool { return t.all[i].vpc == vpc }
		sure, maybe := keep(m.sure, in), keep(m.maybe, in)
		for _, s := range []struct {
			who   []int
			doubt string
		}{{sure, ""}, {maybe, "some of its interfaces are in " + cmp.Or(g.name, k) + " and some are not"}} {
			if len(s.who) == 0 {
				continue
			}
			subject := t.named(s.who)
			if why := g.doubt[d]; why != "" {
				everything(subject, why, flow.Rule{Rule: k, File: g.pos.File, Line: g.pos.Line})
			}
			parts := t.families(s.who)
			for i := range g.rules {
				if r := &g.rules[i]; r.dir == d {
					for f, who := range parts.of(r) {
						if len(who) > 0 {
							out = append(out, t.rule(g, r, families(f), t.named(who), s.doubt)...)
						}
					}
				}
			}
		}
	}
	return append(out, t.several(d, governed, homes)...)
}

func keep(in []int, f func(int) bool) []int {
	return slices.DeleteFunc(slices.Clone(in), func(i int) bool { return !f(i) })
}

// rule says what one rule of a group allows members with addresses of some
// families.
func (t *tabler) rule(g *liftedGroup, r *liftedRule, f families, subject layer.Match, doubt string) []layer.Rule {
	base := layer.Rule{Ref: r.ref, Effect: layer.Allow, Subject: subject, Traffic: r.traffic, Unknown: cmp.Or(r.unknown, doubt)}
	if base.Ref.Policy == "" {
		base.Ref.Policy = cmp.Or(g.name, g.key)
	}
	var out []layer.Rule
	add := func(peer layer.Match, unknown string) {
		one := base
		one.Peer, one.Unknown = peer, cmp.Or(base.Unknown, unknown)
		out = append(out, one)
	}
	shared, other := f.divide(ofFamily(r.prefixes, r.family))
	if len(shared) > 0 {
		add(layer.In(shared...), "")
	}
	if len(other) > 0 {
		add(layer.Match{{Prefixes: other, Not: t.mixed}}, "")
	}
	if r.anyone {
		add(layer.Everything(), "")
	}
	for _, k := range r.groups {
		peer := t.groups[k]
		if peer == nil {
			add(layer.Everything(), "the group "+k+" is not known here")
			continue
		}
		why, reaches := t.reaches(g.vpc, peer.vpc)
		if !reaches {
			continue
		}
		t.byReference(peer, r, f, func(m layer.Match, unknown string) { add(m, cmp.Or(why, unknown)) })
	}
	return out
}

// byReference says whom a rule means that names a group, for members with
// addresses of some families.
func (t *tabler) byReference(peer *liftedGroup, r *liftedRule, f families, add func(layer.Match, string)) {
	m := t.members[peer.key]
	if peer.doubt[0] != "" && peer.doubt[0] == peer.doubt[1] && strings.Contains(peer.doubt[0], "is not among the files") {
		add(layer.Everything(), "who is in "+cmp.Or(peer.name, peer.key)+" is not among the files")
	}
	if lost := t.lost(m); len(lost) > 0 {
		add(t.named(lost), "it is not known which groups they are in")
	}
	if m == nil {
		return
	}
	fits := func(want layer.Tri) func(int) bool {
		return func(i int) bool { return f.fits(t.src.Inventory.Workloads[i].Addresses, r.family) == want }
	}
	if sure := keep(m.sure, fits(layer.Yes)); len(sure) > 0 {
		add(t.named(sure), "")
	}
	if partly := keep(m.sure, fits(layer.Maybe)); len(partly) > 0 {
		add(t.named(partly), "it speaks of IPv4 or of IPv6 alone, and both ends have addresses of both")
	}
	if maybe := keep(m.maybe, func(i int) bool { return !fits(layer.No)(i) }); len(maybe) > 0 {
		add(t.named(maybe), "some of its interfaces are in "+cmp.Or(peer.name, peer.key)+" and some are not")
	}
	var hosts []netip.Prefix
	for _, a := range m.addrs {
		hosts = append(hosts, netip.PrefixFrom(a, a.BitLen()))
	}
	if hosts = ofFamily(hosts, r.family); len(hosts) > 0 {
		add(layer.Match{{Address: true, Prefixes: hosts}}, "")
	}
	if m.hidden != "" {
		if strings.Contains(m.hidden, "describe-network-interfaces") {
			add(layer.Everything(), m.hidden)
		} else {
			add(layer.Match{{Address: true}}, m.hidden)
		}
	}
}

// lost are the workloads of which it is not known in which groups they are, but
// for the members of a group: they may be in it.
func (t *tabler) lost(m *membership) []int {
	var out []int
	for _, i := range t.doubted {
		if m == nil || !slices.Contains(m.sure, i) {
			out = append(out, i)
		}
	}
	return out
}

func ofFamily(prefixes []netip.Prefix, family int) []netip.Prefix {
	if family == 0 {
		return prefixes
	}
	return slices.DeleteFunc(slices.Clone(prefixes), func(p netip.Prefix) bool { return p.Addr().Is4() != (family == 4) })
}

// reaches reports whether a rule of a group in one VPC means the members of a
// group in another: only over a peering, or a transit gateway that is set to
// (docs.aws.amazon.com/vpc/latest/peering/vpc-peering-security-groups.html).
func (t *tabler) reaches(from, to string) (why string, reaches bool) {
	switch {
	case from == to:
		return "", true
	case from == "" || to == "":
		return "whether the two groups are in one VPC is not known", true
	case t.peered[[2]string{from, to}]:
		if region(t.src.Inventory, from) != region(t.src.Inventory, to) {
			return "", false
		}
		return "", true
	case t.gated[[2]string{from, to}]:
		return "whether the transit gateway between " + from + " and " + to + " lets rules name groups (SecurityGroupReferencingSupport) is not among the answers", true
	case t.src.Alone || t.asked:
		return "", false
	}
	return "whether " + from + " and " + to + " are peered is not known", true
}

func region(s *inventory.Snapshot, network string) string {
	for _, n := range s.Networks {
		if n.Name == network {
			return n.Labels["cloud/region"]
		}
	}
	return ""
}

func (t *tabler) namesOf(key string) []string {
	var out []string
	for _, k := range strings.Split(key, "\x00") {
		out = append(out, cmp.Or(t.groups[k].name, k))
	}
	return out
}

// detached adds a point for each group that the files mean workloads to be in
// which are not.
func (t *tabler) detached(out *layer.Layer) {
	if t.src.Alone {
		return
	}
	missing := map[string][]int{}
	for i := range t.src.Inventory.Workloads {
		s := &t.all[i]
		for _, k := range t.meant[t.src.Inventory.Workloads[i].Name] {
			if s.doubt == "" && k != "" && !slices.Contains(s.sure, k) {
				missing[k] = append(missing[k], i)
			}
		}
	}
	for _, k := range sortedKeys(missing) {
		name := k
		if g := t.groups[k]; g != nil {
			name = cmp.Or(g.name, k)
		}
		out.Points = append(out.Points, layer.Point{
			Name: "group " + name, Governs: t.named(missing[k]),
			Missing: "the group " + name + " is not attached to the interfaces of these workloads",
		})
	}
}
