package policy

import (
	"slices"

	"firebreak/internal/inventory"
	"firebreak/internal/netset"
)

// Behind finds what stands behind frontends. It is immutable and safe for
// concurrent use.
type Behind struct {
	p          *Policy
	workloads  map[string]int   // by name; only of those that a frontend names
	namespaces map[string][]int // workloads, of namespaces with a frontend that selects
	services   map[string]*Service
}

// Behind prepares the questions about p's frontends. Without frontends it costs
// nothing.
func (p *Policy) Behind() *Behind {
	b := &Behind{p: p, workloads: map[string]int{}, namespaces: map[string][]int{}, services: map[string]*Service{}}
	if p.Inventory == nil || len(p.Inventory.Frontends) == 0 {
		return b
	}
	for i := range p.Inventory.Frontends {
		f := &p.Inventory.Frontends[i]
		for _, name := range f.Workloads {
			b.workloads[name] = -1
		}
		if len(f.Selector) > 0 {
			b.namespaces[f.Namespace] = nil
		}
	}
	for i := range p.Inventory.Workloads {
		w := &p.Inventory.Workloads[i]
		if _, named := b.workloads[w.Name]; named {
			b.workloads[w.Name] = i
		}
		if members, selecting := b.namespaces[w.Namespace]; selecting {
			b.namespaces[w.Namespace] = append(members, i)
		}
	}
	for i := range p.Services {
		b.services[p.Services[i].Name] = &p.Services[i]
	}
	return b
}

// Workloads lists the workloads (indices into the inventory, ascending, each
// once) behind one of the inventory's frontends: those that it names, those of
// its service, and those in its namespace that have every label of its
// selector.
func (b *Behind) Workloads(f *inventory.Frontend) []int {
	var out []int
	for _, name := range f.Workloads {
		if w := b.workloads[name]; w >= 0 {
			out = append(out, w)
		}
	}
	if s := b.services[f.ToService]; s != nil {
		out = append(out, s.Workloads...)
	}
	if len(f.Selector) > 0 {
		for _, w := range b.namespaces[f.Namespace] {
			if selects(f.Selector, b.p.Inventory.Workloads[w].Labels) {
				out = append(out, w)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func selects(want, have map[string]string) bool {
	for key, value := range want {
		if got, there := have[key]; !there || got != value {
			return false
		}
	}
	return true
}

// Targets lists the ports (ascending, each once) of a workload that a port of a
// frontend leads to. What a name means is said by the frontend's service, else
// by the workload, else by the workload's services.
func (b *Behind) Targets(f *inventory.Frontend, port inventory.FrontendPort, workload int) []uint16 {
	if port.TargetName == "" {
		return []uint16{port.Target}
	}
	meant := portsNamed(b.p.Inventory.Workloads[workload].Ports, port.TargetName)
	declared := netset.None()
	if s := b.services[f.ToService]; s != nil {
		declared = portsNamed(s.Ports, port.TargetName)
	}
	if !declared.IsEmpty() || meant.IsEmpty() {
		meant = b.ofServices(port.TargetName, workload, meant)
		if s := b.services[f.ToService]; s != nil && !declared.IsEmpty() {
			if _, member := slices.BinarySearch(s.Workloads, workload); member {
				meant = declared
			}
		}
	}
	var out []uint16
	for _, run := range meant.Ranges(port.Protocol) {
		for n := int(run.Lo); n <= int(run.Hi); n++ {
			out = append(out, uint16(n))
		}
	}
	return out
}

// ofServices adds what the services of a workload call by a name.
func (b *Behind) ofServices(name string, workload int, t netset.Traffic) netset.Traffic {
	for _, s := range b.p.ServicesOf[workload] {
		t = t.Union(portsNamed(b.p.Services[s].Ports, name))
	}
	return t
}
