package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"firebreak/internal/datapath"
	"firebreak/internal/demo/lab"
)

func TestMain(m *testing.M) {
	if name := os.Getenv(roleEnv); name != "" {
		os.Exit(play(name))
	}
	os.Exit(m.Run())
}

// TestNetbench measures everything for a moment: every variant and every part
// must measure something, and leave nothing.
func TestNetbench(t *testing.T) {
	needKernel(t)
	s := settings{Rounds: 1, RoundTime: 30 * time.Millisecond, Rate: 2000, Services: 20, Prefix: "fbbtest", Progress: io.Discard}
	r, err := measure(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range comparisons(0) {
		for _, v := range c.variants {
			figures := r.each(c.part, v, func(s sample) float64 { return float64(s.Requests) })
			if len(figures) != 1 || figures[0] == 0 {
				t.Errorf("%s, %s: %v requests, want some in one round", c.part, v, figures)
			}
		}
	}
	for _, e := range r.Events {
		if e.Seen == 0 || e.Lag.P99 <= 0 {
			t.Errorf("events: %+v", e)
		}
	}
	for _, p := range r.Page {
		if p.Shown == 0 || p.Lag.P99 <= 0 {
			t.Errorf("page: %+v", p)
		}
	}
	if c := r.Change; len(r.Events) != 2 || len(r.Page) != 2 || len(r.Files) != 2 || c == nil {
		t.Fatalf("parts are missing: %+v", r)
	} else if c.Mixed != 0 || c.Requests == 0 || c.Connections == 0 {
		t.Errorf("changes: %+v", c)
	}
	checkDocument(t, r)
	if left, _ := os.ReadDir("/sys/fs/bpf/fbbtest"); len(left) > 0 {
		t.Errorf("%d things are still pinned", len(left))
	}
}

// checkDocument compares the shape of what is printed with what is published.
func checkDocument(t *testing.T, r *results) {
	t.Helper()
	published, err := os.ReadFile("../../docs/benchmarks.md")
	if err != nil {
		t.Fatal(err)
	}
	var printed bytes.Buffer
	if err := r.markdown(&printed); err != nil {
		t.Fatal(err)
	}
	if want, got := shape(string(published)), shape(printed.String()); want != got {
		t.Errorf("docs/benchmarks.md has these tables:\n%s\nand this prints:\n%s", want, got)
	}
}

var rate = regexp.MustCompile(`[0-9,]+ connections/s`)

// shape is the headings and the first cells of a document's tables, from the
// first table's section on; rates are the test's own.
func shape(text string) string {
	_, text, _ = strings.Cut(text, "## Round trip")
	var out []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if cells := strings.Split(line, "|"); len(cells) > 2 {
			out = append(out, rate.ReplaceAllString(strings.TrimSpace(cells[1]), "N connections/s"))
		} else if strings.HasPrefix(line, "## ") {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

// needKernel fails where a kernel test must run and cannot.
func needKernel(t *testing.T) {
	t.Helper()
	err := lab.Require()
	if err == nil {
		_, _, err = datapath.Probe()
	}
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("kernel tests must run here: %v", err)
		}
		t.Skipf("kernel tests need more: %v", err)
	}
}

// TestEditionsShareNothing: what makes a mixture visible.
func TestEditionsShareNothing(t *testing.T) {
	rules := ruleset{peers: 100, ports: 100}
	for edition := range uint32(editions) {
		a, b := rules, rules
		a.edition, b.edition = edition, (edition+1)%editions
		seen := map[uint16]bool{}
		for j := range a.ports {
			if a.class(j) == b.class(j) {
				t.Errorf("port %d has class %d in editions %d and %d", firstPort+j, a.class(j), a.edition, b.edition)
			}
			seen[a.class(j)] = true
		}
		if len(seen) != a.ports {
			t.Errorf("edition %d has %d classes, want %d", edition, len(seen), a.ports)
		}
		if a.local() == b.local() || a.peer(50) == b.peer(50) || a.rule(50, 3) == b.rule(50, 3) {
			t.Errorf("editions %d and %d share numbers", a.edition, b.edition)
		}
	}
	if n := rules.rules(); n != 10_000 {
		t.Errorf("%d rules, want 10,000", n)
	}
}

func TestChosen(t *testing.T) {
	if got, err := chosen("bulk,page"); err != nil || !got[partBulk] || !got[partPage] || len(got) != 2 {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := chosen("bulk,pgae"); err == nil {
		t.Error("an unknown measurement is taken")
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		in   []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 2, 9}, 3}} {
		if got := median(c.in); got != c.want {
			t.Errorf("median of %v is %v, want %v", c.in, got, c.want)
		}
	}
}
