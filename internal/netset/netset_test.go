package netset

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// universe is what the brute-force tests look at: the ports at which the tiny
// sets below can begin or end, with their neighbours, in every class.
func universe() []uint16 {
	return []uint16{0, 1, 2, 3, 4, 5, 6, 7, 8, 65533, 65534, 65535}
}

// model is the slow obvious set: a truth value for each point of the universe.
type model map[point]bool

type point struct {
	p    Protocol
	port uint16
}

func points() []point {
	var out []point
	for p := range NumProtocols {
		for _, port := range universe() {
			out = append(out, point{p, port})
		}
	}
	return out
}

// drawn is a set together with its model, made by the same operations.
func drawn(t *rapid.T, label string) (Traffic, model) {
	set, m := None(), model{}
	ends := []uint16{0, 1, 2, 3, 4, 5, 6, 7, 65534, 65535}
	for range rapid.IntRange(0, 6).Draw(t, label+" size") {
		p := Protocol(rapid.IntRange(0, int(NumProtocols)-1).Draw(t, label+" class"))
		lo := rapid.SampledFrom(ends).Draw(t, label+" lo")
		hi := rapid.SampledFrom(ends).Draw(t, label+" hi")
		remove := rapid.Bool().Draw(t, label+" remove")
		if one := Of(p, lo, hi); remove {
			set = set.Subtract(one)
		} else {
			set = set.Union(one)
		}
		for _, x := range points() {
			if x.p == p && (!p.HasPorts() || lo <= x.port && x.port <= hi) {
				m[x] = !remove
			}
		}
	}
	return set, m
}

func mustAgree(t *rapid.T, what string, set Traffic, want func(point) bool) {
	t.Helper()
	for _, x := range points() {
		if got := set.Contains(x.p, x.port); got != want(x) {
			t.Fatalf("%s: %s contains %s %d = %v", what, set, x.p, x.port, got)
		}
	}
	for i, s := range set.spans {
		if s.lo > s.hi || s.hi > lastPoint || i > 0 && s.lo <= set.spans[i-1].hi+1 {
			t.Fatalf("%s is not canonical: %v", what, set.spans)
		}
	}
}

func TestAlgebraAgreesWithBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, ma := drawn(t, "a")
		b, mb := drawn(t, "b")
		mustAgree(t, "a", a, func(x point) bool { return ma[x] })
		mustAgree(t, "a∪b", a.Union(b), func(x point) bool { return ma[x] || mb[x] })
		mustAgree(t, "a∩b", a.Intersect(b), func(x point) bool { return ma[x] && mb[x] })
		mustAgree(t, "a−b", a.Subtract(b), func(x point) bool { return ma[x] && !mb[x] })
		same := true
		for _, x := range points() {
			same = same && ma[x] == mb[x]
		}
		if a.Equal(b) != same {
			t.Fatalf("%s equals %s: %v", a, b, !same)
		}
		if !a.Union(b).Equal(b.Union(a)) || !a.Intersect(b).Equal(b.Intersect(a)) {
			t.Fatalf("union and intersection of %s and %s depend on their order", a, b)
		}
		if !a.Subtract(b).Union(a.Intersect(b)).Equal(a) {
			t.Fatalf("%s is not put together again from what %s takes and leaves", a, b)
		}
	})
}

func TestOperationsLeaveTheirArgumentsAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, _ := drawn(t, "a")
		b, _ := drawn(t, "b")
		before := slices.Clone(a.spans)
		first := a.Union(b)
		kept := slices.Clone(first.spans)
		first.Union(Of(TCP, 0, 65535))
		a.Intersect(b)
		a.Subtract(b)
		if !slices.Equal(before, a.spans) || !slices.Equal(kept, first.spans) {
			t.Fatal("an operation changed its argument")
		}
	})
}

func TestEveryPairOfRangesOnATinyLine(t *testing.T) {
	// All pairs of ranges on a line of six ports, by brute force.
	const n = 6
	for i := range n * n * n * n {
		a, b := Of(TCP, uint16(i%n), uint16(i/n%n)), Of(TCP, uint16(i/n/n%n), uint16(i/n/n/n))
		for port := range uint16(n + 1) {
			inA := uint16(i%n) <= port && port <= uint16(i/n%n)
			inB := uint16(i/n/n%n) <= port && port <= uint16(i/n/n/n)
			if a.Union(b).Contains(TCP, port) != (inA || inB) || a.Intersect(b).Contains(TCP, port) != (inA && inB) || a.Subtract(b).Contains(TCP, port) != (inA && !inB) {
				t.Fatalf("%s and %s at %d", a, b, port)
			}
		}
	}
}

func TestAllAndNone(t *testing.T) {
	all := None()
	for p := range NumProtocols {
		if all.IsAll() {
			t.Errorf("all before %s was added", p)
		}
		all = all.Union(Of(p, 0, 65535))
	}
	switch {
	case !all.IsAll() || !all.Equal(All()):
		t.Error("every class wholly is not all")
	case !all.Subtract(All()).IsEmpty() || !None().IsEmpty() || !(Traffic{}).Equal(None()):
		t.Error("what should be empty is not")
	case All().Subtract(Of(UDP, 7, 7)).IsAll() || All().Subtract(Of(UDP, 7, 7)).Contains(UDP, 7):
		t.Error("all but one port is all")
	}
	if !Of(TCP, 2, 1).IsEmpty() || !Of(NumProtocols, 0, 1).IsEmpty() || All().Contains(NumProtocols, 0) || All().Ranges(NumProtocols) != nil {
		t.Error("what is no range or no class must be empty")
	}
	if !Of(ICMP, 5, 3).Equal(Of(ICMP, 0, 65535)) || !Of(ICMP, 9, 9).Contains(ICMP, 1) {
		t.Error("classes without ports are whole or not there")
	}
}

func TestRanges(t *testing.T) {
	s := Of(TCP, 80, 80).Union(Of(TCP, 81, 90)).Union(Of(TCP, 100, 65535)).Union(Of(UDP, 0, 5)).Union(Of(ICMP, 0, 0))
	if got, want := s.Ranges(TCP), []Range{{80, 90}, {100, 65535}}; !slices.Equal(got, want) {
		t.Errorf("TCP: %v, want %v", got, want)
	}
	if got, want := s.Ranges(UDP), []Range{{0, 5}}; !slices.Equal(got, want) {
		t.Errorf("UDP, whose ports lie next to TCP's: %v, want %v", got, want)
	}
	if got, want := s.Ranges(ICMP), []Range{{0, 65535}}; !slices.Equal(got, want) {
		t.Errorf("ICMP: %v, want %v", got, want)
	}
	if got := s.Ranges(Other); got != nil {
		t.Errorf("OTHER: %v, want nil", got)
	}
}

func TestProtocols(t *testing.T) {
	for number, want := range map[uint8]Protocol{6: TCP, 17: UDP, 132: SCTP, 1: ICMP, 58: ICMP, 0: Other, 47: Other, 255: Other} {
		if got := ProtocolOf(number); got != want {
			t.Errorf("protocol %d is %s, want %s", number, got, want)
		}
	}
	for p := range NumProtocols {
		if got, ok := ParseProtocol(p.String()); !ok || got != p {
			t.Errorf("%s is read as %s, %v", p, got, ok)
		}
	}
	if _, ok := ParseProtocol("TPC"); ok {
		t.Error("TPC is a protocol")
	}
	if p, ok := ParseProtocol("udp"); !ok || p != UDP {
		t.Error("udp is not UDP")
	}
}

func TestRunsAndCollectAreInverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, _ := drawn(t, "a")
		b, _ := drawn(t, "b")
		if got := Collect(a.Runs()); !got.Equal(a) {
			t.Fatalf("%s became %s", a, got)
		}
		both := Collect(func(yield func(Protocol, Range) bool) {
			a.Runs()(yield)
			b.Runs()(yield)
		})
		if !both.Equal(a.Union(b)) {
			t.Fatalf("%s and %s became %s", a, b, both)
		}
		for p := range NumProtocols {
			var runs []Range
			for q, r := range a.Runs() {
				if q == p {
					runs = append(runs, r)
				}
			}
			if !slices.Equal(runs, a.Ranges(p)) {
				t.Fatalf("runs %v of %s, want %v", runs, p, a.Ranges(p))
			}
		}
	})
}
