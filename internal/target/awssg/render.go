package awssg

import (
	"slices"

	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/netset"
	"firebreak/internal/plan"
	"firebreak/internal/target"
	"firebreak/internal/verify"
)

// renderer makes the files of one policy.
type renderer struct {
	elements
	w       *plan.Wanted
	most    limits
	regions map[string]string // by VPC: see regionOf
	diags   diag.List
	said    map[string]bool       // diagnostics that were given
	asked   map[int][]verify.Part // by class of the engine
}

// Render returns a folder of Terraform for each VPC, named after it: a group for
// each subject in it, a resource for each rule, the attachments to interfaces
// that are known, and for all others an output that says which workload belongs
// into which groups. Workloads without the label net/vpc or of
// other clouds (cloud/provider) are in no group.
//
// A peer in the same VPC is named by its group; every other is named by its
// addresses, which is right over a peering, a gateway, and from account to
// account alike. Between VPCs that exchange no packets nothing is opened, but
// where the estate has the target lattice, to and from Lattice's addresses. A peer whose addresses are not known can be named in a VPC
// that exchanges packets with its own, by a look-up of its group.
func (Target) Render(w *plan.Wanted) ([]target.File, diag.List) {
	r := &renderer{w: w, most: limitsOf(w), regions: map[string]string{}, said: map[string]bool{}, asked: map[int][]verify.Part{}}
	r.divide()
	var all []*network
	for _, vpc := range r.vpcs() {
		all = append(all, r.render(vpc))
	}
	r.countRegions(all)
	if r.diags.HasErrors() {
		return nil, r.diags
	}
	var files []target.File
	for _, v := range all {
		files = append(files, v.files()...)
	}
	slices.SortFunc(files, func(a, b target.File) int { return compareText(a.Path, b.Path) })
	return files, r.diags
}

func compareText(a, b string) int {
	if a < b {
		return -1
	} else if a > b {
		return 1
	}
	return 0
}

func (r *renderer) vpcs() []string {
	var out []string
	for i := range r.cells {
		if v := r.cells[i].vpc; v != "" && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	slices.Sort(out)
	return out
}

// network is what one VPC's folder says.
type network struct {
	r      *renderer
	vpc    string
	groups []*group
	routes []bool // by cell: whether packets go between it and here
	// lookups are the groups of other VPCs that rules name, by local name.
	lookups map[string]*cell
	relays  [2]bool // Lattice's addresses of IPv4 and IPv6 are named
}

// group is one security group, or several that share the rules of one.
type group struct {
	*cell
	rules [2][]rule // by direction, in the order of their names
	parts int
}

// rule is one rule resource. Exactly one of peer, cidr and list is set.
type rule struct {
	name string // its key in the state, beside the group's: who and rule.ports
	who  string // the peer; unique in a VPC
	what piece
	peer *cell
	cidr string
	list bool // Lattice's addresses
	v6   bool
	by   []flow.Rule
	part int // which of the group's parts holds it
}

// piece is traffic that one rule can name.
type piece struct {
	all    bool
	proto  netset.Protocol
	lo, hi uint16
}

func (r *renderer) render(vpc string) *network {
	v := &network{r: r, vpc: vpc, routes: r.routes(vpc), lookups: map[string]*cell{}}
	for i := range r.cells {
		if r.cells[i].vpc != vpc {
			continue
		}
		g := &group{cell: &r.cells[i], parts: 1}
		for _, d := range []flow.Direction{flow.Ingress, flow.Egress} {
			g.rules[d] = v.rulesOf(g.cell, d, false)
			if r.count(g.rules[d]) > r.most.all() {
				g.rules[d] = v.rulesOf(g.cell, d, true)
			}
		}
		v.split(g)
		v.groups = append(v.groups, g)
	}
	slices.SortFunc(v.groups, func(a, b *group) int { return compareText(a.name, b.name) })
	return v
}

// countRegions refuses more groups than a Region has room for in one account. VPCs
// whose Region is not known are counted each for itself.
func (r *renderer) countRegions(all []*network) {
	type place struct{ account, region, vpc string }
	accounts := map[string]string{}
	for _, n := range r.w.Policy.Inventory.Networks {
		if n.Within == "" {
			accounts[n.Name] = n.Labels["cloud/account"]
		}
	}
	groups, said := map[place]int{}, map[place]bool{}
	for _, v := range all {
		at := place{account: accounts[v.vpc], region: v.region()}
		if at.region == "" {
			at.vpc = v.vpc
		}
		for _, g := range v.groups {
			groups[at] += g.parts
		}
		if groups[at] > r.most.region && !said[at] {
			said[at] = true
			r.diags.Errorf(diag.Pos{}, "over-quota", "with VPC %s, its region needs %d security groups; a region holds %d", v.vpc, groups[at], r.most.region).
				WithHelp("%s", orRaise("put more workloads under the same rules, or divide the estate", groupsPerRegion))
		}
	}
}
