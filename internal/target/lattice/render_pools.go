package lattice

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"

	"firebreak/internal/diag"
	"firebreak/internal/inventory"
)

// pool is what goes into a target group: targets of one kind, behind each port
// of a service.
type pool struct {
	kind string // "INSTANCE" or "IP"
	name string // tells the pools of a service apart; empty if there is one
	ids  []string
	at   diag.Pos // of the first workload of all
}

// weight is how many of the requests a pool gets: as many as it has targets, or
// in that proportion, so that each of them gets the same.
// docs.aws.amazon.com/vpc-lattice/latest/APIReference/API_WeightedTargetGroup.html
func (u *unit) weight(p *pool) int {
	most := 0
	for i := range u.pools {
		most = max(most, len(u.pools[i].ids))
	}
	if most <= maxWeight+1 {
		return min(len(p.ids), maxWeight)
	}
	return max(1, (len(p.ids)*maxWeight+most/2)/most)
}

// targets counts what is behind each port of a unit.
func (u *unit) targets() int {
	n := 0
	for i := range u.pools {
		n += len(u.pools[i].ids)
	}
	return n
}

// pools divides workloads into as few target groups as will hold them.
func (r *renderer) pools(workloads []*inventory.Workload) []pool {
	kinds := map[string]map[string]bool{}
	for _, w := range workloads {
		kind, id, ok := targetID(w)
		if !ok {
			r.say(w.Source, "give its addresses", "the workload %s has no address that could be a target", w.Name)
			continue
		}
		if kinds[kind] == nil {
			kinds[kind] = map[string]bool{}
		}
		kinds[kind][id] = true
	}
	var out []pool
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		name := ""
		if len(kinds) > 1 {
			name = "-" + strings.ToLower(kind)
		}
		for i, ids := range divided(sorted(kinds[kind]), r.most.targets) {
			p := pool{kind: kind, name: name, ids: ids, at: workloads[0].Source}
			if i > 0 {
				p.name += fmt.Sprint("-part-", i+1)
			}
			out = append(out, p)
		}
	}
	return out
}

// divided puts targets into groups of at most so many, of which there are as
// few as can be. Which one a target is in depends on its own id, so that others
// stay where they are when one comes or goes; only of a group that is full some
// are in another.
func divided(ids []string, inOne int) [][]string {
	out := make([][]string, (len(ids)+inOne-1)/inOne)
	for _, id := range ids {
		best, most := 0, uint64(0)
		for i := range out {
			h := fnv.New64a()
			h.Write([]byte(id))
			h.Write([]byte{byte(i), byte(i >> 8)})
			if rank := mixed(h.Sum64()); len(out[i]) < inOne && rank >= most {
				best, most = i, rank
			}
		}
		out[best] = append(out[best], id)
	}
	return out
}

// mixed spreads what differs in the last bits over all of them.
func mixed(x uint64) uint64 {
	x ^= x >> 32
	x *= 0x9e3779b97f4a7c15
	return x ^ x>>29
}

func sorted(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }

// targetID is under what a target group knows a workload: an IPv4 address, or
// the id of its instance.
func targetID(w *inventory.Workload) (kind, id string, ok bool) {
	for _, a := range w.Addresses {
		if a.Is4() {
			return "IP", a.String(), true
		}
	}
	return "INSTANCE", w.Host, strings.HasPrefix(w.Host, "i-")
}
