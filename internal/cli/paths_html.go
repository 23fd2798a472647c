package cli

import (
	"fmt"
	"io"
	"strings"

	"firebreak/internal/risk"
)

// pathsHTML writes a page: each way as a chain, with its rules and techniques,
// and what is worth cutting.
func pathsHTML(w io.Writer, p *pathsAnswer) error {
	style, err := pageStyle()
	if err != nil {
		return err
	}
	data := map[string]any{
		"Title": fmt.Sprintf("From %s to %s", p.from, p.to), "Style": style, "Dir": p.dir, "Which": which(p.inForce),
		"Mean": percent(p.estate.Mean), "Skipped": p.skipped(), "Cuts": p.cutRows(), "None": "",
	}
	if len(p.paths) == 0 {
		data["None"] = p.none()
	}
	var paths []map[string]any
	for i, path := range p.paths {
		paths = append(paths, map[string]any{
			"Title":   fmt.Sprintf("%d. %s, cost %d", i+1, count(len(path.Hops), "hop"), path.Cost),
			"Picture": chain(path), "Fits": len(path.Hops) <= mostFit, "Hops": pathRows(path),
		})
	}
	data["Paths"] = paths
	return render(w, "paths.html", data)
}

type pathRow struct {
	Hop                           int
	From, To, Alike, Traffic      string
	Unknown                       bool
	URL, Technique, Name, Service string
	Others                        string
	Cost                          int
	Rules                         []string
}

func pathRows(p risk.Path) []pathRow {
	var out []pathRow
	for i, h := range p.Hops {
		a := h.Attacks[0]
		row := pathRow{
			Hop: i + 1, From: h.From, To: h.To, Traffic: h.Text, Unknown: h.Unknown,
			URL: a.URL(), Technique: a.ID, Name: a.Name, Service: a.Service, Cost: a.Cost, Others: techniqueIDs(h.Attacks[1:]),
		}
		if h.Alike > 0 {
			row.Alike = fmt.Sprintf("or %d more", h.Alike)
		}
		for _, k := range h.Opens {
			row.Rules = append(row.Rules, k.String())
		}
		out = append(out, row)
	}
	return out
}

// The measures of a chain, in pixels.
const (
	chainWidth = 1180 // as long as arrows need not be shorter than leastArrow
	linkBox    = 152
	leastArrow = 136
	mostArrow  = 240
	mostFit    = 6 // hops: a longer chain is scrolled and not made smaller
)

// chain draws a way from left to right.
func chain(p risk.Path) picture {
	n := len(p.Hops)
	arrow := min(max((chainWidth-(n+1)*linkBox)/n, leastArrow), mostArrow)
	out := picture{Height: 88}
	put := func(i int, class, name, zone string) {
		b := textBox(class, linkBox, name, zone)
		b.place(i*(linkBox+arrow)+1, 1)
		out.Boxes = append(out.Boxes, b)
		out.Width = b.X + b.Width + 1
	}
	put(0, "held", p.Hops[0].From, zoneTitle(p.Hops[0].FromZone))
	for i, h := range p.Hops {
		class := "box"
		if i == n-1 {
			class = "restricted"
		}
		put(i+1, class, h.To, zoneTitle(h.ToZone))
		out.hop((i+1)*linkBox+i*arrow, arrow, h)
	}
	return out
}

// hop draws what is between two boxes.
func (p *picture) hop(x, width int, h risk.PathHop) {
	by := ""
	if len(h.Opens) > 0 {
		by = shortKeeper(h.Opens[0])
	}
	a := h.Attacks[0]
	_, name, found := strings.Cut(a.Name, ": ")
	if !found {
		name = a.Name
	}
	p.Arrows = append(p.Arrows, fmt.Sprintf("M%d 26H%d", x+8, x+width-14))
	p.Tips = append(p.Tips, fmt.Sprintf("M%d 26l-9 -5v10z", x+width-6))
	for i, l := range []label{{Class: "bold", Text: a.ID}, {Class: "mono", Text: h.Text}, {Class: "small", Text: name}, {Class: "small", Text: by}} {
		l.X, l.Y, l.Anchor = x+width/2, [...]int{17, 44, 64, 82}[i], "middle"
		l.Text = cut(l.Text, l.Class, width-4)
		p.Heads = append(p.Heads, l)
	}
}

func zoneTitle(zone string) string {
	if zone == "" {
		return "outside"
	}
	return "zone " + zone
}

// shortKeeper names a keeper without its place.
func shortKeeper(k risk.Keeper) string {
	k.Rule.File = ""
	if k.Zone != "" {
		return "default of zone " + k.Zone
	}
	return "by " + k.Rule.String()
}

type cutRow struct {
	What, Before, After, Change string
	Default                     bool
}

func (p *pathsAnswer) cutRows() []cutRow {
	var out []cutRow
	for _, list := range [][]risk.Cut{p.cuts.Rules, p.cuts.Defaults} {
		for _, c := range list {
			out = append(out, cutRow{c.Keeper.String(), percent(c.Before), percent(c.Now), points(c.Before, c.Now), c.Keeper.Zone != ""})
		}
	}
	return out
}
