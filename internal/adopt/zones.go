package adopt

import (
	"cmp"

	"firebreak/internal/inventory"
)

// zone is a trust zone to be. selector is empty for those that nothing selects.
type zone struct {
	name     string
	selector string
	atoms    []int
}

// zoneKeys are labels by which people usually divide what is not in Kubernetes;
// there, namespaces do.
var zoneKeys = []string{"zone", "tier", "Tier", "env", "environment", "Environment", "net/vpc", "cloud/account"}

const namespaceKey = "k8s/namespace"

// zones puts every workload atom into a zone.
func (a *adopter) zones() {
	bySelector := map[string]int{}
	for i := range a.all[:a.places] {
		name, selector := a.zoneOf(&a.inv.Workloads[a.all[i].workloads[0]])
		at, known := bySelector[selector]
		if !known {
			at = len(a.zoneList)
			bySelector[selector] = at
			a.zoneList = append(a.zoneList, zone{name: name, selector: selector})
		}
		a.zoneList[at].atoms = append(a.zoneList[at].atoms, i)
		a.all[i].zone = at
	}
	free := newNames("unassigned")
	for i := range a.zoneList {
		if z := &a.zoneList[i]; z.selector != "" {
			z.name = free.free(cmp.Or(z.name, "zone"))
		}
	}
}

// commonKey is the label that most workloads outside Kubernetes have.
func (a *adopter) commonKey() string {
	best, most := "", 0
	for _, k := range zoneKeys {
		n := 0
		for i := range a.inv.Workloads {
			if l := a.inv.Workloads[i].Labels; l[namespaceKey] == "" && usable(k, l[k]) {
				n++
			}
		}
		if n > most {
			best, most = k, n
		}
	}
	return best
}

// zoneOf is a workload's namespace in Kubernetes, the value of the common label
// elsewhere.
func (a *adopter) zoneOf(w *inventory.Workload) (name, selector string) {
	if ns := w.Labels[namespaceKey]; usable(namespaceKey, ns) {
		return slug(ns), namespaceKey + "=" + ns
	}
	if v := w.Labels[a.zoneKey]; usable(a.zoneKey, v) && w.Labels[namespaceKey] == "" {
		if a.clusters {
			return slug(v), a.zoneKey + "=" + v + ",!" + namespaceKey
		}
		return slug(v), a.zoneKey + "=" + v
	}
	return "unassigned", ""
}
