package lattice

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/label"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
)

// tables says what the ways through one service to some workloads let pass: one
// table for whose VPC is associated at all, one for the service's policy, and
// one for the policy of each of its networks.
func (r *reader) tables(l *landing) {
	s := l.service
	b := &builder{r: r, l: l, traffic: netset.Of(netset.TCP, l.port, l.port)}
	b.around = r.around(l.vpc, b.traffic)
	for _, w := range l.workloads {
		r.led[place{w, l.port}] = true
	}
	var joined []string
	for _, n := range s.nets {
		joined = append(joined, n.vpcs...)
	}
	b.association(joined)
	b.guard(&s.guarded, nil)
	for i, n := range s.nets {
		others := slices.Concat(s.nets[:i], s.nets[i+1:])
		if doubled(n, others) {
			l.doubt = "a VPC is associated with two of the service's networks"
		}
		b.guard(&n.guarded, n)
	}
	if why := r.refused(l); why != "" {
		l.doubt = why
	}
	if l.doubt != "" {
		b.doubtful(l.doubt)
	}
}

func doubled(n *network, others []*network) bool {
	return slices.ContainsFunc(others, func(o *network) bool {
		return slices.ContainsFunc(o.vpcs, func(v string) bool { return slices.Contains(n.vpcs, v) })
	})
}

// around is the tier of what does not go through Lattice: other traffic, ends
// that are in no VPC, and those that reach the workloads' VPC without it.
func (r *reader) around(vpc string, traffic netset.Traffic) []layer.Rule {
	skip := func(m layer.Match, t netset.Traffic, why string) layer.Rule {
		return layer.Rule{Ref: flow.Rule{Rule: why}, Effect: layer.Abstain, Subject: layer.Everything(), Peer: m, Traffic: t}
	}
	beside := r.beside(vpc)
	outside, _ := label.Parse("!net/vpc")
	var more []layer.Rule
	perhaps := skip(beside.open, netset.All(), "a VPC that may exchange packets with it")
	perhaps.Unknown = "nobody asked by which peerings and transit gateways its VPC exchanges packets with others (describe-vpc-peering-connections, describe-transit-gateway-vpc-attachments)"
	if len(beside.open) > 0 {
		more = append(more, perhaps)
	}
	direct := skip(beside.near, netset.All(), "the same VPC, or one that exchanges packets with it")
	direct.Around = true // they may call the service all the same
	return append([]layer.Rule{
		skip(layer.Everything(), netset.All().Subtract(traffic), "no listener leads to that port"),
		skip(layer.Match{{Not: layer.AnyWorkload()}}, netset.All(), "no workload of a VPC"),
		skip(layer.Selected(outside), netset.All(), "a workload that is in no VPC"),
		direct,
	}, more...)
}

// beside are the workloads of the VPCs that exchange packets with one, and of
// those of which that is not known.
type beside struct{ near, open layer.Match }

// beside is worked out once for each VPC. Rules may share it: nothing changes a
// match that stands in a layer.
func (r *reader) beside(vpc string) *beside {
	b := r.ways[vpc]
	if b == nil {
		near, open := r.routes(vpc)
		b = &beside{inVPC(near...), inVPC(open...)}
		if r.ways == nil {
			r.ways = map[string]*beside{}
		}
		r.ways[vpc] = b
	}
	return b
}

// routes lists the VPCs that exchange packets with one, itself among them, and
// those of which that is not known.
func (r *reader) routes(vpc string) (near, open []string) {
	near = []string{vpc}
	routes := r.inventory.Routes()
	told := slices.ContainsFunc(r.inventory.Networks, func(n inventory.Network) bool { return n.Name == vpc && n.Within == "" })
	for _, n := range r.inventory.Networks {
		if n.Name == vpc {
			near = append(near, n.Peers...)
		}
		if n.Within != "" || n.Name == vpc {
			continue
		}
		apart, sure := routes.Apart(vpc, n.Name)
		switch {
		case apart && sure:
		case apart || !told:
			open = append(open, n.Name)
		default:
			near = append(near, n.Name)
		}
	}
	slices.Sort(near)
	return slices.Compact(near), open
}

// builder makes the tables of one landing.
type builder struct {
	r       *reader
	l       *landing
	traffic netset.Traffic
	around  []layer.Rule
}

func (b *builder) table(name string, tiers [][]layer.Rule, def layer.Effect) {
	b.r.layer.Tables = append(b.r.layer.Tables, layer.Table{
		Name: name, Direction: flow.Ingress, Governs: layer.Named(b.l.workloads...),
		Tiers: slices.Concat([][]layer.Rule{b.around}, tiers), Default: def,
	})
}

func (b *builder) rule(ref flow.Rule, e layer.Effect, peer layer.Match, c *policy.Condition, why string) layer.Rule {
	return layer.Rule{Ref: ref, Effect: e, Subject: layer.Everything(), Peer: peer, Traffic: b.traffic, Cond: c, Unknown: why}
}

func at(g *guarded, text string) flow.Rule {
	return flow.Rule{Policy: g.name, Rule: text, File: g.pos.File, Line: g.pos.Line}
}

// association denies whose VPC is in no network of the service.
func (b *builder) association(vpcs []string) {
	s := b.l.service
	why := s.open
	for _, n := range s.nets {
		if why == "" {
			why = n.open
		}
	}
	deny := b.rule(at(&s.guarded, "no association"), layer.Deny, layer.Match{{Workload: true, Not: inVPC(vpcs...)}}, nil, why)
	b.table("associations of Lattice service "+s.name, [][]layer.Rule{{deny}}, layer.Allow)
}

// doubtful adds a table that perhaps lets everything pass and perhaps nothing.
func (b *builder) doubtful(why string) {
	rule := b.rule(at(&b.l.service.guarded, "ways"), layer.Allow, layer.Everything(), nil, why)
	b.table("ways to Lattice service "+b.l.service.name, [][]layer.Rule{{rule}}, layer.Deny)
	for i := range b.r.layer.Tables { // whatever else is said of this way is in doubt, too
		t := &b.r.layer.Tables[i]
		if t.Default == layer.Deny && len(t.Tiers) > 1 && slices.Equal(t.Governs[0].Workloads, b.l.workloads) && t.Tiers[0][0].Traffic.Equal(b.around[0].Traffic) {
			t.Tiers = slices.Insert(t.Tiers, 1, []layer.Rule{rule})
		}
	}
}

// guard adds the table of an auth policy; n is the network that it belongs to,
// nil for the service's own. A policy is inert where the auth type is NONE, and
// without a policy AWS_IAM lets nobody in.
// docs.aws.amazon.com/vpc-lattice/latest/ug/auth-policies.html#auth-policies-evaluation-logic
func (b *builder) guard(g *guarded, n *network) {
	if g.auth == "NONE" {
		return
	}
	var tiers [][]layer.Rule
	if n != nil { // who comes through another network is none of its business
		tiers = append(tiers, []layer.Rule{b.rule(flow.Rule{Rule: "not through this network"}, layer.Abstain, layer.Match{{Workload: true, Not: inVPC(n.vpcs...)}}, nil, "")})
	}
	if why := g.doubt(); why != "" {
		tiers = append(tiers, []layer.Rule{b.rule(at(g, "auth policy"), layer.Allow, layer.Everything(), nil, why)})
	}
	name := "auth policy of Lattice service " + g.name
	if n != nil {
		name = "auth policy of service network " + g.name
	}
	if g.policy != nil && g.policy.why == "" {
		tiers = append(tiers, b.document(g.policy, n, name)...)
	}
	b.table(name, tiers, layer.Deny)
}

// doubt says why it is not known what an auth policy permits as a whole.
func (g *guarded) doubt() string {
	switch {
	case g.why != "":
		return g.why
	case g.silent != "":
		return g.silent
	case g.policy != nil:
		return g.policy.why
	}
	return ""
}

// document makes tiers of a policy. A caller may act under its own name or not
// say who it is, and gets what either may do. Without a statement that lets in
// who does not say, denies and allows are one tier.
func (b *builder) document(d *document, n *network, name string) [][]layer.Rule {
	w := &way{terraform: b.r.tf, networks: b.r.inventory.Networks, network: n, service: b.l.service, listener: b.l.listener}
	if n == nil {
		w.network = &network{}
		if len(b.l.service.nets) == 1 {
			w.network = b.l.service.nets[0]
		}
	}
	var denies, allows []spoken
	for i, v := range d.statements {
		s := w.statement(d, i, v)
		if w.listener.passthrough {
			s.who = nil // nothing of who calls is seen
		}
		switch {
		case s.never:
		case s.deny:
			denies = append(denies, s)
		default:
			allows = append(allows, s)
		}
	}
	nameless := slices.ContainsFunc(allows, func(s spoken) bool { return s.nobody }) &&
		!slices.ContainsFunc(denies, func(s spoken) bool { return s.nobody && s.plain() })
	var first, second, last []layer.Rule
	for i := range denies {
		s := &denies[i]
		rule, ok := b.deny(s, name, nameless)
		switch {
		case !ok:
		case !nameless:
			last = append(last, rule)
		case !s.named:
			first = append(first, rule)
		case s.nobody:
			rule.Unknown = orElse(rule.Unknown, "it denies those who do not say who they are some requests")
			second = append(second, rule)
		default:
			last = append(last, rule)
		}
	}
	for i := range allows {
		s := &allows[i]
		if s.nobody && nameless {
			second = append(second, b.allow(s, s.place))
		}
		if len(s.who) > 0 {
			last = append(last, b.allow(s, both(s.place, s.who)))
		}
	}
	if !nameless {
		return [][]layer.Rule{last}
	}
	return [][]layer.Rule{first, second, last}
}

func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// plain reports whether a statement speaks of all requests from everywhere, and
// surely so.
func (s *spoken) plain() bool {
	return s.cond.HTTP == nil && s.unless == nil && s.cond.Expires.IsZero() && s.doubt == "" && len(s.place) == 1 && everything(s.place[0])
}

func everything(t layer.Term) bool {
	return t.Workloads == nil && t.Select == nil && t.Principals == nil && t.Prefixes == nil && t.Names == nil && !t.Workload && !t.Address && t.Not == nil
}

func (b *builder) allow(s *spoken, peer layer.Match) layer.Rule {
	why := s.doubt
	if s.unless != nil {
		why = orElse(why, "it leaves out requests, which is not understood of an Allow")
	}
	return b.rule(s.ref, layer.Allow, peer, s.condition(false), why)
}

// deny makes a rule of a Deny. One that means all requests but some has a table
// of its own, in which those pass.
func (b *builder) deny(s *spoken, name string, nameless bool) (layer.Rule, bool) {
	peer := s.place
	if s.named && len(s.who) > 0 {
		peer = both(s.place, s.who)
		if s.nobody && nameless {
			peer = s.place
		}
	}
	if s.named && len(s.who) == 0 && !nameless {
		return layer.Rule{}, false // about those only whom nothing lets in
	}
	if s.unless == nil {
		return b.rule(s.ref, layer.Deny, peer, s.condition(true), s.doubt), true
	}
	if s.named && nameless {
		return b.rule(s.ref, layer.Deny, peer, s.condition(true), orElse(s.doubt, "it leaves out requests of some callers")), true
	}
	escape := b.rule(s.ref, layer.Allow, layer.Everything(), (&spoken{cond: policy.Condition{HTTP: s.unless}}).condition(false), "")
	b.table(name+", "+s.ref.Rule, [][]layer.Rule{{escape}, {b.rule(s.ref, layer.Deny, peer, s.condition(true), s.doubt)}}, layer.Allow)
	return layer.Rule{}, false
}

// condition is the neutral form of what a statement demands of requests; nil if
// nothing. Ambiguous paths count as one: an Allow means them if it holds any of
// them, a Deny if it holds all.
func (s *spoken) condition(deny bool) *policy.Condition {
	if s.cond.HTTP == nil && s.cond.Expires.IsZero() {
		return nil
	}
	c := s.cond
	meant := true
	for _, h := range c.HTTP {
		if h.Paths != nil {
			meant = holdsAmbiguous(h.Paths, deny)
		}
	}
	if c.Ambiguous = policy.NotMeant; meant {
		c.Ambiguous = policy.Meant
	}
	return &c
}

// point says of a service what governs it.
func (r *reader) point(s *service) {
	p := layer.Point{Name: "service " + s.name, Governs: layer.Match{}}
	var names []string
	for _, l := range r.ends[s] {
		names = append(names, l.workloads...)
	}
	slices.Sort(names)
	if names = slices.Compact(names); names != nil {
		p.Governs = layer.Named(names...)
	}
	p.Missing = s.inert("the service")
	p.Unknown = s.doubt()
	r.layer.Points = append(r.layer.Points, p)
}

func (g *guarded) inert(what string) string {
	if g.auth == "NONE" && g.policy != nil {
		return "the auth type of " + what + " is NONE, so its auth policy does nothing"
	}
	return ""
}

// networkPoint says of a network what governs it: the workloads behind its
// services.
func (r *reader) networkPoint(n *network) {
	p := layer.Point{Name: "network " + n.name, Governs: layer.Match{}, Missing: n.inert("the service network"), Unknown: orElse(n.doubt(), n.open)}
	var names []string
	for _, s := range r.out.services {
		if slices.Contains(s.nets, n) {
			for _, l := range r.ends[s] {
				names = append(names, l.workloads...)
			}
		}
	}
	slices.Sort(names)
	if names = slices.Compact(names); names != nil {
		p.Governs = layer.Named(names...)
	}
	r.layer.Points = append(r.layer.Points, p)
}

// forgotten denies what has no other way than a service, and none leads to it:
// ports that are HTTP by their names, of workloads in VPCs, for callers in VPCs
// from which no packets come.
func (r *reader) forgotten() {
	if len(r.out.nets) == 0 {
		return
	}
	type end struct {
		vpc  string
		port uint16
	}
	without := map[end][]string{}
	for i := range r.inventory.Workloads {
		w := &r.inventory.Workloads[i]
		vpc := w.Labels["net/vpc"]
		for _, p := range w.Ports {
			if vpc != "" && speaksHTTP(p) && !r.led[place{w.Name, p.Number}] {
				without[end{vpc, p.Number}] = append(without[end{vpc, p.Number}], w.Name)
			}
		}
	}
	ends := slices.SortedFunc(maps.Keys(without), func(a, b end) int {
		return cmp.Or(strings.Compare(a.vpc, b.vpc), cmp.Compare(a.port, b.port))
	})
	for _, p := range ends {
		traffic := netset.Of(netset.TCP, p.port, p.port)
		slices.Sort(without[p])
		t := layer.Table{
			Name: "no Lattice service", Direction: flow.Ingress, Governs: layer.Named(slices.Compact(without[p])...),
			Tiers: [][]layer.Rule{r.around(p.vpc, traffic)}, Default: layer.Deny,
		}
		r.layer.Tables = append(r.layer.Tables, t)
	}
}

// speaksHTTP reports whether a port is HTTP by its name: http, https, http2,
// grpc and the like, alone or before a hyphen, as Kubernetes' appProtocol and
// Istio have it.
func speaksHTTP(p inventory.Port) bool {
	kind, _, _ := strings.Cut(p.Name, "-")
	return p.Protocol == netset.TCP && slices.Contains([]string{"http", "https", "http2", "grpc", "grpcs"}, kind)
}
