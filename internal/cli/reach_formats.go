package cli

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"firebreak/internal/flow"
)

// plainKey puts names in the order of their bytes.
func plainKey(name string) string { return name }

// byName visits the lines for people.
func (r *reach) byName(visit func(line) error) error {
	return r.lines(r.named(r.from, plainKey), r.named(r.to, plainKey), visit)
}

// byAddress visits the lines for machines.
func (r *reach) byAddress(byName bool, key func(string) string, visit func(line) error) error {
	return r.lines(r.addressed(r.from, r.to, true, byName, key), r.addressed(r.to, r.from, false, byName, key), visit)
}

// reachText writes a table, one block for each source.
func reachText(w io.Writer, r *reach) error {
	out := bufio.NewWriter(w)
	widths := [3]int{len("FROM"), len("TO"), len("TRAFFIC")}
	any := false
	err := r.byName(func(l line) error {
		any = true
		for i, s := range []string{l.from.name, l.to.name, l.p.text} {
			widths[i] = max(widths[i], utf8.RuneCountInString(s))
		}
		return nil
	})
	if err != nil {
		return err
	}
	row := func(cells ...string) {
		for i, s := range cells {
			out.WriteString(s)
			if i < len(widths) {
				out.WriteString(strings.Repeat(" ", widths[i]+2-utf8.RuneCountInString(s)))
			}
		}
		out.WriteByte('\n')
	}
	if any {
		row("FROM", "TO", "TRAFFIC", "BY")
	} else {
		fmt.Fprintln(out, "nothing can be reached")
	}
	var last *end
	err = r.byName(func(l line) error {
		from := l.from.name
		if l.from == last {
			from = ""
		}
		last = l.from
		row(from, l.to.name, l.p.text, l.basis.text)
		return nil
	})
	if err != nil {
		return err
	}
	for i, u := range r.unknown() {
		if i == 0 {
			out.WriteString("\nnot known\n")
		}
		fmt.Fprintf(out, "  %s → %s  %s: %s\n", u.From, u.To, u.Traffic, u.Reason)
	}
	return out.Flush()
}

func (l *loaded) ruleNames(rules []flow.Rule) string {
	var out []string
	for _, r := range rules {
		out = append(out, l.ruleText(r))
	}
	return strings.Join(out, ", ")
}

func reachMarkdown(w io.Writer, r *reach) error {
	out := bufio.NewWriter(w)
	out.WriteString("| from | to | traffic | by |\n|---|---|---|---|\n")
	err := r.byName(func(l line) error {
		_, err := fmt.Fprintf(out, "| %s | %s | %s | %s |\n", cell(l.from.name), cell(l.to.name), cell(l.p.text), cell(l.basis.text))
		return err
	})
	if err != nil {
		return err
	}
	unknown := r.unknown()
	if len(unknown) > 0 {
		out.WriteString("\n| not known: from | to | traffic | why |\n|---|---|---|---|\n")
	}
	for _, u := range unknown {
		fmt.Fprintf(out, "| %s | %s | %s | %s |\n", cell(u.From), cell(u.To), cell(u.Traffic), cell(u.Reason))
	}
	return out.Flush()
}

// reachJSON writes one edge after the other, so that none is kept.
func reachJSON(w io.Writer, r *reach) error {
	return edgesJSON(w, r.unknown(), nil, func(add func(any) error) error {
		return r.byAddress(true, plainKey, func(l line) error {
			return add(jsonEdge{l.from.name, l.to.name, l.p.text, l.basis.rules})
		})
	})
}

// jsonEdge is who can reach whom. Rules is never nil.
type jsonEdge struct {
	From    string      `json:"from"`
	To      string      `json:"to"`
	Traffic string      `json:"traffic"`
	Rules   []flow.Rule `json:"rules"`
}

// edgesJSON writes the edges that each hands to add, one after the other, then
// what is not known.
func edgesJSON(w io.Writer, unknown []unknownPair, findings []jsonFinding, each func(add func(any) error) error) error {
	out := bufio.NewWriter(w)
	out.WriteString("{\n  \"edges\": [")
	edges := elements{w: out, indent: "  "}
	if err := each(edges.add); err != nil {
		return err
	}
	edges.end()
	out.WriteString(",\n  \"unknown\": [")
	rest := elements{w: out, indent: "  "}
	for _, u := range unknown {
		if err := rest.add(u); err != nil {
			return err
		}
	}
	rest.end()
	if findings != nil {
		out.WriteString(",\n  \"diagnostics\": [")
		more := elements{w: out, indent: "  "}
		for _, d := range findings {
			if err := more.add(d); err != nil {
				return err
			}
		}
		more.end()
	}
	out.WriteString("\n}\n")
	return out.Flush()
}

// elements writes a list in an object, one element after the other.
type elements struct {
	w      *bufio.Writer // which keeps the first error
	indent string        // of the list
	buf    bytes.Buffer
	any    bool
}

func (x *elements) add(v any) error {
	if x.any {
		x.w.WriteByte(',')
	}
	x.any = true
	x.w.WriteString("\n  " + x.indent)
	x.buf.Reset()
	e := json.NewEncoder(&x.buf)
	e.SetEscapeHTML(false)
	e.SetIndent(x.indent+"  ", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := x.w.Write(bytes.TrimSuffix(x.buf.Bytes(), []byte("\n")))
	return err
}

func (x *elements) end() {
	if x.any {
		x.w.WriteString("\n" + x.indent)
	}
	x.w.WriteByte(']')
}

// reachCSV writes RFC 4180 with a header, sorted bytewise by line: a field and
// the comma behind it are the beginning of no other field.
func reachCSV(w io.Writer, r *reach) error {
	out := bufio.NewWriter(w)
	out.WriteString("from,to,traffic\n")
	traffic := map[*permit]string{}
	err := r.byAddress(false, func(name string) string { return csvField(name) + "," }, func(l line) error {
		t, known := traffic[l.p]
		if !known {
			t = csvField(l.p.csv)
			traffic[l.p] = t
		}
		out.WriteString(l.from.key)
		out.WriteString(l.to.key)
		out.WriteString(t)
		return out.WriteByte('\n')
	})
	if err != nil {
		return err
	}
	return out.Flush()
}

// csvField quotes a field if it has to be.
func csvField(s string) string {
	var b strings.Builder
	c := csv.NewWriter(&b)
	if err := c.Write([]string{s}); err != nil { // a strings.Builder takes everything
		return s
	}
	c.Flush()
	return strings.TrimSuffix(b.String(), "\n")
}

// reachDOT writes a graph with a cluster for each zone.
func reachDOT(w io.Writer, r *reach) error {
	out := bufio.NewWriter(w)
	out.WriteString("digraph reach {\n  rankdir=LR;\n  node [shape=box, style=rounded];\n")
	named := map[string]bool{}
	inside := make([][]string, len(r.l.p.Zones))
	note := func(e *end) {
		if z := r.e.Zone(e.peer); !named[e.name] && z >= 0 {
			inside[z] = append(inside[z], e.name)
		}
		named[e.name] = true
	}
	err := r.byName(func(l line) error {
		note(l.from)
		note(l.to)
		return nil
	})
	if err != nil {
		return err
	}
	dotClusters(out, r, inside)
	err = r.byName(func(l line) error {
		_, err := fmt.Fprintf(out, "  %s -> %s [label=%s];\n", strconv.Quote(l.from.name), strconv.Quote(l.to.name), strconv.Quote(l.p.text))
		return err
	})
	if err != nil {
		return err
	}
	out.WriteString("}\n")
	return out.Flush()
}

func dotClusters(out io.Writer, r *reach, inside [][]string) {
	for z, names := range inside {
		if names == nil {
			continue
		}
		zone := r.l.p.Zones[z].Name
		slices.Sort(names)
		fmt.Fprintf(out, "  subgraph %s {\n    label=%s;\n", strconv.Quote("cluster_"+zone), strconv.Quote(zone))
		for _, name := range names {
			fmt.Fprintf(out, "    %s;\n", strconv.Quote(name))
		}
		fmt.Fprint(out, "  }\n")
	}
}
