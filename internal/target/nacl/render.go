package nacl

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/netset"
	"firebreak/internal/plan"
	"firebreak/internal/policy"
	"firebreak/internal/target"
	"firebreak/internal/verify"
)

// renderer makes the files of one policy.
type renderer struct {
	w       *plan.Wanted
	most    int // entries of a direction
	regions []region
	peers   []verify.Peer // that exist
	diags   diag.List
	denies  bool // some guardrail is rendered at all
	cache   map[int]pair
	routes  inventory.Routes
	seen    map[int]bool // classes of pairs, within one question
}

// region is a range of addresses that entries can name. What is in a narrower
// region is not in it.
type region struct {
	prefix  netip.Prefix
	members []verify.Peer // who may have an address in it
	subnet  string        // empty for other ranges
	vpc     string        // of the subnet
	open    bool          // nothing is denied of it
}

// pair is what passes from one peer to another, and what guardrails deny.
type pair struct{ permitted, forbidden netset.Traffic }

// Render returns for each VPC a folder of Terraform with a network ACL for each
// of its subnets in which a workload is and for which a guardrail in force
// forbids something that an ACL can deny: no workload of the subnet, and no
// address in it, may have that traffic with anything in the other range. A
// subnet without such has no file. Subnets are those of the label net/subnet;
// one whose ranges the inventory does not know is reported and left out.
func (Target) Render(w *plan.Wanted) ([]target.File, diag.List) {
	r := &renderer{w: w, most: target.Limit(w, Target{}, entriesPerACL), cache: map[int]pair{}, seen: map[int]bool{}, routes: w.Policy.Inventory.Routes()}
	r.denies = slices.ContainsFunc(w.Policy.Rules, func(x policy.Rule) bool {
		return x.Tier == policy.Guardrails && (w.ToCome || x.Stage == policy.Enforce)
	})
	if !r.denies {
		return nil, nil
	}
	for x := range w.Engine.Peers() {
		if w.Engine.Exists(verify.Peer(x)) {
			r.peers = append(r.peers, verify.Peer(x))
		}
	}
	byVPC := map[string][]*acl{}
	subnets := r.subnets()
	r.divide(subnets)
	for _, s := range subnets {
		if s.foreign {
			continue
		}
		if a := r.acl(s); a != nil {
			byVPC[a.vpc] = append(byVPC[a.vpc], a)
		}
	}
	if r.diags.HasErrors() {
		return nil, r.diags
	}
	var files []target.File
	for _, acls := range byVPC {
		files = append(files, r.files(acls)...)
	}
	slices.SortFunc(files, func(a, b target.File) int { return strings.Compare(a.Path, b.Path) })
	return files, r.diags
}

// subnet is a subnet in which workloads are.
type subnet struct {
	name, vpc string
	cidrs     []netip.Prefix
	members   []verify.Peer
	foreign   bool // another cloud's
}

// subnets lists those that workloads say they are in, by name.
func (r *renderer) subnets() []*subnet {
	p := r.w.Policy
	byName := map[string]*subnet{}
	var out []*subnet
	for i := range p.Inventory.Workloads {
		w := &p.Inventory.Workloads[i]
		name := w.Labels["net/subnet"]
		if name == "" {
			continue
		}
		s := byName[name]
		if s == nil {
			s = &subnet{name: name, vpc: w.Labels["net/vpc"], foreign: !slices.Contains([]string{"", "aws"}, w.Labels["cloud/provider"])}
			for _, n := range p.Inventory.Networks {
				if n.Name == name {
					s.cidrs, s.vpc = n.CIDRs, cmp.Or(n.Within, s.vpc)
				}
			}
			if len(s.cidrs) == 0 && !s.foreign {
				r.diags.Warnf(w.Source, "not-expressible", "nacl: the range of subnet %s is not known; it has no network ACL", name).
					WithHelp("let the inventory come from Terraform or from AWS, which say the ranges of subnets")
			}
			byName[name] = s
			out = append(out, s)
		}
		if x := r.w.Engine.OfWorkload(i); !slices.Contains(s.members, x) {
			s.members = append(s.members, x)
		}
	}
	slices.SortFunc(out, func(a, b *subnet) int { return strings.Compare(a.name, b.name) })
	return slices.DeleteFunc(out, func(s *subnet) bool { return len(s.cidrs) == 0 })
}

// divide lists the regions, the narrowest first, and who is in each.
func (r *renderer) divide(subnets []*subnet) {
	p := r.w.Policy
	at := map[netip.Prefix]int{}
	add := func(prefix netip.Prefix, subnet string) *region {
		n, known := at[prefix]
		if !known {
			n = len(r.regions)
			at[prefix] = n
			r.regions = append(r.regions, region{prefix: prefix})
		}
		r.regions[n].subnet = cmp.Or(r.regions[n].subnet, subnet)
		return &r.regions[n]
	}
	for _, x := range p.Prefixes() {
		if x.Builtin == "" {
			add(x.Prefix, "")
		}
	}
	for _, s := range subnets {
		for _, c := range s.cidrs {
			add(c, s.name).vpc = s.vpc
		}
	}
	for _, f := range p.Inventory.Frontends {
		for _, a := range f.Addresses { // who is behind it, packets do not say
			add(netip.PrefixFrom(a, a.BitLen()), "").open = true
		}
	}
	for _, l := range r.w.Relays() { // who is behind it is for its own layer to decide
		for _, x := range l.Prefixes() {
			add(x, "").open = true
		}
	}
	slices.SortFunc(r.regions, func(a, b region) int {
		return cmp.Or(cmp.Compare(b.prefix.Bits(), a.prefix.Bits()), a.prefix.Addr().Compare(b.prefix.Addr()))
	})
	r.populate()
}

// populate says who is in each region.
func (r *renderer) populate() {
	p := r.w.Policy
	table := p.Prefixes()
	at, of := map[netip.Prefix]int{}, map[string][]int{}
	for i := range r.regions {
		x := &r.regions[i]
		at[x.prefix] = i
		if x.subnet != "" {
			of[x.subnet] = append(of[x.subnet], i)
		}
		owner := ownerOf(table, x.prefix)
		for _, peer := range r.peers {
			if r.owns(peer, owner) {
				x.members = append(x.members, peer)
			}
		}
	}
	for i := range p.Inventory.Workloads {
		w := &p.Inventory.Workloads[i]
		peer := r.w.Engine.OfWorkload(i)
		for _, n := range r.where(w, at, of) {
			if !slices.Contains(r.regions[n].members, peer) {
				r.regions[n].members = append(r.regions[n].members, peer)
			}
		}
	}
}

// owns reports whether a region's addresses that no workload has are a peer's.
// What names lead to may be anywhere outside of the estate.
func (r *renderer) owns(peer verify.Peer, owner policy.PrefixPeer) bool {
	switch {
	case r.w.Engine.Identity(peer) >= 0:
		return false
	case r.w.Engine.ByName(peer):
		return !owner.Unknown
	}
	return owner.Unknown == r.w.Engine.Unknown(peer) && slices.Equal(owner.Externals, r.w.Engine.Externals(peer))
}

// ownerOf finds what the addresses are that match a prefix and no longer one.
func ownerOf(table []policy.PrefixPeer, prefix netip.Prefix) policy.PrefixPeer {
	best := policy.PrefixPeer{}
	for _, x := range table {
		if x.Prefix.Bits() <= prefix.Bits() && x.Prefix.Contains(prefix.Addr()) && (!best.Prefix.IsValid() || x.Prefix.Bits() >= best.Prefix.Bits()) {
			best = x
		}
	}
	return best
}

// where lists the regions that a workload is in; all of the estate's if that is
// not known. at has the regions by prefix, and by subnet.
func (r *renderer) where(w *inventory.Workload, at map[netip.Prefix]int, of map[string][]int) []int {
	var out []int
	for _, a := range w.Addresses {
		for bits := a.BitLen(); bits >= 0; bits-- {
			if p, err := a.Prefix(bits); err == nil {
				if n, found := at[p]; found {
					out = append(out, n)
					break
				}
			}
		}
	}
	if name := w.Labels["net/subnet"]; name != "" {
		out = append(out, of[name]...)
	}
	if len(out) == 0 {
		for n := range r.regions {
			out = append(out, n)
		}
	}
	return out
}

// passes is what is permitted, and what is forbidden, from one peer to another.
// Between two that are no workloads nothing is said.
func (r *renderer) passes(from, to verify.Peer) (permitted, forbidden netset.Traffic) {
	if r.w.Engine.Identity(from) < 0 && r.w.Engine.Identity(to) < 0 {
		return netset.None(), netset.None()
	}
	class := r.w.Engine.Class(from, to)
	if c, known := r.cache[class]; known {
		return c.permitted, c.forbidden
	}
	set, _ := r.w.Engine.Permitted(from, to, !r.w.ToCome)
	c := pair{permitted: set.Ports(), forbidden: netset.None()}
	for _, part := range r.w.Engine.Parts(from, to, !r.w.ToCome) {
		if n := part.By.Rule(); n >= 0 && r.w.Policy.Rules[n].Tier == policy.Guardrails && !part.Permits {
			c.forbidden = c.forbidden.Union(part.Set.Ports())
		}
	}
	r.cache[class] = c
	return c.permitted, c.forbidden
}

// between is what is permitted and what is forbidden from some peers to others.
func (r *renderer) between(from, to []verify.Peer) (permitted, forbidden netset.Traffic) {
	permitted, forbidden = netset.None(), netset.None()
	clear(r.seen)
	for _, a := range from {
		for _, b := range to {
			class := r.w.Engine.Class(a, b)
			if r.seen[class] || r.w.Engine.Identity(a) < 0 && r.w.Engine.Identity(b) < 0 {
				continue
			}
			r.seen[class] = true
			p, f := r.passes(a, b)
			permitted, forbidden = permitted.Union(p), forbidden.Union(f)
			if permitted.IsAll() {
				return permitted, forbidden // nothing is left to deny
			}
		}
	}
	return permitted, forbidden
}

// ephemeral is where clients take their ports from
// (docs.aws.amazon.com/vpc/latest/userguide/nacl-ephemeral-ports.html).
func ephemeral(p netset.Protocol) netset.Traffic {
	if p.HasPorts() {
		return netset.Of(p, 1024, 65535)
	}
	return netset.Of(p, 0, 0)
}

// replies is what comes back of conversations.
func replies(t netset.Traffic) netset.Traffic {
	out := netset.None()
	for p := range netset.NumProtocols {
		if len(t.Ranges(p)) > 0 {
			out = out.Union(ephemeral(p))
		}
	}
	return out
}

// denied is what a subnet's ACL can deny in a direction of what goes between it
// and a region: packets that belong to nothing permitted.
func (r *renderer) denied(here []verify.Peer, x *region, d flow.Direction) netset.Traffic {
	if x.open {
		return netset.None()
	}
	out, forbiddenOut := r.between(here, x.members)
	in, forbiddenIn := r.between(x.members, here)
	if d == flow.Ingress {
		return forbiddenIn.Subtract(in).Subtract(replies(out))
	}
	if x.subnet != "" { // its own ACL denies that at its ingress
		return netset.None()
	}
	return forbiddenOut.Subtract(out).Subtract(replies(in))
}

// acl is the network ACL of one subnet.
type acl struct {
	*subnet
	entries []entry
}

func (r *renderer) acl(s *subnet) *acl {
	here := slices.Clone(s.members)
	for i := range r.regions {
		if r.regions[i].subnet == s.name {
			for _, x := range r.regions[i].members {
				if !slices.Contains(here, x) {
					here = append(here, x)
				}
			}
		}
	}
	a := &acl{subnet: s}
	some := false
	for _, d := range []flow.Direction{flow.Ingress, flow.Egress} {
		entries := r.entries(s, here, d)
		some = some || slices.ContainsFunc(entries, func(e entry) bool { return !e.allow })
		a.entries = append(a.entries, entries...)
		if n := len(entries) + lastOnes; n > r.most {
			r.diags.Errorf(r.guardrail(), "over-quota", "the network ACL of subnet %s needs %d entries for %s with the two last ones; %d are allowed", s.name, n, direction(d), r.most).
				WithHelp("put subnets side by side that are treated alike, or leave nacl out of the targets; %s", target.Raise(Target{}, entriesPerACL))
		}
	}
	if !some {
		return nil
	}
	return a
}

// guardrail is where the first one stands that is in force.
func (r *renderer) guardrail() diag.Pos {
	for i := range r.w.Policy.Rules {
		if x := &r.w.Policy.Rules[i]; x.Tier == policy.Guardrails && (r.w.ToCome || x.Stage == policy.Enforce) {
			return x.Pos
		}
	}
	return diag.Pos{}
}

func direction(d flow.Direction) string {
	if d == flow.Ingress {
		return "ingress"
	}
	return "egress"
}
