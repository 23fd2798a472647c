package main

import (
	"fmt"
	"math/rand/v2"
)

// The sizes beside the rules: 2,000 services in 20 zones.
const (
	services = 2000
	zones    = 20
)

// rule is one rule in the form that all judges understand: an end is a service
// or a zone, the traffic one TCP port.
type rule struct {
	allow            bool
	from, to         int
	fromZone, toZone bool
	port             int
}

// question is a conversation between two services.
type question struct{ from, to, port int }

// estate is the rules and the questions. A deny beats every allow; what no
// rule decides is denied.
type estate struct {
	rules     []rule
	questions []question
	answers   []bool // of the rules, read one by one
}

func zoneOf(service int) int { return service % zones }

// ports are what services serve: the first is a service's own.
func port(service int) int { return 1000 + service%500 }

// newEstate makes rules mostly between services, some of them from or to a
// whole zone, some of them denies; and questions of which about half are about
// pairs that some rule speaks of.
func newEstate(rules, questions int, seed uint64) *estate {
	r := rand.New(rand.NewPCG(seed, 0))
	e := &estate{}
	for range rules {
		x := rule{allow: r.IntN(100) >= 5, from: r.IntN(services), to: r.IntN(services)}
		x.port = port(x.to)
		switch n := r.IntN(100); {
		case n < 6:
			x.fromZone, x.from = true, r.IntN(zones)
		case n < 10:
			x.toZone, x.to, x.port = true, r.IntN(zones), 9000+r.IntN(20)
		}
		e.rules = append(e.rules, x)
	}
	for i := range questions {
		q := question{r.IntN(services), r.IntN(services), 0}
		q.port = port(q.to)
		if i%2 == 0 {
			x := e.rules[r.IntN(rules)]
			q = question{member(r, x.from, x.fromZone), member(r, x.to, x.toZone), x.port}
		}
		if r.IntN(10) == 0 {
			q.port = 9000 + r.IntN(25)
		}
		e.questions = append(e.questions, q)
		e.answers = append(e.answers, e.truth(q))
	}
	return e
}

// member is a service that an end of a rule means.
func member(r *rand.Rand, end int, zone bool) int {
	if zone {
		return end + zones*r.IntN(services/zones)
	}
	return end
}

func (x rule) matches(q question) bool {
	from, to := q.from, q.to
	if x.fromZone {
		from = zoneOf(from)
	}
	if x.toZone {
		to = zoneOf(to)
	}
	return x.from == from && x.to == to && x.port == q.port
}

// truth reads the rules one by one.
func (e *estate) truth(q question) bool {
	allowed := false
	for _, x := range e.rules {
		if x.matches(q) {
			if !x.allow {
				return false
			}
			allowed = true
		}
	}
	return allowed
}

func (e *estate) allowed() int {
	n := 0
	for _, yes := range e.answers {
		if yes {
			n++
		}
	}
	return n
}

func serviceName(i int) string { return fmt.Sprintf("s%d", i) }

func zoneName(i int) string { return fmt.Sprintf("z%d", i) }

// permitted writes out every conversation that passes.
func (e *estate) permitted() map[question]bool {
	denied, allowed := map[question]bool{}, map[question]bool{}
	for _, x := range e.rules {
		into := allowed
		if !x.allow {
			into = denied
		}
		for _, from := range members(x.from, x.fromZone) {
			for _, to := range members(x.to, x.toZone) {
				into[question{from, to, x.port}] = true
			}
		}
	}
	for q := range denied {
		delete(allowed, q)
	}
	return allowed
}

// byMap is the floor.
func byMap(e *estate) (*judge, error) {
	allowed := e.permitted()
	return &judge{
		name: "Go map", about: "every permitted conversation written out beforehand: the floor",
		ask: func(i int) bool { return allowed[e.questions[i]] },
	}, nil
}

func members(end int, zone bool) []int {
	if !zone {
		return []int{end}
	}
	var out []int
	for s := end; s < services; s += zones {
		out = append(out, s)
	}
	return out
}
