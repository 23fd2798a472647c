// Package semantics is the reference evaluator: what the policy language means,
// said as plainly as possible. It works on the text's tree and an inventory,
// applies selectors itself, looks at one conversation at a time and indexes
// nothing. Whatever is faster is judged by it and shares no code with it.
//
// A conversation runs from an initiator to a responder, over one port of one
// protocol, at one time, carries one HTTP request or none, and its peer has
// proven its principal or has not. Each of the two ends that is a workload is
// managed; each managed end decides, and the conversation passes if all of them
// let it. An end is decided by the first of these that speaks:
//
//  1. the guardrails: a deny;
//  2. the platform tier's rules, by priority: allow and deny are final, pass
//     goes on behind the tier;
//  3. the exceptions that have not expired: an allow;
//  4. the application tier: a deny, else an allow;
//  5. the baseline tier: a deny, else an allow;
//  6. the default of the zone that the workload is in.
//
// Two policies come of one text. The one to come is all of it. The one in
// force has only the guardrails and rules whose stage is enforce, and every
// exception; in it, a zone whose stage is not enforce lets pass what no rule
// decides.
//
// What a policy says of a single conversation is exact. What is said of many
// at once (Cases without a request, Guardrails) rests on examples: see Requests.
package semantics

import (
	"net/netip"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
)

// Evaluator answers questions about one policy over one inventory. It changes
// neither and is safe for concurrent use.
type Evaluator struct {
	dir      *lang.Dir
	inv      *inventory.Snapshot
	owners   map[netip.Addr][]*inventory.Workload
	services map[string]*lang.Service
	clauses  []clause // what is asked; From and Summarize leave out what cannot matter
	all      []clause
}

// New makes an evaluator of a policy that parses and resolves without errors;
// of any other it answers something, but nothing that means anything. A nil
// inventory is an empty one.
func New(dir *lang.Dir, inv *inventory.Snapshot) *Evaluator {
	if inv == nil {
		inv = &inventory.Snapshot{}
	}
	e := &Evaluator{dir: dir, inv: inv, owners: map[netip.Addr][]*inventory.Workload{}, services: map[string]*lang.Service{}}
	for _, s := range dir.Services {
		e.services[s.Name] = s
	}
	for i := range inv.Workloads {
		w := &inv.Workloads[i]
		for _, a := range w.Addresses {
			e.owners[a] = append(e.owners[a], w)
		}
	}
	e.all = clauses(dir)
	e.clauses = e.all
	return e
}

// Decision is the answer about one conversation.
type Decision struct {
	InForce     flow.Verdict // Forwarded, Audited or Dropped; Unjudged where no end is managed
	InForceRule flow.Rule    // that decided InForce
	ToCome      flow.Verdict // Forwarded or Dropped; Unjudged where no end is managed
	ToComeRule  flow.Rule
	Ends        []End // the managed ends: the initiator's, then the responder's
	// Segments are the parts of a path through a frontend, in order; nil for a
	// conversation that goes through none. The ends are then those of all parts.
	Segments []Segment
	// Why says why a verdict is Unjudged although an end is managed: a frontend
	// hides who begins. Empty otherwise.
	Why string
}

// End is what one managed end says.
type End struct {
	Direction flow.Direction // Egress at the initiator, Ingress at the responder
	Workload  string
	Zone      string
	InForce   Judgement
	ToCome    Judgement
}

// Judgement is what one end says under one of the two policies.
type Judgement struct {
	Permits bool
	Rule    flow.Rule // that decided
	Steps   []Step    // how it came to that, in order; the last one decided
}

// Step is a tier that was asked. Effect is "allow", "deny" or "pass", or empty
// if the tier said nothing; Rules are all of the tier that say Effect.
type Step struct {
	Tier   string // "guardrail", "platform", "exception", "application", "baseline" or "default"
	Effect string
	Rules  []flow.Rule
	Near   []Near // what would have spoken in this tier, but for a condition
}

// Near is a rule of which both ends and the port fit, but not the rest.
type Near struct {
	Rule   flow.Rule
	Effect string
	Why    string // "outside the window 06:00-22:00"
}

// Decide judges the conversation from one party to another. The port is
// ignored for protocols without ports. What is built in is always forwarded.
func (e *Evaluator) Decide(from, to Party, proto netset.Protocol, port uint16, c flow.Circumstances) Decision {
	for _, p := range []Party{from, to} {
		if p.Builtin != "" {
			rule := flow.Rule{Policy: "builtin", Rule: p.Builtin}
			return Decision{InForce: flow.Forwarded, InForceRule: rule, ToCome: flow.Forwarded, ToComeRule: rule}
		}
	}
	if to.Frontend != nil {
		if behind := e.behind(to.Frontend, proto, port); len(behind) > 0 {
			return e.through(from, to, behind, proto, port, c)
		}
	}
	q := conversation{from: from, to: to, proto: proto, port: port, Circumstances: c}
	return combine(append(e.ends(flow.Egress, q), e.ends(flow.Ingress, q)...))
}

// ends judges at each workload that is the initiator, or the responder.
func (e *Evaluator) ends(d flow.Direction, q conversation) []End {
	owners := q.from.Owners
	if d == flow.Ingress {
		owners = q.to.Owners
	}
	var out []End
	for _, w := range owners {
		out = append(out, e.end(d, w, q))
	}
	return out
}

// combine lets the conversation pass if every end does.
func combine(ends []End) Decision {
	d := Decision{Ends: ends}
	if len(ends) == 0 {
		return d
	}
	inForce, toCome := speaker(ends, inForceOf), speaker(ends, toComeOf)
	d.InForceRule, d.ToComeRule = inForce.Rule, toCome.Rule
	d.ToCome = flow.Dropped
	if toCome.Permits {
		d.ToCome = flow.Forwarded
	}
	switch {
	case !inForce.Permits:
		d.InForce = flow.Dropped
	case !toCome.Permits:
		d.InForce = flow.Audited
	default:
		d.InForce = flow.Forwarded
	}
	return d
}

func inForceOf(e End) Judgement { return e.InForce }
func toComeOf(e End) Judgement  { return e.ToCome }

// speaker returns the judgement that stands for all: the first that refuses,
// else the first that a rule made, else the first.
func speaker(ends []End, which func(End) Judgement) Judgement {
	for _, e := range ends {
		if j := which(e); !j.Permits {
			return j
		}
	}
	for _, e := range ends {
		if j := which(e); j.Rule.Policy != "" {
			return j
		}
	}
	return which(ends[0])
}

// end judges at one workload. The far party's address may have several owners:
// then all of them must be permitted.
func (e *Evaluator) end(d flow.Direction, local *inventory.Workload, q conversation) End {
	zone := e.zone(local)
	out := End{Direction: d, Workload: local.Name, Zone: zone.Name}
	far := q.to
	if d == flow.Ingress {
		far = q.from
	}
	for i, candidate := range far.alternatives() {
		q.from, q.to = Party{Owners: []*inventory.Workload{local}}, candidate
		if d == flow.Ingress {
			q.from, q.to = q.to, q.from
		}
		inForce, toCome := e.judge(q, zone, true), e.judge(q, zone, false)
		if i == 0 || out.InForce.Permits && !inForce.Permits {
			out.InForce = inForce
		}
		if i == 0 || out.ToCome.Permits && !toCome.Permits {
			out.ToCome = toCome
		}
	}
	return out
}

// conversation is the question that rules are asked. Where rules are asked,
// each party is one workload or one address.
type conversation struct {
	from, to Party
	proto    netset.Protocol
	port     uint16
	flow.Circumstances
}

// judge walks down the tiers.
func (e *Evaluator) judge(q conversation, zone lang.Zone, inForce bool) Judgement {
	var steps []Step
	for _, t := range []tier{guardrails, platform, exceptions, application, baseline} {
		s := e.ask(t, q, inForce)
		steps = append(steps, s)
		if s.Effect == "allow" || s.Effect == "deny" {
			return Judgement{Permits: s.Effect == "allow", Rule: s.Rules[0], Steps: steps}
		}
	}
	s := zoneDefault(zone, inForce)
	return Judgement{Permits: s.Effect == "allow", Rule: s.Rules[0], Steps: append(steps, s)}
}

func zoneDefault(z lang.Zone, inForce bool) Step {
	effect := "deny"
	if z.Default == lang.Allow || inForce && z.Stage != lang.Enforce {
		effect = "allow"
	}
	rule := flow.Rule{Rule: "default-" + effect, File: z.Pos.File, Line: z.Pos.Line}
	return Step{Tier: "default", Effect: effect, Rules: []flow.Rule{rule}}
}
