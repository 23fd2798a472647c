package lattice

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"firebreak/internal/diag"
	"firebreak/internal/inventory"
	"firebreak/internal/netset"
	"firebreak/internal/plan"
	"firebreak/internal/target"
)

// renderer makes the files of one policy.
type renderer struct {
	w       *plan.Wanted
	most    limits
	inv     *inventory.Snapshot
	estate  string
	regions *regions
	nets    map[string]string   // by Region: the service network that is there already; none: make one
	joined  map[string]bool     // the VPCs that are associated with theirs
	near    map[string][]string // by VPC: those that it exchanges packets with
	alike   alike
	rules   map[int][]uint16 // by identity: see askedOf
	units   []*unit
	names   map[string]bool // of services
	said    map[string]bool
	diags   diag.List
	// Workloads (as indices into the inventory's) that cannot sign the requests
	// that the policy permits them, and whom they would call.
	unsigned map[int]bool
	missed   map[string]bool
	// Those whose VPCs Lattice cannot join, by where they are and whom they call.
	strangers map[[2]string]*strangers
}

// unit is a Lattice service: some workloads of a subject in one VPC, on at most
// as many ports as a service has listeners.
type unit struct {
	name    string
	vpc     string
	subject *plan.Subject
	ports   []inventory.Port
	pools   []pool // what is behind each port
	policy  policyDocument
}

func render(w *plan.Wanted) ([]target.File, diag.List) {
	r := &renderer{w: w, most: limitsOf(w), inv: w.Policy.Inventory, estate: w.Policy.Estate, regions: regionsOf(w.Policy.Inventory), nets: map[string]string{}, strangers: map[[2]string]*strangers{}, joined: map[string]bool{}, near: map[string][]string{}, names: map[string]bool{}, said: map[string]bool{}}
	if r.estate == "" {
		r.estate = "estate"
	}
	r.readNetworks()
	r.alike, r.rules = kindred(r.w.Policy), askedOf(w.Policy, w.ToCome)
	for i := range w.Subjects {
		r.subject(&w.Subjects[i])
	}
	r.sayRoleless()
	r.sayStrangers()
	if len(r.units) == 0 || r.diags.HasErrors() {
		return nil, r.diags
	}
	r.count()
	if r.diags.HasErrors() {
		return nil, r.diags
	}
	return r.files(), r.diags
}

// readNetworks learns how the VPCs hang together. A VPC that is joined to a
// service network says so in net/service-network.
func (r *renderer) readNetworks() {
	for _, n := range r.inv.Networks {
		if n.Within != "" {
			continue
		}
		r.near[n.Name] = n.Peers
		region, ok := r.regions.at(n.Name)
		if id := n.Labels["net/service-network"]; id != "" && ok {
			if one := r.nets[region]; one != "" && one != id {
				r.diags.Errorf(n.Source, "not-expressible", "the VPCs are joined to two service networks, %s and %s", one, id).
					WithHelp("an estate has one service network in a Region; make an estate of each, or join all VPCs to one")
			}
			r.nets[region] = id
			r.joined[n.Name] = true
		}
	}
}

// kept infers from the plan whether somebody else keeps the windows of a grant:
// then a port that is permitted at some times only is open to those who cannot
// tell the time. Of a port that is also permitted always it cannot be said.
func kept(g *plan.Grant, port uint16) bool {
	for _, c := range g.Clauses {
		timed := c.Cond != nil && (c.Cond.When != nil || !c.Cond.Expires.IsZero())
		if !c.Deny && !timed && c.Traffic.Contains(netset.TCP, port) {
			return false
		}
	}
	return g.Open.Contains(netset.TCP, port)
}

// say adds a warning once.
func (r *renderer) say(at diag.Pos, help, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !r.said[text] {
		r.said[text] = true
		r.diags.Warnf(at, "not-expressible", "lattice: %s", text).WithHelp("%s", help)
	}
}

// subject makes services of the workloads of a subject, VPC by VPC.
func (r *renderer) subject(s *plan.Subject) {
	if len(s.Services) == 0 {
		return
	}
	byVPC := map[string][]*inventory.Workload{}
	for _, id := range s.Identities {
		for _, n := range r.w.Policy.Identities[id].Workloads {
			w := &r.inv.Workloads[n]
			if vpc := w.Labels["net/vpc"]; vpc != "" {
				byVPC[vpc] = append(byVPC[vpc], w)
			}
		}
	}
	var vpcs []string
	for vpc := range byVPC {
		vpcs = append(vpcs, vpc)
	}
	slices.Sort(vpcs)
	for _, vpc := range vpcs {
		targets := byVPC[vpc]
		slices.SortFunc(targets, func(a, b *inventory.Workload) int { return strings.Compare(a.Name, b.Name) })
		ports := r.ports(s, targets)
		if len(ports) == 0 {
			continue
		}
		pools := r.pools(targets)
		several := max(1, min(r.most.listeners, r.most.serviceGroups/max(1, len(pools)))) // ports of a service
		for some := range slices.Chunk(ports, several) {
			r.unit(s, vpc, pools, some)
		}
	}
}

// ports lists what of a subject speaks HTTP: the ports whose names say so, and
// those of which some rule has conditions on requests.
func (r *renderer) ports(s *plan.Subject, targets []*inventory.Workload) []inventory.Port {
	var out []inventory.Port
	add := func(p inventory.Port) {
		same := slices.IndexFunc(out, func(q inventory.Port) bool { return q.Number == p.Number })
		if p.Protocol != netset.TCP || !webName(p.Name) && !r.asked(s, p.Number) {
			return
		}
		if same < 0 {
			out = append(out, p)
		} else if !webName(out[same].Name) {
			out[same] = p
		}
	}
	for _, w := range targets {
		for _, p := range w.Ports {
			add(p)
		}
	}
	for _, n := range s.Services {
		for _, p := range r.w.Policy.Services[n].Ports {
			add(p)
		}
	}
	slices.SortFunc(out, func(a, b inventory.Port) int { return cmp.Compare(a.Number, b.Number) })
	return out
}

// webName reports whether a port's name begins with the name of HTTP or gRPC.
func webName(name string) bool {
	for _, k := range []string{"http", "https", "http2", "grpc", "grpcs"} {
		if name == k || strings.HasPrefix(name, k+"-") {
			return true
		}
	}
	return false
}

// asked reports whether a rule has conditions on requests to that port alone.
func (r *renderer) asked(s *plan.Subject, port uint16) bool {
	one := netset.Of(netset.TCP, port, port)
	if !slices.ContainsFunc(s.Identities, func(id int) bool { return slices.Contains(r.rules[id], port) }) {
		return false // a deny divides what a rule allows for all ports
	}
	for _, g := range s.Ingress {
		for _, c := range g.Clauses {
			if c.Cond != nil && c.Cond.HTTP != nil && !c.Deny && c.Traffic.Equal(one) {
				return true
			}
		}
	}
	return false
}

// unit makes a service, if anybody comes to it from elsewhere.
func (r *renderer) unit(s *plan.Subject, vpc string, pools []pool, ports []inventory.Port) {
	u := &unit{vpc: vpc, subject: s, ports: ports, pools: pools}
	if len(pools) == 0 {
		return
	}
	for _, p := range ports {
		r.permit(u, p.Number)
	}
	if len(u.policy.statements) == 0 {
		return
	}
	if net := r.netOf(vpc); net != "" && !r.joined[vpc] {
		r.say(u.at(), "its target group does not need it; callers do", "the VPC %s is not joined to %s", vpc, net)
	}
	u.name = r.name(s.Name, 36)
	r.units = append(r.units, u)
}

// at is where the first of a unit's workloads stands.
func (u *unit) at() diag.Pos { return u.pools[0].at }

// netOf is the service network that a VPC's Region has already; empty: none.
func (r *renderer) netOf(vpc string) string {
	region, _ := r.regions.at(vpc)
	return r.nets[region]
}

// name makes a name that Lattice takes of at most so many of a-z, 0-9 and single
// hyphens, and 4 more. A service's name has at most 40, a network's 63.
// docs.aws.amazon.com/vpc-lattice/latest/APIReference/API_CreateService.html
func (r *renderer) name(s string, most int) string {
	var b strings.Builder
	for _, c := range strings.ToLower(r.estate + "-" + s) {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			b.WriteRune(c)
		} else if b.Len() > 0 && !strings.HasSuffix(b.String(), "-") {
			b.WriteByte('-')
		}
	}
	base := strings.Trim(b.String(), "-")
	if len(base) > most {
		base = strings.Trim(base[:most], "-")
	}
	if base == "" || base[0] <= '9' || strings.HasPrefix(base, "svc-") || strings.HasPrefix(base, "tg-") {
		base = "fb-" + base // Terraform's names begin with a letter
	}
	name := strings.Trim(base, "-")
	for n := 2; r.names[name]; n++ {
		name = fmt.Sprintf("%s-%d", base, n)
	}
	r.names[name] = true
	return name
}
