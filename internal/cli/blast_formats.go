package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"firebreak/internal/risk"
)

// mostNames is how many names of a hop are given.
const mostNames = 20

func blastText(w io.Writer, b *blast) error {
	var out strings.Builder
	e := b.now.estate
	fmt.Fprintf(&out, "mean blast radius  %s of the other workloads", percent(e.Mean))
	if b.base != nil {
		fmt.Fprintf(&out, "; it was %s (%s)", percent(b.base.estate.Mean), points(b.base.estate.Mean, e.Mean))
	}
	fmt.Fprintf(&out, "\n                   %s in %s, by %s\n", count(e.Workloads, "workload"), count(b.now.zones, "zone"), which(b.inForce))
	textUnsure(&out, e)
	if len(e.Zones) > 0 {
		out.WriteByte('\n')
		if err := blastZones(&out, b); err != nil {
			return err
		}
	}
	if b.asked != "" {
		out.WriteByte('\n')
		textTaken(&out, b)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func textUnsure(out *strings.Builder, e risk.Estate) {
	if e.Unsure > 0 {
		fmt.Fprintf(out, "                   of %s nobody knows whether they are open: they count as open; if none were, it would be %s\n", count(e.Unsure, "link"), percent(e.MeanKnown))
	}
}

// blastZones writes a table, with what was if that was asked.
func blastZones(out io.Writer, b *blast) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	head := "ZONE\tWORKLOADS\tMEAN"
	if b.base != nil {
		head = "ZONE\tWORKLOADS\tWAS\tMEAN"
	}
	if slices.ContainsFunc(b.zones(), func(z zoneLine) bool { return z.Restricted }) {
		head += "\tSENSITIVITY"
	}
	fmt.Fprintln(t, head)
	for _, z := range b.zones() {
		mark := ""
		if z.Restricted {
			mark = "\trestricted"
		}
		fmt.Fprintf(t, "%s\t%d\t", z.Zone, z.Workloads)
		if b.base != nil {
			fmt.Fprintf(t, "%s\t", z.was())
		}
		fmt.Fprintf(t, "%s%s\n", percent(z.Mean), mark)
	}
	return t.Flush()
}

// zoneLine is a zone as it is and as it was.
type zoneLine struct {
	risk.ZoneMean
	Was *float64 // nil: it had no workloads, or nobody asked
}

func (z zoneLine) was() string {
	if z.Was == nil {
		return "–"
	}
	return percent(*z.Was)
}

func (b *blast) zones() []zoneLine {
	before := map[string]*float64{}
	if b.base != nil {
		for i := range b.base.estate.Zones {
			before[b.base.estate.Zones[i].Zone] = &b.base.estate.Zones[i].Mean
		}
	}
	var out []zoneLine
	for _, z := range b.now.estate.Zones {
		out = append(out, zoneLine{z, before[z.Zone]})
	}
	return out
}

func textTaken(out *strings.Builder, b *blast) {
	r := b.now.taken
	fmt.Fprintf(out, "%s\n", b.headline())
	for _, s := range b.remarks() {
		fmt.Fprintf(out, "  %s\n", s)
	}
	for _, h := range r.Hops {
		fmt.Fprintf(out, "  hop %d  %s\n", h.Hop, count(h.Workloads, "workload"))
		for _, z := range byZone(h) {
			fmt.Fprintf(out, "         %s: %s\n", z.title(), nameList(few(z.names, 8), z.count))
		}
	}
}

// headline says what a taken workload reaches, in one line.
func (b *blast) headline() string {
	r := b.now.taken
	who := r.Name
	if r.Zone != "" {
		who = fmt.Sprintf("%s (zone %s), once taken,", r.Name, r.Zone)
	}
	others := b.now.estate.Workloads
	if r.Zone != "" {
		others--
	}
	s := fmt.Sprintf("%s reaches %d of %s (%s)", who, r.Reachable, count(others, "other workload"), percent(r.Share))
	if r.Zone == "" {
		s = fmt.Sprintf("%s reaches %d of %s (%s)", who, r.Reachable, count(others, "workload"), percent(r.Share))
	}
	if share, some := r.RestrictedShare(); some {
		s += fmt.Sprintf(", %d of %d in restricted zones (%s)", r.Restricted, r.RestrictedOf, percent(share))
	}
	return s
}

// remarks are what has to be said beside the headline.
func (b *blast) remarks() []string {
	r := b.now.taken
	var out []string
	if b.now.alike > 0 {
		out = append(out, fmt.Sprintf("%s means %d; this is the one that reaches most", b.asked, b.now.alike+1))
	}
	if b.base != nil && b.base.taken != nil {
		was := b.base.taken
		out = append(out, fmt.Sprintf("before, it was %s (%s): %s", count(was.Reachable, "workload"), percent(was.Share), points(was.Share, r.Share)))
	} else if b.base != nil {
		out = append(out, "before, there was no such thing")
	}
	if r.Unsure > 0 {
		out = append(out, fmt.Sprintf("%d of them only if links are open of which nobody knows", r.Unsure))
	}
	return out
}

// hopZone is who is reached of one zone, in one hop.
type hopZone struct {
	zone       string
	restricted bool
	count      int
	names      []string // the first of them
}

func (z hopZone) title() string {
	if z.restricted {
		return z.zone + " (restricted)"
	}
	return z.zone
}

// byZone puts the groups of a hop together, which are in the order of zones.
func byZone(h risk.Hop) []hopZone {
	var out []hopZone
	for _, g := range h.Groups {
		if n := len(out); n == 0 || out[n-1].zone != g.Zone {
			out = append(out, hopZone{zone: g.Zone, restricted: g.Restricted})
		}
		z := &out[len(out)-1]
		z.count += len(g.Names)
		z.names = append(z.names, few(g.Names, mostNames-len(z.names))...)
	}
	return out
}

// nameList joins names of which there may be more.
func nameList(names []string, all int) string {
	s := strings.Join(names, ", ")
	if more := all - len(names); more > 0 {
		s += fmt.Sprintf(" and %d more", more)
	}
	return s
}

type jsonZone struct {
	Zone       string  `json:"zone"`
	Mean       float64 `json:"mean"`
	Workloads  int     `json:"workloads"`
	Restricted bool    `json:"restricted"`
}

type jsonHop struct {
	Hop        int           `json:"hop"`
	Workloads  int           `json:"workloads"`
	Restricted int           `json:"restricted"`
	Names      []string      `json:"names"` // the first of each zone
	Zones      []jsonHopZone `json:"zones"`
}

type jsonHopZone struct {
	Zone      string `json:"zone"`
	Workloads int    `json:"workloads"`
}

type jsonTaken struct {
	Name            string    `json:"name"`
	Zone            string    `json:"zone"`
	Alike           int       `json:"alike"`
	Reachable       int       `json:"reachable"`
	Share           float64   `json:"share"`
	Restricted      int       `json:"restricted"`
	RestrictedOf    int       `json:"restrictedOf"`
	RestrictedShare *float64  `json:"restrictedShare"`
	Unknown         int       `json:"unknown"`
	Hops            []jsonHop `json:"hops"`
}

type jsonRadius struct {
	Mean      float64    `json:"mean"`
	Workloads int        `json:"workloads"`
	Unknown   int        `json:"unknown"`
	MeanKnown float64    `json:"meanKnown"`
	Zones     []jsonZone `json:"zones"`
	Workload  *jsonTaken `json:"workload"`
}

func blastJSON(w io.Writer, b *blast) error {
	out := struct {
		jsonRadius
		InForce bool        `json:"inForce"`
		Base    *jsonRadius `json:"base,omitempty"`
		Blast   any         `json:"blast,omitempty"`
	}{jsonRadius: b.now.json(), InForce: b.inForce}
	if b.base != nil {
		base := b.base.json()
		out.Base = &base
		out.Blast = map[string]float64{"before": base.Mean, "after": out.Mean}
	}
	return writeJSON(w, out)
}

func (r *radius) json() jsonRadius {
	e := r.estate
	out := jsonRadius{Mean: e.Mean, Workloads: e.Workloads, Unknown: e.Unsure, MeanKnown: e.MeanKnown, Zones: []jsonZone{}}
	for _, z := range e.Zones {
		out.Zones = append(out.Zones, jsonZone{z.Zone, z.Mean, z.Workloads, z.Restricted})
	}
	if r.taken == nil {
		return out
	}
	t := r.taken
	out.Workload = &jsonTaken{
		Name: t.Name, Zone: t.Zone, Alike: r.alike, Reachable: t.Reachable, Share: t.Share,
		Restricted: t.Restricted, RestrictedOf: t.RestrictedOf, Unknown: t.Unsure, Hops: []jsonHop{},
	}
	if share, some := t.RestrictedShare(); some {
		out.Workload.RestrictedShare = &share
	}
	for _, h := range t.Hops {
		hop := jsonHop{Hop: h.Hop, Workloads: h.Workloads, Restricted: h.Restricted}
		for _, z := range byZone(h) {
			hop.Names = append(hop.Names, z.names...)
			hop.Zones = append(hop.Zones, jsonHopZone{z.zone, z.count})
		}
		out.Workload.Hops = append(out.Workload.Hops, hop)
	}
	return out
}
