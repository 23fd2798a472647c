package space

import (
	"fmt"
	"testing"
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
)

// benchConditions are like those of an estate: mostly a method and a prefix,
// now and then a host, a header, hours or an end.
func benchConditions(b *testing.B, n int) ([]*policy.Condition, Horizon) {
	from := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	var out []*policy.Condition
	for i := range n {
		h := policy.HTTP{Methods: []string{[]string{"GET", "POST", "PUT"}[i%3]}, Paths: []string{fmt.Sprintf("/api/v%d/service-%d/*", i%4, i), fmt.Sprintf("/%d/{id}/state*", i)}}
		c := &policy.Condition{MTLS: i%5 == 0}
		switch i % 10 {
		case 3:
			h.Hosts = []string{fmt.Sprintf("*.h%d.example", i%7)}
		case 5:
			h.Headers = []policy.Header{{Name: "x-tenant", Values: []string{fmt.Sprint(i)}}}
		case 7:
			c.When = &policy.Window{Lo: 60 * (i % 9), Hi: 60*(i%9) + 600, Days: 62, Location: berlin(b)}
		case 9:
			c.Expires = from.AddDate(0, 0, i)
		}
		c.HTTP = []policy.HTTP{h}
		out = append(out, c)
	}
	return out, Horizon{from, from.AddDate(1, 0, 0)}
}

var benchSizes = []int{0, 10, 200}

func BenchmarkNew(b *testing.B) {
	for _, n := range benchSizes {
		conds, h := benchConditions(b, n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s, err := New(conds, h)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(s.paths.ambiguous()+1), "paths")
				b.ReportMetric(float64(len(s.paths.atoms)), "states")
				b.ReportMetric(float64(len(s.moments.combos)), "times")
			}
		})
	}
}

// benchSets returns one set for each condition (at one port or at many), or
// plain ones if there are none.
func benchSets(b *testing.B, n int, spread bool) (*Space, []Set) {
	conds, h := benchConditions(b, n)
	s, err := New(conds, h)
	if err != nil {
		b.Fatal(err)
	}
	if n == 0 {
		conds = make([]*policy.Condition, 10)
	}
	var out []Set
	for i, c := range conds {
		port := uint16(8080)
		if spread {
			port += 2 * uint16(i)
		}
		set, _ := s.Of(netset.Of(netset.TCP, port, port), c, false)
		out = append(out, set)
	}
	return s, out
}

func joined(sets []Set) (out Set) {
	for _, x := range sets {
		out = out.Union(x)
	}
	return out
}

func BenchmarkOf(b *testing.B) {
	for _, n := range benchSizes {
		conds, h := benchConditions(b, n)
		s, err := New(conds, h)
		if err != nil {
			b.Fatal(err)
		}
		conds = append(conds, nil)
		t := netset.Of(netset.TCP, 8080, 8080)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				s.Of(t, conds[i%max(n, 1)], false)
			}
		})
	}
}

func eachSize(b *testing.B, f func(b *testing.B, s *Space, sets []Set)) {
	b.Helper()
	for _, n := range benchSizes {
		for name, spread := range map[string]bool{"one-port": false, "many-ports": true} {
			s, sets := benchSets(b, n, spread)
			b.Run(fmt.Sprintf("%d/%s", n, name), func(b *testing.B) {
				b.ReportAllocs()
				f(b, s, sets)
			})
		}
	}
}

// BenchmarkUnionCold joins all sets in a Space that has forgotten every answer.
func BenchmarkUnionCold(b *testing.B) {
	eachSize(b, func(b *testing.B, s *Space, sets []Set) {
		for b.Loop() {
			clear(s.diagrams.answers)
			joined(sets)
		}
	})
}

func BenchmarkUnionWarm(b *testing.B) {
	eachSize(b, func(b *testing.B, _ *Space, sets []Set) {
		half := joined(sets[:len(sets)/2])
		for i := 0; b.Loop(); i++ {
			half.Union(sets[i%len(sets)])
		}
	})
}

func BenchmarkSubtract(b *testing.B) {
	eachSize(b, func(b *testing.B, _ *Space, sets []Set) {
		all := joined(sets)
		for i := 0; b.Loop(); i++ {
			all.Subtract(sets[i%len(sets)])
		}
	})
}

func BenchmarkContains(b *testing.B) {
	eachSize(b, func(b *testing.B, s *Space, sets []Set) {
		all := joined(sets)
		at := s.Locate(flow.Circumstances{At: s.from().AddDate(0, 1, 0), HTTP: &flow.Request{Method: "GET", Path: "/api/v1/service-5/x"}})
		for i := 0; b.Loop(); i++ {
			all.Contains(netset.TCP, 8080+uint16(i&8), at)
		}
	})
}

func BenchmarkLocate(b *testing.B) {
	for _, n := range benchSizes {
		s, _ := benchSets(b, n, false)
		c := flow.Circumstances{At: s.from().AddDate(0, 1, 0), HTTP: &flow.Request{Method: "GET", Path: "/api/v1/service-5/x"}}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.Locate(c)
			}
		})
	}
}

func BenchmarkString(b *testing.B) {
	eachSize(b, func(b *testing.B, s *Space, sets []Set) {
		all := joined(sets)
		for b.Loop() {
			clear(s.texts)
			_ = all.String()
		}
	})
}
