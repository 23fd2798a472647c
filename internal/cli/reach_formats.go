package cli

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"firebreak/internal/flow"
	"firebreak/internal/netset"
)

// reachText writes a table, one block for each source.
func reachText(w io.Writer, r *reach) error {
	edges := r.byName()
	if len(edges) == 0 {
		_, err := fmt.Fprintln(w, "nothing can be reached")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FROM\tTO\tTRAFFIC\tBY")
	last := ""
	for _, e := range edges {
		from := e.from.name
		if from == last {
			from = ""
		}
		last = e.from.name
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", from, e.to.name, e.traffic, ruleNames(e.rules))
	}
	return t.Flush()
}

func ruleNames(rules []flow.Rule) string {
	var out []string
	for _, r := range rules {
		out = append(out, r.String())
	}
	return strings.Join(out, ", ")
}

func reachMarkdown(w io.Writer, r *reach) error {
	var b strings.Builder
	b.WriteString("| from | to | traffic | by |\n|---|---|---|---|\n")
	for _, e := range r.byName() {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", cell(e.from.name), cell(e.to.name), e.traffic, cell(ruleNames(e.rules)))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func reachJSON(w io.Writer, r *reach) error {
	type jsonEdge struct {
		From    string      `json:"from"`
		To      string      `json:"to"`
		Traffic string      `json:"traffic"`
		Rules   []flow.Rule `json:"rules"`
	}
	out := struct {
		Edges   []jsonEdge `json:"edges"`
		Unknown []any      `json:"unknown"`
	}{[]jsonEdge{}, []any{}}
	for _, e := range r.byAddress() {
		out.Edges = append(out.Edges, jsonEdge{e.from.ends(), e.to.ends(), e.traffic.String(), e.rules})
	}
	return writeJSON(w, out)
}

// reachCSV writes RFC 4180 with a header, sorted bytewise by line.
func reachCSV(w io.Writer, r *reach) error {
	var lines []string
	for _, e := range r.byAddress() {
		line, err := csvLine(e.from.ends(), e.to.ends(), csvTraffic(e.traffic))
		if err != nil {
			return err
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	_, err := io.WriteString(w, "from,to,traffic\n"+strings.Join(lines, ""))
	return err
}

func csvLine(fields ...string) (string, error) {
	var b strings.Builder
	c := csv.NewWriter(&b)
	if err := c.Write(fields); err != nil {
		return "", err
	}
	c.Flush()
	return b.String(), c.Error()
}

// csvTraffic is "all" where TCP, UDP and SCTP are all open: what other tools
// can say about traffic ends there.
func csvTraffic(t netset.Traffic) string {
	ports := netset.None()
	for _, p := range []netset.Protocol{netset.TCP, netset.UDP, netset.SCTP} {
		ports = ports.Union(netset.Of(p, 0, 65535))
	}
	if ports.Subtract(t).IsEmpty() {
		return "all"
	}
	return t.String()
}

// reachDOT writes a graph with a cluster for each zone.
func reachDOT(w io.Writer, r *reach) error {
	var b strings.Builder
	b.WriteString("digraph reach {\n  rankdir=LR;\n  node [shape=box, style=rounded];\n")
	edges := r.byName()
	named := map[string]bool{}
	for _, e := range edges {
		named[e.from.name], named[e.to.name] = true, true
	}
	for z, zone := range r.l.p.Zones {
		var inside []string
		for i, workload := range r.l.inv.Workloads {
			if r.l.p.ZoneOf[i] == z && named[workload.Name] {
				inside = append(inside, "    "+strconv.Quote(workload.Name)+";\n")
			}
		}
		if inside != nil {
			fmt.Fprintf(&b, "  subgraph %s {\n    label=%s;\n%s  }\n", strconv.Quote("cluster_"+zone.Name), strconv.Quote(zone.Name), strings.Join(inside, ""))
		}
	}
	for _, e := range edges {
		fmt.Fprintf(&b, "  %s -> %s [label=%s];\n", strconv.Quote(e.from.name), strconv.Quote(e.to.name), strconv.Quote(e.traffic.String()))
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}
