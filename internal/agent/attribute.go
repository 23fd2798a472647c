package agent

import (
	"sync/atomic"
	"time"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/flow"
	"firebreak/internal/wire"
)

// keptViews is how many revisions' views are kept: events may be read after
// the revision that judged them has been replaced.
const keptViews = 8

// attributor turns what the kernel says in numbers into what people call it,
// as of the revision that the kernel judged by. Its methods are safe for
// concurrent use.
type attributor struct {
	host  string
	views atomic.Pointer[[]*view] // newest first, never empty
	clock atomic.Int64            // ns to add to CLOCK_MONOTONIC to get Unix time
}

// enter makes a view the newest. One of the same revision is replaced.
func (a *attributor) enter(v *view) {
	views := []*view{v}
	if old := a.views.Load(); old != nil {
		for _, w := range *old {
			if w.revision != v.revision && len(views) < keptViews {
				views = append(views, w)
			}
		}
	}
	a.views.Store(&views)
}

// view returns that of a revision, of which only the low bits are known; the
// newest if it is not kept any more.
func (a *attributor) view(revision uint32) *view {
	views := *a.views.Load()
	for _, v := range views {
		if uint32(v.revision) == revision {
			return v
		}
	}
	return views[0]
}

// flow attributes one event.
func (a *attributor) flow(e *layout.Event) flow.Flow {
	v := a.view(e.Revision)
	src, dst := e.Src.Unmap(), e.Dst.Unmap()
	f := flow.Flow{
		Time: time.Unix(0, int64(e.Time)+a.clock.Load()), Host: a.host, Direction: e.Direction,
		Src: src, Dst: dst, SrcPort: e.SrcPort, DstPort: e.DstPort, Protocol: e.Protocol,
		Verdict: e.Verdict, Rule: v.rule(e.Rule), ToCome: e.ToCome, ToComeRule: v.rule(e.ToComeRule),
		Reason: e.Reason, Revision: v.revision,
	}
	from, to := v.far(src), v.far(dst)
	if e.Direction == flow.Egress {
		from = v.local(e.Local, e.Cgroup, src)
		if src.IsUnspecified() { // refused before it chose an address: the only one it could have chosen
			f.Src = from.only(src)
		}
	} else {
		to = v.local(e.Local, e.Cgroup, dst)
	}
	f.From, f.FromZone = from.name, from.zone
	f.To, f.ToZone = to.name, to.zone
	f.FromService = from.service(0, 0)
	f.ToService = to.service(e.Protocol, e.DstPort)
	return f
}

func (v *view) rule(number uint32) flow.Rule { return v.rules[number] }

// binKey is what counters are added up by.
type binKey struct {
	tick      int64
	from, to  string
	direction flow.Direction
	verdict   flow.Verdict
}

// bins adds up what the kernel counted per pair of names.
type bins struct {
	a    *attributor
	sums map[binKey]*wire.Bin
}

func (b *bins) add(x layout.Bin) {
	views := *b.a.views.Load()
	local, peer := nameOf(views, x.Edge.Local), nameOf(views, x.Edge.Peer)
	if x.Edge.Peer == layout.BuiltinPeer {
		peer = views[0].rules[x.Edge.Rule].Rule
	}
	from, to := local, peer
	if x.Edge.Direction == flow.Ingress {
		from, to = peer, local
	}
	width := int64(wire.BinWidth)
	tick := (int64(x.Tick)*width + b.a.clock.Load()) / width
	key := binKey{tick, from, to, x.Edge.Direction, x.Edge.Verdict}
	sum := b.sums[key]
	if sum == nil {
		sum = &wire.Bin{Tick: tick, From: from, To: to, Direction: x.Edge.Direction, Verdict: x.Edge.Verdict}
		b.sums[key] = sum
	}
	sum.Packets += x.Packets
	sum.Bytes += x.Bytes
}

// nameOf looks for a number in the newest view first: numbers are never used
// for something else.
func nameOf(views []*view, number uint32) string {
	for _, v := range views {
		if e := v.byNumber[number]; e != nil {
			return e.label()
		}
	}
	return "unknown"
}
