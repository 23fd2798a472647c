package cli

import (
	"fmt"
	"strings"
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/semantics"
	"firebreak/internal/verify"
)

// mostNearest is how many rules that almost permit are named for a pair, and
// pairsWithNearest for how many pairs.
const (
	mostNearest      = 3
	pairsWithNearest = 8
)

// nearRule is a rule that almost permits, and what it lacks.
type nearRule struct {
	Rule flow.Rule `json:"rule"`
	Why  string    `json:"why"`
}

// findNearest adds to every pair that only a default refuses the rules that
// come nearest to permitting it. Without an engine one is made; where the policy
// tells too much apart for it, nothing is near.
func (l *loaded) findNearest(x *explanation, e *verify.Engine) {
	left := pairsWithNearest
	for i := range x.Pairs {
		p := &x.Pairs[i]
		if p.Effect != "deny" || p.rule().Policy != "" || p.Requests != nil || left == 0 {
			continue
		}
		left--
		if e == nil {
			// What has expired long ago cannot be near; what is asked about is the
			// present of these rules.
			var err error
			if e, err = verify.New(l.p, verify.Options{At: x.In.At, Horizon: time.Second}); err != nil {
				return
			}
		}
		p.Nearest = l.nearest(e, p.asked)
	}
}

// nearest lists rules for the first conversation that was asked about.
func (l *loaded) nearest(e *verify.Engine, q question) []nearRule {
	from, to := l.peer(e, q.from), l.peer(e, q.to)
	if from == verify.None || to == verify.None {
		return nil
	}
	proto, port := semantics.First(q.asked)
	var out []nearRule
	for _, n := range e.WhyNot(from, to, proto, port, e.Locate(q.in), mostNearest) {
		r := &l.p.Rules[n.Rule]
		var lacks []string
		if !n.From {
			lacks = append(lacks, fmt.Sprintf("is about what comes from %s, not from %s", r.FromText, q.from.Name()))
		}
		if !n.To {
			lacks = append(lacks, fmt.Sprintf("is about what goes to %s, not to %s", r.ToText, q.to.Name()))
		}
		if !n.Ports {
			lacks = append(lacks, fmt.Sprintf("speaks of %s, not of %s", portsText(r), q.asked))
		}
		if !n.Condition {
			lacks = append(lacks, conditionText(q.eval.Conditions(r.Ref)))
		}
		switch {
		case n.Overruled || len(lacks) == 0:
			continue // it speaks, and is among the tiers; nothing that it lacks can be named
		case !n.Ports && !(n.From && n.To):
			continue // about somebody else and something else: that is not near
		}
		out = append(out, nearRule{l.rule(r.Ref), "it " + strings.Join(lacks, ", and ")})
	}
	return out
}

// portsText is what was written, and what that means.
func portsText(r *policy.Rule) string {
	t := netset.None()
	for i := range r.Grants {
		t = t.Union(r.Grants[i].Traffic)
	}
	if t.IsEmpty() || t.String() == r.PortsText {
		return r.PortsText
	}
	return fmt.Sprintf("%s (%s)", r.PortsText, t)
}

func conditionText(conditions []string) string {
	if len(conditions) == 0 {
		return "demands something that is not met"
	}
	return "holds under a condition that is not met: " + strings.Join(conditions, ", ")
}

// peer is what the engine knows a party as; None for frontends, for what is
// built in, and for an address that several workloads own.
func (l *loaded) peer(e *verify.Engine, p semantics.Party) verify.Peer {
	switch {
	case p.Frontend != nil || p.Builtin != "" || len(p.Owners) > 1:
		return verify.None
	case len(p.Owners) == 1:
		if i, ok := l.workload(p); ok {
			return e.OfWorkload(i)
		}
		return verify.None
	case p.Addr.IsValid():
		x, _ := e.OfAddress(p.Addr)
		return x
	case len(p.Externals) > 0:
		return e.OfName(p.Externals[0])
	}
	return e.World()
}

func textNearest(b *strings.Builder, list []nearRule) {
	for i, n := range list {
		head := "nearest:"
		if i > 0 {
			head = "        "
		}
		fmt.Fprintf(b, "        %s %s: %s\n", head, n.Rule, n.Why)
	}
}
