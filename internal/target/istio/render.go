package istio

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/plan"
	"firebreak/internal/target"
)

// Render implements target.Target. A point is a namespace; each subject that has
// workloads of the mesh there has a file.
func (Target) Render(w *plan.Wanted) ([]target.File, diag.List) {
	r := &renderer{w: w, pods: map[string][]podOf{}, files: map[string][]document{}, said: map[string]bool{}}
	r.findMembers()
	r.addresses = r.ranges()
	for i := range w.Subjects {
		r.subject(&w.Subjects[i])
	}
	if r.http {
		r.add("istio-system/mesh-config.yaml", r.meshConfig())
	}
	if r.diags.HasErrors() {
		return nil, r.diags
	}
	var out []target.File
	for _, name := range slices.Sorted(maps.Keys(r.files)) {
		out = append(out, target.File{Path: name, Data: encode(r.files[name])})
	}
	return out, r.diags
}

// renderer renders one plan.
type renderer struct {
	w         *plan.Wanted
	addresses []span

	like      []*likeness                      // by workload
	names     []string                         // the principals of the mesh, sorted
	holders   [][]int                          // by principal: the identities that have it, ascending
	members   []membership                     // by identity
	pods      map[string][]podOf               // by namespace, in the order of the workloads
	outsiders []outsider                       // by address
	everybody int                              // how many peers there are
	services  map[string][]*inventory.Frontend // by workload; nil before it is asked for

	files map[string][]document
	said  map[string]bool // what was reported once
	http  bool            // something speaks of requests
	diags diag.List

	failed bool // something cannot be denied alone; see fail
}

func (r *renderer) add(file string, d document) { r.files[file] = append(r.files[file], d) }

// first reports whether a text is reported for the first time.
func (r *renderer) first(text string) bool {
	again := r.said[text]
	r.said[text] = true
	return !again
}

// warn says once what cannot be said exactly.
func (r *renderer) warn(help, format string, args ...any) {
	if text := fmt.Sprintf(format, args...); r.first(text) {
		r.diags.Warnf(noPlace, "not-expressible", "%s", text).WithHelp("%s", help)
	}
}

func (r *renderer) workload(i int) *inventory.Workload { return &r.w.Policy.Inventory.Workloads[i] }

// principalOf is what the mesh calls a service account.
func principalOf(labels map[string]string) string {
	return "cluster.local/ns/" + labels["k8s/namespace"] + "/sa/" + cmp.Or(labels["k8s/serviceaccount"], "default")
}

// subject renders a subject in each namespace where it is in the mesh.
func (r *renderer) subject(s *plan.Subject) {
	if r.w.Everything(s, flow.Ingress) {
		return
	}
	in := map[string][]int{}
	for _, id := range s.Identities {
		for _, i := range r.w.Policy.Identities[id].Workloads {
			if k := r.like[i]; k.inside {
				in[k.namespace] = append(in[k.namespace], i)
			}
		}
	}
	if len(in) == 0 {
		return
	}
	if r.w.Observes(s) {
		r.watch(s, in)
		return
	}
	said := r.say(s, nil)
	for _, ns := range slices.Sorted(maps.Keys(in)) {
		file := ns + "/" + objectName(s.Name) + ".yaml"
		allow, deny := said.allow, said.deny
		p := r.behind(s, ns, in[ns], said)
		if p != nil {
			allow, deny = p.straight, nil
		} else if i := r.ambientOf(in[ns]); i >= 0 && said.http {
			r.warn("give its workloads a Service of their own, so that a waypoint judges their requests, or run them with sidecars",
				"%s is in ambient mode, where ztunnel sees no requests: what only some requests may do is closed for %s", r.workload(i).Name, s.Name)
		}
		selectors := r.selectors(s, ns, in[ns])
		for n, labels := range selectors {
			name := objectName(s.Name)
			if n > 0 {
				name = fmt.Sprintf("%s-%d", name, n+1)
			}
			r.add(file, r.peerAuthentication(name, ns, labels, said))
			r.add(file, r.policy(name, ns, labels, "ALLOW", allow))
			if len(deny) > 0 {
				r.add(file, r.policy(name+"-deny", ns, labels, "DENY", deny))
			}
		}
		if p != nil {
			r.atWaypoint(s, ns, file, p)
		}
	}
}

// ambientOf finds a workload that has no sidecar; -1 if all have.
func (r *renderer) ambientOf(workloads []int) int {
	for _, i := range workloads {
		if r.like[i].ambient {
			return i
		}
	}
	return -1
}

// objectName makes an object's name of a subject's.
func objectName(s string) string {
	s = strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' {
			return c
		}
		return '-'
	}, strings.ToLower(s))
	return "firebreak-" + s
}
