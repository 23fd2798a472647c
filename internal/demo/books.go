package demo

import (
	"cmp"
	"slices"

	"firebreak/internal/flow"
	"firebreak/internal/netset"
)

// books add up conversations into the report's edges. The page's edges go
// between names; the report's ends outside the estate are addresses.
type books struct {
	of    map[uint64]lineKey // by conversation, the newest maxPostings
	order []uint64
	lines map[lineKey]*lineSum
}

// lineKey is what an edge is about.
type lineKey struct {
	from, to        string
	verdict, toCome flow.Verdict
	rule            flow.Rule
}

type lineSum struct {
	flows   uint64
	traffic netset.Traffic
}

// maxPostings bounds the conversations that may still be corrected; a
// correction comes within half a minute.
const maxPostings = 200_000

func newBooks() books {
	return books{of: map[uint64]lineKey{}, lines: map[lineKey]*lineSum{}}
}

// enter counts a conversation, or corrects what was counted of it.
func (b *books) enter(id uint64, f *flow.Flow) {
	key := lineKey{endOf(f.FromService, f.From, f.FromZone, f.Src.Unmap().String()), endOf(f.ToService, f.To, f.ToZone, f.Dst.Unmap().String()), f.Verdict, f.ToCome, f.Rule}
	if old, again := b.of[id]; again {
		if s := b.lines[old]; s.flows == 1 {
			delete(b.lines, old)
		} else {
			s.flows--
		}
	} else {
		b.order = append(b.order, id)
	}
	b.of[id] = key
	s := b.lines[key]
	if s == nil {
		s = &lineSum{traffic: netset.None()}
		b.lines[key] = s
	}
	s.flows++
	class := netset.ProtocolOf(f.Protocol)
	if class == netset.ICMP || class == netset.Other || !s.traffic.Contains(class, f.DstPort) {
		s.traffic = s.traffic.Union(netset.Of(class, f.DstPort, f.DstPort))
	}
	if len(b.order) > maxPostings {
		delete(b.of, b.order[0])
		b.order = b.order[1:]
	}
}

// endOf names one end as the report does: a service, else a workload, else an
// address. What is in no zone is outside the estate.
func endOf(service, name, zone, address string) string {
	switch {
	case service != "":
		return service
	case zone != "" && name != "":
		return name
	default:
		return address
	}
}

// counts sums up by verdict. Lost is not the books' to know.
func (b *books) counts() Counts {
	var c Counts
	for key, s := range b.lines {
		switch key.verdict {
		case flow.Forwarded:
			c.Forwarded += s.flows
		case flow.Audited:
			c.Audited += s.flows
		case flow.Dropped:
			c.Dropped += s.flows
		default:
			c.Unjudged += s.flows
		}
	}
	return c
}

// edges returns the books' lines in a stable order.
func (b *books) edges() []Edge {
	out := []Edge{}
	for k, s := range b.lines {
		out = append(out, Edge{
			From: k.from, To: k.to, Traffic: s.traffic.String(), Verdict: k.verdict.String(), ToCome: k.toCome.String(),
			Rule: Rule(k.rule), Flows: s.flows,
		})
	}
	slices.SortFunc(out, func(x, y Edge) int {
		return cmp.Or(cmp.Compare(x.From, y.From), cmp.Compare(x.To, y.To), cmp.Compare(x.Verdict, y.Verdict),
			cmp.Compare(x.Rule.Policy, y.Rule.Policy), cmp.Compare(x.Rule.Rule, y.Rule.Rule), cmp.Compare(x.Rule.Line, y.Rule.Line), cmp.Compare(x.ToCome, y.ToCome), cmp.Compare(x.Flows, y.Flows))
	})
	return out
}
