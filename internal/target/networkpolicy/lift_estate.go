package networkpolicy

import (
	"net/netip"
	"slices"
	"strings"
	"sync"

	"firebreak/internal/inventory"
	"firebreak/internal/label"
	"firebreak/internal/layer"
)

// Labels that an inventory gives to what comes from a cluster.
const (
	namespaceKey   = "k8s/namespace"
	hostNetworkKey = "k8s/hostnetwork"
	// nameLabel is on every namespace, and nobody can change it.
	// https://kubernetes.io/docs/reference/labels-annotations-taints/#kubernetes-io-metadata-name
	nameLabel = "kubernetes.io/metadata.name"
)

// estate is what selectors of a cluster are read against.
type estate struct {
	pods      []*inventory.Workload              // sorted by name
	spaces    []string                           // the namespaces that pods are in, sorted
	seen      map[string]map[string]string       // labels of the namespaces that stand in the folder
	known     map[string]map[string]string       // of those that the inventory knows, "k8s/namespace.KEY" by namespace
	hidden    map[string][][]*inventory.Workload // by key: pods on which that label is not what the inventory says, those together that are alike
	parsed    map[string]label.Selector
	matches   map[string]layer.Match // by what selector makes of requirements
	mayBePods map[netip.Prefix]bool
	text      []byte
	named     map[namedPort]map[uint16][]string
	away      func() []*inventory.Workload // pods with an address outside of the estate's networks
}

// serving lists the pods that have a port of that name, by its number.
func (e *estate) serving(x namedPort) map[uint16][]string {
	if known, ok := e.named[x]; ok {
		return known
	}
	out := map[uint16][]string{}
	for _, w := range e.pods {
		for _, port := range w.Ports {
			if port.Name == x.name && port.Protocol == x.protocol {
				out[port.Number] = append(out[port.Number], w.Name)
			}
		}
	}
	e.named[x] = out
	return out
}

// outside lists the pods that have an address outside of those networks, which
// must be the same in all calls.
func (e *estate) outside(networks []netip.Prefix) []*inventory.Workload {
	if e.away == nil {
		e.away = sync.OnceValue(func() []*inventory.Workload {
			return slices.DeleteFunc(slices.Clone(e.pods), func(w *inventory.Workload) bool {
				return !slices.ContainsFunc(w.Addresses, func(a netip.Addr) bool {
					return !slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(a) })
				})
			})
		})
	}
	return e.away()
}

func survey(inv *inventory.Snapshot) *estate {
	e := &estate{
		seen: map[string]map[string]string{}, known: map[string]map[string]string{},
		hidden: map[string][][]*inventory.Workload{}, named: map[namedPort]map[uint16][]string{}, parsed: map[string]label.Selector{},
		matches: map[string]layer.Match{}, mayBePods: map[netip.Prefix]bool{},
	}
	for i := range inv.Workloads {
		if _, isPod := inv.Workloads[i].Labels[namespaceKey]; isPod {
			e.pods = append(e.pods, &inv.Workloads[i])
		}
	}
	there := map[string]bool{}
	for _, list := range inventory.Alike(inv.Workloads) {
		w := &inv.Workloads[list[0]]
		space, isPod := w.Labels[namespaceKey]
		if !isPod {
			continue
		}
		if !there[space] {
			there[space] = true
			e.spaces = append(e.spaces, space)
			e.learn(space, w.Labels)
		}
		if w.Pod == nil {
			continue
		}
		var pods []*inventory.Workload
		hide := func(k string) {
			if pods == nil {
				for _, i := range list {
					pods = append(pods, &inv.Workloads[i])
				}
			}
			e.hidden[k] = append(e.hidden[k], pods)
		}
		for k, v := range w.Labels {
			if has, ok := w.Pod[k]; !label.IsBuiltin(k) && (!ok || has != v) {
				hide(k)
			}
		}
		for k := range w.Pod {
			if _, ok := w.Labels[k]; !ok {
				hide(k)
			}
		}
	}
	slices.Sort(e.spaces)
	return e
}

// learn notes what an inventory says of a namespace, at its first pod.
func (e *estate) learn(space string, labels map[string]string) {
	for k, v := range labels {
		if strings.HasPrefix(k, namespaceKey+".") {
			if e.known[space] == nil {
				e.known[space] = map[string]string{}
			}
			e.known[space][k] = v
		}
	}
}

// selector makes one of requirements that have been checked.
func (e *estate) selector(list ...label.Requirement) label.Selector {
	var b strings.Builder
	for i, q := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(q.String())
	}
	s, ok := e.parsed[b.String()]
	if !ok {
		s, _ = label.Parse(b.String())
		e.parsed[b.String()] = s
	}
	return s
}

// match says which workloads have pods that a selector matches. Where the
// inventory has a label that pods have not, or the other way about, they are named. The match is one for
// all who ask, and must not be changed.
func (e *estate) match(list ...label.Requirement) layer.Match {
	e.text = e.text[:0]
	for _, q := range list {
		e.text = append(e.text, q.Key...)
		e.text = append(e.text, 0, byte(q.Op))
		for _, v := range q.Values {
			e.text = append(append(e.text, v...), 0)
		}
		e.text = append(e.text, 1)
	}
	if m, known := e.matches[string(e.text)]; known {
		return m
	}
	key := string(e.text)
	m := e.find(list)
	e.matches[key] = m
	return m
}

func (e *estate) find(list []label.Requirement) layer.Match {
	s := e.selector(list...)
	var wrong, missed []string
	add := func(names *[]string, pods []*inventory.Workload) {
		for _, w := range pods {
			*names = append(*names, w.Name)
		}
	}
	for _, q := range list {
		for _, pods := range e.hidden[q.Key] {
			switch says, is := s.Matches(pods[0].Labels), e.really(list, pods[0]); {
			case says && !is:
				add(&wrong, pods)
			case is && !says:
				add(&missed, pods)
			}
		}
	}
	out := layer.Selected(s)
	if wrong != nil {
		out[0].Not = layer.Named(tidy(wrong)...)
	}
	if missed != nil {
		out = append(out, layer.Term{Workloads: tidy(missed)})
	}
	return out
}

func tidy(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// really asks the labels that pods have.
func (e *estate) really(list []label.Requirement, w *inventory.Workload) bool {
	for _, q := range list {
		labels := w.Pod
		if label.IsBuiltin(q.Key) {
			labels = w.Labels
		}
		if !q.Matches(labels) {
			return false
		}
	}
	return true
}

// inSpaces are the pods in namespaces that a namespaceSelector matches; doubt
// are those of which that is not known, because nothing says what labels their
// namespaces have.
func (e *estate) inSpaces(spaces, pods []label.Requirement) (sure, doubt layer.Match, unknown []string) {
	said := make([]label.Requirement, 0, len(spaces)+1)
	said = append(said, label.Requirement{Key: namespaceKey, Op: label.Exists})
	byName := true
	for _, q := range spaces {
		said = append(said, label.Requirement{Key: translated(q.Key), Op: q.Op, Values: q.Values})
		byName = byName && q.Key == nameLabel
	}
	var except, extra []string
	if !byName {
		except, extra, unknown = e.compare(spaces, said)
	}
	sure = e.match(slices.Concat(said, pods)...)
	if except != nil {
		not := layer.Selected(e.selector(label.Requirement{Key: namespaceKey, Op: label.In, Values: except}))
		sure = slices.Clone(sure)
		for i := range sure {
			sure[i].Not = slices.Concat(sure[i].Not, not)
		}
	}
	in := func(names []string) layer.Match {
		if names == nil {
			return nil
		}
		return e.match(slices.Concat([]label.Requirement{{Key: namespaceKey, Op: label.In, Values: names}}, pods)...)
	}
	return slices.Concat(sure, in(extra)), in(unknown), unknown
}

// compare finds the namespaces for which the workloads' labels do not say what
// a selector would find on the namespace itself: except are all of them, extra
// those that it matches, unknown those whose labels nobody knows.
func (e *estate) compare(spaces, said []label.Requirement) (except, extra, unknown []string) {
	for _, name := range e.spaces {
		labels, known := e.seen[name]
		if !known && e.known[name] == nil {
			except, unknown = append(except, name), append(unknown, name)
			continue
		}
		bySaid := all(said, func(key string) (string, bool) {
			if key == namespaceKey {
				return name, true
			}
			v, ok := e.known[name][key]
			return v, ok
		})
		is := bySaid
		if known {
			is = all(spaces, func(key string) (string, bool) {
				if key == nameLabel {
					return name, true
				}
				v, ok := labels[key]
				return v, ok
			})
		}
		if is != bySaid {
			except = append(except, name)
			if is {
				extra = append(extra, name)
			}
		}
	}
	return except, extra, unknown
}

func all(list []label.Requirement, value func(key string) (string, bool)) bool {
	for _, q := range list {
		one := map[string]string{}
		if v, ok := value(q.Key); ok {
			one[q.Key] = v
		}
		if !q.Matches(one) {
			return false
		}
	}
	return true
}

// translated is what an inventory calls a label of a namespace.
func translated(key string) string {
	if key == nameLabel {
		return namespaceKey
	}
	return namespaceKey + "." + strings.ReplaceAll(key, "/", ".")
}
