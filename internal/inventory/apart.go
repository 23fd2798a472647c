package inventory

import "slices"

// Routes answers whether packets get from one VPC to another. The zero value
// knows of none.
type Routes struct{ vpcs map[string]*Network }

// Routes are those between the snapshot's networks.
func (s *Snapshot) Routes() Routes {
	r := Routes{vpcs: map[string]*Network{}}
	for i := range s.Networks {
		if n := &s.Networks[i]; n.Within == "" {
			r.vpcs[n.Name] = n
		}
	}
	return r
}

// Apart reports whether no way is known by which two VPCs exchange packets, and
// whether it is sure that there is none: the peers of one of them are then known
// completely. VPCs that nothing is known of are not apart.
func (r Routes) Apart(one, other string) (apart, sure bool) {
	a, b := r.vpcs[one], r.vpcs[other]
	if a == nil || b == nil || a == b || slices.Contains(a.Peers, other) || slices.Contains(b.Peers, one) {
		return false, false
	}
	return true, a.Complete || b.Complete
}
