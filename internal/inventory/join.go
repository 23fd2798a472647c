package inventory

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"firebreak/internal/diag"
)

// Join makes one snapshot of several. A workload that two parts name is one
// workload: labels, addresses and ports are united. Parts that contradict each
// other are an error, since nobody can say which of them is right; so is a
// name that one part holds twice. A machine of a cloud that another part
// describes under a name of its own, by its address or its host, is that
// workload; one that is a node of a cluster has no address that a pod has. Nil parts are allowed; the parts are not
// changed, but must not be changed later either: the snapshot may share their
// labels and lists. The snapshot is never nil.
func Join(parts ...*Snapshot) (*Snapshot, diag.List) {
	var diags diag.List
	frontends := map[string]Frontend{}
	for _, p := range parts {
		if p == nil {
			continue
		}
		for _, f := range p.Frontends {
			if old, known := frontends[f.Name]; known {
				duplicate(&diags, "frontend", f.Name, f.Source, old.Source)
				continue
			}
			frontends[f.Name] = f
		}
	}
	out := &Snapshot{Workloads: joinWorkloads(parts, &diags), Frontends: sorted(frontends), Networks: joinNetworks(parts, &diags)}
	out.settle(parts, &diags)
	return out, diags
}

// joinNetworks unites what the parts say of each network. Those that put it in
// different ones contradict each other.
func joinNetworks(parts []*Snapshot, diags *diag.List) []Network {
	all := map[string]Network{}
	for _, p := range parts {
		if p == nil {
			continue
		}
		for _, n := range p.Networks {
			old, known := all[n.Name]
			if !known {
				all[n.Name] = n
				continue
			}
			if old.Within != "" && n.Within != "" && old.Within != n.Within {
				diags.Errorf(n.Source, "sources-disagree", "network %s is in %s here and in %s elsewhere", n.Name, n.Within, old.Within).WithSee(old.Source)
			}
			all[n.Name] = uniteNetworks(old, n)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return sorted(all)
}

func uniteNetworks(a, b Network) Network {
	a.Within = cmp.Or(a.Within, b.Within)
	a.CIDRs = slices.Concat(a.CIDRs, b.CIDRs)
	slices.SortFunc(a.CIDRs, netip.Prefix.Compare)
	a.CIDRs = slices.Compact(a.CIDRs)
	a.Peers = slices.Concat(a.Peers, b.Peers)
	slices.Sort(a.Peers)
	a.Peers = slices.Compact(a.Peers)
	a.Complete = a.Complete || b.Complete
	labels := maps.Clone(b.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, a.Labels)
	a.Labels = labels
	return a
}

// joinWorkloads puts those of all parts in order, and makes one of those that
// have the same name.
func joinWorkloads(parts []*Snapshot, diags *diag.List) []Workload {
	type ref struct {
		w    *Workload
		part int
	}
	var refs []ref
	for i, p := range parts {
		if p != nil {
			refs = slices.Grow(refs, len(p.Workloads))
			for n := range p.Workloads {
				refs = append(refs, ref{&p.Workloads[n], i})
			}
		}
	}
	byName := func(a, b ref) int { return cmp.Compare(a.w.Name, b.w.Name) }
	if !slices.IsSortedFunc(refs, byName) {
		slices.SortStableFunc(refs, byName)
	}
	out := make([]Workload, 0, len(refs))
	var ports []Port // of the one before
	for i, r := range refs {
		if i == 0 || refs[i-1].w.Name != r.w.Name {
			w := tidy(*r.w)
			if slices.Equal(w.Ports, ports) {
				w.Ports = ports // replicas stand together and have the same
			}
			ports = w.Ports
			out = append(out, w)
			continue
		}
		last := &out[len(out)-1]
		if refs[i-1].part == r.part {
			duplicate(diags, "workload", r.w.Name, r.w.Source, last.Source)
			continue
		}
		*last = unite(*last, *r.w, diags)
	}
	return out
}

func sorted[V any](m map[string]V) []V {
	out := make([]V, 0, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		out = append(out, m[name])
	}
	return out
}

func duplicate(diags *diag.List, kind, name string, here, there diag.Pos) {
	diags.Errorf(here, "duplicate-name", "there are two descriptions of %s %s", kind, name).WithHelp("keep one").WithSee(there)
}

func tidy(w Workload) Workload {
	w.Addresses = sortedSet(w.Addresses, netip.Addr.Compare)
	w.Ports = sortedSet(w.Ports, comparePorts)
	return w
}

func unite(a, b Workload, diags *diag.List) Workload {
	a.Labels = maps.Clone(a.Labels) // parts lend theirs
	if a.Labels == nil {
		a.Labels = map[string]string{}
	}
	for _, k := range slices.Sorted(maps.Keys(b.Labels)) {
		if v, ok := a.Labels[k]; ok && v != b.Labels[k] {
			conflict(diags, a, b, "label "+k, v, b.Labels[k])
			continue
		}
		a.Labels[k] = b.Labels[k]
	}
	if a.Pod == nil {
		a.Pod = b.Pod
	}
	a.Addresses = sortedSet(slices.Concat(a.Addresses, b.Addresses), netip.Addr.Compare)
	a.Ports = sortedSet(slices.Concat(a.Ports, b.Ports), comparePorts)
	a.Principal = agreed(diags, a, b, "principal", a.Principal, b.Principal)
	a.Host = agreed(diags, a, b, "host", a.Host, b.Host)
	a.Zone = agreed(diags, a, b, "zone", a.Zone, b.Zone)
	a.Namespace = agreed(diags, a, b, "namespace", a.Namespace, b.Namespace)
	return a
}

func agreed(diags *diag.List, a, b Workload, what, x, y string) string {
	if x != "" && y != "" && x != y {
		conflict(diags, a, b, what, x, y)
	}
	return cmp.Or(x, y)
}

func conflict(diags *diag.List, a, b Workload, what, x, y string) {
	diags.Errorf(b.Source, "sources-disagree", "%s of workload %s is %q here and %q in another source", what, a.Name, y, x).
		WithHelp("correct one of the sources, or leave one of them out").WithSee(a.Source)
}

func sortedSet[T comparable](in []T, order func(a, b T) int) []T {
	if isSortedSet(in, order) {
		return in
	}
	out := slices.Clone(in)
	slices.SortFunc(out, order)
	return slices.Compact(out)
}

func comparePorts(a, b Port) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Number, b.Number), cmp.Compare(a.Protocol, b.Protocol))
}

func isSortedSet[T any](in []T, order func(a, b T) int) bool {
	for i := 1; i < len(in); i++ {
		if order(in[i-1], in[i]) >= 0 {
			return false
		}
	}
	return true
}
