package policy

import (
	"cmp"
	"slices"

	"firebreak/internal/inventory"
	"firebreak/internal/lang"
)

// workloadNames finds workloads by their names, of which there may be many.
type workloadNames struct {
	all    []inventory.Workload
	sorted []string // nil until needed
}

func (n *workloadNames) has(name string) bool {
	_, found := slices.BinarySearchFunc(n.all, name, func(w inventory.Workload, name string) int { return cmp.Compare(w.Name, name) })
	if found {
		return true
	}
	// The snapshot may not be sorted, and if it is, there is a name to suggest.
	_, found = slices.BinarySearch(n.list(), name)
	return found
}

func (n *workloadNames) list() []string {
	if n.sorted == nil {
		n.sorted = make([]string, len(n.all))
		for i := range n.all {
			n.sorted[i] = n.all[i].Name
		}
		slices.Sort(n.sorted)
	}
	return n.sorted
}

// checkCases finds Cases that speak of what does not exist. That a Case means
// nobody at all is for whoever judges it.
func (r *resolver) checkCases() {
	workloads := workloadNames{all: r.p.Inventory.Workloads}
	for _, c := range r.dir.Cases {
		for _, x := range c.Expect {
			for _, e := range [...]*lang.Endpoint{&x.From, &x.To} {
				switch e.Kind {
				case lang.ByService, lang.ByZone, lang.ByExternal:
					r.lookup(e)
				case lang.ByWorkload:
					if !workloads.has(e.Name) {
						r.unknown(e.ValuePos, "workload", e.Name, workloads.list())
					}
				}
			}
			if x.Port == nil || x.Port.Name == "" || r.empty() || r.serviceFlawed {
				continue
			}
			if _, ok := slices.BinarySearch(r.portNames(), x.Port.Name); !ok {
				r.unknown(x.Port.Pos, "port", x.Port.Name, r.portNames())
			}
		}
	}
}

// checkFrontends finds frontends that stand before what is not there.
func (r *resolver) checkFrontends() {
	workloads := workloadNames{all: r.p.Inventory.Workloads}
	for _, f := range r.p.Inventory.Frontends {
		if f.ToService != "" && r.serviceNames.find(f.ToService) < 0 {
			r.unknown(f.Source, "service", f.ToService, r.serviceNames.list)
		}
		for _, name := range f.Workloads {
			if !workloads.has(name) {
				r.unknown(f.Source, "workload", name, workloads.list())
			}
		}
	}
}
