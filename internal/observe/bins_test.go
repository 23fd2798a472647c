package observe

import (
	"reflect"
	"testing"
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/wire"
)

func bin(dir flow.Direction, tick int64, v flow.Verdict, packets uint64) wire.Bin {
	return wire.Bin{Tick: t0.UnixNano()/int64(wire.BinWidth) + tick, From: "web", To: "app", Direction: dir, Verdict: v, Packets: packets, Bytes: 100 * packets}
}

// sum adds up bins by verdict.
func sum(bins []Bin) (out [4]int64) {
	for _, b := range bins {
		out[b.Verdict] += b.Packets
	}
	return out
}

func TestPacketsThatBothEndsSawCountOnce(t *testing.T) {
	for name, c := range map[string]struct {
		bins []wire.Bin
		want [4]int64
	}{
		"both pass":                 {[]wire.Bin{bin(flow.Egress, 0, flow.Forwarded, 5), bin(flow.Ingress, 0, flow.Forwarded, 5)}, [4]int64{0, 5, 0, 0}},
		"only the source managed":   {[]wire.Bin{bin(flow.Egress, 0, flow.Forwarded, 5)}, [4]int64{0, 5, 0, 0}},
		"dropped on arrival":        {[]wire.Bin{bin(flow.Egress, 0, flow.Forwarded, 5), bin(flow.Ingress, 0, flow.Dropped, 5)}, [4]int64{0, 0, 0, 5}},
		"audited on arrival":        {[]wire.Bin{bin(flow.Egress, 0, flow.Forwarded, 5), bin(flow.Ingress, 0, flow.Audited, 5)}, [4]int64{0, 0, 5, 0}},
		"two hosts on each side":    {[]wire.Bin{bin(flow.Egress, 0, flow.Forwarded, 5), bin(flow.Egress, 0, flow.Forwarded, 3), bin(flow.Ingress, 0, flow.Forwarded, 4), bin(flow.Ingress, 0, flow.Forwarded, 4)}, [4]int64{0, 8, 0, 0}},
		"dropped before it goes":    {[]wire.Bin{bin(flow.Egress, 0, flow.Dropped, 2), bin(flow.Egress, 0, flow.Forwarded, 1), bin(flow.Ingress, 0, flow.Forwarded, 1)}, [4]int64{0, 1, 0, 2}},
		"seen by both, not judged":  {[]wire.Bin{bin(flow.Egress, 0, flow.Unjudged, 2), bin(flow.Ingress, 0, flow.Unjudged, 2)}, [4]int64{2, 0, 0, 0}},
		"in two ticks of the clock": {[]wire.Bin{bin(flow.Egress, 0, flow.Forwarded, 2), bin(flow.Egress, 1, flow.Forwarded, 2), bin(flow.Ingress, 1, flow.Forwarded, 2)}, [4]int64{0, 4, 0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			whole, stepwise := New(Limits{}), New(Limits{})
			var deltas []Bin
			for i := range c.bins {
				whole.Bin(c.bins[i], t0)
				stepwise.Bin(c.bins[len(c.bins)-1-i], t0)
				deltas = append(deltas, stepwise.Changes(t0, 0).Bins...)
			}
			if got := sum(whole.Changes(t0, 0).Bins); got != c.want {
				t.Errorf("at once: %v, want %v", got, c.want)
			}
			if got := sum(deltas); got != c.want {
				t.Errorf("one by one, in the other order: %v, want %v", got, c.want)
			}
			if got := sum(stepwise.Timeline(1000)); got != c.want {
				t.Errorf("timeline: %v, want %v", got, c.want)
			}
		})
	}
}

func TestBytesShowOnTheEdge(t *testing.T) {
	a := fed(said(flow.Egress, 0, 1, flow.Forwarded))
	a.Changes(t0, 0)
	a.Bin(bin(flow.Egress, 0, flow.Forwarded, 7), t0)
	a.Bin(bin(flow.Ingress, 0, flow.Forwarded, 7), t0)
	c := a.Changes(t0.Add(EdgePause), 0)
	if len(c.Edges) != 1 || c.Edges[0].Packets != 7 || c.Edges[0].Bytes != 700 {
		t.Fatalf("got %+v", c.Edges)
	}
}

func TestTimelineIsBounded(t *testing.T) {
	a := New(Limits{Bins: 500})
	now := t0
	for i := range int64(20_000) {
		now = t0.Add(time.Duration(i) * wire.BinWidth)
		a.Bin(bin(flow.Egress, i, flow.Forwarded, 1), now)
		if len(a.time.ticks) > 500 || a.time.cells > 500 {
			t.Fatalf("%d ticks, %d cells", len(a.time.ticks), a.time.cells)
		}
		a.Changes(now, 0)
	}
	a.Bin(bin(flow.Egress, 100, flow.Forwarded, 1), now) // long gone
	a.Bin(bin(flow.Egress, 90_000, flow.Forwarded, 1), now)
	if got := a.Changes(now, 0).Bins; len(got) != 0 {
		t.Fatalf("a bin outside the timeline was reported: %v", got)
	}
	all := a.Timeline(1 << 20)
	if newest := a.Timeline(10); len(newest) != 10 || !reflect.DeepEqual(newest, all[len(all)-10:]) {
		t.Fatalf("newest %v", newest)
	}
}
