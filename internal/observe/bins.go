package observe

import (
	"slices"
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/wire"
)

// Span is how far back the timeline reaches.
const Span = 60 * time.Second

const spanTicks = int64(Span / wire.BinWidth)

// Bin is traffic to add to one edge's place on the timeline. It is negative
// where a later report corrected an earlier one.
type Bin struct {
	Tick    int64        `json:"tick"` // Unix time in units of wire.BinWidth
	From    string       `json:"from"`
	To      string       `json:"to"`
	Verdict flow.Verdict `json:"verdict"`
	Packets int64        `json:"packets"`
	Bytes   int64        `json:"bytes"`
}

type amount struct{ packets, bytes int64 }

type byVerdict [flow.Dropped + 1]amount

// sums are what each end counted, by direction and verdict.
type sums [flow.Ingress + 1]byVerdict

func (s *sums) add(b *wire.Bin) {
	c := &s[b.Direction][b.Verdict]
	c.packets += int64(b.Packets)
	c.bytes += int64(b.Bytes)
}

// merged counts once what both ends saw. What the source's end passed arrived
// at the destination's, and was dropped there or passed there too.
func (s *sums) merged() (m byVerdict) {
	for v := range m {
		m[v].packets = s.merge(flow.Verdict(v), func(a amount) int64 { return a.packets })
		m[v].bytes = s.merge(flow.Verdict(v), func(a amount) int64 { return a.bytes })
	}
	return m
}

func (s *sums) merge(v flow.Verdict, of func(amount) int64) int64 {
	out, in := &s[flow.Egress], &s[flow.Ingress]
	passed := max(
		of(out[flow.Forwarded])+of(out[flow.Audited])-of(in[flow.Dropped]),
		of(in[flow.Forwarded])+of(in[flow.Audited]))
	audited := min(max(of(out[flow.Audited]), of(in[flow.Audited])), passed)
	switch v {
	case flow.Dropped:
		return of(out[v]) + of(in[v])
	case flow.Audited:
		return audited
	case flow.Forwarded:
		return passed - audited
	default:
		return max(of(out[v]), of(in[v]))
	}
}

// cell is one pair in one tick.
type cell struct {
	sums  sums
	told  byVerdict // what take has returned so far
	dirty bool
}

// timeline holds the cells of the last Span.
type timeline struct {
	ticks map[int64]map[*pair]*cell
	cells int
	max   int
	floor int64 // ticks below are not kept
	swept int64
	dirty []dirtyCell
}

type dirtyCell struct {
	tick int64
	p    *pair
	c    *cell
}

// Bin adds what one end counted in one tick. What is too old for the timeline,
// or more than a second ahead of now, still counts for its edge.
func (a *Aggregate) Bin(b wire.Bin, now time.Time) {
	if b.Verdict > flow.Dropped || b.Direction > flow.Ingress {
		return // no reader of wire lets it through
	}
	p := a.graph.pair(b.From, b.To)
	p.sums.add(&b)
	for _, e := range p.edges {
		if e.key.verdict == b.Verdict || b.Verdict == flow.Dropped {
			a.graph.touch(e, false)
		}
	}
	tick := now.UnixNano() / int64(wire.BinWidth)
	a.time.sweep(tick)
	if b.Tick >= a.time.floor && b.Tick <= tick+int64(time.Second/wire.BinWidth) {
		a.time.add(p, &b)
	}
}

func (l *timeline) add(p *pair, b *wire.Bin) {
	at := l.ticks[b.Tick]
	if at == nil {
		at = map[*pair]*cell{}
		l.ticks[b.Tick] = at
	}
	c := at[p]
	if c == nil {
		c = &cell{}
		at[p] = c
		l.cells++
	}
	c.sums.add(b)
	if !c.dirty {
		c.dirty = true
		l.dirty = append(l.dirty, dirtyCell{b.Tick, p, c})
	}
}

// sweep forgets what has left the timeline, and the oldest tenth if there are
// too many cells.
func (l *timeline) sweep(tick int64) {
	l.floor = max(l.floor, tick-spanTicks)
	if l.cells >= l.max {
		oldest := tick
		for t := range l.ticks {
			oldest = min(oldest, t)
		}
		l.floor = max(l.floor, oldest+max(1, (tick-oldest)/10))
	} else if tick-l.swept < 100 && tick >= l.swept {
		return
	}
	l.swept = tick
	for t, at := range l.ticks {
		if t < l.floor {
			l.cells -= len(at)
			delete(l.ticks, t)
		}
	}
}

// take returns what is to be added since the last call.
func (l *timeline) take() (out []Bin) {
	for _, d := range l.dirty {
		m := d.c.sums.merged()
		for v := range m {
			delta := amount{m[v].packets - d.c.told[v].packets, m[v].bytes - d.c.told[v].bytes}
			if delta != (amount{}) {
				out = append(out, Bin{d.tick, d.p.from, d.p.to, flow.Verdict(v), delta.packets, delta.bytes})
			}
		}
		d.c.told, d.c.dirty = m, false
	}
	clear(l.dirty)
	l.dirty = l.dirty[:0]
	return out
}

// Timeline returns what take has returned, summed up: the newest bins, whole
// ticks and oldest first, about limit of them.
func (a *Aggregate) Timeline(limit int) []Bin {
	var ticks []int64
	for t := range a.time.ticks {
		ticks = append(ticks, t)
	}
	slices.Sort(ticks)
	first, n := len(ticks), 0
	for first > 0 && n < limit {
		first--
		n += len(a.time.ticks[ticks[first]])
	}
	out := []Bin{}
	for _, t := range ticks[first:] {
		for p, c := range a.time.ticks[t] {
			for v, m := range c.told {
				if m != (amount{}) {
					out = append(out, Bin{t, p.from, p.to, flow.Verdict(v), m.packets, m.bytes})
				}
			}
		}
	}
	return out
}
