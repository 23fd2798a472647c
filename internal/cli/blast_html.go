package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// blastHTML writes a page: the hops as columns of zones, a bar for each zone,
// and all of it as tables.
func blastHTML(w io.Writer, b *blast) error {
	style, err := pageStyle()
	if err != nil {
		return err
	}
	e := b.now.estate
	data := map[string]any{
		"Title": "Blast radius", "Style": style, "Dir": b.dir, "Which": which(b.inForce),
		"Workloads": count(e.Workloads, "workload"), "ZoneCount": count(b.now.zones, "zone"),
		"Mean": percent(e.Mean), "Compared": b.base != nil, "Zones": b.zoneRows(), "Bars": b.bars(),
		"Change": (*changed)(nil), "Taken": nil, "Notes": b.notes(), "Remarks": []string(nil),
	}
	if b.base != nil {
		data["Change"] = changeOf(b.base.estate.Mean, e.Mean)
	}
	if b.now.taken != nil {
		data["Title"] = "Blast radius of " + b.now.taken.Name
		data["Taken"], data["Remarks"] = b.takenData(), b.remarks()
	}
	return render(w, "blast.html", data)
}

// notes are what the answer has to be taken with.
func (b *blast) notes() []string {
	var unsure strings.Builder
	textUnsure(&unsure, b.now.estate)
	if s := strings.TrimSpace(unsure.String()); s != "" {
		return []string{s}
	}
	return nil
}

type zoneRow struct {
	Zone       string
	Restricted bool
	Workloads  int
	Was, Mean  string
}

func (b *blast) zoneRows() []zoneRow {
	var out []zoneRow
	for _, z := range b.zones() {
		out = append(out, zoneRow{z.Zone, z.Restricted, z.Workloads, z.was(), percent(z.Mean)})
	}
	return out
}

// bars draws the mean of each zone, and what it was as a dashed frame.
func (b *blast) bars() picture {
	const left, full, step = 220, 880, 24
	p := picture{Width: left + full + 70, Height: len(b.now.estate.Zones) * step}
	for i, z := range b.zones() {
		y := i * step
		class := ""
		if z.Restricted {
			class = "amber"
		}
		p.Boxes = append(p.Boxes, box{Class: "rail", X: left, Y: y + 5, Width: full, Height: 14})
		if width := int(z.Mean * full); z.Mean > 0 {
			p.Boxes = append(p.Boxes, box{Class: "bar", X: left, Y: y + 5, Width: max(width, 1), Height: 14})
		}
		if z.Was != nil && *z.Was > 0 {
			p.Boxes = append(p.Boxes, box{Class: "was", X: left, Y: y + 3, Width: max(int(*z.Was*full), 1), Height: 18})
		}
		p.Heads = append(p.Heads,
			label{Class: class, Text: cut(z.Zone, "bold", left-12), X: 0, Y: y + 17},
			label{Class: "small", Text: percent(z.Mean), X: p.Width, Y: y + 17, Anchor: "end"})
	}
	return p
}

type hopRow struct {
	Hop        int
	Zone       string
	Restricted bool
	Workloads  int
	Names      string
}

func (b *blast) takenData() map[string]any {
	r := b.now.taken
	others := b.now.estate.Workloads
	if r.Zone != "" {
		others--
	}
	share, _ := r.RestrictedShare()
	out := map[string]any{
		"Name": r.Name, "Reachable": r.Reachable, "Others": others, "Share": percent(r.Share), "Change": (*changed)(nil),
		"Restricted": r.Restricted, "RestrictedOf": r.RestrictedOf, "RestrictedShare": percent(share),
		"Picture": b.columns(), "Hops": b.hopRows(),
	}
	if b.base != nil && b.base.taken != nil {
		out["Change"] = changeOf(b.base.taken.Share, r.Share)
	}
	return out
}

func (b *blast) hopRows() []hopRow {
	var out []hopRow
	for _, h := range b.now.taken.Hops {
		for _, z := range byZone(h) {
			out = append(out, hopRow{h.Hop, z.zone, z.restricted, z.count, nameList(z.names, z.count)})
		}
	}
	return out
}

// The measures of the columns, in pixels.
const (
	boxWidth  = 190
	boxGap    = 12
	columnGap = 46
	boxTop    = 28
	lineStep  = 17
)

// columns draws the workload that was taken, and a column of zones for each
// hop. Arrows lead from column to column: who of one reaches whom of the next
// is in no single pair of zones.
func (b *blast) columns() *picture {
	r := b.now.taken
	if len(r.Hops) == 0 {
		return nil
	}
	p := &picture{}
	from := ""
	if r.Zone != "" {
		from = "zone " + r.Zone
	}
	p.column(0, "taken", []box{textBox("held", boxWidth, r.Name, from)})
	for i, h := range r.Hops {
		var boxes []box
		for _, z := range byZone(h) {
			class := "box"
			if z.restricted {
				class = "restricted"
			}
			second := count(z.count, "workload")
			if z.restricted {
				second += ", restricted"
			}
			lines := []string{z.zone, second}
			lines = append(lines, few(z.names, 3)...)
			if more := z.count - len(few(z.names, 3)); more > 0 {
				lines = append(lines, fmt.Sprintf("and %d more", more))
			}
			boxes = append(boxes, textBox(class, boxWidth, lines...))
		}
		head := fmt.Sprintf("hop %d: %s", h.Hop, count(h.Workloads, "workload"))
		if h.Restricted > 0 {
			head += fmt.Sprintf(", %d restricted", h.Restricted)
		}
		p.column(i+1, head, boxes)
		x := (i+1)*(boxWidth+columnGap) - columnGap
		y := boxTop + 26
		p.Arrows = append(p.Arrows, fmt.Sprintf("M%d %dH%d", x+8, y, x+columnGap-14))
		p.Tips = append(p.Tips, fmt.Sprintf("M%d %dl-9 -5v10z", x+columnGap-6, y))
	}
	return p
}

// textBox is a box of lines, the first of them bold, the second small.
func textBox(class string, width int, lines ...string) box {
	out := box{Class: class, Width: width}
	for i, s := range slices.DeleteFunc(lines, func(s string) bool { return s == "" }) {
		l := label{Class: "mono", X: 12, Y: 6 + (i+1)*lineStep}
		switch i {
		case 0:
			l.Class = "bold"
		case 1:
			l.Class = "small"
		}
		l.Text = cutMiddle(s, l.Class, width-20)
		out.Lines = append(out.Lines, l)
	}
	out.Height = 16 + len(out.Lines)*lineStep
	return out
}

// column puts boxes below each other.
func (p *picture) column(n int, head string, boxes []box) {
	x, y := n*(boxWidth+columnGap)+1, boxTop
	p.Heads = append(p.Heads, label{Class: "small", Text: cut(head, "small", boxWidth+columnGap-8), X: x, Y: 14})
	for _, b := range boxes {
		b.place(x, y)
		p.Boxes = append(p.Boxes, b)
		y += b.Height + boxGap
	}
	p.Width, p.Height = max(p.Width, x+boxWidth+columnGap), max(p.Height, y-boxGap+1)
}

func (b *box) place(x, y int) {
	b.X, b.Y = x, y
	for i := range b.Lines {
		b.Lines[i].X += x
		b.Lines[i].Y += y
	}
}
