package cli

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"firebreak/internal/prove"
	"firebreak/internal/verify/space"
)

// addressRun is a run of addresses that are one end; end is -1 where a workload
// has the address, so that it is no part of the world.
type addressRun struct {
	span
	end int
}

// texts are the sets of traffic of edges, each once.
type texts struct {
	sets      []space.Set
	text, csv []string
	known     map[string]int32
	key       []byte
}

// of returns the index of a set; -1 for the empty one.
func (t *texts) of(s space.Set) int32 {
	if s.IsEmpty() {
		return -1
	}
	t.key = s.AppendKey(t.key[:0])
	n, known := t.known[string(t.key)]
	if !known {
		n = int32(len(t.sets))
		t.known[string(t.key)] = n
		t.sets, t.text, t.csv = append(t.sets, s), append(t.text, s.String()), append(t.csv, csvTraffic(s))
	}
	return n
}

// prepare puts edges in order.
func (r *liveReach) prepare() {
	r.texts.known = map[string]int32{}
	r.out, r.in = make([][]int32, len(r.Ends)), make([][]int32, len(r.Ends))
	r.edges = make([]int32, len(r.Edges))
	for i := range r.Edges {
		e := &r.Edges[i]
		set := e.Upper
		if !r.at.IsZero() {
			set = set.At(r.at)
		}
		if r.edges[i] = r.texts.of(set); r.edges[i] < 0 {
			continue
		}
		r.out[e.From] = append(r.out[e.From], int32(i))
		if r.Ends[e.From].Workloads == nil {
			r.in[e.To] = append(r.in[e.To], int32(i))
		}
	}
	r.runs = r.findRuns()
}

// findRuns divides both address families by whose addresses they are, IPv4
// first.
func (r *liveReach) findRuns() []addressRun {
	owner := map[netip.Prefix]int{}
	for i := range r.Ends {
		for _, text := range r.Ends[i].Prefixes {
			if p, err := netip.ParsePrefix(text); err == nil {
				owner[p.Masked()] = i
			}
		}
	}
	for i := range r.inv.Workloads {
		for _, a := range r.inv.Workloads[i].Addresses {
			owner[netip.PrefixFrom(a, a.BitLen())] = -1
		}
	}
	var all []netip.Prefix
	for p := range owner {
		all = append(all, p)
	}
	slices.SortFunc(all, func(p, q netip.Prefix) int {
		if c := p.Addr().Compare(q.Addr()); c != 0 {
			return c
		}
		return p.Bits() - q.Bits()
	})
	var out []addressRun
	var open []netip.Prefix // each within the one before it
	var at netip.Addr       // what is before it is divided
	upTo := func(hi netip.Addr, p netip.Prefix) {
		if !hi.Less(at) {
			out = append(out, addressRun{span{at, hi}, owner[p]})
		}
		at = hi.Next()
	}
	closeBefore := func(a netip.Addr) {
		for len(open) > 0 {
			top := open[len(open)-1]
			if a.IsValid() && top.Contains(a) {
				return
			}
			if at.IsValid() && top.Contains(at) {
				upTo(lastOf(top), top)
			}
			open = open[:len(open)-1]
		}
	}
	for _, p := range all {
		closeBefore(p.Addr())
		if len(open) > 0 && at.IsValid() && at.Less(p.Addr()) {
			upTo(p.Addr().Prev(), open[len(open)-1])
		}
		at = p.Addr()
		open = append(open, p)
	}
	closeBefore(netip.Addr{})
	return out
}

// reached is what an end may do with something that has a name, or what that may
// do with it.
type reached struct {
	name    string
	traffic int32 // an index into texts
}

// byRuns are the largest runs of addresses that may do the same with an end,
// and, if wanted, what is known by names.
func (r *liveReach) byRuns(end int, outgoing, names bool) []reached {
	traffic := r.traffic(end, outgoing)
	if len(traffic) == 0 {
		return nil
	}
	asked := &r.to
	if !outgoing {
		asked = &r.from
	}
	var out []reached
	if names {
		for x, t := range traffic {
			if name := r.Ends[x].External; name != "" && asked.hasName(name) {
				out = append(out, reached{"external:" + name, t})
			}
		}
		slices.SortFunc(out, func(a, b reached) int { return strings.Compare(a.name, b.name) })
	}
	var now span
	has := int32(-1)
	flush := func() {
		if has >= 0 {
			for _, s := range asked.within(now.lo, now.hi) {
				out = append(out, reached{s.String(), has})
			}
		}
		has = -1
	}
	for i, run := range r.runs {
		if i > 0 && (r.runs[i-1].hi.Next() != run.lo || r.runs[i-1].lo.Is4() != run.lo.Is4()) {
			flush()
		}
		if run.end < 0 {
			continue // a workload's own: it is no part of the world, and does not cut it
		}
		t, permitted := traffic[run.end]
		switch {
		case !permitted:
			flush()
		case has == t:
			now.hi = run.hi
		default:
			flush()
			now, has = run.span, t
		}
	}
	flush()
	return out
}

// traffic is what addresses and names, by end, may do with an end.
func (r *liveReach) traffic(end int, outgoing bool) map[int]int32 {
	out := map[int]int32{}
	list := r.in[end]
	if outgoing {
		list = r.out[end]
	}
	for _, i := range list {
		e := &r.Edges[i]
		other := e.To
		if !outgoing {
			other = e.From
		}
		if r.Ends[other].Workloads == nil {
			out[other] = r.edges[i]
		}
	}
	return out
}

// byNames are the ends outside by the names that people know them by.
func (r *liveReach) byNames(end int, outgoing bool) []reached {
	asked := &r.to
	if !outgoing {
		asked = &r.from
	}
	var out []reached
	for x, t := range r.traffic(end, outgoing) {
		if name, ok := r.outsideName(x, asked); ok {
			out = append(out, reached{name, t})
		}
	}
	slices.SortFunc(out, func(a, b reached) int { return strings.Compare(a.name, b.name) })
	return slices.Compact(out)
}

// outsideName is what people call addresses or a name, if it was asked about.
func (r *liveReach) outsideName(x int, asked *ends) (string, bool) {
	e := &r.Ends[x]
	name := cmp.Or(asked.name, outsideText(e))
	switch {
	case !asked.some:
		return name, true
	case e.External != "":
		return name, asked.hasName(e.External)
	}
	for _, run := range r.runs {
		if run.end == x && len(asked.within(run.lo, run.hi)) > 0 {
			return name, true
		}
	}
	return "", false
}

// outsideText is what people call an end outside the inventory: the world is
// what no longer prefix than a family's whole is about.
func outsideText(e *prove.End) string {
	v4, v6 := slices.Contains(e.Prefixes, "0.0.0.0/0"), slices.Contains(e.Prefixes, "::/0")
	switch {
	case v4 && v6:
		return "world"
	case v4:
		return "world (IPv4)"
	case v6:
		return "world (IPv6)"
	}
	return e.Name
}
