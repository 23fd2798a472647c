package adopt

import (
	"net/netip"
	"slices"
	"strings"
)

// mostCIDRs is how many prefixes an External may have before it is left unsaid:
// nobody reads more, and what takes so many is rather an artefact.
const mostCIDRs = 256

// placesOf makes an External of every end that is addresses. An end's prefixes
// hold what no longer prefix of another end holds, which is taken out here,
// since Externals may overlap.
func (a *adopter) placesOf() {
	var every []netip.Prefix
	for i := range a.r.Ends {
		every = append(every, prefixes(a.r.Ends[i].Prefixes)...)
	}
	for i := range a.r.Ends {
		e := &a.r.Ends[i]
		if e.Workloads != nil || e.External != "" {
			continue
		}
		x := atom{end: i, name: "internet", zone: -1}
		own := prefixes(e.Prefixes)
		for _, p := range own {
			for _, q := range without(p, every, own) {
				x.cidrs = append(x.cidrs, q.String())
			}
		}
		if len(x.cidrs) > mostCIDRs {
			a.note("%s: it takes %d prefixes to say which addresses these are; they are left out", e.Name, len(x.cidrs))
			x.cidrs = nil
		}
		if !slices.ContainsFunc(own, func(p netip.Prefix) bool { return p.Bits() == 0 }) {
			x.name = "net"
			if len(own) > 0 {
				x.name = "net-" + slug(own[0].String())
			}
		}
		a.ofEnd[i] = append(a.ofEnd[i], len(a.all))
		a.all = append(a.all, x)
	}
	unique(a.all[a.places:])
	for i := range a.all[a.places:] { // a place must not be called like a service
		x := &a.all[a.places+i]
		if slices.ContainsFunc(a.all[:a.places], func(y atom) bool { return y.name == x.name }) {
			x.name = "outside-" + x.name
		}
	}
}

func prefixes(text []string) []netip.Prefix {
	var out []netip.Prefix
	for _, t := range text {
		if p, err := netip.ParsePrefix(t); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// without returns prefixes that hold what is in p and in no longer prefix of
// others but own.
func without(p netip.Prefix, others, own []netip.Prefix) []netip.Prefix {
	inside := func(q netip.Prefix) bool { return q.Bits() > p.Bits() && p.Contains(q.Addr()) }
	cut := slices.ContainsFunc(others, func(q netip.Prefix) bool { return inside(q) && !slices.Contains(own, q) })
	switch {
	case !cut:
		return []netip.Prefix{p}
	case p.Bits() == p.Addr().BitLen():
		return nil
	}
	var out []netip.Prefix
	for _, half := range halves(p) {
		if slices.Contains(others, half) && !slices.Contains(own, half) {
			continue // wholly another end's, or its own longer prefixes'
		}
		out = append(out, without(half, others, own)...)
	}
	return out
}

func halves(p netip.Prefix) [2]netip.Prefix {
	b := p.Addr().AsSlice()
	bit := p.Bits()
	b[bit/8] |= 0x80 >> (bit % 8)
	hi, _ := netip.AddrFromSlice(b)
	return [2]netip.Prefix{netip.PrefixFrom(p.Addr(), bit+1), netip.PrefixFrom(hi, bit+1)}
}

// list renders prefixes for a flow sequence; IPv6 ones need quotes.
func list(cidrs []string) string {
	var out []string
	for _, c := range cidrs {
		if strings.Contains(c, ":") {
			c = `"` + c + `"`
		}
		out = append(out, c)
	}
	return strings.Join(out, ", ")
}
