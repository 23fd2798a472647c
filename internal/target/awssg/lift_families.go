package awssg

import (
	"net/netip"

	"firebreak/internal/layer"
)

// families are the families of somebody's addresses, as bits. Packets go between
// addresses of one family only, so that of somebody with both only those count
// which the other end has, too.
type families uint8

const (
	ipv4 families = 1 << iota
	ipv6
	anyFamily = ipv4 | ipv6
)

func of(a netip.Addr) families {
	if a.Is4() {
		return ipv4
	}
	return ipv6
}

// familiesOf are those of some addresses; of somebody without known ones any.
func familiesOf(addrs []netip.Addr) families {
	var f families
	for _, a := range addrs {
		f |= of(a)
	}
	if f == 0 {
		return anyFamily
	}
	return f
}

// byFamilies are workloads by the families that they have.
type byFamilies [anyFamily + 1][]int

// families divides workloads, where it makes a difference: where some workload
// has both families.
func (t *tabler) families(who []int) byFamilies {
	var out byFamilies
	for _, i := range who {
		f := anyFamily
		if t.mixed != nil {
			f = familiesOf(t.src.Inventory.Workloads[i].Addresses)
		}
		out[f] = append(out[f], i)
	}
	return out
}

// of puts together again those of whom a rule says the same.
func (b byFamilies) of(r *liftedRule) byFamilies {
	for _, f := range []families{ipv4, ipv6} {
		if _, other := f.divide(r.prefixes); r.family == 0 && len(other) == 0 {
			b[anyFamily] = append(b[anyFamily][:len(b[anyFamily]):len(b[anyFamily])], b[f]...)
			b[f] = nil
		}
	}
	return b
}

// divide tells prefixes of some families from others.
func (f families) divide(prefixes []netip.Prefix) (shared, other []netip.Prefix) {
	for _, p := range prefixes {
		if f&of(p.Addr()) != 0 {
			shared = append(shared, p)
		} else {
			other = append(other, p)
		}
	}
	return shared, other
}

// fits reports whether those addresses that count are of the family that a rule
// speaks of, 0 being both. Somebody without a known one is taken for one of IPv4.
func (f families) fits(addrs []netip.Addr, family int) layer.Tri {
	if len(addrs) == 0 && family != 6 || family == 0 {
		return layer.Yes
	}
	yes, no := false, len(addrs) == 0
	for _, a := range addrs {
		if f&of(a) == 0 {
			continue
		}
		if a.Is4() == (family == 4) {
			yes = true
		} else {
			no = true
		}
	}
	switch {
	case yes && no:
		return layer.Maybe
	case yes:
		return layer.Yes
	}
	return layer.No
}
