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
		return "nobody asked what connects their VPCs (describe-vpc-peering-connections, describe-transit-gateway-vpc-attachments), and no relay leads there"
	}
	return ""
}

// through is what all layers let pass on a way: surely, and perhaps.
func (j *judge) through(sig *signature, w way) (lower, upper space.Set) {
	lower, upper = j.composed(sig, false).passes, j.composed(sig, true).passes
	relayed := func(lax bool) space.Set {
		return j.stack(sig, lax, func(n int) bool { return j.e.layers[n].Optional }).speaks
	}
	if w != open {
		lower = lower.Intersect(relayed(false))
	}
	if w == closed {
		upper = upper.Intersect(relayed(true))
	}
	return lower, upper
}

// ways knows the VPCs of all ends.
type ways struct {
	vpcs  []string // by end; empty where its workloads are not all in one
	known map[[2]string]way
	inventory.Routes
}

func newWays(inv *inventory.Snapshot, u *universe) *ways {
	w := &ways{vpcs: make([]string, len(u.ends)), known: map[[2]string]way{}, Routes: inv.Routes()}
	for x := range u.ends {
		for n, i := range u.ends[x].workloads {
			vpc := inv.Workloads[i].Labels["net/vpc"]
			if n > 0 && vpc != w.vpcs[x] {
				vpc = ""
			}
			if w.vpcs[x] = vpc; vpc == "" {
				break
			}
		}
	}
	return w
}

// between is the way from one end to another.
func (w *ways) between(i, j int) way {
	a, b := w.vpcs[i], w.vpcs[j]
	if a == "" || b == "" || a == b {
		return open
	}
	k := [2]string{a, b}
	out, done := w.known[k]
	if !done {
		if apart, sure := w.Apart(a, b); apart && sure {
			out = closed
		} else if apart {
			out = unasked
		}
		w.known[k] = out
	}
	return out
}
