package networkpolicy

import (
	"maps"
	"slices"

	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/label"
	"firebreak/internal/plan"
	"firebreak/internal/policy"
	"firebreak/internal/target"
	"firebreak/internal/verify"
)

// renderer writes the policies of one cluster.
type renderer struct {
	w     *plan.Wanted
	diags diag.List
	files []target.File

	pods   []*inventory.Workload // that can be governed
	podsOf [][]*inventory.Workload
	hosts  [][]*inventory.Workload // by identity: what is no pod
	odd    []*inventory.Workload   // pods in the network of their node
	made   map[string]bool         // labels that no pod carries as the inventory has them

	everybody int // how many peers exist
	names     map[string]bool
	table     []policy.PrefixPeer
	kinds     [][]*inventory.Workload // by identity: of pods that are alike the first
	kindsIn   map[string][]podOf      // by namespace
	blocksOf  map[string][]string
	splits    map[string]*split // by the text of a cover
	lines     [][]string        // by identity: its hosts' addresses, an item each; nil before it is asked for
	said      map[int][]string  // by class of pairs: the rules that permit something

	isolated  map[string][2]bool // by namespace: all pods are
	dns       map[verify.Peer]bool
	noDNS     []string // subjects
	lost      []lost   // in the order in which they were found
	cutsOff   bool     // some pod is closed to what is built in
	isolating map[*inventory.Workload][2]bool
}

func newRenderer(w *plan.Wanted) *renderer {
	n := len(w.Policy.Identities)
	r := &renderer{
		w: w, podsOf: make([][]*inventory.Workload, n), hosts: make([][]*inventory.Workload, n), made: map[string]bool{}, names: map[string]bool{},
		blocksOf: map[string][]string{}, splits: map[string]*split{}, kinds: make([][]*inventory.Workload, n), kindsIn: map[string][]podOf{}, lines: make([][]string, n), said: map[int][]string{}, dns: map[verify.Peer]bool{}, isolated: map[string][2]bool{}, isolating: map[*inventory.Workload][2]bool{},
	}
	for id := range w.Policy.Identities {
		for _, i := range w.Policy.Identities[id].Workloads {
			r.sort(id, &w.Policy.Inventory.Workloads[i])
		}
	}
	r.study()
	for x := range w.Engine.Peers() {
		if w.Engine.Exists(verify.Peer(x)) {
			r.everybody++
		}
	}
	r.table = w.Policy.Prefixes()
	return r
}

func (r *renderer) sort(id int, w *inventory.Workload) {
	_, isPod := w.Labels["k8s/namespace"]
	switch {
	case isPod && w.Labels["k8s/hostnetwork"] == "true":
		r.odd = append(r.odd, w)
		return
	case !isPod:
		r.hosts[id] = append(r.hosts[id], w)
		return
	}
	if servesDNS(w.Labels, w.Name) {
		r.dns[r.w.Engine.OfIdentity(id)] = true
	}
	r.pods = append(r.pods, w)
	r.podsOf[id] = append(r.podsOf[id], w)
}

// podOf is a pod of an identity; others of it have the same labels.
type podOf struct {
	identity int
	*inventory.Workload
}

// study puts together pods that are alike, and finds the labels that no pod
// carries as the inventory has them.
func (r *renderer) study() {
	inv := r.w.Policy.Inventory
	type key struct{ identity, like int }
	seen := map[key]bool{}
	for like, list := range inventory.Alike(inv.Workloads) {
		w := &inv.Workloads[list[0]]
		if _, isPod := w.Labels["k8s/namespace"]; !isPod || w.Labels["k8s/hostnetwork"] == "true" {
			continue
		}
		for _, i := range list {
			if k := (key{r.w.Policy.IdentityOf[i], like}); !seen[k] {
				seen[k] = true
				r.kinds[k.identity] = append(r.kinds[k.identity], &inv.Workloads[i])
			}
		}
		for k, v := range w.Labels {
			if have, ok := w.Pod[k]; w.Pod != nil && (!ok || have != v) && !label.IsBuiltin(k) {
				r.made[k] = true
			}
		}
	}
	for id, pods := range r.kinds {
		for _, w := range pods {
			space := w.Labels["k8s/namespace"]
			r.kindsIn[space] = append(r.kindsIn[space], podOf{id, w})
		}
	}
}

// hasPods reports whether any of the identities has a pod.
func (r *renderer) hasPods(ids []int) bool {
	return slices.ContainsFunc(ids, func(id int) bool { return len(r.podsOf[id]) > 0 })
}

// noteIsolated remembers which pods a subject's policies isolate.
func (r *renderer) noteIsolated(s *plan.Subject, ids []int, isolates [2]bool) {
	for _, id := range ids {
		for _, w := range r.podsOf[id] {
			r.isolating[w] = isolates
		}
	}
	if isolates[flow.Egress] {
		r.noteDNS(s)
		r.cutsOff = true
	}
}

// settle finds the namespaces all of whose pods are isolated.
func (r *renderer) settle() {
	for _, w := range r.pods {
		space := w.Labels["k8s/namespace"]
		all, known := r.isolated[space]
		if !known {
			all = [2]bool{true, true}
		}
		for dir := range all {
			all[dir] = all[dir] && r.isolating[w][dir]
		}
		r.isolated[space] = all
	}
}

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
