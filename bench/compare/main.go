// Command compare measures one decision over the same 10,000 rules with
// Firebreak's engine and with the libraries that others decide with, side by
// side in one run. It is a module of its own, so that nobody who builds
// Firebreak needs them. All must give the same answers before any time counts.
package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"
)

const (
	rules     = 10_000
	questions = 4096
	rounds    = 7
	roundTime = 250 * time.Millisecond
)

// judge is one way to decide. ask answers the i-th question.
type judge struct {
	name  string
	about string
	ready time.Duration // from rules in memory to the first answer
	ask   func(i int) bool
}

func main() {
	e := newEstate(rules, questions, 1)
	judges, err := all(e)
	if err == nil {
		err = agree(e, judges)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
	fmt.Printf("%d questions over %d rules, %d of them allowed; all judges agree on each. %s, Go %s; median of %d rounds.\n\n",
		len(e.questions), len(e.rules), e.allowed(), cpus(), runtime.Version(), rounds)
	table(judges)
}

func cpus() string {
	return fmt.Sprintf("%d cores, %s/%s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)
}

// all makes every judge ready.
func all(e *estate) ([]*judge, error) {
	var out []*judge
	for _, make := range []func(*estate) (*judge, error){byMap, byFirebreak, byFirebreakNames, byOPAIndex, byOPAData, byCedarSliced, byCedar} {
		begin := time.Now()
		j, err := make(e)
		if err != nil {
			return nil, err
		}
		j.ask(0)
		j.ready = time.Since(begin)
		out = append(out, j)
	}
	return out, nil
}

// agree demands that every judge answer every question as the rules, read one
// by one, do.
func agree(e *estate, judges []*judge) error {
	for i, q := range e.questions {
		want := e.answers[i]
		for _, j := range judges {
			if j.ask(i) != want {
				return fmt.Errorf("%s says %t about %+v, and the rules say %t", j.name, !want, q, want)
			}
		}
	}
	return nil
}

// table measures in turns, forwards and backwards, and prints medians.
func table(judges []*judge) {
	times := make([][]float64, len(judges))
	allocs := make([]float64, len(judges))
	for r := range rounds {
		order := make([]int, len(judges))
		for i := range order {
			order[i] = i
		}
		if r%2 == 1 {
			slices.Reverse(order)
		}
		for _, i := range order {
			ns, n := measure(judges[i])
			times[i], allocs[i] = append(times[i], ns), n
		}
	}
	median := func(i int) float64 {
		slices.Sort(times[i])
		return times[i][len(times[i])/2]
	}
	fmt.Println("| judge | one decision | allocations | against Firebreak | ready after | how |\n|---|---|---|---|---|---|")
	us := median(1)
	for i, j := range judges {
		fmt.Printf("| %s | %s | %.0f | %.3g × | %s | %s |\n", j.name, span(median(i)), allocs[i], median(i)/us, j.ready.Round(100*time.Microsecond), j.about)
	}
}

// span writes nanoseconds with three digits.
func span(ns float64) string {
	switch {
	case ns < 1000:
		return fmt.Sprintf("%.3g ns", ns)
	case ns < 1e6:
		return fmt.Sprintf("%.3g µs", ns/1e3)
	default:
		return fmt.Sprintf("%.3g ms", ns/1e6)
	}
}

// measure asks for one round and returns nanoseconds and allocations for each
// decision.
func measure(j *judge) (ns, allocs float64) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	n, batch := 0, 1
	begin := time.Now()
	for time.Since(begin) < roundTime {
		for range batch {
			j.ask(n % questions)
			n++
		}
		if batch < 1024 && time.Since(begin) < roundTime/16 {
			batch *= 2
		}
	}
	took := time.Since(begin)
	runtime.ReadMemStats(&after)
	return float64(took.Nanoseconds()) / float64(n), float64(after.Mallocs-before.Mallocs) / float64(n)
}
