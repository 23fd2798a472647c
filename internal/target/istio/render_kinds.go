package istio

import (
	"net/netip"
	"slices"

	"firebreak/internal/inventory"
	"firebreak/internal/plan"
	"firebreak/internal/verify"
)

// likeness is workloads whose labels are the same, and those of their pods.
type likeness struct {
	inside    bool // they are of the mesh
	ambient   bool // they have no sidecar
	namespace string
	principal string
	own       map[string]string // what a selector sees of their pods
}

// findMembers takes every Kubernetes workload for one of the mesh that is not
// labelled to stay outside.
func (r *renderer) findMembers() {
	workloads := r.w.Policy.Inventory.Workloads
	r.like = make([]*likeness, len(workloads))
	for _, list := range inventory.Alike(workloads) {
		l := workloads[list[0]].Labels
		ns := l["k8s/namespace"]
		system := ns == "kube-system" || ns == "kube-public" || ns == "kube-node-lease"
		k := &likeness{ambient: isAmbient(l), namespace: ns, principal: principalOf(l), own: carried(&workloads[list[0]])}
		k.inside = ns != "" && !system && l["k8s/hostnetwork"] != "true" && (k.ambient || l["k8s/namespace.istio-injection"] != "disabled" && l["sidecar.istio.io/inject"] != "false")
		for _, i := range list {
			r.like[i] = k
		}
		if k.inside {
			r.names = append(r.names, k.principal)
		}
	}
	slices.Sort(r.names)
	r.names = slices.Compact(r.names)
	r.holders = make([][]int, len(r.names))
	r.members = make([]membership, len(r.w.Policy.Identities))
	for id := range r.members {
		r.members[id] = r.membership(id)
		for _, p := range r.members[id].principals {
			r.holders[p] = append(r.holders[p], id)
		}
	}
	for x := range r.w.Engine.Peers() {
		if r.w.Engine.Exists(verify.Peer(x)) {
			r.everybody++
		}
	}
	r.findPods()
	r.findOutsiders()
}

// membership is what the workloads of an identity are as peers. Principals are
// indices into the renderer's names, ascending.
type membership struct {
	principals, ambient []int
	sidecar             string   // the name of one with a sidecar; empty if there is none
	lost                []string // the names of those outside of the mesh whose addresses are not known
	outside             []netip.Prefix
}

// A waypoint's own Deployment carries these (github.com/istio/istio,
// pkg/config/constants.ManagedGatewayMeshControllerLabel). It is let in as the
// waypoint, and is no peer beside that.
const (
	managedLabel   = "gateway.istio.io/managed"
	meshController = "istio.io-mesh-controller"
)

func (r *renderer) membership(id int) membership {
	var m membership
	var last *likeness
	for _, i := range r.w.Policy.Identities[id].Workloads {
		w, k := r.workload(i), r.like[i]
		if !k.inside {
			if len(w.Addresses) == 0 && w.Labels[managedLabel] != meshController {
				m.lost = append(m.lost, w.Name)
			}
			for _, a := range w.Addresses {
				m.outside = append(m.outside, netip.PrefixFrom(a, a.BitLen()))
			}
			continue
		}
		if !k.ambient && m.sidecar == "" {
			m.sidecar = w.Name
		}
		if k == last {
			continue
		}
		last = k
		p, _ := slices.BinarySearch(r.names, k.principal)
		m.principals = append(m.principals, p)
		if k.ambient {
			m.ambient = append(m.ambient, p)
		}
	}
	for _, list := range []*[]int{&m.principals, &m.ambient} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return m
}

// pod is what the selectors of a namespace can tell apart: workloads that are
// alike, of one subject.
type pod struct {
	like    *likeness
	subject *plan.Subject
}

// podOf is a pod and the first workload that is one.
type podOf struct {
	pod
	first int
}

func (r *renderer) findPods() {
	seen := map[pod]bool{}
	for i, k := range r.like {
		at := pod{k, r.w.SubjectOf(r.w.Policy.IdentityOf[i])}
		if k.namespace != "" && !seen[at] {
			seen[at] = true
			r.pods[k.namespace] = append(r.pods[k.namespace], podOf{at, i})
		}
	}
}

// distinct lists, of workloads that are alike and of one identity, the first.
func (r *renderer) distinct(workloads []int) []int {
	type key struct {
		like     *likeness
		identity int
	}
	var out []int
	seen := map[key]bool{}
	for _, i := range workloads {
		if k := (key{r.like[i], r.w.Policy.IdentityOf[i]}); !seen[k] {
			seen[k] = true
			out = append(out, i)
		}
	}
	return out
}

// outsider is an address of a workload outside of the mesh.
type outsider struct {
	addr     netip.Addr
	workload int
}

func (r *renderer) findOutsiders() {
	for i, k := range r.like {
		if !k.inside {
			for _, a := range r.workload(i).Addresses {
				r.outsiders = append(r.outsiders, outsider{a, i})
			}
		}
	}
	slices.SortStableFunc(r.outsiders, func(a, b outsider) int { return a.addr.Compare(b.addr) })
}

// outsidersIn lists those whose addresses are in a range.
func (r *renderer) outsidersIn(p netip.Prefix) []outsider {
	from, _ := slices.BinarySearchFunc(r.outsiders, p.Masked().Addr(), func(x outsider, a netip.Addr) int { return x.addr.Compare(a) })
	to := from
	for to < len(r.outsiders) && p.Contains(r.outsiders[to].addr) {
		to++
	}
	return r.outsiders[from:to]
}
