package cli

import (
	"fmt"
	"io"
	"strings"

	"firebreak/internal/flow"
	"firebreak/internal/risk"
)

func pathsText(w io.Writer, p *pathsAnswer) error {
	var out strings.Builder
	switch n := len(p.paths); n {
	case 0:
		fmt.Fprintf(&out, "%s\n", p.none())
	default:
		fmt.Fprintf(&out, "%s from %s to %s, by %s, the cheapest first\n", count(n, "way"), p.from, p.to, which(p.inForce))
	}
	for i, path := range p.paths {
		fmt.Fprintf(&out, "\n%d  cost %d, %s\n", i+1, path.Cost, count(len(path.Hops), "hop"))
		for _, h := range path.Hops {
			textHop(&out, h)
		}
	}
	out.WriteByte('\n')
	textCuts(&out, p)
	_, err := io.WriteString(w, out.String())
	return err
}

func textHop(out *strings.Builder, h risk.PathHop) {
	a := h.Attacks[0]
	fmt.Fprintf(out, "   %s → %s  %s", h.From, toName(h), h.Text)
	if h.Unknown {
		out.WriteString("  (whether it is open is not known)")
	}
	fmt.Fprintf(out, "\n      %s %s (%s; cost %d)\n", a.ID, a.Name, a.Service, a.Cost)
	if others := techniqueIDs(h.Attacks[1:]); others != "" {
		fmt.Fprintf(out, "      also %s\n", others)
	}
	if len(h.Opens) > 0 {
		fmt.Fprintf(out, "      by %s\n", keeperNames(h.Opens))
	}
}

// toName is who is reached, and how many more would do.
func toName(h risk.PathHop) string {
	if h.Alike > 0 {
		return fmt.Sprintf("%s (or %d more)", h.To, h.Alike)
	}
	return h.To
}

func techniqueIDs(attacks []risk.Attack) string {
	var out []string
	for _, a := range attacks {
		out = append(out, a.ID)
	}
	return nameList(few(out, 6), len(out))
}

func keeperNames(keepers []risk.Keeper) string {
	var out []string
	for _, k := range keepers {
		out = append(out, k.String())
	}
	return strings.Join(out, ", ")
}

// textCuts says what would help the whole estate, whatever was asked about.
func textCuts(out *strings.Builder, p *pathsAnswer) {
	fmt.Fprintf(out, "for the whole estate, not only between these two: mean blast radius %s\n", percent(p.estate.Mean))
	if len(p.cuts.Rules) == 0 {
		out.WriteString("no rule lowers it alone\n")
	} else {
		out.WriteString("rules whose removal, each alone, lowers it most:\n")
	}
	textCutList(out, p.cuts.Rules)
	if len(p.cuts.Defaults) > 0 {
		out.WriteString("zones that would lower it, if their default denied and were enforced:\n")
	}
	textCutList(out, p.cuts.Defaults)
	if s := p.skipped(); s != "" {
		fmt.Fprintln(out, s)
	}
}

func textCutList(out *strings.Builder, cuts []risk.Cut) {
	for _, c := range cuts {
		fmt.Fprintf(out, "  %s → %-6s %s\n", percent(c.Before), percent(c.Now), c.Keeper)
	}
}

type jsonAttack struct {
	Technique string `json:"technique"`
	Name      string `json:"name"`
	URL       string `json:"url"`
	Service   string `json:"service"`
	Traffic   string `json:"traffic"`
	Cost      int    `json:"cost"`
}

type jsonPathHop struct {
	From      string       `json:"from"`
	To        string       `json:"to"`
	Alike     int          `json:"alike"`
	FromZone  string       `json:"fromZone"`
	ToZone    string       `json:"toZone"`
	Traffic   string       `json:"traffic"`
	Rule      flow.Rule    `json:"rule"`
	Rules     []flow.Rule  `json:"rules"`
	Technique string       `json:"technique"`
	Cost      int          `json:"cost"`
	Unknown   bool         `json:"unknown"`
	Attacks   []jsonAttack `json:"attacks"`
}

type jsonPath struct {
	Cost int           `json:"cost"`
	Hops []jsonPathHop `json:"hops"`
}

type jsonCut struct {
	Rule       flow.Rule `json:"rule"`
	Zone       string    `json:"zone,omitempty"`
	MeanBefore float64   `json:"meanBefore"`
	MeanAfter  float64   `json:"meanAfter"`
}

func pathsJSON(w io.Writer, p *pathsAnswer) error {
	out := struct {
		From     string     `json:"from"`
		To       string     `json:"to"`
		InForce  bool       `json:"inForce"`
		Why      string     `json:"why,omitempty"`
		Mean     float64    `json:"mean"`
		Paths    []jsonPath `json:"paths"`
		Cuts     []jsonCut  `json:"cuts"`
		Defaults []jsonCut  `json:"defaults"`
		Skipped  int        `json:"skipped"`
	}{From: p.from, To: p.to, InForce: p.inForce, Mean: p.estate.Mean, Paths: []jsonPath{}, Skipped: p.cuts.Skipped}
	if len(p.paths) == 0 {
		out.Why = p.none()
	}
	for _, path := range p.paths {
		x := jsonPath{Cost: path.Cost}
		for _, h := range path.Hops {
			x.Hops = append(x.Hops, jsonHopOf(h))
		}
		out.Paths = append(out.Paths, x)
	}
	out.Cuts, out.Defaults = jsonCuts(p.cuts.Rules), jsonCuts(p.cuts.Defaults)
	return writeJSON(w, out)
}

func jsonHopOf(h risk.PathHop) jsonPathHop {
	out := jsonPathHop{
		From: h.From, To: h.To, Alike: h.Alike, FromZone: h.FromZone, ToZone: h.ToZone, Traffic: h.Text, Unknown: h.Unknown,
		Technique: h.Attacks[0].ID, Cost: h.Attacks[0].Cost, Rules: []flow.Rule{},
	}
	for _, k := range h.Opens {
		out.Rules = append(out.Rules, k.Rule)
	}
	if len(h.Opens) > 0 {
		out.Rule = h.Opens[0].Rule
	}
	for _, a := range h.Attacks {
		out.Attacks = append(out.Attacks, jsonAttack{a.ID, a.Name, a.URL(), a.Service, a.Traffic.String(), a.Cost})
	}
	return out
}

func jsonCuts(cuts []risk.Cut) []jsonCut {
	out := []jsonCut{}
	for _, c := range cuts {
		out = append(out, jsonCut{c.Keeper.Rule, c.Keeper.Zone, c.Before, c.Now})
	}
	return out
}
