package main

import (
	"fmt"
	"io"
	"math"
	"strings"

	"firebreak/internal/gen"
)

// result is what was measured of one size: seconds and bytes by name.
type result struct {
	gen.Options
	Values map[string]float64
}

// rows are the values in the order of the table.
var rows = []struct {
	name   string
	memory bool
}{
	{"read policy", false}, {"read inventory", false}, {"resolve", false}, {"all pairs", false}, {"guardrails", false},
	{"resolve + pairs + guardrails", false}, {"one rule changed", false}, {"one label changed", false}, {"one decision", false},
	{"live heap", true}, {"peak memory (RSS)", true},
}

// printTable has a column for each size and one for the exponent.
func printTable(out io.Writer, all []*result) {
	line := func(head string, cell func(*result) string, last string) {
		cells := []string{head}
		for _, r := range all {
			cells = append(cells, cell(r))
		}
		fmt.Fprintf(out, "| %s | %s |\n", strings.Join(cells, " | "), last)
	}
	line("workloads", func(r *result) string { return thousands(r.Workloads) }, "exponent")
	line("---", func(*result) string { return "---" }, "---")
	line("identities", func(r *result) string { return thousands(r.Identities) }, exponent(all, func(r *result) float64 { return float64(r.Identities) }))
	line("rules", func(r *result) string { return thousands(r.Rules) }, exponent(all, func(r *result) float64 { return float64(r.Rules) }))
	for _, row := range rows {
		value := func(r *result) float64 { return r.Values[row.name] }
		line(row.name, func(r *result) string { return form(value(r), row.memory) }, exponent(all, value))
	}
}

// exponent is the slope of a line through the logarithms: 1 is growth in
// proportion to the workloads.
func exponent(all []*result, value func(*result) float64) string {
	var n, sx, sy, sxx, sxy float64
	for _, r := range all {
		if v := value(r); v > 0 {
			x, y := math.Log(float64(r.Workloads)), math.Log(v)
			n, sx, sy, sxx, sxy = n+1, sx+x, sy+y, sxx+x*x, sxy+x*y
		}
	}
	if d := n*sxx - sx*sx; d > 0 {
		return fmt.Sprintf("%.2f", (n*sxy-sx*sy)/d)
	}
	return ""
}

// form writes seconds or bytes with three digits.
func form(v float64, memory bool) string {
	switch {
	case memory && v >= 1<<30:
		return fmt.Sprintf("%.2f GiB", v/(1<<30))
	case memory:
		return fmt.Sprintf("%.0f MiB", v/(1<<20))
	case v >= 1:
		return fmt.Sprintf("%.2f s", v)
	case v >= 1e-3:
		return fmt.Sprintf("%.3g ms", v*1e3)
	case v >= 1e-6:
		return fmt.Sprintf("%.3g µs", v*1e6)
	}
	return fmt.Sprintf("%.3g ns", v*1e9)
}

func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
