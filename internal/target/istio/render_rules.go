package istio

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"firebreak/internal/netset"
	"firebreak/internal/plan"
	"firebreak/internal/policy"
)

// statements are what a subject's objects say.
type statements struct {
	allow, deny []ruleSpec
	http        bool           // some speak of requests
	plaintext   netset.Traffic // ports that somebody without a certificate may use
	at          *entry         // nil: at the workloads
}

var tcp = netset.Of(netset.TCP, 0, 65535)

// say turns a subject's grants into rules: for the workloads themselves, or, with
// an entry, for the waypoint through which that Service leads to them.
func (r *renderer) say(s *plan.Subject, at *entry) *statements {
	out := &statements{at: at}
	for i := range s.Ingress {
		g := &s.Ingress[i]
		who := r.who(s, g.Peers)
		if !g.Exact {
			r.warn("make the rules that contradict each other say the same of the same requests", "what may come in to %s cannot be said exactly in allows and denies: more is let in", s.Name)
		}
		if g.Clauses == nil {
			r.allow(s, out, who, plan.Clause{Traffic: g.Set.Ports()})
		}
		for _, c := range g.Clauses {
			if c.Deny {
				r.deny(s, out, who, g, c)
			} else {
				r.allow(s, out, who, c)
			}
		}
	}
	if at == nil { // who is outside the mesh goes around waypoints
		r.relayed(s, out)
	}
	return out
}

// allow adds a clause that lets something pass. What holds at times only is left
// to those who keep time; nobody does, and it stays closed.
func (r *renderer) allow(s *plan.Subject, out *statements, who among, c plan.Clause) {
	t := c.Traffic.Intersect(tcp)
	timed := c.Cond != nil && (c.Cond.When != nil || !c.Cond.Expires.IsZero())
	if out.at != nil {
		t, who = r.led(s, out.at, t, who, c.Cond)
	}
	if t.IsEmpty() || timed && !s.KeepsTime {
		return
	}
	from := slices.Concat(who.mesh, who.outside)
	proven := c.Cond != nil && c.Cond.MTLS
	switch {
	case proven:
		from = who.mesh
	case who.everybody:
		from = nil
	}
	if len(from) == 0 && (proven || !who.everybody) {
		return
	}
	if !proven && (who.everybody || len(who.outside) > 0) {
		out.plaintext = out.plaintext.Union(t)
	}
	out.http = out.http || c.Cond != nil && c.Cond.HTTP != nil
	out.allow = append(out.allow, r.rules(s, from, t, c.Cond, false)...)
}

// deny adds a clause that does not. One that holds at times only is left to
// those who keep time, and otherwise holds always.
func (r *renderer) deny(s *plan.Subject, out *statements, who among, g *plan.Grant, c plan.Clause) {
	t := c.Traffic.Intersect(tcp)
	timed := c.Cond != nil && (c.Cond.When != nil || !c.Cond.Expires.IsZero())
	if out.at != nil {
		t, who = r.led(s, out.at, t, who, nil)
	}
	from := slices.Concat(who.mesh, who.outside)
	if who.everybody {
		from = nil
	}
	if t.IsEmpty() || timed && s.KeepsTime || len(from) == 0 && !who.everybody {
		return
	}
	opens := func(x plan.Clause) bool {
		return !x.Deny && (x.Cond == nil || x.Cond.HTTP == nil) && !x.Traffic.Intersect(c.Traffic).IsEmpty()
	}
	if c.Cond != nil && c.Cond.HTTP != nil && slices.ContainsFunc(g.Clauses, opens) && !r.onlyHTTP(s, c.Traffic.Intersect(tcp)) {
		r.warn("allow the requests that are meant instead of denying others, give what is no HTTP a port of its own, or say by the name of the Service's port (http-…) that nothing else is spoken there",
			"%s denies requests to %s: on %s what is no HTTP is denied, too", c.Rule, s.Name, t)
	}
	out.http = out.http || c.Cond != nil && c.Cond.HTTP != nil
	out.deny = append(out.deny, r.rules(s, from, t, c.Cond, true)...)
}

// rules says who may do what: one rule for all requests without headers, and
// one for each that demands some.
func (r *renderer) rules(s *plan.Subject, from []fromSpec, t netset.Traffic, cond *policy.Condition, deny bool) []ruleSpec {
	op, ok := r.ports(s, t)
	if !ok {
		return nil
	}
	if cond == nil || cond.HTTP == nil {
		rule := ruleSpec{From: from}
		if op.Ports != nil || op.NotPorts != nil {
			rule.To = []toSpec{{op}}
		}
		return []ruleSpec{rule}
	}
	r.http = true
	plain := ruleSpec{From: from}
	var out []ruleSpec
	for _, h := range cond.HTTP {
		to := toSpec{op}
		to.Operation.Methods, to.Operation.Hosts = h.Methods, r.hosts(h.Hosts, deny)
		to.Operation.Paths = r.paths(s, h.Paths)
		if h.Methods == nil && h.Hosts == nil && h.Paths == nil && h.Headers == nil {
			to.Operation.Paths = []string{"*"} // any request, and nothing but requests
		}
		if h.Headers == nil {
			plain.To = append(plain.To, to)
			continue
		}
		one := ruleSpec{From: from, To: []toSpec{to}}
		for _, x := range h.Headers {
			w := whenSpec{Key: "request.headers[" + x.Name + "]", Values: x.Values}
			if x.Values == nil {
				w.Values = []string{"*"}
			}
			one.When = append(one.When, w)
		}
		if op.Ports == nil && op.NotPorts == nil && to.Operation.Methods == nil && to.Operation.Hosts == nil && to.Operation.Paths == nil {
			one.To = nil
		}
		out = append(out, one)
	}
	if plain.To != nil {
		out = append([]ruleSpec{plain}, out...)
	}
	return out
}

// portList lists the TCP ports of t; nil for all of them.
func portList(t netset.Traffic) ([]uint16, error) {
	if t.Intersect(tcp).Equal(tcp) {
		return nil, nil
	}
	var out []uint16
	for _, run := range t.Ranges(netset.TCP) {
		if len(out)+int(run.Hi-run.Lo) >= maxListed {
			return nil, fmt.Errorf("%d ports or more", maxListed)
		}
		for p := int(run.Lo); p <= int(run.Hi); p++ {
			out = append(out, uint16(p))
		}
	}
	return out, nil
}

// maxListed is the quota of ports in a rule.
const maxListed = 1000

// ports says traffic: ports one by one, or those that are left out.
func (r *renderer) ports(s *plan.Subject, t netset.Traffic) (op operationSpec, ok bool) {
	list, err := portList(t)
	if err == nil {
		op.Ports = words(list)
		return op, true
	}
	rest, err := portList(tcp.Subtract(t))
	if err != nil {
		r.diags.Errorf(noPlace, "capacity", "%s: the ports %s would be a list of more than %d", s.Name, t, maxListed).WithHelp("allow fewer ports: an AuthorizationPolicy lists them one by one")
		return op, false
	}
	op.NotPorts = words(rest)
	return op, true
}

func words(list []uint16) []string {
	var out []string
	for _, p := range list {
		out = append(out, strconv.Itoa(int(p)))
	}
	return out
}

// hosts says hosts with and without a port, which requests may name, too.
func (r *renderer) hosts(list []string, deny bool) []string {
	var out []string
	for _, h := range list {
		out = append(out, h)
		if !strings.HasPrefix(h, "*") {
			out = append(out, h+":*")
		} else if deny {
			r.warn("name the hosts one by one", "a deny of the hosts %s does not hold for requests that name a port behind the host", h)
		}
	}
	return out
}

// paths says patterns. A star inside a segment cannot be said: it is widened to
// the segment, which is reported.
func (r *renderer) paths(s *plan.Subject, list []string) []string {
	var out []string
	for _, p := range list {
		said, exact := pathText(p)
		if !exact {
			r.warn("use a whole segment ({name}), or /* at the end", "the path %s cannot be said for %s: it is widened to %s", p, s.Name, said)
		}
		out = append(out, said)
	}
	return out
}

// pathText turns a pattern into Istio's: a star at the very end, and {*} for a
// segment. An empty segment elsewhere than at the end makes a path ambiguous, so
// that a whole segment "*" is one that is not empty.
func pathText(p string) (text string, exact bool) {
	segments := strings.Split(p, "/")
	last := len(segments) - 1
	exact = true
	wild := false
	for i, s := range segments {
		switch {
		case s == "*" && i == last:
		case strings.HasPrefix(s, "{") && strings.HasSuffix(s, "}"), s == "*":
			segments[i], wild = "{*}", true
		case strings.Contains(s, "*"):
			segments[i], wild, exact = "{*}", true, false
		}
	}
	if wild && segments[last] == "*" {
		segments[last] = "{**}"
	}
	return strings.Join(segments, "/"), exact
}
