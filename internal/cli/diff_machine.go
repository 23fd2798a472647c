package cli

import (
	"fmt"
	"io"
	"strings"

	"firebreak/internal/ask"
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
	Workloads []string `json:"workloads"`
}

type jsonChanges struct {
	Gained []jsonChange `json:"gained"`
	Lost   []jsonChange `json:"lost"`
}

type jsonResult struct {
	Name string   `json:"name"`
	Was  string   `json:"was"`
	Is   string   `json:"is"`
	Why  []string `json:"why"`
	File string   `json:"file"`
	Line int      `json:"line"`
}

func diffJSON(w io.Writer, d *difference) error {
	type moved struct {
		Workload string `json:"workload"`
		Was      string `json:"was"`
		Is       string `json:"is"`
	}
	out := struct {
		jsonChanges
		Unknown    []unknownPair `json:"unknown"`
		InForce    jsonChanges   `json:"inForce"`
		Ends       []jsonEnd     `json:"ends"`
		Guardrails []jsonResult  `json:"guardrails"`
		Cases      []jsonResult  `json:"cases"`
		Workloads  struct {
			Came  []string `json:"came"`
			Went  []string `json:"went"`
			Moved []moved  `json:"moved"`
		} `json:"workloads"`
		Blast struct {
			Before float64 `json:"before"`
			After  float64 `json:"after"`
		} `json:"blast"`
	}{
		jsonChanges: d.toCome.json(), Unknown: append([]unknownPair{}, d.unknown...), InForce: d.inForce.json(), Ends: d.jsonEnds(),
		Guardrails: jsonResults(d.guardrails), Cases: jsonResults(d.cases),
	}
	out.Workloads.Came, out.Workloads.Went = append([]string{}, d.arrivals.Came...), append([]string{}, d.arrivals.Went...)
	out.Workloads.Moved = []moved{}
	for _, m := range d.arrivals.Moved {
		out.Workloads.Moved = append(out.Workloads.Moved, moved(m))
	}
	out.Blast.Before, out.Blast.After = d.before.Mean, d.after.Mean
	return writeJSON(w, out)
}

func (c *changes) json() jsonChanges {
	out := jsonChanges{[]jsonChange{}, []jsonChange{}}
	for _, l := range c.lines {
		list := &out.Lost
		if l.Gained {
			list = &out.Gained
		}
		for _, from := range l.From {
			for _, to := range l.To {
				if from != to || c.talksToItself(from) {
					*list = append(*list, jsonChange{from, to, l.Traffic, l.Rule, l.Was, l.Is})
				}
			}
		}
	}
	return out
}

// talksToItself reports whether an end is more than one workload.
func (c *changes) talksToItself(name string) bool {
	for i := range c.ends {
		if c.ends[i].Name == name {
			return len(c.ends[i].Workloads) > 1
		}
	}
	return false
}

// jsonEnds are the ends of all changes, each once. Ends of one name are the
// same ones, but for names that stand for other workloads in what is in force.
func (d *difference) jsonEnds() []jsonEnd {
	out := []jsonEnd{}
	seen := map[string]bool{}
	for _, list := range [][]ask.End{d.toCome.ends, d.inForce.ends} {
		for _, e := range list {
			key := e.Name + "\x00" + strings.Join(e.Workloads, "\x00")
			if !seen[key] {
				seen[key] = true
				out = append(out, jsonEnd{e.Name, e.Kind, e.Zone, append([]string{}, e.Workloads...)})
			}
		}
	}
	return out
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
	return writeJUnit(w, []junitSuite{gained, lost})
}
