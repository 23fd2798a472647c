package prove

import (
	"firebreak/internal/inventory"
	"firebreak/internal/verify/space"
)

// way says whether packets get from one end to another where no layer speaks.
type way uint8

// The ways.
const (
	open    way = iota // nothing is known that keeps the two apart
	unasked            // none is known, but nobody asked for all
	closed             // there is none: what is let through is let through by a relay
)

// why is the reason for which a way is perhaps none.
func (w way) why() string {
	if w == unasked {
		return "nobody asked for all that connects their VPCs (describe-vpc-peering-connections, describe-transit-gateway-vpc-attachments, and of whom a transit gateway belongs to describe-transit-gateway-attachments), and no relay leads there"
	}
	return ""
}

// either adds to what differs if packets get there what differs if they do not
// and a relay leads there: perhaps.
func (w way) either(direct, led []piece) []piece {
	var sure space.Set
	for _, p := range led {
		if p.kind == under {
			sure = sure.Union(p.set)
		}
	}
	for i := range direct {
		p := &direct[i]
		if p.kind != under {
			continue
		}
		if rest := p.set.Subtract(sure); !rest.IsEmpty() {
			if p.set = p.set.Intersect(sure); p.set.IsEmpty() {
				p.set, p.kind, p.why = rest, perhaps, w.why()
				continue
			}
			more := *p
			more.set, more.kind, more.why = rest, perhaps, w.why()
			direct = append(direct, more)
		}
	}
	for _, p := range led {
		for _, x := range direct {
			if x.kind == p.kind || x.kind == perhaps {
				p.set = p.set.Subtract(x.set)
			}
		}
		if p.kind < perhaps || p.set.IsEmpty() {
			continue
		}
		p.kind, p.why = perhaps, w.why()
		direct = append(direct, p)
	}
	return direct
}

// ways knows the VPCs of all ends.
type ways struct {
	vpcs  []int32 // by end: index into names; 0 where its workloads are not all in one
	names []string
	known [][]way // by both VPCs
	inventory.Routes
}

func newWays(inv *inventory.Snapshot, u *universe) *ways {
	w := &ways{vpcs: make([]int32, len(u.ends)), names: []string{""}, Routes: inv.Routes()}
	at := map[string]int32{"": 0}
	for x := range u.ends {
		for n, i := range u.ends[x].workloads {
			name := inv.Workloads[i].Labels["net/vpc"]
			vpc, known := at[name]
			if !known {
				vpc = int32(len(w.names))
				at[name] = vpc
				w.names = append(w.names, name)
			}
			if n > 0 && vpc != w.vpcs[x] {
				vpc = 0
			}
			if w.vpcs[x] = vpc; vpc == 0 {
				break
			}
		}
	}
	for _, a := range w.names {
		row := make([]way, len(w.names))
		for i, b := range w.names {
			if apart, sure := w.Apart(a, b); apart && sure {
				row[i] = closed
			} else if apart {
				row[i] = unasked
			}
		}
		w.known = append(w.known, row)
	}
	return w
}

// between is the way from one end to another.
func (w *ways) between(i, j int) way {
	a, b := w.vpcs[i], w.vpcs[j]
	if a == 0 || b == 0 || a == b {
		return open
	}
	return w.known[a][b]
}
