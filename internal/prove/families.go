package prove

// families are the families of addresses that somebody in an end has, as bits.
// Between ends that have none in common no packet can go.
type families uint8

const (
	ipv4 families = 1 << iota
	ipv6
)

// families of an end. A workload without known addresses, and what a name leads
// to, may have either.
func (u *universe) families(x *end) families {
	var out families
	if x.name != "" {
		return ipv4 | ipv6
	}
	for _, w := range x.workloads {
		addrs := u.inv.Workloads[w].Addresses
		if len(addrs) == 0 {
			return ipv4 | ipv6
		}
		for _, a := range addrs {
			out |= familyOf(a.Unmap().Is4())
		}
	}
	for _, r := range x.regions {
		out |= familyOf(u.regions[r].Addr().Is4())
	}
	return out
}

func familyOf(v4 bool) families {
	if v4 {
		return ipv4
	}
	return ipv6
}
