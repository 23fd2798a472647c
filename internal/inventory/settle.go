package inventory

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"firebreak/internal/diag"
)

// Labels that a machine passes on to what runs on it.
var placeLabels = [...]string{"cloud/provider", "cloud/account", "cloud/region", "net/vpc", "net/subnet"}

// settler makes one workload of what a cloud, a cluster and a file know each in
// its own way.
type settler struct {
	s        *Snapshot
	diags    *diag.List
	machines map[string]*Machine
	byHost   map[string]*Machine // by private DNS name
	byOwn    map[netip.Addr]*Machine
	byLent   map[netip.Prefix]*Machine
	lengths  []int                          // of prefixes in byLent, of IPv4 and of IPv6
	byNode   map[string]*Machine            // by the node's name in its cluster
	gone     map[string]bool                // workloads that became others
	taken    map[string]map[netip.Addr]bool // addresses of machines that are their pods', by machine
}

// settle unites workloads of clouds with those that other sources know by other
// names, and tells pods their roles.
func (s *Snapshot) settle(parts []*Snapshot, diags *diag.List) {
	t := &settler{s: s, diags: diags, machines: map[string]*Machine{}, byHost: map[string]*Machine{}, byOwn: map[netip.Addr]*Machine{},
		byLent: map[netip.Prefix]*Machine{}, byNode: map[string]*Machine{}, gone: map[string]bool{}, taken: map[string]map[netip.Addr]bool{}}
	for _, p := range parts {
		if p != nil {
			s.Machines = append(s.Machines, p.Machines...)
			s.Nodes = append(s.Nodes, p.Nodes...)
			s.Identities = append(s.Identities, p.Identities...)
		}
	}
	t.identities()
	if len(s.Machines) == 0 {
		return
	}
	t.learn()
	for i := range s.Workloads {
		if t.machines[s.Workloads[i].Name] == nil {
			t.meet(&s.Workloads[i])
		}
	}
	t.nodes()
	s.Workloads = slices.DeleteFunc(s.Workloads, func(w Workload) bool { return t.gone[w.Name] })
}

// identities gives pods the roles that the cloud gives their service accounts.
func (t *settler) identities() {
	type account struct{ namespace, name string }
	by := map[account][]Identity{}
	for _, id := range t.s.Identities {
		a := account{id.Namespace, id.ServiceAccount}
		by[a] = append(by[a], id)
	}
	if len(by) == 0 {
		return
	}
	for i := range t.s.Workloads {
		w := &t.s.Workloads[i]
		for _, id := range by[account{w.Labels["k8s/namespace"], w.Labels["k8s/serviceaccount"]}] {
			cluster := w.Labels["k8s/cluster"]
			if cluster != "" && id.Cluster != "" && cluster != id.Cluster {
				continue
			}
			t.label(w, "aws/role", id.Role, id.Source)
		}
	}
}

// label gives a workload a label, if it has no other value for it.
func (t *settler) label(w *Workload, key, value string, from diag.Pos) {
	old, has := w.Labels[key]
	if value == "" || has && old == value {
		return
	}
	if has {
		t.diags.Errorf(from, "sources-disagree", "label %s of workload %s is %q here and %q in another source", key, w.Name, value, old).
			WithHelp("correct one of the sources, or leave one of them out").WithSee(w.Source)
		return
	}
	w.Labels = maps.Clone(w.Labels)
	if w.Labels == nil {
		w.Labels = map[string]string{}
	}
	w.Labels[key] = value
}

// learn fills the indexes. A machine that two sources describe is there twice,
// which does no harm: it is known by what either says.
func (t *settler) learn() {
	s := t.s
	slices.SortStableFunc(s.Machines, func(a, b Machine) int { return cmp.Compare(a.Name, b.Name) })
	one := s.Machines[:0:0]
	for _, m := range s.Machines {
		if n := len(one); n > 0 && one[n-1].Name == m.Name {
			one[n-1] = uniteMachines(one[n-1], m)
			continue
		}
		one = append(one, m)
	}
	s.Machines = one
	for i := range s.Machines {
		m := &s.Machines[i]
		t.machines[m.Name] = m
		if m.Host != "" {
			t.byHost[m.Host] = m
		}
		for _, a := range m.Own {
			t.byOwn[a] = m
		}
		for _, p := range m.Lent {
			t.byLent[p.Masked()] = m
			if !slices.Contains(t.lengths, p.Bits()) {
				t.lengths = append(t.lengths, p.Bits())
			}
		}
	}
	for _, n := range s.Nodes {
		if m := t.machines[n.Instance]; m != nil {
			t.byNode[n.Name] = m
		} else if m := t.byHost[n.Name]; m != nil {
			t.byNode[n.Name] = m
		}
	}
}

func uniteMachines(a, b Machine) Machine {
	a.Host, a.Role = cmp.Or(a.Host, b.Host), cmp.Or(a.Role, b.Role)
	a.Own = sortedSet(slices.Concat(a.Own, b.Own), netip.Addr.Compare)
	a.Lent = sortedSet(slices.Concat(a.Lent, b.Lent), netip.Prefix.Compare)
	labels := maps.Clone(b.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, a.Labels)
	a.Labels = labels
	return a
}

// meet finds the machines that a workload of another source is, or runs on.
func (t *settler) meet(w *Workload) {
	pod := w.Labels["k8s/namespace"] != ""
	var on, is []*Machine
	add := func(to *[]*Machine, m *Machine) {
		if m != nil && !slices.Contains(*to, m) {
			*to = append(*to, m)
		}
	}
	for _, a := range w.Addresses {
		add(&is, t.byOwn[a])
		if m := t.lender(a); m != nil && pod {
			add(&on, m)
		} else {
			add(&is, m)
		}
	}
	if w.Host != "" {
		host := cmp.Or(t.machines[w.Host], t.byNode[w.Host], t.byHost[w.Host])
		if pod {
			add(&on, host)
		} else {
			add(&is, host)
		}
	}
	if pod { // one with the node's own address shares it, and is on it
		t.place(w, append(is, on...), is)
		return
	}
	if len(is) == 1 {
		t.unite(w, is[0])
	}
}

func (t *settler) lender(a netip.Addr) *Machine {
	for _, bits := range t.lengths {
		if p, err := a.Prefix(bits); err == nil {
			if m := t.byLent[p]; m != nil {
				return m
			}
		}
	}
	return nil
}

// place gives pods the labels of the machines that they run on, as far as these
// agree: replicas in several subnets are in none of them. Their addresses are
// theirs alone, and none of the machine's. Pods that have a node's own address
// have its role, too, unless theirs is known.
func (t *settler) place(w *Workload, on, share []*Machine) {
	for i, m := range on {
		if t.taken[m.Name] == nil {
			t.taken[m.Name] = map[netip.Addr]bool{}
		}
		for _, a := range w.Addresses {
			t.taken[m.Name][a] = true
		}
		for _, key := range placeLabels {
			if i == 0 && agree(on, key) {
				t.label(w, key, m.Labels[key], m.Source)
			}
		}
	}
	if len(share) == 1 && w.Labels["aws/role"] == "" {
		t.label(w, "aws/role", share[0].Role, share[0].Source)
	}
}

// nodes leaves each machine that pods run on what is its own: what it lends, a
// pod has or will have. One whose every address a pod has is no workload beside
// them, and neither is a group of machines that are known one by one.
func (t *settler) nodes() {
	isNode := map[string]bool{}
	for _, m := range t.byNode {
		isNode[m.Name] = true
	}
	for i := range t.s.Workloads {
		w := &t.s.Workloads[i]
		taken := t.taken[w.Name]
		if taken == nil && !isNode[w.Name] {
			continue
		}
		had := len(w.Addresses)
		w.Addresses = slices.DeleteFunc(slices.Clone(w.Addresses), func(a netip.Addr) bool {
			return taken[a] || isNode[w.Name] && t.lender(a) != nil
		})
		if had > 0 && len(w.Addresses) == 0 {
			t.gone[w.Name] = true
		}
	}
	for i := range t.s.Machines { // https://docs.aws.amazon.com/eks/latest/userguide/managed-node-groups.html
		if m := &t.s.Machines[i]; m.Labels["eks:nodegroup-name"] != "" {
			t.gone["eks/"+m.Labels["eks:cluster-name"]+"/"+m.Labels["eks:nodegroup-name"]] = true
		}
	}
	for name, m := range t.byNode {
		if i, found := t.find(m.Name); found {
			t.label(&t.s.Workloads[i], "k8s/node", name, m.Source)
		}
	}
}

func (t *settler) find(name string) (int, bool) {
	return slices.BinarySearchFunc(t.s.Workloads, name, func(x Workload, name string) int { return cmp.Compare(x.Name, name) })
}

func agree(on []*Machine, key string) bool {
	for _, m := range on {
		if m.Labels[key] != on[0].Labels[key] {
			return false
		}
	}
	return true
}

// unite makes one workload of w and the machine's own.
func (t *settler) unite(w *Workload, m *Machine) {
	i, found := t.find(m.Name)
	if !found || t.gone[m.Name] {
		return
	}
	other := t.s.Workloads[i]
	t.gone[m.Name] = true
	if named := t.machines[w.Host]; w.Host != "" && (named == nil || named == m) {
		other.Host = w.Host // another name of the same host
	}
	*w = unite(*w, other, t.diags)
}
