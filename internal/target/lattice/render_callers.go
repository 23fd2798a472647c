package lattice

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/netset"
	"firebreak/internal/plan"
	"firebreak/internal/policy"
	"firebreak/internal/verify"
	"firebreak/internal/verify/space"
)

// caller is what Lattice sees of workloads: a role, and the VPC it calls from.
type caller struct{ role, vpc string }

// kin are workloads in VPCs of which the policy and Lattice both say the same.
type kin struct {
	caller
	identity  int
	workloads []int // ascending
}

// alike are all workloads in VPCs, by what is said of them.
type alike struct {
	kin        []kin
	byRole     map[string][]int // to indices into kin, ascending; without ""
	byIdentity map[int][]int
}

// kindred finds the workloads of a policy that are alike.
func kindred(p *policy.Policy) alike {
	type key struct {
		caller
		identity int
	}
	out := alike{byRole: map[string][]int{}, byIdentity: map[int][]int{}}
	at := map[key]int{}
	for i := range p.Inventory.Workloads {
		w := &p.Inventory.Workloads[i]
		k := key{caller{roleOf(w), w.Labels["net/vpc"]}, p.IdentityOf[i]}
		if k.vpc == "" {
			continue
		}
		n, ok := at[k]
		if !ok {
			n = len(out.kin)
			at[k] = n
			out.kin = append(out.kin, kin{caller: k.caller, identity: k.identity})
			out.byIdentity[k.identity] = append(out.byIdentity[k.identity], n)
			if k.role != "" {
				out.byRole[k.role] = append(out.byRole[k.role], n)
			}
		}
		out.kin[n].workloads = append(out.kin[n].workloads, i)
	}
	return out
}

// roleOf is the ARN of the role that a workload acts under.
func roleOf(w *inventory.Workload) string {
	for _, p := range []string{w.Labels["aws/role"], w.Principal} {
		if strings.HasPrefix(p, "arn:") && strings.Contains(p, ":iam::") {
			return p
		}
	}
	return ""
}

// granted finds what each identity may do with a port of a service; nothing for
// nothing. Lattice alone knows both ends, so that what the caller's end does not
// let out is not granted either: the sets of the two ends differ by a default only,
// so that one holds the other. It also returns the grants in a stable order.
func (r *renderer) granted(u *unit, port uint16) (map[int]*plan.Grant, []*plan.Grant) {
	out := map[int]*plan.Grant{}
	var order []*plan.Grant
	for i := range u.subject.Ingress {
		g := &u.subject.Ingress[i]
		if !r.open(g, port) {
			continue
		}
		order = append(order, g)
		for _, x := range g.Peers {
			if id := r.w.Engine.Identity(x); id >= 0 {
				if own := r.leaving(u, id, port, g); own != nil {
					out[id] = own
				}
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(out)) {
		if g := out[id]; !slices.Contains(order, g) {
			order = append(order, g)
		}
	}
	return out, order
}

// open reports whether a grant lets anything pass to a port that can be said.
func (r *renderer) open(g *plan.Grant, port uint16) bool {
	return g.Open.Contains(netset.TCP, port) || r.expiring(g, port)
}

// leaving is the narrower one of what arrives at a port and of what the caller's
// end lets out to it; nil for nothing.
func (r *renderer) leaving(u *unit, caller int, port uint16, arrives *plan.Grant) *plan.Grant {
	from := r.w.SubjectOf(caller)
	if r.w.Everything(from, flow.Egress) {
		return arrives
	}
	at := space.Plain(netset.Of(netset.TCP, port, port))
	least := arrives
	differ, some := false, false
	for _, id := range u.subject.Identities {
		out := grantOf(from.Egress, r.w.Engine.OfIdentity(id))
		shut := out == nil || !r.open(out, port)
		differ, some = differ || shut, some || !shut
	}
	if differ && some && r.w.Observes(from) {
		r.left(u, "%s, whose zone observes, may do different things with those who are %s: what is denied to it is not enforced", from.Name, u.subject.Name)
		return arrives
	}
	for _, id := range u.subject.Identities {
		out := grantOf(from.Egress, r.w.Engine.OfIdentity(id))
		switch {
		case out == nil || !r.open(out, port):
			return nil
		case least.Set.Intersect(at).Subtract(out.Set).IsEmpty():
		case out.Set.Intersect(at).Subtract(least.Set).IsEmpty():
			least = out
		case r.w.Observes(from):
			r.left(u, "%s, whose zone observes, may do different things with those who are %s: what is denied to it is not enforced", from.Name, u.subject.Name)
			return arrives
		default:
			r.say(u.at(), "give those that differ services of their own", "%s may do different things with those who are %s: it may not reach them", from.Name, u.subject.Name)
			return nil
		}
	}
	return least
}

// grantOf is the one that names a peer, or nil.
func grantOf(grants []plan.Grant, x verify.Peer) *plan.Grant {
	for i := range grants {
		if _, is := slices.BinarySearch(grants[i].Peers, x); is {
			return &grants[i]
		}
	}
	return nil
}

// far reports whether only Lattice leads from a VPC to a unit.
func (r *renderer) far(vpc string, u *unit) bool {
	return vpc != u.vpc && !slices.Contains(r.near[u.vpc], vpc)
}

// led reports whether only Lattice leads from a VPC to a unit, and it does.
func (r *renderer) led(vpc string, u *unit) bool { return r.far(vpc, u) && r.regions.one(vpc, u.vpc) }

// permit writes the statements about one port of a service.
func (r *renderer) permit(u *unit, port uint16) {
	grants, order := r.granted(u, port)
	roles := map[string]bool{} // of those that may do anything
	for id := range grants {
		for _, n := range r.alike.byIdentity[id] {
			k := &r.alike.kin[n]
			switch {
			case !r.far(k.vpc, u):
			case !r.regions.one(k.vpc, u.vpc):
				r.beyond(k, u)
			case k.role == "":
				r.roleless(k, u.subject)
			default:
				roles[k.role] = true
			}
		}
	}
	callers := map[caller]map[*plan.Grant]int{} // to the last workload that has it
	var apart []int
	for role := range roles {
		for _, n := range r.alike.byRole[role] {
			k := &r.alike.kin[n]
			g := grants[k.identity]
			switch {
			case !r.led(k.vpc, u):
				continue
			case r.netOf(k.vpc) != "" && !r.joined[k.vpc] && g != nil:
				apart = append(apart, k.workloads...)
				continue
			}
			if callers[k.caller] == nil {
				callers[k.caller] = map[*plan.Grant]int{}
			}
			callers[k.caller][g] = max(callers[k.caller][g], k.workloads[len(k.workloads)-1])
		}
	}
	slices.Sort(apart)
	for _, i := range apart {
		w := &r.inv.Workloads[i]
		r.say(w.Source, "associate the VPC with the service network, and say so in its net/service-network", "%s may not reach %s: its VPC %s is not joined to %s", w.Name, u.subject.Name, w.Labels["net/vpc"], r.netOf(u.vpc))
	}
	r.write(u, port, callers, order)
}

// roleless remembers workloads that would call and cannot sign their requests.
func (r *renderer) roleless(k *kin, to *plan.Subject) {
	if r.unsigned == nil {
		r.unsigned, r.missed = map[int]bool{}, map[string]bool{}
	}
	for _, i := range k.workloads {
		r.unsigned[i] = true
	}
	r.missed[to.Name] = true
}

// write makes statements of what callers may do. Workloads with one role in one
// VPC that may do different things cannot be told apart: nobody gets in there, or
// if the zone observes, all of them.
func (r *renderer) write(u *unit, port uint16, callers map[caller]map[*plan.Grant]int, grants []*plan.Grant) {
	anything := &plan.Grant{}                       // of callers of whom none may do all that another may
	byRole := map[string]map[*plan.Grant][]string{} // to VPCs
	order := slices.SortedFunc(maps.Keys(callers), func(a, b caller) int {
		return cmp.Or(strings.Compare(a.role, b.role), strings.Compare(a.vpc, b.vpc))
	})
	for _, c := range order {
		its := callers[c]
		var one *plan.Grant
		var names []string
		for g, i := range its {
			one = g
			names = append(names, r.inv.Workloads[i].Name)
		}
		slices.Sort(names)
		switch {
		case len(its) > 1 && r.w.Observes(u.subject):
			if one = widest(grants, its); one == nil {
				one = anything
			}
			r.left(u, "%s share the role %s and may do different things with %s, whose zone observes: what is denied to one of them is not enforced", strings.Join(names, " and "), c.role, u.subject.Name)
		case len(its) > 1:
			r.say(u.at(), "give them roles of their own", "%s share the role %s and may do different things with %s: none of them may reach it", strings.Join(names, " and "), c.role, u.subject.Name)
			one = nil
		}
		if byRole[c.role] == nil {
			byRole[c.role] = map[*plan.Grant][]string{}
		}
		byRole[c.role][one] = append(byRole[c.role][one], c.vpc)
	}
	roles := map[*plan.Grant]map[string][]string{} // by VPCs, joined; empty: from wherever
	for role, grants := range byRole {
		for g, vpcs := range grants {
			if g == nil {
				continue
			}
			from := ""
			if len(grants) > 1 {
				from = strings.Join(vpcs, ",")
			}
			if roles[g] == nil {
				roles[g] = map[string][]string{}
			}
			roles[g][from] = append(roles[g][from], role)
		}
	}
	for _, g := range append([]*plan.Grant{anything}, grants...) {
		var froms []string
		for from := range roles[g] {
			froms = append(froms, from)
		}
		slices.Sort(froms)
		for _, from := range froms {
			list := roles[g][from]
			slices.Sort(list)
			r.grant(u, port, g, speaker{roles: list, vpcs: split(from)})
		}
	}
}

// left says what is not enforced, since it would also shut out others.
func (r *renderer) left(u *unit, format string, args ...any) {
	if text := "lattice: " + fmt.Sprintf(format, args...); !r.said[text] {
		r.said[text] = true
		r.diags.Warnf(u.at(), "unenforced", "%s", text).WithHelp("give those that differ roles and services of their own")
	}
}

// widest returns the first of some grants that holds all others, if there is one.
func widest(order []*plan.Grant, grants map[*plan.Grant]int) *plan.Grant {
	for _, g := range order {
		_, holds := grants[g]
		for o := range grants {
			holds = holds && (o == nil || o.Set.Subtract(g.Set).IsEmpty())
		}
		if holds {
			return g
		}
	}
	return nil
}

func split(from string) []string {
	if from == "" {
		return nil
	}
	return strings.Split(from, ",")
}

// callers lists the VPCs from which somebody may call some units.
func (r *renderer) callers(units []*unit) []string {
	vpcs := map[string]bool{}
	for _, u := range units {
		for i := range u.policy.statements {
			s := &u.policy.statements[i]
			for _, role := range s.by.roles {
				if s.deny {
					break
				}
				for _, n := range r.alike.byRole[role] {
					if k := &r.alike.kin[n]; r.led(k.vpc, u) {
						vpcs[k.vpc] = true
					}
				}
			}
		}
	}
	return sorted(vpcs)
}
