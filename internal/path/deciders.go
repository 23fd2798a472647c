package path

import (
	"cmp"

	"firebreak/internal/flow"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
)

// Deciders says for many pairs of ends what it is that lets traffic pass. It is not
// safe for concurrent use.
type Deciders struct {
	walk
	ends    []layer.Party
	tables  [][2][]governing // by end and direction; nil until they are asked for
	matches map[*layer.Term][]layer.Tri
}

// governing is a table that decides at an end, or may; unknown says why nobody knows
// what the point does.
type governing struct {
	table         *layer.Table
	target, point string
	unknown       string
}

// Decider is what lets traffic pass at one end. Rule is zero where the table's
// default does; Why is then, and where it is not sure that the rule speaks, a
// sentence without a full stop.
type Decider struct {
	flow.Rule
	Target string `json:"target"`
	Point  string `json:"point"`
	End    string `json:"end"` // "egress" at the initiator, "ingress" at the responder
	Why    string `json:"why,omitempty"`
}

// Deciders are those of the estate's layers that are not optional, asked about
// such ends.
func (e *Estate) Deciders(ends []layer.Party) *Deciders {
	return &Deciders{walk: walk{Estate: e}, ends: ends, tables: make([][2][]governing, len(ends)), matches: map[*layer.Term][]layer.Tri{}}
}

// Of lists what lets some of that traffic pass from one end to another, by their
// indices: at the initiator from the host outwards, then at the responder from
// the network inwards, each once. An end that nothing governs has none. That a
// condition holds is not asked.
func (d *Deciders) Of(from, to int, traffic netset.Traffic) []Decider {
	var out []Decider
	seen := map[Decider]bool{}
	add := func(x Decider) {
		if !seen[x] {
			seen[x] = true
			out = append(out, x)
		}
	}
	list := d.governing(from, flow.Egress)
	for i := range list {
		d.table(&list[len(list)-1-i], from, to, traffic, add)
	}
	list = d.governing(to, flow.Ingress)
	for i := range list {
		d.table(&list[i], to, from, traffic, add)
	}
	return out
}

// governing lists the tables that decide at an end. Where nothing enforces what
// stands at a point, its tables do not.
func (d *Deciders) governing(end int, way flow.Direction) []governing {
	if list := d.tables[end][way]; list != nil {
		return list
	}
	list := []governing{}
	for _, l := range d.Layers {
		if l.Optional {
			continue
		}
		point, unknown, missing := "", "", ""
		asked := false
		for i := range l.Tables {
			t := &l.Tables[i]
			if t.Direction != way || t.Governs.Matches(d.ends[end], d.Networks) == layer.No {
				continue
			}
			if !asked {
				asked = true
				point, unknown, missing = d.point(l, d.ends[end])
			}
			if missing == "" {
				list = append(list, governing{t, l.Target, cmp.Or(point, t.Name), unknown})
			}
		}
	}
	d.tables[end][way] = list
	return list
}

// table visits what lets the traffic pass in one table.
func (d *Deciders) table(g *governing, end, peer int, left netset.Traffic, add func(Decider)) {
	by := Decider{Target: g.target, Point: g.point, End: g.table.Direction.String()}
	for _, tier := range g.table.Tiers {
		spoken := netset.None()
		refused := netset.None()
		for i := range tier {
			if r := &tier[i]; r.Effect == layer.Deny && d.speaks(r, end, peer) == layer.Yes {
				refused = refused.Union(r.Traffic)
			}
		}
		for i := range tier {
			r := &tier[i]
			part := r.Traffic.Intersect(left).Subtract(refused)
			if r.Effect == layer.Deny || part.IsEmpty() {
				continue
			}
			sure := d.speaks(r, end, peer)
			if sure == layer.No {
				continue
			}
			if sure == layer.Yes {
				spoken = spoken.Union(part)
			}
			if r.Effect == layer.Allow {
				x := by
				x.Rule, x.Why = r.Ref, cmp.Or(r.Unknown, g.unknown)
				add(x)
			}
		}
		if left = left.Subtract(spoken).Subtract(refused); left.IsEmpty() {
			return
		}
	}
	if g.table.Default == layer.Allow {
		by.Why = cmp.Or(g.unknown, g.table.Name+" lets pass what nothing refuses")
		add(by)
	}
}

// speaks reports whether a rule speaks of two ends, whatever the traffic.
func (d *Deciders) speaks(r *layer.Rule, end, peer int) layer.Tri {
	sure := min(d.match(r.Subject, end), d.match(r.Peer, peer))
	if sure == layer.Yes && (r.Unknown != "" || r.Cond != nil) {
		return layer.Maybe
	}
	return sure
}

// match asks each match about each end once.
func (d *Deciders) match(m layer.Match, end int) layer.Tri {
	if len(m) == 0 {
		return layer.No
	}
	best := layer.No
	for i := range m {
		known := d.matches[&m[i]]
		if known == nil {
			known = make([]layer.Tri, len(d.ends))
			d.matches[&m[i]] = known
		}
		if known[end] == 0 {
			known[end] = 1 + m[i:i+1].Matches(d.ends[end], d.Networks)
		}
		best = max(best, known[end]-1)
	}
	return best
}
