package adopt

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"sort"
	"strings"
)

// mostCIDRs is how many prefixes one External gets; what takes more gets several.
// The language reads documents of 4 MiB with up to a million characters that can
// begin a node, which an IPv6 prefix has about a dozen of.
const mostCIDRs = 50_000

// outside is an External to be: some places that rules speak of together.
type outside struct {
	name  string
	cidrs []netip.Prefix
}

// placesOf makes a place of every end that is addresses.
func (a *adopter) placesOf() {
	for i := range a.r.Ends {
		e := &a.r.Ends[i]
		a.every = append(a.every, prefixes(e.Prefixes)...)
		if e.Workloads == nil && e.External == "" {
			a.ofEnd[i] = append(a.ofEnd[i], len(a.all))
			a.all = append(a.all, atom{end: i, zone: -1})
		}
	}
	slices.SortFunc(a.every, byAddress)
}

// cidrsOf lists the addresses of a place. An end's prefixes hold what no longer
// prefix of another end holds, which is taken out here, since Externals may
// overlap. What is left of the internet may take millions, and often no rule asks.
func (a *adopter) cidrsOf(i int) []netip.Prefix {
	x := &a.all[i]
	if x.cidrs != nil {
		return x.cidrs
	}
	list := prefixes(a.r.Ends[x.end].Prefixes)
	own := make(map[netip.Prefix]bool, len(list))
	for _, p := range list {
		own[p] = true
	}
	x.cidrs = make([]netip.Prefix, 0, len(list))
	for _, p := range list {
		x.cidrs = without(x.cidrs, p, a.every, own)
	}
	return x.cidrs
}

// externals returns the names of the Externals that are some places together:
// one, but for very many prefixes; none for no places, and for places without
// addresses.
func (a *adopter) externals(places []int) []string {
	if len(places) == 0 {
		return nil
	}
	key := fmt.Sprint(places)
	if names, known := a.ofPlaces[key]; known {
		return names
	}
	var all []netip.Prefix
	for _, i := range places {
		all = append(all, a.cidrsOf(i)...)
	}
	names := []string{}
	for some := range slices.Chunk(merged(all), mostCIDRs) {
		x := outside{a.nameOutside(some), some}
		names = append(names, x.name)
		a.outsides = append(a.outsides, x)
	}
	if a.ofPlaces == nil {
		a.ofPlaces = map[string][]string{}
	}
	a.ofPlaces[key] = names
	return names
}

// nameOutside is "internet" for what is most of IPv4, "net-" and a prefix for
// what is not; none that something else has.
func (a *adopter) nameOutside(cidrs []netip.Prefix) string {
	name := "net-" + slug(cidrs[0].String())
	if slices.ContainsFunc(cidrs, func(p netip.Prefix) bool { return p.Bits() <= 2 }) {
		name = "internet"
	}
	taken := func(name string) bool {
		for _, x := range a.outsides {
			if x.name == name {
				return true
			}
		}
		return slices.ContainsFunc(a.all[:a.places], func(y atom) bool { return y.name == name }) ||
			slices.ContainsFunc(a.groups(), func(g *membership) bool { return g.name == name }) ||
			slices.ContainsFunc(a.zoneList, func(z zone) bool { return z.name == name })
	}
	for n, base := 2, name; taken(name); n++ {
		name = fmt.Sprintf("%s-%d", base, n)
	}
	return name
}

// merged joins prefixes that are halves of one, and leaves out what others hold.
func merged(all []netip.Prefix) []netip.Prefix {
	slices.SortFunc(all, netip.Prefix.Compare)
	var out []netip.Prefix
	for _, p := range all {
		if n := len(out); n > 0 && out[n-1].Overlaps(p) {
			continue // sorted: the wider one came first
		}
		for out = append(out, p); len(out) > 1; {
			n := len(out)
			low, high := out[n-2], out[n-1]
			if low.Bits() != high.Bits() || low.Bits() == 0 || low.Addr().Is4() != high.Addr().Is4() {
				break
			}
			wide, _ := low.Addr().Prefix(low.Bits() - 1)
			if wide.Addr() != low.Addr() || !wide.Contains(high.Addr()) {
				break
			}
			out = append(out[:n-2], wide)
		}
	}
	return out
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

// byAddress puts what a prefix holds right behind it.
func byAddress(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}

// without appends prefixes that hold what is in p and in no longer prefix of
// others but own. others are in order.
func without(out []netip.Prefix, p netip.Prefix, others []netip.Prefix, own map[netip.Prefix]bool) []netip.Prefix {
	from, _ := slices.BinarySearchFunc(others, p, byAddress)
	n := sort.Search(len(others)-from, func(i int) bool { return !p.Contains(others[from+i].Addr()) })
	others = others[from : from+n]
	foreign := slices.IndexFunc(others, func(q netip.Prefix) bool { return q.Bits() > p.Bits() && !own[q] })
	switch {
	case foreign < 0:
		return append(out, p)
	case p.Bits() == p.Addr().BitLen():
		return out
	}
	for _, half := range halves(p) {
		if _, is := slices.BinarySearchFunc(others, half, byAddress); is && !own[half] {
			continue // wholly another end's, or its own longer prefixes'
		}
		out = without(out, half, others, own)
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

// list renders CIDRs for a flow sequence; IPv6 ones need quotes.
func list[T any](cidrs []T) string {
	var out []string
	for _, c := range cidrs {
		text := fmt.Sprint(c)
		if strings.Contains(text, ":") {
			text = `"` + text + `"`
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}
