package lattice

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"firebreak/internal/inventory"
)

// regions knows in which Region each VPC is. A service network joins VPCs of its
// own Region and no others
// (github.com/aws/aws-application-networking-k8s/blob/main/docs/guides/ram-sharing.md).
type regions struct {
	of      map[string]string // by VPC of AWS; empty: not known
	foreign map[string]string // by VPC of another cloud: its provider
	known   []string          // Regions, sorted
}

func regionsOf(inv *inventory.Snapshot) *regions {
	r := &regions{of: map[string]string{}, foreign: map[string]string{}}
	learn := func(vpc string, labels map[string]string) {
		if p := labels["cloud/provider"]; p != "" && p != "aws" {
			r.foreign[vpc] = p
		}
		r.of[vpc] = cmp.Or(r.of[vpc], labels["cloud/region"])
	}
	joined := map[string]string{} // by service network: the Region of one that is joined to it
	for _, n := range inv.Networks {
		if n.Within == "" {
			learn(n.Name, n.Labels)
		}
	}
	for i := range inv.Workloads {
		if w := &inv.Workloads[i]; w.Labels["net/vpc"] != "" {
			learn(w.Labels["net/vpc"], w.Labels)
		}
	}
	for _, n := range inv.Networks {
		if id := n.Labels["net/service-network"]; id != "" && n.Within == "" {
			joined[id] = cmp.Or(joined[id], r.of[n.Name])
		}
	}
	for _, n := range inv.Networks {
		if id := n.Labels["net/service-network"]; id != "" && n.Within == "" && r.of[n.Name] == "" {
			r.of[n.Name] = joined[id]
		}
	}
	some := map[string]bool{}
	for vpc, region := range r.of {
		if region != "" && r.foreign[vpc] == "" {
			some[region] = true
		}
	}
	r.known = slices.Sorted(maps.Keys(some))
	return r
}

// at is the Region of a VPC; ok is false where Lattice leads from and to nobody:
// in another cloud, and where the Region is not known and others are. Without any
// that is known, or with one, all VPCs are in that.
func (r *regions) at(vpc string) (region string, ok bool) {
	switch region = r.of[vpc]; {
	case r.foreign[vpc] != "":
		return "", false
	case region != "":
		return region, true
	case len(r.known) == 0:
		return "", true
	case len(r.known) == 1:
		return r.known[0], true
	}
	return "", false
}

// one reports whether two VPCs can be joined to one service network.
func (r *regions) one(a, b string) bool {
	x, ok := r.at(a)
	y, too := r.at(b)
	return ok && too && x == y
}

// name says for people where a VPC is.
func (r *regions) name(vpc string) string {
	if p := r.foreign[vpc]; p != "" {
		return "the cloud " + p
	}
	if region, ok := r.at(vpc); ok {
		return region
	}
	return "a Region that is not known"
}

// strangers are workloads that would call others whose VPCs cannot be joined to
// theirs.
type strangers struct {
	from, to       string // where they are
	vpcs, others   map[string]bool
	callers, whose map[string]bool // subjects
	at             int             // the first of the callers
}

// beyond remembers callers whom nothing leads to a unit.
func (r *renderer) beyond(k *kin, u *unit) {
	key := [2]string{r.regions.name(k.vpc), r.regions.name(u.vpc)}
	s := r.strangers[key]
	if s == nil {
		s = &strangers{from: key[0], to: key[1], vpcs: map[string]bool{}, others: map[string]bool{}, callers: map[string]bool{}, whose: map[string]bool{}, at: k.workloads[0]}
		r.strangers[key] = s
	}
	s.vpcs[k.vpc], s.others[u.vpc] = true, true
	s.callers[r.w.SubjectOf(k.identity).Name], s.whose[u.subject.Name] = true, true
	s.at = min(s.at, k.workloads[0])
}

// sayStrangers tells of them, once for each two Regions.
func (r *renderer) sayStrangers() {
	list := slices.SortedFunc(maps.Values(r.strangers), func(a, b *strangers) int {
		return cmp.Or(strings.Compare(a.from, b.from), strings.Compare(a.to, b.to))
	})
	names := func(set map[string]bool) string { return few(slices.Collect(maps.Keys(set))) }
	for _, s := range list {
		r.say(r.inv.Workloads[s.at].Source, "serve them in their own Region, or let packets pass between the VPCs (a peering, a transit gateway) and say so in the inventory; a VPC's Region is its label cloud/region",
			"%s (%s) and %s (%s) cannot be joined, since a service network is of one Region: %s may not reach %s there", names(s.vpcs), s.from, names(s.others), s.to, names(s.callers), names(s.whose))
	}
}

// part is what is rendered for one Region: a folder with a service network.
type part struct {
	region string
	units  []*unit
}

// parts divides the units, in the order of their Regions.
func (r *renderer) parts() []part {
	var out []part
	for _, u := range r.units {
		region, _ := r.regions.at(u.vpc)
		i := slices.IndexFunc(out, func(p part) bool { return p.region == region })
		if i < 0 {
			i, out = len(out), append(out, part{region: region})
		}
		out[i].units = append(out[i].units, u)
	}
	slices.SortFunc(out, func(a, b part) int { return strings.Compare(a.region, b.region) })
	return out
}

// called adds the Region to a name, where it is known.
func (p *part) called(name string) string {
	if p.region == "" {
		return name
	}
	return fmt.Sprintf("%s-%s", name, p.region)
}
