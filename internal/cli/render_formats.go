package cli

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"firebreak/internal/artifact"
	"firebreak/internal/diag"
)

// renderText writes the findings, then a line for each enforcement point, then
// what became of the files.
func renderText(w io.Writer, r *rendering) error {
	var b strings.Builder
	for _, d := range r.diags {
		fmt.Fprintln(&b, d)
	}
	if len(r.diags) > 0 {
		b.WriteByte('\n')
	}
	rows := r.rows()
	var widths [2]int
	for _, row := range rows {
		for i := range widths {
			widths[i] = max(widths[i], len(row[i]))
		}
	}
	for _, row := range rows {
		fmt.Fprintf(&b, "%-*s  %-*s  %s\n", widths[0], row[0], widths[1], row[1], row[2])
	}
	b.WriteString(r.summary() + "\n")
	for _, name := range r.stale {
		fmt.Fprintf(&b, "note: %s was rendered before and is not among these targets: its files stay as they are\n", r.shown(name))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// shown is a path in OUT, for people.
func (r *rendering) shown(path string) string { return filepath.ToSlash(filepath.Join(r.q.out, path)) }

// rows are target, point, and what it is told.
func (r *rendering) rows() [][3]string {
	var out [][3]string
	for _, t := range r.targets {
		if len(t.points) == 0 {
			out = append(out, [3]string{t.name, "", "nothing to say"})
		}
		for _, p := range t.points {
			out = append(out, [3]string{t.name, p.name, fmt.Sprintf("%s, %s", count(p.files, "file"), size(p.bytes))})
		}
	}
	return out
}

// summary is what became of the files of all targets.
func (r *rendering) summary() string {
	if r.failed() {
		return fmt.Sprintf("FAIL  nothing was written to %s", r.q.out)
	}
	var parts []string
	all := r.changes()
	for _, c := range []artifact.Change{artifact.New, artifact.Changed, artifact.Same, artifact.Removed, artifact.Edited, artifact.InTheWay} {
		if n := all[c]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, changeWords[c]))
		}
	}
	if len(parts) == 0 {
		parts = []string{"no files"}
	}
	return fmt.Sprintf("ok    %s: %s (%s)", r.q.out, strings.Join(parts, ", "), which(!r.q.toCome))
}

var changeWords = map[artifact.Change]string{
	artifact.New: "new", artifact.Changed: "changed", artifact.Same: "as before", artifact.Removed: "removed",
	artifact.Edited: "overwritten", artifact.InTheWay: "overwritten that were not ours",
}

func (r *rendering) changes() map[artifact.Change]int {
	out := map[artifact.Change]int{}
	for _, t := range r.targets {
		for _, s := range t.steps {
			out[s.Change]++
		}
	}
	return out
}

// size is a number of bytes for people.
func size(n int) string {
	switch {
	case n < 1000:
		return count(n, "byte")
	case n < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

// jsonFinding is a diagnostic.
type jsonFinding struct {
	Code     string `json:"code"`
	Severity string `json:"severity"`
	Message  string `json:"message"`
	File     string `json:"file"`
	Line     int    `json:"line"`
	Col      int    `json:"col"`
	Help     string `json:"help"`
	See      *see   `json:"see,omitempty"`
}

func jsonFindings(diags diag.List) []jsonFinding {
	out := []jsonFinding{}
	for _, d := range diags {
		out = append(out, jsonFinding{d.Code, d.Severity.String(), d.Message, d.Pos.File, d.Pos.Line, d.Pos.Col, d.Help, seeOf(d)})
	}
	return out
}

func renderJSON(w io.Writer, r *rendering) error {
	type point struct {
		Point string `json:"point"`
		Files int    `json:"files"`
		Bytes int    `json:"bytes"`
	}
	type file struct {
		Path   string `json:"path"`
		Change string `json:"change"`
	}
	type rendered struct {
		Target string  `json:"target"`
		Points []point `json:"points"`
		Files  []file  `json:"files"`
	}
	out := struct {
		Written     bool          `json:"written"`
		Out         string        `json:"out"`
		ToCome      bool          `json:"toCome"`
		Targets     []rendered    `json:"targets"`
		Stale       []string      `json:"stale"`
		Diagnostics []jsonFinding `json:"diagnostics"`
	}{r.written, r.q.out, r.q.toCome, []rendered{}, append([]string{}, r.stale...), jsonFindings(r.diags)}
	for _, t := range r.targets {
		x := rendered{t.name, []point{}, []file{}}
		for _, p := range t.points {
			x.Points = append(x.Points, point{p.name, p.files, p.bytes})
		}
		for _, s := range t.steps {
			x.Files = append(x.Files, file{r.shown(t.name + "/" + s.Path), string(s.Change)})
		}
		out.Targets = append(out.Targets, x)
	}
	return writeJSON(w, out)
}
