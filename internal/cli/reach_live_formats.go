package cli

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// forReaders visits the lines for people: what is outside by its name.
func (r *liveReach) forReaders(visit func(from, to string, traffic int32) error) error {
	return r.lines(r.byNames, plainKey, visit)
}

// forMachines visits them with runs of addresses, and with what is known by
// names only if that is wanted.
func (r *liveReach) forMachines(names bool, key func(string) string, visit func(from, to string, traffic int32) error) error {
	return r.lines(func(end int, outgoing bool) []reached { return r.byRuns(end, outgoing, names) }, key, visit)
}

// liveText writes a table, one block for each source.
func liveText(w io.Writer, r *liveReach) error {
	out := bufio.NewWriter(w)
	widths := [2]int{len("FROM"), len("TO")}
	some := false
	err := r.forReaders(func(from, to string, _ int32) error {
		some = true
		widths[0], widths[1] = max(widths[0], utf8.RuneCountInString(from)), max(widths[1], utf8.RuneCountInString(to))
		return nil
	})
	if err != nil {
		return err
	}
	row := func(from, to, traffic string) {
		for i, s := range []string{from, to} {
			out.WriteString(s)
			out.WriteString(strings.Repeat(" ", widths[i]+2-utf8.RuneCountInString(s)))
		}
		out.WriteString(traffic + "\n")
	}
	if some {
		row("FROM", "TO", "TRAFFIC")
	} else if len(r.inv.Workloads) == 0 {
		fmt.Fprintln(out, "no workload is known")
	} else {
		fmt.Fprintln(out, "nothing can be reached")
	}
	last := ""
	err = r.forReaders(func(from, to string, traffic int32) error {
		shown := from
		if from == last {
			shown = ""
		}
		last = from
		row(shown, to, r.texts.text[traffic])
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

func liveMarkdown(w io.Writer, r *liveReach) error {
	out := bufio.NewWriter(w)
	out.WriteString("| from | to | traffic |\n|---|---|---|\n")
	err := r.forReaders(func(from, to string, traffic int32) error {
		_, err := fmt.Fprintf(out, "| %s | %s | %s |\n", cell(from), cell(to), cell(r.texts.text[traffic]))
		return err
	})
	if err != nil {
		return err
	}
	for i, u := range r.unknown() {
		if i == 0 {
			out.WriteString("\n| not known: from | to | traffic | why |\n|---|---|---|---|\n")
		}
		fmt.Fprintf(out, "| %s | %s | %s | %s |\n", cell(u.From), cell(u.To), cell(u.Traffic), cell(u.Reason))
	}
	return out.Flush()
}

// liveCSV writes RFC 4180 with a header, sorted bytewise by line.
func liveCSV(w io.Writer, r *liveReach) error {
	out := bufio.NewWriterSize(w, 1<<16)
	out.WriteString("from,to,traffic\n")
	fields := map[string]string{}
	field := func(name string) string {
		s, known := fields[name]
		if !known {
			s = csvField(name) + ","
			fields[name] = s
		}
		return s
	}
	traffic := make([]string, len(r.texts.csv))
	for i, s := range r.texts.csv {
		traffic[i] = csvField(s)
	}
	err := r.forMachines(false, field, func(from, to string, t int32) error {
		out.WriteString(field(from))
		out.WriteString(field(to))
		out.WriteString(traffic[t])
		return out.WriteByte('\n')
	})
	if err != nil {
		return err
	}
	return out.Flush()
}

// liveDOT writes a graph with a cluster for each namespace, or zone if there is
// a policy.
func liveDOT(w io.Writer, r *liveReach) error {
	out := bufio.NewWriter(w)
	out.WriteString("digraph reach {\n  rankdir=LR;\n  node [shape=box, style=rounded];\n")
	named := map[string]bool{}
	err := r.forReaders(func(from, to string, _ int32) error {
		named[from], named[to] = true, true
		return nil
	})
	if err != nil {
		return err
	}
	groups := map[string][]string{}
	for i := range r.inv.Workloads {
		x := &r.inv.Workloads[i]
		group := x.Namespace
		if r.p != nil && i < len(r.p.ZoneOf) {
			group = r.p.Zones[r.p.ZoneOf[i]].Name
		}
		if named[x.Name] && group != "" {
			groups[group] = append(groups[group], x.Name)
		}
	}
	var order []string
	for g := range groups {
		order = append(order, g)
	}
	slices.Sort(order)
	for _, g := range order {
		fmt.Fprintf(out, "  subgraph %s {\n    label=%s;\n", strconv.Quote("cluster_"+g), strconv.Quote(g))
		for _, name := range groups[g] {
			fmt.Fprintf(out, "    %s;\n", strconv.Quote(name))
		}
		out.WriteString("  }\n")
	}
	err = r.forReaders(func(from, to string, traffic int32) error {
		_, err := fmt.Fprintf(out, "  %s -> %s [label=%s];\n", strconv.Quote(from), strconv.Quote(to), strconv.Quote(r.texts.text[traffic]))
		return err
	})
	if err != nil {
		return err
	}
	out.WriteString("}\n")
	return out.Flush()
}
