// Package path walks one conversation through every layer that was read of an
// estate, in the order in which packets meet them, and says at each what
// decides and why; and it finds the ways around a layer.
package path

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
)

// Estate is what was read of a live estate.
type Estate struct {
	Inventory *inventory.Snapshot
	Networks  []netip.Prefix // the estate's own
	// Layers come in the order in which a conversation meets them on its way,
	// from the network inwards. The responder's ends are met in this order, the
	// initiator's in the opposite one.
	Layers []*layer.Layer
}

// Question is a conversation. The port is ignored for protocols without ports.
type Question struct {
	From, To layer.Party
	Protocol netset.Protocol
	Port     uint16
	In       flow.Circumstances
}

// Effect is what a step or a whole path says.
type Effect string

// The effects. NotAsked is a layer that the conversation does not go through.
const (
	Allow    Effect = "allow"
	Deny     Effect = "deny"
	Unknown  Effect = "unknown"
	NotAsked Effect = "not-asked"
)

// Step is one layer at one end. Rule is zero where a default decides.
type Step struct {
	Target string // of the layer; "route" for how packets get there at all
	Point  string // the enforcement point, or the way
	End    string // "egress" at the initiator, "ingress" at the responder; empty for a route
	Effect Effect
	Rule   flow.Rule
	Why    string // a sentence without a full stop
}

// Answer is what becomes of a conversation. Effect is unknown if a step is that
// could refuse what all others let pass.
type Answer struct {
	Effect   Effect
	Steps    []Step
	Bypasses []Bypass
}

// Explain walks a conversation through the estate's layers. It only reads.
func (e *Estate) Explain(q Question) Answer {
	w := walk{Estate: e, holds: holder(e.Layers, q)}
	route := e.route(q.From, q.To)
	var a Answer
	direct := w.layers(q, func(l *layer.Layer) bool { return !l.Optional })
	relay := e.relay(q)
	switch {
	case route.kind == noRoute && relay != nil:
		a.Steps = append([]Step{route.step(e.inward())}, w.through(q, relay)...)
	case route.kind == noRoute:
		a.Steps = append([]Step{route.nowhere()}, direct...)
	default:
		a.Steps = append([]Step{route.step(e.inward())}, direct...)
	}
	a.Effect = overall(a.Steps)
	if route.kind != noRoute {
		a.Bypasses = w.bypasses(q, route, overall(direct))
	}
	return a
}

// walk asks layers about conversations in one set of circumstances.
type walk struct {
	*Estate
	holds func(*layer.Rule) bool
}

// layers asks all layers that are wanted: the initiator's ends from the host
// outwards, then the responder's from the network inwards.
func (w *walk) layers(q Question, wanted func(*layer.Layer) bool) []Step {
	var out []Step
	for _, l := range slices.Backward(w.Layers) {
		if wanted(l) {
			out = append(out, w.ends(l, q, flow.Egress)...)
		}
	}
	for _, l := range w.Layers {
		if wanted(l) {
			out = append(out, w.ends(l, q, flow.Ingress)...)
		}
	}
	return out
}

// ends asks the tables of a layer that decide at one end. Where there are several
// (a network ACL and its replies, two chains) each step names its own.
func (w *walk) ends(l *layer.Layer, q Question, d flow.Direction) []Step {
	var out []Step
	var names []string
	for i := range l.Tables {
		t := &l.Tables[i]
		if t.Direction != d {
			continue
		}
		if s, asked := w.ask(l, t, q); asked {
			out, names = append(out, s), append(names, t.Name)
		}
	}
	for i := range out {
		if len(out) > 1 && !strings.Contains(out[i].Why, names[i]) && out[i].Point != names[i] {
			out[i].Why += " (" + names[i] + ")"
		}
	}
	return out
}

// ask asks one table; asked is false if it surely has nothing to say.
func (w *walk) ask(l *layer.Layer, t *layer.Table, q Question) (s Step, asked bool) {
	v := t.Decide(layer.Conversation{From: q.From, To: q.To, Protocol: q.Protocol, Port: q.Port, Holds: w.holds}, w.Networks)
	end := q.From
	if t.Direction == flow.Ingress {
		end = q.To
	}
	point, unknown, missing := w.point(l, end)
	s = Step{Target: l.Target, Point: cmp.Or(point, t.Name), End: t.Direction.String()}
	if v.Rule != nil {
		s.Rule = v.Rule.Ref
	}
	switch {
	case v.Lower == layer.Abstain && v.Upper == layer.Abstain:
		return s, false
	case missing != "":
		s.Effect, s.Why = Allow, "nothing enforces what stands there: "+missing
	case unknown != "":
		s.Effect, s.Why = Unknown, unknown
	case v.Lower != v.Upper && (v.Lower == layer.Deny || v.Upper == layer.Deny):
		s.Effect, s.Why = Unknown, "it may be refused or let pass: whether a rule means these ends depends on which of their addresses is taken, or is not known"
		if r := w.doubted(t, q, v.Rule); r != nil {
			s.Rule, s.Why = r.Ref, r.Unknown
		}
	case v.Upper == layer.Deny:
		s.Effect, s.Why = Deny, "nothing in "+t.Name+" lets it pass"
		if v.Rule != nil {
			s.Why = "a rule refuses it"
		}
	default:
		s.Effect, s.Why = Allow, t.Name+" lets pass what nothing refuses"
		if v.Rule != nil {
			s.Why = "a rule lets it pass"
		}
	}
	return s, true
}

// doubted is the rule because of which a table's answer is not known: what decided,
// or the first that may refuse; nil if it is none that says why.
func (w *walk) doubted(t *layer.Table, q Question, decided *layer.Rule) *layer.Rule {
	if decided != nil && decided.Unknown != "" {
		return decided
	}
	end, peer := q.From, q.To
	if t.Direction == flow.Ingress {
		end, peer = peer, end
	}
	for _, tier := range t.Tiers {
		for i := range tier {
			r := &tier[i]
			if r == decided {
				return nil
			}
			if r.Unknown != "" && r.Effect == layer.Deny && r.Traffic.Contains(q.Protocol, q.Port) && min(r.Subject.Matches(end, w.Networks), r.Peer.Matches(peer, w.Networks)) != layer.No {
				return r
			}
		}
	}
	return nil
}

// point returns the enforcement point that governs an end, and why nothing is
// known about it, or why nothing enforces it, if so.
func (w *walk) point(l *layer.Layer, end layer.Party) (name, unknown, missing string) {
	for i := range l.Points {
		p := &l.Points[i]
		if p.Governs.Matches(end, w.Networks) != layer.No {
			return p.Name, p.Unknown, p.Missing
		}
	}
	return "", "", ""
}

// overall is what all steps say together: one refusal is enough, and what is
// not known may be one.
func overall(steps []Step) Effect {
	out := Allow
	for _, s := range steps {
		switch s.Effect {
		case Deny:
			return Deny
		case Unknown:
			out = Unknown
		}
	}
	return out
}
