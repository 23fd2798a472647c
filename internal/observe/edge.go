package observe

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/netset"
)

// Edge is everything between two ends that one rule decided in one way. From
// and To are a service, else the name of a workload or peer, else an address.
type Edge struct {
	ID         string       `json:"id"` // depends on the ends, the verdicts, the rule and the reason alone
	From       string       `json:"from"`
	To         string       `json:"to"`
	FromZone   string       `json:"fromZone"`
	ToZone     string       `json:"toZone"`
	Traffic    string       `json:"traffic"`        // ports merged, as netset.Traffic writes them
	More       int          `json:"more,omitempty"` // ranges (or ports beyond Limits.Ports) that Traffic leaves out
	Verdict    flow.Verdict `json:"verdict"`
	ToCome     flow.Verdict `json:"toCome"`
	Rule       flow.Rule    `json:"rule"`
	ToComeRule flow.Rule    `json:"toComeRule"` // of the newest conversation
	Reason     flow.Reason  `json:"reason"`
	Flows      uint64       `json:"flows"`   // conversations; 0 means that corrections took the last one away
	Packets    uint64       `json:"packets"` // of all edges between the two ends with this verdict, shown on the one with most flows
	Bytes      uint64       `json:"bytes"`   // like Packets
	First      time.Time    `json:"first"`
	Last       time.Time    `json:"last"`
}

// Folded is the name of both ends of the edges that take what has no room.
const Folded = "(folded)"

type edgeKey struct {
	place, rule     uint32
	verdict, toCome flow.Verdict
	reason          flow.Reason
}

// edge is an Edge while it is counted. The ports have counters, because a
// correction may take a conversation away again.
type edge struct {
	key         edgeKey
	id          string
	place       place
	rule        flow.Rule
	pair        *pair
	toComeRule  uint32
	flows       uint64
	ports       [netset.ICMP][]portCount
	lumps       [netset.NumProtocols - netset.ICMP]uint32
	unheld      int // conversations whose port had no room
	first, last int64
	dirty       bool // waits in graph.dirty
	urgent      bool
	shown       int64 // when it was reported last, ns
}

type portCount struct {
	port uint16
	n    uint32
}

// graph holds the edges, and the pairs of ends that their bytes belong to.
type graph struct {
	byKey    map[edgeKey]*edge
	overflow [flow.Dropped + 1]*edge
	pairs    map[[2]string]*pair
	rest     *pair // of ends for which pairs has no room
	max      int
	ports    int // still free
	dirty    []*edge
}

// pair is two ends with all the edges between them.
type pair struct {
	from, to string
	sums     sums
	edges    []*edge
}

func newGraph(edges, ports int) graph {
	return graph{
		byKey: map[edgeKey]*edge{}, pairs: map[[2]string]*pair{}, rest: &pair{from: Folded, to: Folded},
		max: edges, ports: ports,
	}
}

// pair returns the pair of two ends; if there is no room, the one for all that
// have none.
func (g *graph) pair(from, to string) *pair {
	k := [2]string{from, to}
	if p := g.pairs[k]; p != nil {
		return p
	}
	if len(g.pairs) >= 2*g.max {
		return g.rest
	}
	p := &pair{from: from, to: to}
	g.pairs[k] = p
	return p
}

// edge returns the edge with that key, the overflow edge if there is no room.
func (g *graph) edge(k edgeKey, a *Aggregate) *edge {
	if e := g.byKey[k]; e != nil {
		return e
	}
	if len(g.byKey) >= g.max || k.place == 0 || k.rule == 0 {
		return g.overflowEdge(k.verdict)
	}
	at := a.places.values[k.place]
	e := &edge{key: k, place: at, rule: a.rules.values[k.rule], pair: g.pair(at.from, at.to)}
	e.id = e.hash()
	e.pair.edges = append(e.pair.edges, e)
	g.byKey[k] = e
	return e
}

func (g *graph) overflowEdge(v flow.Verdict) *edge {
	if g.overflow[v] == nil {
		e := &edge{key: edgeKey{verdict: v, toCome: v}, place: place{from: Folded, to: Folded}, pair: g.rest}
		if v == flow.Audited {
			e.key.toCome = flow.Dropped
		}
		e.id = e.hash()
		g.rest.edges = append(g.rest.edges, e)
		g.overflow[v] = e
	}
	return g.overflow[v]
}

func (g *graph) folded() (n uint64) {
	for _, e := range g.overflow {
		if e != nil {
			n += e.flows
		}
	}
	return n
}

// hash names an edge by its key's own words, so that a link to it still works
// after a restart.
func (e *edge) hash() string {
	h := sha256.Sum256(fmt.Appendf(nil, "%q %q %q", e.place, e.rule, []string{e.key.verdict.String(), e.key.toCome.String(), e.key.reason.String()}))
	return hex.EncodeToString(h[:8])
}

// touch marks an edge as changed; urgent if more than its counters has.
func (g *graph) touch(e *edge, urgent bool) {
	e.urgent = e.urgent || urgent
	if !e.dirty {
		e.dirty = true
		g.dirty = append(g.dirty, e)
	}
}

// sway marks the other edges of a pair: the bytes may show on another one now.
func (g *graph) sway(e *edge) {
	for _, other := range e.pair.edges {
		if other != e && other.key.verdict == e.key.verdict && other.flows > 0 {
			g.touch(other, false)
		}
	}
}

// seen widens the time that an edge spans.
func (e *edge) seen(start int64, f *flow.Flow, own bool) {
	if e.first == 0 || start < e.first {
		e.first = start
	}
	e.last = max(e.last, start)
	if own {
		e.last = max(e.last, f.Time.UnixNano())
	}
}

// show makes the Edge that others see.
func (a *Aggregate) show(e *edge, maxRanges int) Edge {
	t, more := e.traffic(maxRanges)
	out := Edge{
		ID: e.id, From: e.place.from, To: e.place.to, FromZone: e.place.fromZone, ToZone: e.place.toZone,
		Traffic: t.String(), More: more, Verdict: e.key.verdict, ToCome: e.key.toCome,
		Rule: e.rule, ToComeRule: a.rules.values[e.toComeRule], Reason: e.key.reason,
		Flows: e.flows, First: time.Unix(0, e.first).UTC(), Last: time.Unix(0, e.last).UTC(),
	}
	if e.pair.main(e.key.verdict) == e {
		c := e.pair.sums.merged()[e.key.verdict]
		out.Packets, out.Bytes = uint64(c.packets), uint64(c.bytes)
	}
	return out
}

// main is the edge that shows what a pair carried with a verdict: the one with
// most flows, of several the one with the smallest ID.
func (p *pair) main(v flow.Verdict) *edge {
	var best *edge
	for _, e := range p.edges {
		if e.key.verdict != v || e.flows == 0 {
			continue
		}
		if best == nil || e.flows > best.flows || e.flows == best.flows && e.id < best.id {
			best = e
		}
	}
	return best
}

// Edges returns every edge that has conversations, in a stable order, with all
// its traffic.
func (a *Aggregate) Edges() []Edge { return a.EdgesUpTo(0) }

// EdgesUpTo is Edges with at most maxRanges ranges of ports for each edge; 0
// means all of them.
func (a *Aggregate) EdgesUpTo(maxRanges int) []Edge {
	out := []Edge{}
	for _, e := range a.graph.byKey {
		if e.flows > 0 {
			out = append(out, a.show(e, maxRanges))
		}
	}
	for _, e := range a.graph.overflow {
		if e != nil && e.flows > 0 {
			out = append(out, a.show(e, maxRanges))
		}
	}
	slices.SortFunc(out, func(x, y Edge) int {
		return cmp.Or(cmp.Compare(x.From, y.From), cmp.Compare(x.To, y.To), cmp.Compare(x.Verdict, y.Verdict), cmp.Compare(x.ID, y.ID))
	})
	return out
}

// takeEdges returns the edges that changed and are due.
func (a *Aggregate) takeEdges(now time.Time, maxRanges int) (out []Edge, later bool) {
	at, kept := now.UnixNano(), a.graph.dirty[:0]
	for _, e := range a.graph.dirty {
		if !e.urgent && at-e.shown < int64(EdgePause) && at >= e.shown {
			kept = append(kept, e)
			continue
		}
		e.dirty, e.urgent, e.shown = false, false, at
		out = append(out, a.show(e, maxRanges))
	}
	clear(a.graph.dirty[len(kept):])
	a.graph.dirty = kept
	return out, len(kept) > 0
}
