package prove

import (
	"slices"

	"firebreak/internal/flow"
	"firebreak/internal/layer"
	"firebreak/internal/policy"
	"firebreak/internal/verify/space"
)

// newShut makes a table of what a layer cannot say: a rule for each, whose number
// is its index.
func newShut(l *layer.Layer, u *universe, m *matcher) *table {
	if len(l.Shut) == 0 {
		return nil
	}
	out := &table{Table: &layer.Table{Direction: flow.Ingress, Governs: layer.Everything()}, u: u, lists: newLists(), said: map[saidKey]bounds{}}
	m.of(out.Governs)
	for i := range l.Shut {
		s := &l.Shut[i]
		r := &layer.Rule{Subject: s.Subject, Peer: s.Peer, Traffic: s.Traffic}
		out.rules = append(out.rules, rule{Rule: r, parts: []*layer.Rule{r}, subject: m.of(s.Subject), peer: m.asPeer(s.Peer)})
	}
	return out
}

// anyRequest is the condition that all requests meet; nil if no layer needs it.
func anyRequest(layers []*layer.Layer) *policy.Condition {
	for _, l := range layers {
		if slices.ContainsFunc(l.Shut, func(s layer.Shut) bool { return s.Of == layer.SomeRequests || s.Of == layer.NoRequest }) {
			return &policy.Condition{HTTP: []policy.HTTP{{}}, Ambiguous: policy.Meant}
		}
	}
	return nil
}

// unsayable takes out of differences what stays shut because a layer cannot say
// it of these ends. Through a relay none of them is the peer, but for the layer
// whose relay it is.
func (j *judge) unsayable(v *view, n int, d *differences, w *intended) []piece {
	l := j.e.layers[n]
	if v.shut == nil || v.shut[n] == 0 || d.less.IsEmpty() && d.maybeLess.IsEmpty() {
		return nil
	}
	var out []piece
	for _, item := range l.shut.lists.items(v.shut[n]) {
		if item&inDoubt != 0 {
			continue // perhaps it can
		}
		s := &l.Shut[item>>itemBits]
		set := j.part(s, w)
		if v.relayed && !l.relays() {
			set = set.Subtract(v.brought)
		}
		if stays := d.less.Union(d.maybeLess).Intersect(set); !stays.IsEmpty() {
			out = append(out, piece{kind: shut, set: stays, unsaid: true, why: "stays shut: " + l.Target + " " + s.Why})
			d.less, d.maybeLess = d.less.Subtract(set), d.maybeLess.Subtract(set)
		}
	}
	return out
}

// part is what a Shut is about between ends of which that is meant. What depends on
// the time is not judged by it.
func (j *judge) part(s *layer.Shut, w *intended) space.Set {
	all := space.Plain(s.Traffic)
	switch {
	case s.Of == layer.Whatever, s.Of == layer.NotAll && !w.permitted.Ports().IsAll():
		return all
	case s.Of == layer.NotAll:
		return space.Set{}
	}
	var out space.Set
	always := w.permitted.Always()
	for _, side := range []struct {
		proven bool
		of     space.Set
	}{{true, j.e.proven}, {false, j.e.unproven}} {
		meant := always.Given(side.proven)
		part := all.Subtract(space.Plain(meant.Whole()))
		if s.Of == layer.NoRequest {
			part = all.Intersect(space.Plain(j.e.requests.Subtract(meant).Ports())).Subtract(j.e.requests)
		}
		out = out.Union(part.Intersect(side.of))
	}
	return out
}

// shutTogether takes out of what differs in all layers what only stays shut since
// some of them cannot say it: the others let it pass, or cannot either.
func shutTogether(d *differences, layers [][]piece) []piece {
	var faults space.Set
	for _, pieces := range layers {
		for _, p := range pieces {
			if !p.unsaid && (p.kind == under || p.kind == perhaps || p.kind == shut) {
				faults = faults.Union(p.set)
			}
		}
	}
	var out []piece
	for _, pieces := range layers {
		for _, p := range pieces {
			if !p.unsaid {
				continue
			}
			if set := p.set.Subtract(faults); !set.IsEmpty() {
				out = append(out, piece{kind: shut, set: set.Intersect(d.less.Union(d.maybeLess)), why: p.why})
				d.less, d.maybeLess = d.less.Subtract(set), d.maybeLess.Subtract(set)
			}
		}
	}
	return out
}
