package space

import (
	"fmt"
	"strings"
	"testing"

	"firebreak/internal/netset"
	"firebreak/internal/policy"

	"pgregory.net/rapid"
)

func (x place) String() string {
	if x.at.HTTP == nil {
		return fmt.Sprintf("%s %d mtls=%v at %s", x.p, x.port, x.at.MTLS, x.at.At)
	}
	return fmt.Sprintf("%s %d %+v mtls=%v at %s", x.p, x.port, *x.at.HTTP, x.at.MTLS, x.at.At)
}

func TestSetsAgreeWithBruteForce(t *testing.T) {
	zone := berlin(t)
	rapid.Check(t, func(rt *rapid.T) {
		d := newDrawer(rt, zone)
		conds := d.conditions(4)
		s, err := New(conds, d.horizon)
		if err != nil {
			rt.Fatal(err)
		}
		set, m := d.set(s, conds)
		text := set.String()
		for range 40 {
			x := d.place(conds)
			if got, want := set.Contains(x.p, x.port, s.Locate(x.at)), m(x); got != want {
				rt.Fatalf("%s\ncontains %s = %v, want %v", text, x, got, want)
			}
			if m(x) && (set.IsEmpty() || !set.Ports().Contains(x.p, x.port)) {
				rt.Fatalf("%s\nlacks the port of %s", text, x)
			}
			if !m(x) && set.Whole().Contains(x.p, x.port) {
				rt.Fatalf("%s\nis whole at %s, which it lacks", text, x)
			}
			to, far := d.place(conds), x
			far.p, far.port = to.p, to.port
			moved := set.Moved(x.p, x.port, netset.Of(to.p, to.port, to.port))
			if got := moved.Contains(far.p, far.port, s.Locate(far.at)); got != m(x) {
				rt.Fatalf("%s\nmoved from %s to %s %d: %v", text, x, to.p, to.port, got)
			}
			if !moved.Ports().Subtract(netset.Of(to.p, to.port, to.port)).IsEmpty() {
				rt.Fatalf("%s\nmoved to %s %d holds %s", text, to.p, to.port, moved)
			}
			cut := x
			cut.at.MTLS = d.maybe("given")
			if got := set.Given(cut.at.MTLS).Contains(x.p, x.port, s.Locate(x.at)); got != m(cut) {
				rt.Fatalf("%s\ngiven mtls=%v: %v at %s", text, cut.at.MTLS, got, x)
			}
			cut = x
			cut.at.At = d.instant("other instant")
			if got := set.At(cut.at.At).Contains(x.p, x.port, s.Locate(x.at)); got != m(cut) {
				rt.Fatalf("%s\nat %s: %v at %s", text, cut.at.At, got, x)
			}
		}
		witnessed(rt, s, set, m)
		if err := s.Err(); err != nil {
			rt.Fatal(err)
		}
	})
}

// witnessed fails unless the set is empty or its witness is a member.
func witnessed(t *rapid.T, s *Space, set Set, m model) {
	p, port, at, ok := set.Witness()
	x := place{p, port, at}
	if ok == set.IsEmpty() {
		t.Fatalf("%s: empty %v, witness %v", set, set.IsEmpty(), ok)
	}
	if !ok {
		return
	}
	if at.At.IsZero() {
		x.at.At = s.from()
	}
	if !set.Contains(p, port, s.Locate(x.at)) || !m(x) {
		t.Fatalf("%s: the witness %s is no member (by brute force: %v)", set, x, m(x))
	}
	if r := x.at.HTTP; r != nil && !strings.HasPrefix(r.Path, "/") {
		t.Fatalf("%s: the witness %s has no path", set, x)
	}
}

// TestLaws holds the algebra to what every algebra of sets obeys; that equal
// sets are told as equal depends on the diagrams being canonical.
func TestLaws(t *testing.T) {
	zone := berlin(t)
	rapid.Check(t, func(rt *rapid.T) {
		d := newDrawer(rt, zone)
		conds := d.conditions(3)
		s, err := New(conds, d.horizon)
		if err != nil {
			rt.Fatal(err)
		}
		a, _ := d.set(s, conds)
		b, _ := d.set(s, conds)
		c, _ := d.set(s, conds)
		all := Plain(netset.All())
		for law, sides := range map[string][2]Set{
			"union commutes":      {a.Union(b), b.Union(a)},
			"intersect commutes":  {a.Intersect(b), b.Intersect(a)},
			"union associates":    {a.Union(b).Union(c), a.Union(b.Union(c))},
			"distribution":        {a.Intersect(b.Union(c)), a.Intersect(b).Union(a.Intersect(c))},
			"de morgan":           {all.Subtract(a.Union(b)), all.Subtract(a).Intersect(all.Subtract(b))},
			"double complement":   {all.Subtract(all.Subtract(a)), a},
			"parts make a whole":  {a.Subtract(b).Union(a.Intersect(b)), a},
			"nothing is left":     {a.Subtract(a), {}},
			"all is neutral":      {a.Intersect(all), a},
			"nothing is neutral":  {a.Union(Set{}), a},
			"either given":        {a.Given(true).Union(a.Given(false)), a.Given(false).Union(a.Given(true))},
			"restricting is free": {a.Given(true).Given(false), a.Given(true)},
			"ports":               {Plain(a.Ports()).Intersect(a), a},
			"whole":               {Plain(a.Whole()).Union(a), a},
		} {
			if !sides[0].Equal(sides[1]) {
				rt.Fatalf("%s: %s\nis not %s", law, sides[0], sides[1])
			}
		}
		always := all
		for _, at := range s.moments.samples {
			always = always.Intersect(a.At(at))
		}
		if !a.Always().Equal(always) {
			t.Fatalf("always %s, want %s", a.Always(), always)
		}
		for _, x := range []Set{a, b, a.Union(b), a.Given(true), a.Given(false), a.At(d.instant("at")), all.Subtract(a)} {
			canonical(rt, x)
		}
	})
}

func canonical(t *rapid.T, a Set) {
	for i, x := range a.segs {
		if x.lo > x.hi || x.hi > lastPoint || x.when.kids == nil {
			t.Fatalf("%s has a seg %+v", a, x)
		}
		if i > 0 && (x.lo <= a.segs[i-1].hi || x.lo == a.segs[i-1].hi+1 && x.when == a.segs[i-1].when) {
			t.Fatalf("%s has segs that touch: %+v", a, a.segs)
		}
	}
	if !traffic(a.segs).Intersect(a.plain).IsEmpty() {
		t.Fatalf("%s says ports twice", a)
	}
}

func TestUnknownAndNil(t *testing.T) {
	s, err := New([]*policy.Condition{nil, {MTLS: true}}, Horizon{})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Of(netset.All(), &policy.Condition{}, false); ok {
		t.Error("a condition that was never given is known")
	}
	if set, ok := s.Of(netset.All(), nil, false); !ok || !set.Equal(Plain(netset.All())) {
		t.Errorf("no condition means %s, %v", set, ok)
	}
	if _, _, _, ok := (Set{}).Witness(); ok {
		t.Error("the empty set has a witness")
	}
}
