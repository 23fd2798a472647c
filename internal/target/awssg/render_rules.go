package awssg

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/netset"
	"firebreak/internal/plan"
	"firebreak/internal/verify"
)

// codeWidened is of what security groups cannot leave out.
const codeWidened = "widened"

// rulesOf lists what a cell's end permits in a direction. If loose, what the
// estate's own addresses are all permitted to do is not kept from single
// workloads among them: that costs a rule for each gap.
func (v *network) rulesOf(c *cell, d flow.Direction, loose bool) []rule {
	if v.r.w.Observes(c.subject) {
		if x := v.r.w.Hidden(c.subject, d, func(x *inventory.Workload) bool { return vpcOf(x) != "" }); x != nil {
			v.r.warn("unenforced", fmt.Sprintf("awssg: %s of %s: what is denied is not enforced, since its zone %s observes and a group would also shut out %s, whose address is not known",
				direction(d), c.subject.Name, v.r.w.Policy.Zones[c.subject.Zone].Name, x.Name), "give the workload its addresses, or promote the zone to enforce")
			return []rule{byAddress(piece{all: true}, netip.PrefixFrom(netip.IPv4Unspecified(), 0), nil), byAddress(piece{all: true}, netip.PrefixFrom(netip.IPv6Unspecified(), 0), nil)}
		}
	}
	traffic := v.r.permits(c, d)
	var out []rule
	for _, what := range pieces(traffic.sets) {
		out = append(out, v.rulesFor(c, d, what, traffic, loose)...)
	}
	out = append(out, v.led(c, d, out)...)
	slices.SortFunc(out, func(a, b rule) int { return strings.Compare(a.name, b.name) })
	return slices.CompactFunc(out, func(a, b rule) bool { return a.name == b.name })
}

// pieces lists what rules are to name, in order.
func pieces(traffic []netset.Traffic) []piece {
	seen := map[piece]bool{}
	var out []piece
	for _, t := range traffic {
		for _, p := range cut(t) {
			if !seen[p] {
				seen[p] = true
				out = append(out, p)
			}
		}
	}
	slices.SortFunc(out, func(a, b piece) int { return strings.Compare(a.name(), b.name()) })
	return out
}

// cut divides traffic into pieces.
func cut(t netset.Traffic) []piece {
	if t.IsAll() {
		return []piece{{all: true}}
	}
	var out []piece
	for proto, ports := range t.Runs() {
		out = append(out, piece{proto: proto, lo: ports.Lo, hi: ports.Hi})
	}
	return out
}

func (p piece) set() netset.Traffic {
	if p.all {
		return netset.All()
	}
	return netset.Of(p.proto, p.lo, p.hi)
}

func (p piece) name() string {
	switch {
	case p.all:
		return "all"
	case !p.proto.HasPorts() || p.proto == netset.SCTP:
		return strings.ToLower(p.proto.String())
	case p.lo == p.hi:
		return fmt.Sprintf("%s_%d", strings.ToLower(p.proto.String()), p.lo)
	}
	return fmt.Sprintf("%s_%d-%d", strings.ToLower(p.proto.String()), p.lo, p.hi)
}

// rulesFor lists the rules about one piece.
func (v *network) rulesFor(c *cell, d flow.Direction, what piece, traffic permits, loose bool) []rule {
	wishes := v.r.wishes(what, traffic)
	relayed := v.unrouted(wishes)
	v.r.follow(c, d, what, wishes)
	if !slices.Contains(wishes, unwanted) {
		return v.everywhere(c, d, what, wishes)
	}
	open := v.r.opens(wishes)
	if loose && open {
		v.r.loosen(c, d, what, wishes)
	}
	var out []rule
	var named []int // cells that are named by their group
	for n := range v.r.cells {
		peer := &v.r.cells[n]
		if wishes[n] != wanted {
			continue
		}
		if peer.vpc == v.vpc {
			named = append(named, n)
			wishes[n] = indifferent
		} else if !peer.addressed && !open {
			out = append(out, v.lookUp(c, d, what, peer)...)
		}
	}
	var held []netip.Prefix
	covering := newCover(wishes)
	covering.walk(v.r.trees[0])
	covering.walk(v.r.trees[1])
	for _, n := range covering.held {
		held = append(held, n.prefix)
		out = append(out, byAddress(what, n.prefix, v.r.because(c, d, what, covering.of(n), wishes)))
	}
	if relayed != nil {
		out = append(out, v.toResources(c, d, what, relayed)...)
	}
	for _, n := range named {
		if peer := &v.r.cells[n]; !open || !v.r.within(peer, held) {
			out = append(out, v.byGroup(what, peer, v.r.because(c, d, what, []int{n}, nil))...)
		}
	}
	return out
}

// wishes says what a rule about a piece is to do with each element.
func (r *renderer) wishes(what piece, traffic permits) []wish {
	bySet := make([]wish, len(traffic.sets))
	set := what.set()
	for i, t := range traffic.sets {
		switch {
		case !set.Subtract(t).IsEmpty():
			bySet[i] = unwanted
		case slices.Contains(cut(t), what):
			bySet[i] = wanted
		}
	}
	out := make([]wish, len(traffic.of))
	for n, i := range traffic.of {
		out[n] = bySet[i]
	}
	return out
}

// follow is about what is wanted of names, which groups do not know: it stays
// shut, unless everything is open. A name is nobody who comes in.
func (r *renderer) follow(c *cell, d flow.Direction, what piece, wishes []wish) {
	everything := !slices.Contains(wishes, unwanted) // holds what names lead to
	for i, x := range r.peers {
		n := len(r.cells) + i
		if !r.w.Engine.ByName(x) {
			continue
		}
		if wishes[n] == wanted && !everything && d == flow.Egress && r.ruled(c, d, what, n) {
			r.warn("not-expressible", fmt.Sprintf("awssg: egress of %s: security groups cannot follow the names of %s; %s stays shut", c.subject.Name, r.w.Engine.Name(x), what.set()),
				"give the External its CIDRs, or let a target that follows names enforce it and give this one wider words")
		}
		if d == flow.Ingress || !everything {
			wishes[n] = indifferent // no prefix leads to it by itself
		}
	}
}

// ruled reports whether a rule, not only a zone's default, speaks of a piece
// between a cell and an element.
func (r *renderer) ruled(c *cell, d flow.Direction, what piece, n int) bool {
	for _, part := range r.parts(c, d, n) {
		if part.By.Rule() >= 0 && !part.Set.Ports().Intersect(what.set()).IsEmpty() {
			return true
		}
	}
	return false
}

func (r *renderer) parts(c *cell, d flow.Direction, n int) []verify.Part {
	from, to := r.w.Engine.OfIdentity(c.identity), r.peer(n)
	if d == flow.Ingress {
		from, to = to, from
	}
	class := r.w.Engine.Class(from, to) // all pairs of one have the same answer
	parts, known := r.asked[class]
	if !known {
		parts = r.w.Engine.Parts(from, to, !r.w.ToCome)
		r.asked[class] = parts
	}
	return parts
}

func direction(d flow.Direction) string {
	if d == flow.Ingress {
		return "ingress"
	}
	return "egress"
}

// opens reports whether the estate's addresses that nobody owns are wanted: what
// comes to be there is then permitted too.
func (r *renderer) opens(wishes []wish) bool {
	for i, x := range r.peers {
		if r.w.Engine.Unknown(x) && wishes[len(r.cells)+i] == wanted {
			return true
		}
	}
	return false
}

// loosen no longer keeps single workloads from what all others are permitted.
func (r *renderer) loosen(c *cell, d flow.Direction, what piece, wishes []wish) {
	var names []string
	for n := range r.cells {
		if wishes[n] == unwanted {
			wishes[n] = indifferent
			names = append(names, r.cells[n].subject.Name)
		}
	}
	if names != nil {
		r.warn(codeWidened, fmt.Sprintf("awssg: %s of %s: to leave %s out of what is open to the whole estate (%s) takes more rules than %d groups of %d hold; it is not left out",
			direction(d), c.subject.Name, strings.Join(slices.Compact(names), ", "), what.set(), r.most.groups, r.most.rules),
			orRaise("promote the zone to enforce, so that only what is permitted need be listed", rulesPerGroup, groupsPerInterface))
	}
}

func (r *renderer) warn(code, message, help string) {
	if !r.said[message] {
		r.said[message] = true
		r.diags.Warnf(diag.Pos{}, code, "%s", message).WithHelp("%s", help)
	}
}

// widened tells of traffic that groups cannot say exactly.
func (r *renderer) widened(c *cell, d flow.Direction, g *plan.Grant, t netset.Traffic) {
	peers := make([]string, 0, 4)
	for _, x := range g.Peers {
		if len(peers) == 3 {
			peers = append(peers, "…")
			break
		}
		peers = append(peers, r.w.Engine.Name(x))
	}
	r.warn(codeWidened, fmt.Sprintf("awssg: %s of %s, %s: security groups cannot say %s; they let %s pass too",
		direction(d), c.subject.Name, strings.Join(peers, ", "), g.Open, t.Subtract(g.Open)),
		"protocols beside TCP, UDP and ICMP have no ports here and cannot be listed: name the ports that are meant, or let another target deny the rest")
}

// within reports whether the prefixes hold all addresses of a cell.
func (r *renderer) within(c *cell, held []netip.Prefix) bool {
	return c.addressed && !slices.ContainsFunc(c.workloads, func(i int) bool {
		return slices.ContainsFunc(r.w.Policy.Inventory.Workloads[i].Addresses, func(a netip.Addr) bool {
			return !slices.ContainsFunc(held, func(p netip.Prefix) bool { return p.Contains(a) })
		})
	})
}

// everywhere permits a piece for all addresses there are.
func (v *network) everywhere(c *cell, d flow.Direction, what piece, wishes []wish) []rule {
	var all []int
	for n, w := range wishes {
		if w == wanted {
			all = append(all, n)
		}
	}
	by := v.r.because(c, d, what, all, nil)
	return []rule{byAddress(what, netip.PrefixFrom(netip.IPv4Unspecified(), 0), by), byAddress(what, netip.PrefixFrom(netip.IPv6Unspecified(), 0), by)}
}

// lookUp names a group of another VPC, since its members' addresses are not all
// known.
func (v *network) lookUp(c *cell, d flow.Direction, what piece, peer *cell) []rule {
	if peer.vpc == "" || !v.exchanges(peer.vpc) {
		var names []string
		for _, i := range peer.workloads {
			if w := &v.r.w.Policy.Inventory.Workloads[i]; len(w.Addresses) == 0 {
				names = append(names, w.Name)
			}
		}
		v.r.warn("not-expressible", fmt.Sprintf("awssg: %s of %s: the address of %s is not known, and a group can be named only in its own VPC or in one that exchanges packets with it; it stays shut",
			direction(d), c.name, strings.Join(names, ", ")), "give the workload its addresses, or the label net/vpc")
		return nil
	}
	v.lookups[identifier(peer.vpc+"_"+peer.name)] = peer
	v.r.warn("not-expressible", fmt.Sprintf("awssg: %s of %s: %s in %s is named by its group, since its addresses are not known; that holds over a peering within a region and not over a gateway",
		direction(d), c.name, peer.name, peer.vpc), "give the workloads their addresses")
	return v.byGroup(what, peer, v.r.because(c, d, what, []int{slices.IndexFunc(v.r.cells, func(x cell) bool { return x.vpc == peer.vpc && x.name == peer.name })}, nil))
}

// exchanges reports whether packets go directly to another VPC.
func (v *network) exchanges(vpc string) bool {
	for _, n := range v.r.w.Policy.Inventory.Networks {
		if n.Name == v.vpc && slices.Contains(n.Peers, vpc) || n.Name == vpc && slices.Contains(n.Peers, v.vpc) {
			return vpc != ""
		}
	}
	return false
}

func byAddress(what piece, p netip.Prefix, by []flow.Rule) rule {
	text := p.String()
	return rule{who: text, what: what, cidr: text, v6: p.Addr().Is6(), by: by}.named()
}

// byGroup names a group of a VPC. What is ICMP in IPv4 is another protocol in
// IPv6.
func (v *network) byGroup(what piece, peer *cell, by []flow.Rule) []rule {
	one := rule{who: peer.name, what: what, peer: peer, by: by}
	if peer.vpc != v.vpc {
		one.who = peer.vpc + "/" + peer.name
	}
	if what.all || what.proto != netset.ICMP {
		return []rule{one.named()}
	}
	other := one
	other.v6 = true
	return []rule{one.named(), other.named()}
}

// named gives a rule its name.
func (x rule) named() rule {
	x.name = x.who + " " + x.ports()
	return x
}

// because names the rules for which a piece is permitted to those of the elements
// that are wanted; wishes may be nil for all of them.
func (r *renderer) because(c *cell, d flow.Direction, what piece, elements []int, wishes []wish) []flow.Rule {
	var out []flow.Rule
	set := what.set()
	for _, n := range elements {
		if wishes != nil && wishes[n] != wanted {
			continue
		}
		for _, part := range r.parts(c, d, n) {
			ref := r.w.Engine.Ref(part.By)
			if part.Permits && !part.Set.Ports().Intersect(set).IsEmpty() && !slices.Contains(out, ref) {
				out = append(out, ref)
			}
		}
		if len(out) >= 8 {
			break // a description holds no more
		}
	}
	return out
}

// peer returns what the engine calls an element.
func (r *renderer) peer(n int) verify.Peer {
	if n < len(r.cells) {
		return r.w.Engine.OfIdentity(r.cells[n].identity)
	}
	return r.peers[n-len(r.cells)]
}
