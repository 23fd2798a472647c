package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"firebreak/internal/diag"
	"firebreak/internal/flow"
)

// jsonChange is a line from one end to one other.
type jsonChange struct {
	From    string      `json:"from"`
	To      string      `json:"to"`
	Traffic string      `json:"traffic"`
	Rule    flow.Rule   `json:"rule"`
	Was     []flow.Rule `json:"was"`
	Is      []flow.Rule `json:"is"`
}

type jsonEnd struct {
	Name      string   `json:"name"`
	Kind      string   `json:"kind"`
	Zone      string   `json:"zone,omitempty"`
	Count     int      `json:"count"`
	Workloads []string `json:"workloads"`
}

type jsonResult struct {
	Name string   `json:"name"`
	Was  string   `json:"was"`
	Is   string   `json:"is"`
	Why  []string `json:"why"`
	File string   `json:"file"`
	Line int      `json:"line"`
}

// mostMembers is how many workloads of an end are named.
const mostMembers = 1000

// diffJSON writes the long lists one element after the other.
func diffJSON(w io.Writer, d *difference) error {
	out := bufio.NewWriter(w)
	out.WriteString("{")
	d.toCome.json(out, "  ")
	out.WriteString(",\n  \"inForce\": {")
	d.inForce.json(out, "    ")
	out.WriteString("\n  }")
	type moved struct {
		Workload string `json:"workload"`
		Was      string `json:"was"`
		Is       string `json:"is"`
	}
	type arrivals struct {
		Came  []string `json:"came"`
		Went  []string `json:"went"`
		Moved []moved  `json:"moved"`
	}
	a := arrivals{append([]string{}, d.arrivals.Came...), append([]string{}, d.arrivals.Went...), []moved{}}
	for _, m := range d.arrivals.Moved {
		a.Moved = append(a.Moved, moved(m))
	}
	for _, x := range []struct {
		name string
		v    any
	}{
		{"unknown", append([]unknownPair{}, d.unknown...)},
		{"guardrails", jsonResults(d.guardrails)},
		{"cases", jsonResults(d.cases)},
		{"workloads", a},
		{"blast", map[string]float64{"before": d.before.Mean, "after": d.after.Mean}},
	} {
		text, err := json.MarshalIndent(x.v, "  ", "  ")
		if err != nil {
			return err
		}
		fmt.Fprintf(out, ",\n  %q: %s", x.name, text)
	}
	out.WriteString("\n}\n")
	return out.Flush()
}

// json writes gained, lost and the ends of both as members of an object.
func (c *changes) json(out *bufio.Writer, indent string) {
	many := map[string]bool{} // ends of more than one workload talk to themselves
	for i := range c.Ends {
		many[c.Ends[i].Name] = c.Ends[i].Size() > 1
	}
	for _, gained := range []bool{true, false} {
		fmt.Fprintf(out, "%s\n%s%q: [", map[bool]string{true: "", false: ","}[gained], indent, map[bool]string{true: "gained", false: "lost"}[gained])
		list := elements{w: out, indent: indent}
		for i := range c.lines {
			l := &c.lines[i]
			if l.Gained != gained {
				continue
			}
			for _, from := range l.From {
				for _, to := range l.To {
					if from != to || many[from] {
						list.add(jsonChange{from, to, l.Traffic, l.Rule, l.Was, l.Is})
					}
				}
			}
		}
		list.end()
	}
	fmt.Fprintf(out, ",\n%s\"ends\": [", indent)
	ends := elements{w: out, indent: indent}
	for i := range c.Ends {
		e := &c.Ends[i]
		ends.add(jsonEnd{e.Name, e.Kind, e.Zone, e.Size(), c.Workloads(i, mostMembers)})
	}
	ends.end()
}

func jsonResults(list []resultChange) []jsonResult {
	out := []jsonResult{}
	for _, c := range list {
		out = append(out, jsonResult{Name: c.Name, Was: c.Was, Is: c.Is, Why: append([]string{}, c.Why...), File: c.Place.File, Line: c.Place.Line})
	}
	return out
}

// The codes of findings of diff, where a format knows findings only.
const (
	codeGained  = "traffic-gained"
	codeLost    = "traffic-lost"
	codeResults = "result-changed"
)

// findings are the changes at the places of their rules; only places in the
// new policy can be shown beside its lines.
func (d *difference) findings() diag.List {
	var out diag.List
	for _, l := range d.all() {
		pos := diag.Pos{File: l.Rule.File, Line: l.Rule.Line}
		if l.Gained {
			out.Warnf(pos, codeGained, "gained: %s, %s", &l, l.reason())
		} else {
			out = append(out, diag.Diagnostic{Severity: diag.Info, Code: codeLost, Pos: pos, Message: fmt.Sprintf("lost: %s, %s", &l, l.reason())})
		}
	}
	for _, c := range append(append([]resultChange(nil), d.guardrails...), d.cases...) {
		pos := diag.Pos{File: c.Place.File, Line: c.Place.Line}
		if c.Is == "violated" || c.Is == "fails" {
			out.Errorf(pos, codeResults, "%s: %s: %s", c.Name, c, strings.Join(c.Why, "; "))
		} else {
			out = append(out, diag.Diagnostic{Severity: diag.Info, Code: codeResults, Pos: pos, Message: fmt.Sprintf("%s: %s", c.Name, c)})
		}
	}
	return out
}

func diffSARIF(w io.Writer, d *difference) error { return writeSARIF(w, d.findings()) }

// diffJUnit writes a test for each change; what --fail-on names has failed.
func diffJUnit(w io.Writer, d *difference) error {
	gained, lost := junitSuite{Name: "gained"}, junitSuite{Name: "lost"}
	for _, l := range d.all() {
		s := &lost
		if l.Gained {
			s = &gained
		}
		c := junitCase{Name: l.String(), Class: s.Name, File: l.Rule.File, Line: l.Rule.Line}
		if d.fails(l.Gained) {
			c.Failure = &junitFailure{s.Name + " " + c.Name, l.reason()}
		}
		s.add(c)
	}
	for _, s := range []*junitSuite{&gained, &lost} {
		if s.Tests == 0 {
			s.add(junitCase{Name: "nothing", Class: s.Name})
		}
	}
	return writeJUnit(w, []junitSuite{gained, lost, d.junitResults("guardrails", "guardrail", d.guardrails), d.junitResults("Cases", "case", d.cases)})
}

// junitResults is a suite of results that are other ones now.
func (d *difference) junitResults(suite, word string, list []resultChange) junitSuite {
	s := junitSuite{Name: suite}
	for _, r := range list {
		c := junitCase{Name: r.Name + ": " + r.String(), Class: suite, File: r.Place.File, Line: r.Place.Line}
		if d.asked(word) && r.worse() {
			c.Failure = &junitFailure{c.Name, strings.Join(r.Why, "\n")}
		}
		s.add(c)
	}
	if s.Tests == 0 {
		s.add(junitCase{Name: "nothing", Class: suite})
	}
	return s
}
