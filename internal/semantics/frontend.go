package semantics

import (
	"fmt"
	"slices"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
)

// Segment is one part of a path through a frontend, and what is said about it.
type Segment struct {
	From, To Party
	Protocol netset.Protocol
	Port     uint16
	Decision Decision
}

// backend is where a conversation with a frontend goes on to.
type backend struct {
	party Party
	port  uint16
}

// behind lists the backends of a port of a frontend; none if the frontend does
// not serve it. Then the address leads nowhere, and is judged as what it would
// be without the frontend.
func (e *Evaluator) behind(f *inventory.Frontend, proto netset.Protocol, port uint16) []backend {
	var out []backend
	for _, p := range f.Ports {
		if p.Protocol != proto || p.Number != port {
			continue
		}
		for i := range e.inv.Workloads {
			w := &e.inv.Workloads[i]
			if !e.serves(f, w) {
				continue
			}
			for _, target := range e.targets(f, p, w) {
				out = append(out, backend{party: Party{Owners: []*inventory.Workload{w}}, port: target})
			}
		}
	}
	return out
}

// serves reports whether a workload stands behind a frontend: it is listed, or
// of the service, or has every label of the selector in the same namespace.
func (e *Evaluator) serves(f *inventory.Frontend, w *inventory.Workload) bool {
	for _, name := range f.Workloads {
		if name == w.Name {
			return true
		}
	}
	if f.ToService != "" && e.inService(w, f.ToService) {
		return true
	}
	if len(f.Selector) == 0 || f.Namespace != w.Namespace {
		return false
	}
	for key, value := range f.Selector {
		if got, there := w.Labels[key]; !there || got != value {
			return false
		}
	}
	return true
}

// targets are the ports of a backend that a port of the frontend leads to: one,
// or those of that name and protocol. What a name means is said by the service
// that the frontend stands for, else by the workload, else by its services.
func (e *Evaluator) targets(f *inventory.Frontend, p inventory.FrontendPort, w *inventory.Workload) []uint16 {
	if p.TargetName == "" {
		return []uint16{p.Target}
	}
	own := netset.None()
	for _, x := range w.Ports {
		if x.Name == p.TargetName {
			own = own.Union(netset.Of(x.Protocol, x.Number, x.Number))
		}
	}
	service, declared := e.services[f.ToService]
	if own.IsEmpty() || declared && slices.ContainsFunc(service.Ports, func(x lang.ServicePort) bool { return x.Name == p.TargetName }) {
		own = e.named(p.TargetName, one(lang.Endpoint{Kind: lang.ByService, Name: f.ToService}), w)
	}
	var out []uint16
	for _, run := range own.Ranges(p.Protocol) {
		for port := int(run.Lo); port <= int(run.Hi); port++ {
			out = append(out, uint16(port))
		}
	}
	return out
}

// responders are all that may answer for a party: it, and for a frontend every
// workload behind it.
func (e *Evaluator) responders(p Party) []Party {
	out := p.alternatives()
	if p.Frontend != nil {
		for i := range e.inv.Workloads {
			if w := &e.inv.Workloads[i]; e.serves(p.Frontend, w) {
				out = append(out, Party{Owners: []*inventory.Workload{w}})
			}
		}
	}
	return out
}

// through judges a conversation with a frontend. A frontend that rewrites only
// the destination keeps who began: every backend must let it in. Any other
// hides it: then a backend sees only that someone entered the frontend.
func (e *Evaluator) through(from, to Party, behind []backend, proto netset.Protocol, port uint16, c flow.Circumstances) Decision {
	var ends []End
	if to.Frontend.Rewrites == "destination" {
		var segments []Segment
		for _, b := range behind {
			d := e.Decide(from, b.party, proto, b.port, c)
			segments = append(segments, Segment{From: from, To: b.party, Protocol: proto, Port: b.port, Decision: d})
			ends = append(ends, d.Ends...)
		}
		out := combine(ends)
		out.Segments = segments
		return out
	}
	for _, b := range behind {
		ends = append(ends, e.ends(flow.Egress, conversation{from: from, to: b.party, proto: proto, port: b.port, Circumstances: c})...)
	}
	entered := combine(ends)
	segments := []Segment{{From: from, To: to, Protocol: proto, Port: port, Decision: entered}}
	for _, b := range behind {
		segments = append(segments, Segment{From: to, To: b.party, Protocol: proto, Port: b.port, Decision: e.letIn(b, proto, c)})
	}
	return inRow(segments)
}

// letIn asks a backend about everyone who may enter the frontend before it. It
// answers for all of them, or not at all.
func (e *Evaluator) letIn(b backend, proto netset.Protocol, c flow.Circumstances) Decision {
	e = e.whole().To(b.party)
	var yes, no [2]*End // of the policy in force, and of the one to come
	var refused Party
	for _, p := range e.everyone() {
		q := conversation{from: p, to: b.party, proto: proto, port: b.port, Circumstances: c}
		mayEnter := e.ends(flow.Egress, q)
		for _, end := range e.ends(flow.Ingress, q) {
			for i, which := range []func(End) Judgement{inForceOf, toComeOf} {
				if len(mayEnter) > 0 && !speaker(mayEnter, which).Permits {
					continue
				}
				if which(end).Permits {
					yes[i] = &end
				} else if no[i] == nil {
					no[i], refused = &end, p
				}
			}
		}
	}
	var d Decision
	for i := range yes {
		verdict, end := flow.Unjudged, no[i]
		switch {
		case yes[i] != nil && no[i] != nil:
			d.Why = fmt.Sprintf("the frontend hides who began: %s lets some in who may enter it, but not %s; it is known where a rule lets in any, or the frontend keeps the source",
				b.party.Name(), refused.Name())
		case no[i] != nil:
			verdict = flow.Dropped
		case yes[i] != nil:
			verdict, end = flow.Forwarded, yes[i]
		}
		if end == nil { // nobody may enter: the first segment says so
			continue
		}
		d.Ends = []End{*end}
		if i == 0 {
			d.InForce, d.InForceRule = verdict, end.InForce.Rule
		} else {
			d.ToCome, d.ToComeRule = verdict, end.ToCome.Rule
		}
	}
	return d
}

// inRow lets a conversation pass if every segment does. One that refuses
// decides; otherwise one of which nothing is known leaves it unknown.
func inRow(segments []Segment) Decision {
	out := Decision{Segments: segments}
	known := []Decision{}
	for i, s := range segments {
		out.Ends = append(out.Ends, s.Decision.Ends...)
		if i > 0 || len(s.Decision.Ends) > 0 { // nobody is asked where a stranger enters
			known = append(known, s.Decision)
		}
	}
	var now, at Decision
	out.InForce, out.InForceRule, now = strictest(known, func(d Decision) (flow.Verdict, flow.Rule) { return d.InForce, d.InForceRule })
	out.ToCome, out.ToComeRule, at = strictest(known, func(d Decision) (flow.Verdict, flow.Rule) { return d.ToCome, d.ToComeRule })
	if out.InForce == flow.Forwarded && out.ToCome == flow.Dropped {
		out.InForce = flow.Audited
	}
	switch flow.Unjudged {
	case out.ToCome:
		out.Why = at.Why
	case out.InForce:
		out.Why = now.Why
	}
	return out
}

// strictest returns a verdict that refuses, else one that is unknown, else the
// first that audits or forwards.
func strictest(list []Decision, of func(Decision) (flow.Verdict, flow.Rule)) (flow.Verdict, flow.Rule, Decision) {
	for _, wanted := range []flow.Verdict{flow.Dropped, flow.Unjudged, flow.Audited, flow.Forwarded} {
		for _, d := range list {
			if verdict, rule := of(d); verdict == wanted {
				return verdict, rule, d
			}
		}
	}
	return flow.Unjudged, flow.Rule{}, Decision{}
}

// whole asks everything again that From left out.
func (e *Evaluator) whole() *Evaluator {
	out := *e
	out.clauses = e.all
	return &out
}

// everyone lists one of all that can begin a conversation: every workload and
// an address of each run that the policy cannot tell apart.
func (e *Evaluator) everyone() []Party {
	return e.Parties(lang.Endpoint{Kind: lang.ByAny})
}
