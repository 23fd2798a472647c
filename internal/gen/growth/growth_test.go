package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"firebreak/internal/gen"
)

// TestEveryStepIsMeasured runs all of it over a small estate.
func TestEveryStepIsMeasured(t *testing.T) {
	dir := t.TempDir()
	if err := gen.Write(gen.Options{Workloads: 300}, createIn(dir), nil); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := measureJSON(dir, &out); err != nil {
		t.Fatal(err)
	}
	r := &result{}
	if err := json.Unmarshal(out.Bytes(), r); err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if r.Values[row.name] <= 0 && row.name != "peak memory (RSS)" { // the parent adds that
			t.Errorf("%s was not measured", row.name)
		}
	}
	if len(r.Values) != len(rows)-1 {
		t.Errorf("%d values for %d rows", len(r.Values), len(rows))
	}
}

func TestTable(t *testing.T) {
	var all []*result
	for _, n := range sizes(1000, 10_000) {
		all = append(all, &result{gen.Options{Workloads: n, Identities: 50, Rules: n * n}, map[string]float64{"resolve": float64(n) / 1e6, "live heap": 1 << 21}})
	}
	var out strings.Builder
	printTable(&out, all)
	for _, want := range []string{
		"| workloads | 1,000 | 3,000 | 10,000 | exponent |", "| rules | 1,000,000 | 9,000,000 | 100,000,000 | 2.00 |", "| identities | 50 | 50 | 50 | 0.00 |",
		"| resolve | 1 ms | 3 ms | 10 ms | 1.00 |", "| live heap | 2 MiB | 2 MiB | 2 MiB | 0.00 |",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}

func TestMedians(t *testing.T) {
	list := []*result{{Values: map[string]float64{"a": 9}}, {Values: map[string]float64{"a": 1}}, {Values: map[string]float64{"a": 5}}}
	if got := medians(list).Values["a"]; got != 5 {
		t.Errorf("got %v", got)
	}
}
