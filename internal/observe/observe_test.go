package observe

import (
	"fmt"
	"math/rand"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"firebreak/internal/flow"
	"firebreak/internal/netset"
	"firebreak/internal/wire"
)

var t0 = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// said makes a report: web on host A talks to app on host B.
func said(dir flow.Direction, at time.Duration, srcPort uint16, v flow.Verdict) flow.Flow {
	f := flow.Flow{
		Time: t0.Add(at), Host: "A", Direction: dir,
		Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.2"), SrcPort: srcPort, DstPort: 8080, Protocol: 6,
		From: "web-1", FromService: "web", FromZone: "dmz", To: "app-1", ToService: "app", ToZone: "core",
		Verdict: v, ToCome: flow.Forwarded, Rule: flow.Rule{Policy: "p", Rule: "r-" + v.String(), File: "f.yaml", Line: 1 + int(v)},
	}
	if dir == flow.Ingress {
		f.Host = "B"
	}
	if v >= flow.Audited {
		f.ToCome = flow.Dropped
	}
	f.ToComeRule = f.Rule
	return f
}

func fed(flows ...flow.Flow) *Aggregate {
	a := New(Limits{})
	for _, f := range flows {
		a.Flow(f, t0.Add(time.Second))
	}
	return a
}

func wantTotals(t *testing.T, a *Aggregate, want Totals) {
	t.Helper()
	if got := a.Totals(); got != want {
		t.Fatalf("totals %+v, want %+v", got, want)
	}
}

func TestBothEndsCountOnce(t *testing.T) {
	a := fed(said(flow.Egress, 0, 40000, flow.Forwarded), said(flow.Ingress, time.Millisecond, 40000, flow.Forwarded))
	wantTotals(t, a, Totals{Forwarded: 1})
	e := a.Edges()
	if len(e) != 1 || e[0].Flows != 1 || e[0].From != "web" || e[0].To != "app" || e[0].Traffic != "TCP 8080" {
		t.Fatalf("edges %+v", e)
	}
	if r := a.Recent(10, nil); len(r) != 1 {
		t.Fatalf("listed %+v", r)
	}
}

func TestTheStricterEndWinsAndTheCountMoves(t *testing.T) {
	a := fed(said(flow.Egress, 0, 40000, flow.Forwarded))
	first := a.Changes(t0, 0)
	a.Flow(said(flow.Ingress, time.Millisecond, 40000, flow.Dropped), t0)
	wantTotals(t, a, Totals{Dropped: 1})
	e := a.Edges()
	if len(e) != 1 || e[0].Verdict != flow.Dropped || e[0].ToCome != flow.Dropped || e[0].Rule.Rule != "r-dropped" {
		t.Fatalf("edges %+v", e)
	}
	c := a.Changes(t0, 0)
	if len(c.Edges) != 2 || c.Edges[0].Flows+c.Edges[1].Flows != 1 {
		t.Fatalf("the edge that lost its conversation must be reported too: %+v", c.Edges)
	}
	if len(c.Flows) != 1 || c.Flows[0].ID != first.Flows[0].ID || c.Flows[0].Verdict != flow.Dropped {
		t.Fatalf("correction %+v of %+v", c.Flows, first.Flows)
	}
}

func TestEachEndNamesItself(t *testing.T) {
	out, in := said(flow.Egress, 0, 1, flow.Forwarded), said(flow.Ingress, 1, 1, flow.Forwarded)
	out.To, out.ToService, out.ToZone = "unknown", "", ""
	in.From, in.FromService, in.FromZone = "world", "", ""
	for _, order := range [][]flow.Flow{{out, in}, {in, out}} {
		a := fed(order...)
		e, r := a.Edges(), a.Recent(1, nil)[0]
		if len(e) != 1 || e[0].From != "web" || e[0].To != "app" || e[0].ToZone != "core" || r.FromService != "web" || r.ToService != "app" {
			t.Fatalf("edge %+v, flow %+v", e, r)
		}
	}
}

func TestWhatIsOneConversation(t *testing.T) {
	E, I := flow.Egress, flow.Ingress
	F, D := flow.Forwarded, flow.Dropped
	ended := said(E, 2*time.Second, 1, D)
	ended.Reason = flow.Ended
	expired := func(at time.Duration) flow.Flow {
		f := said(E, at, 1, D)
		f.Reason = flow.Expired
		return f
	}
	echo := func(d flow.Direction) flow.Flow {
		f := said(d, 0, 0, F)
		f.Protocol, f.DstPort = 1, 0
		return f
	}
	for name, c := range map[string]struct {
		flows []flow.Flow
		want  Totals
	}{
		"refused connects are never merged":      {[]flow.Flow{said(E, 0, 0, D), said(E, 0, 0, D), said(E, 1, 0, D)}, Totals{Dropped: 3}},
		"a retransmission is the same attempt":   {[]flow.Flow{said(E, 0, 1, D), said(E, time.Second, 1, D), said(E, 3*time.Second, 1, D)}, Totals{Dropped: 1}},
		"a port used again is another":           {[]flow.Flow{said(E, 0, 1, F), said(I, 1, 1, F), said(E, 1e9, 1, F), said(I, 1e9+1, 1, F)}, Totals{Forwarded: 2}},
		"used again after a drop at the source":  {[]flow.Flow{said(E, 0, 1, D), said(E, 1e9, 1, F), said(I, 1e9+1, 1, D)}, Totals{Dropped: 2}},
		"after the window it is another":         {[]flow.Flow{said(E, 0, 1, D), said(E, 31*time.Second, 1, D)}, Totals{Dropped: 2}},
		"withdrawn permission moves the count":   {[]flow.Flow{said(E, 0, 1, F), said(I, 1, 1, F), ended}, Totals{Dropped: 1}},
		"so does a time that is over":            {[]flow.Flow{said(E, 0, 1, F), said(I, 1, 1, F), expired(2e9)}, Totals{Dropped: 1}},
		"also if the other end's clock is later": {[]flow.Flow{said(E, 0, 1, F), expired(2e9), said(I, 3e9, 1, F)}, Totals{Dropped: 1}},
		"attempts after it are one and another":  {[]flow.Flow{expired(0), expired(1e9), expired(32e9)}, Totals{Dropped: 2}},
		"an echo has no ports and is merged":     {[]flow.Flow{echo(E), echo(I)}, Totals{Forwarded: 1}},
		"one host may report both ends":          {[]flow.Flow{said(E, 0, 1, F), func() flow.Flow { f := said(I, 0, 1, F); f.Host = "A"; return f }()}, Totals{Forwarded: 1}},
		"the destination's clock may be earlier": {[]flow.Flow{said(E, 5*time.Second, 1, F), said(I, 0, 1, D)}, Totals{Dropped: 1}},
	} {
		t.Run(name, func(t *testing.T) { wantTotals(t, fed(c.flows...), c.want) })
	}
}

// truth is a conversation with what its ends say and how it must count.
type truth struct {
	reports []flow.Flow
	verdict flow.Verdict
}

func drawTruth(t *rapid.T) truth {
	verdicts := rapid.SampledFrom([]flow.Verdict{flow.Unjudged, flow.Forwarded, flow.Audited, flow.Dropped})
	port := rapid.Uint16Range(1, 3).Draw(t, "port")
	at := time.Duration(rapid.IntRange(0, 20).Draw(t, "second")) * time.Second
	skew := time.Duration(rapid.IntRange(-400, 400).Draw(t, "skew")) * time.Millisecond
	out, in := verdicts.Draw(t, "out"), verdicts.Draw(t, "in")
	f := said(flow.Egress, at, port, out)
	if rapid.Bool().Draw(t, "refused at connect") {
		f = said(flow.Egress, at, 0, flow.Dropped)
		return truth{[]flow.Flow{f}, flow.Dropped}
	}
	if out == flow.Dropped {
		return truth{[]flow.Flow{f, said(flow.Egress, at+100*time.Millisecond, port, out)}, out} // with a retransmission
	}
	return truth{[]flow.Flow{f, said(flow.Ingress, at+skew, port, in)}, flow.Stricter(out, in)}
}

func TestAnyOrderGivesTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type slot struct {
			port uint16
			at   time.Time
		}
		taken := map[slot]bool{}
		var reports []flow.Flow
		for _, c := range rapid.SliceOfN(rapid.Custom(drawTruth), 1, 25).Draw(t, "conversations") {
			f := c.reports[0]
			if k := (slot{f.SrcPort, f.Time}); f.SrcPort != 0 {
				if taken[k] {
					continue // no client has one port twice at one moment
				}
				taken[k] = true
			}
			reports = append(reports, c.reports...)
		}
		want := fed(reports...).Totals()
		first := stripped(fed(reports...).Edges())
		r := rand.New(rand.NewSource(rapid.Int64().Draw(t, "seed")))
		for range 4 {
			r.Shuffle(len(reports), func(i, j int) { reports[i], reports[j] = reports[j], reports[i] })
			a := fed(reports...)
			if got := a.Totals(); got != want {
				t.Fatalf("totals %+v, in another order %+v", got, want)
			}
			if got := stripped(a.Edges()); !reflect.DeepEqual(got, first) {
				t.Fatalf("edges %+v\nin another order %+v", got, first)
			}
			checkSums(t, a)
		}
	})
}

// stripped leaves out what may differ: an edge's times may include a
// conversation that was moved since.
func stripped(edges []Edge) []Edge {
	for i := range edges {
		edges[i].First, edges[i].Last, edges[i].ToComeRule = time.Time{}, time.Time{}, flow.Rule{}
	}
	return edges
}

func checkSums(t interface{ Fatalf(string, ...any) }, a *Aggregate) {
	var got Totals
	for _, e := range a.Edges() {
		switch e.Verdict {
		case flow.Forwarded:
			got.Forwarded += e.Flows
		case flow.Dropped:
			got.Dropped += e.Flows
		case flow.Audited:
			got.Audited += e.Flows
		default:
			got.Unjudged += e.Flows
		}
	}
	want := a.Totals()
	if got.Forwarded != want.Forwarded || got.Dropped != want.Dropped || got.Audited != want.Audited || got.Unjudged != want.Unjudged {
		t.Fatalf("edges add up to %+v, totals %+v", got, want)
	}
}

func TestDistinctConversationsCountAsTheyAre(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var reports []flow.Flow
		var want [4]uint64
		for i, c := range rapid.SliceOfN(rapid.Custom(drawTruth), 1, 40).Draw(t, "conversations") {
			for _, f := range c.reports {
				if f.SrcPort != 0 {
					f.SrcPort = uint16(1000 + i) // each its own port: what must come out is plain
				}
				reports = append(reports, f)
			}
			want[c.verdict]++
		}
		r := rand.New(rand.NewSource(rapid.Int64().Draw(t, "seed")))
		r.Shuffle(len(reports), func(i, j int) { reports[i], reports[j] = reports[j], reports[i] })
		a := fed(reports...)
		got := a.Totals()
		if got != (Totals{Unjudged: want[0], Forwarded: want[1], Audited: want[2], Dropped: want[3]}) {
			t.Fatalf("got %+v, want %v", got, want)
		}
		checkSums(t, a)
	})
}

func TestBoundsFoldAndCount(t *testing.T) {
	a := New(Limits{Edges: 3, Flows: 5, Conversations: 4, Ports: 2})
	for i := range uint16(20) {
		f := said(flow.Egress, time.Duration(i), 1000+i, flow.Forwarded)
		f.FromService = fmt.Sprintf("web-%d", i%10)
		f.DstPort = 80 + i
		a.Flow(f, t0)
	}
	got := a.Totals()
	if got.Forwarded != 20 || got.Folded != 14 || got.Evicted != 16 {
		t.Fatalf("totals %+v", got)
	}
	checkSums(t, a)
	if e := a.Edges(); len(e) != 4 || e[0].From != Folded {
		t.Fatalf("edges %+v", e)
	}
	more := 0
	for _, e := range a.Edges() {
		more += e.More
	}
	if more != 18 {
		t.Fatalf("%d ports said to be left out, want 18", more)
	}
	c := a.Changes(t0, 0)
	if len(c.Flows) != 5 || c.Skipped != 15 || len(a.Recent(100, nil)) != 5 {
		t.Fatalf("%d flows, %d skipped, %d listed", len(c.Flows), c.Skipped, len(a.Recent(100, nil)))
	}
}

func TestMergeTableForgetsByAge(t *testing.T) {
	a := New(Limits{})
	for i := range 300 {
		now := t0.Add(time.Duration(i) * time.Second)
		f := said(flow.Egress, time.Duration(i)*time.Second, uint16(1000+i), flow.Forwarded)
		a.Flow(f, now)
	}
	if n := len(a.merge.byKey); n > 61 || len(a.merge.queue) > 61 {
		t.Fatalf("%d talks held after 300 s", n)
	}
	wantTotals(t, a, Totals{Forwarded: 300})
}

func TestOnePortForEverStaysBounded(t *testing.T) {
	a := New(Limits{})
	for i := range 5000 {
		a.Flow(said(flow.Egress, time.Duration(i)*time.Millisecond, 7, flow.Forwarded), t0)
		a.Flow(said(flow.Ingress, time.Duration(i)*time.Millisecond, 7, flow.Forwarded), t0)
	}
	wantTotals(t, a, Totals{Forwarded: 5000})
	for _, talk := range a.merge.byKey {
		if len(talk.reports) > maxReports || len(talk.convs) > maxConvs {
			t.Fatalf("%d reports, %d conversations held", len(talk.reports), len(talk.convs))
		}
	}
}

func TestTrafficOfAScan(t *testing.T) {
	a := New(Limits{})
	for _, p := range rand.New(rand.NewSource(1)).Perm(2000) {
		f := said(flow.Egress, 0, 0, flow.Dropped)
		f.DstPort = uint16(2*p + 1)
		a.Flow(f, t0)
	}
	c := a.Changes(t0, 64)
	if e := c.Edges[0]; e.More != 2000-64 {
		t.Fatalf("more %d, traffic %q", e.More, e.Traffic)
	}
	full, err := netset.Parse(a.Edges()[0].Traffic)
	if err != nil || len(full.Ranges(netset.TCP)) != 2000 {
		t.Fatalf("%v: %q", err, a.Edges()[0].Traffic)
	}
}

func TestCountersAloneWait(t *testing.T) {
	a := fed(said(flow.Egress, 0, 1, flow.Forwarded))
	if c := a.Changes(t0, 0); len(c.Edges) != 1 {
		t.Fatal("a new edge must not wait")
	}
	a.Flow(said(flow.Egress, 0, 2, flow.Forwarded), t0)
	if c := a.Changes(t0.Add(EdgePause/2), 0); len(c.Edges) != 0 || !c.Later || len(c.Flows) != 1 {
		t.Fatalf("got %+v", c)
	}
	if c := a.Changes(t0.Add(EdgePause), 0); len(c.Edges) != 1 || c.Edges[0].Flows != 2 || c.Later {
		t.Fatalf("got %+v", c)
	}
}

func TestLossIsSummedOverRestarts(t *testing.T) {
	a := New(Limits{})
	for _, n := range []uint64{3, 5, 1} { // the agent was attached anew before the last
		a.Take(wire.Message{Status: &wire.Status{Host: "A", Lost: n}}, t0)
	}
	a.Take(wire.Message{Status: &wire.Status{Host: "B", Lost: 10}}, t0)
	a.Take(wire.Message{Unsent: &wire.Unsent{Host: "B", Flows: 4}}, t0)
	wantTotals(t, a, Totals{Lost: 16, Unsent: 4})
}

// BenchmarkFlow is one report, half of them the second of their conversation.
func BenchmarkFlow(b *testing.B) {
	a := New(Limits{})
	m := wire.Message{Flows: &wire.Flows{Flows: make([]flow.Flow, 1)}}
	out, in := said(flow.Egress, 0, 1, flow.Forwarded), said(flow.Ingress, 0, 1, flow.Forwarded)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		f := &m.Flows.Flows[0]
		if *f = out; i%2 == 1 {
			*f = in
		}
		f.SrcPort, f.DstPort = uint16(1+i/2%60_000), uint16(8000+i/120_000%50)
		f.Time = t0.Add(time.Duration(i/2) * 50 * time.Microsecond)
		a.Take(m, f.Time)
		if i%200 == 0 {
			a.Changes(f.Time, 64)
		}
		i++
	}
}
