package lattice

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/label"
	"firebreak/internal/layer"
	"firebreak/internal/live/aws"
	"firebreak/internal/live/terraform"
	"firebreak/internal/netset"
	"firebreak/internal/target"
)

// reader gathers what a folder holds and makes a layer of it.
type reader struct {
	tf        *terraform.Set
	aws       *aws.Answers
	inventory *inventory.Snapshot
	estate    string
	alone     bool

	out   found
	who   map[string]*inventory.Workload // by address and by host
	ends  map[*service][]*landing
	led   map[place]bool // where listeners lead
	ways  map[string]*beside
	where map[string]string // by VPC: see grounds
	layer *layer.Layer
	diags diag.List
}

// lift reads a folder. Answers of AWS about Lattice go before what Terraform's
// files say.
func lift(s *target.Source) (*layer.Layer, diag.List) {
	tf, diags := s.Folder.Terraform()
	answers, more := s.Folder.AWS()
	r := &reader{tf: tf, aws: answers, inventory: s.Inventory, estate: s.Estate, alone: s.Alone}
	r.diags = append(diags, more...)
	if r.tf == nil {
		r.tf = &terraform.Set{}
	}
	r.layer = &layer.Layer{Target: "lattice", Optional: true, Names: true, Modelled: true, Timeless: true, Nameless: true}
	var unread []terraform.Unread
	if answers.Any() && !(answers.Missing("list-services") && answers.Missing("list-service-networks") && len(answers.Services) == 0 && len(answers.ServiceNetworks) == 0) {
		r.answersAll()
	} else {
		r.terraformAll()
		unread = r.tf.Unread
	}
	r.build()
	for _, u := range unread {
		var all layer.Match
		for i := range r.layer.Points {
			all = append(all, r.layer.Points[i].Governs...)
		}
		if u.File {
			inSomeVPC, _ := label.Parse("net/vpc")
			all = layer.Selected(inSomeVPC)
		}
		r.nobody(u.Address, u.Pos, "%s may have services, associations and policies: %s", u.Address, u.Why)
		r.layer.Unknown[len(r.layer.Unknown)-1].Concerns = all
	}
	r.layer.Ours, r.layer.Foreign = r.out.ours, r.out.foreign
	if len(r.layer.Points) > 0 {
		r.layer.Relays, r.layer.Leads = relays(), r.leads()
		r.layer.Shut = append(unsayable(), r.abroad()...)
	}
	return r.layer, r.diags
}

// unsayable is what no auth policy can let pass: requests of a workload that has
// no role. Anonymous callers can be let in, but all of them, and not this one.
// docs.aws.amazon.com/vpc-lattice/latest/ug/auth-policies.html#auth-policies-condition-keys
func unsayable() []layer.Shut {
	inVPC, err := label.Parse("net/vpc")
	if err != nil {
		return nil
	}
	nameless := layer.Selected(inVPC)
	nameless[0].Not = layer.Match{{Principals: []string{awsPrincipal}}}
	return []layer.Shut{{Subject: layer.Selected(inVPC), Peer: nameless, Traffic: netset.Of(netset.TCP, 0, 65535), Why: "knows callers by their IAM role, and this one has none"}}
}

// relays are the addresses of Lattice's data plane.
// docs.aws.amazon.com/vpc-lattice/latest/ug/security-groups.html
func relays() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("169.254.171.0/24"), netip.MustParsePrefix("fd00:ec2:80::/64")}
}

// unknown notes something that was not understood and that may be about any
// workload.
func (r *reader) unknown(name string, pos diag.Pos, format string, args ...any) {
	r.layer.Unknown = append(r.layer.Unknown, layer.Unknown{
		Where: flow.Rule{Policy: name, File: pos.File, Line: pos.Line}, Why: fmt.Sprintf(format, args...), Concerns: layer.AnyWorkload(),
	})
}

// nobody notes something that is about no workload of the inventory.
func (r *reader) nobody(name string, pos diag.Pos, format string, args ...any) {
	r.unknown(name, pos, format, args...)
	r.layer.Unknown[len(r.layer.Unknown)-1].Concerns = nil
}

// attach gives a service or a network its auth policy.
func (r *reader) attach(g *guarded, name string, v terraform.Value, pos diag.Pos) {
	g.policy = readDocument(name, v)
	if id, ok := v.Field("Id").String(); ok && id == "firebreak-"+r.estate {
		r.out.ours++
	} else {
		r.out.foreign++
	}
	r.misbeliefs(g, v, pos)
}

// build makes tables of every way to workloads.
func (r *reader) build() {
	r.index()
	r.where = r.grounds()
	r.ends, r.led = map[*service][]*landing{}, map[place]bool{}
	var all []*landing
	for _, s := range r.out.services {
		r.ends[s] = r.landings(s)
		all = append(all, r.ends[s]...)
	}
	overlap(all)
	for _, l := range all {
		r.tables(l)
	}
	for _, s := range r.out.services {
		r.point(s)
	}
	for _, n := range r.out.nets {
		r.networkPoint(n)
	}
	r.forgotten()
}

// place is a port of a workload.
type place struct {
	workload string
	port     uint16
}

// landing is where ways end: workloads of one VPC on one port, behind a service.
type landing struct {
	service   *service
	listener  listener
	port      uint16
	vpc       string
	workloads []string // sorted
	doubt     string
}

// landings lists where a service leads. Target groups behind one listener are
// one way.
func (r *reader) landings(s *service) []*landing {
	var out []*landing
	type end struct {
		vpc            string
		port, listener uint16
		passthrough    bool
		doubt          string
	}
	at := map[end]*landing{}
	for _, g := range r.out.groups {
		l, leads := s.leadsTo(g)
		if !leads {
			continue
		}
		for _, e := range g.targets {
			w := r.workload(e)
			if w == nil {
				r.nobody(g.key, e.pos, "no workload of the inventory is the target %s of %s", e.id, g.key)
				continue
			}
			p := end{w.Labels["net/vpc"], e.port, l.port, l.passthrough, l.why}
			if p.vpc == "" {
				p.vpc = g.vpc
			}
			if at[p] == nil {
				at[p] = &landing{service: s, listener: l, port: p.port, vpc: p.vpc, doubt: l.why}
				out = append(out, at[p])
			}
			at[p].workloads = append(at[p].workloads, w.Name)
		}
		if g.open != "" {
			r.unknown(g.key, g.pos, "%s", g.open)
		}
	}
	for _, l := range out {
		slices.Sort(l.workloads)
		l.workloads = slices.Compact(l.workloads)
	}
	return out
}

// leadsTo says through which listener a service leads to a target group. Of
// several it is one of which only is known what all have in common.
func (s *service) leadsTo(g *group) (l listener, leads bool) {
	for _, one := range s.listeners {
		for _, f := range one.to {
			if f.group != g {
				continue
			}
			if f.part {
				one.why = "only some requests are led to " + g.key
			}
			switch {
			case !leads:
				l = one
			case l.passthrough != one.passthrough:
				l.why = "listeners that see requests and listeners that do not lead to " + g.key
			case l.port != one.port:
				l.port = 0
			}
			leads = true
		}
	}
	return l, leads
}

// index makes workloads known by what targets are called. Of several with one
// address it is the first.
func (r *reader) index() {
	r.who = make(map[string]*inventory.Workload, 2*len(r.inventory.Workloads))
	know := func(name string, w *inventory.Workload) {
		if r.who[name] == nil {
			r.who[name] = w
		}
	}
	for i := range r.inventory.Workloads {
		w := &r.inventory.Workloads[i]
		for _, a := range w.Addresses {
			know(a.String(), w)
		}
		if w.Host != "" {
			know(w.Host, w)
		}
	}
}

// workload returns the workload that a target is; nil if there is none.
func (r *reader) workload(e endpoint) *inventory.Workload {
	if addr, err := netip.ParseAddr(e.id); err == nil && addr.String() != e.id {
		if w := r.who[addr.String()]; w != nil {
			return w
		}
	}
	return r.who[e.id]
}

// overlap makes ways doubtful that end at the same workloads and port, since a
// conversation may take either, and puts all in order.
func overlap(all []*landing) {
	ways := map[place]*landing{}
	for _, l := range all {
		for _, w := range l.workloads {
			p := place{w, l.port}
			if other := ways[p]; other != nil {
				other.doubt = "several Lattice services lead to the same workloads"
				l.doubt = other.doubt
			}
			ways[p] = l
		}
	}
	slices.SortStableFunc(all, func(a, b *landing) int {
		return cmp.Or(strings.Compare(a.service.name, b.service.name), strings.Compare(a.vpc, b.vpc), cmp.Compare(a.port, b.port), slices.Compare(a.workloads, b.workloads))
	})
}
