package demo

import (
	"net/netip"
	"testing"

	"firebreak/internal/flow"
)

func talk(change func(*flow.Flow)) *flow.Flow {
	f := &flow.Flow{
		Src: netip.MustParseAddr("10.77.1.11"), Dst: netip.MustParseAddr("10.77.2.11"), DstPort: 8080, Protocol: 6,
		From: "storefront-1", FromService: "storefront", FromZone: "web", To: "orders-1", ToService: "orders", ToZone: "app",
		Verdict: flow.Forwarded, ToCome: flow.Forwarded, Rule: flow.Rule{Policy: "shop", Rule: "r", File: "policy.yaml", Line: 9},
	}
	change(f)
	return f
}

func TestBooksNameEndsAsTheContractDoes(t *testing.T) {
	for want, change := range map[string]func(*flow.Flow){
		"storefront":     func(*flow.Flow) {},
		"storefront-1":   func(f *flow.Flow) { f.FromService = "" },
		"10.77.1.11":     func(f *flow.Flow) { f.FromService, f.From, f.FromZone = "", "unknown", "" },
		"192.168.77.100": func(f *flow.Flow) { f.FromService, f.From, f.FromZone, f.Src = "", "shoppers", "", shoppers.V4 },
		"fd99::64":       func(f *flow.Flow) { f.FromService, f.From, f.FromZone, f.Src = "", "shoppers", "", shoppers.V6 },
	} {
		b := newBooks()
		b.enter(1, talk(change))
		if got := b.edges()[0].From; got != want {
			t.Errorf("from %s, want %s", got, want)
		}
	}
}

func TestBooksCountAConversationOnceAndCorrectIt(t *testing.T) {
	b := newBooks()
	b.enter(1, talk(func(*flow.Flow) {}))
	b.enter(2, talk(func(f *flow.Flow) { f.DstPort = 9000 }))
	b.enter(1, talk(func(f *flow.Flow) { f.Verdict, f.Rule.Rule = flow.Dropped, "default-deny" })) // the other end was stricter
	b.enter(3, talk(func(f *flow.Flow) { f.Protocol, f.DstPort = 1, 0 }))
	if got, want := b.counts(), (Counts{Forwarded: 2, Dropped: 1}); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
	edges := b.edges()
	if len(edges) != 2 {
		t.Fatalf("edges %+v, want one forwarded and one dropped", edges)
	}
	if e := edges[0]; e.Verdict != "dropped" || e.Flows != 1 || e.Traffic != "TCP 8080" || e.Rule.Rule != "default-deny" {
		t.Errorf("the corrected one: %+v", e)
	}
	if e := edges[1]; e.Flows != 2 || e.Rule != (Rule{"shop", "r", "policy.yaml", 9}) {
		t.Errorf("the other two: %+v", e)
	}
}

func TestBooksAreBounded(t *testing.T) {
	b := newBooks()
	for id := range uint64(maxPostings + 10) {
		b.enter(id+1, talk(func(*flow.Flow) {}))
	}
	if len(b.of) > maxPostings || len(b.order) > maxPostings {
		t.Errorf("%d conversations are held, %d wanted at most", len(b.of), maxPostings)
	}
	if got := b.counts().Forwarded; got != maxPostings+10 {
		t.Errorf("%d counted; forgetting must not uncount", got)
	}
}
