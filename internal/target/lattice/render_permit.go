package lattice

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"firebreak/internal/netset"
	"firebreak/internal/plan"
)

// sayRoleless tells, once, who they are and whom they do not reach.
func (r *renderer) sayRoleless() {
	if len(r.unsigned) == 0 {
		return
	}
	list := slices.Sorted(maps.Keys(r.unsigned))
	var from []string
	for _, i := range list {
		from = append(from, r.inv.Workloads[i].Name)
	}
	r.say(r.inv.Workloads[list[0]].Source, "give each a role (aws/role): callers sign their requests with one", "%s may not reach %s, without a role to sign requests with", few(from), few(slices.Collect(maps.Keys(r.missed))))
}

// few names some of many, in order.
func few(names []string) string {
	const most = 5
	slices.Sort(names)
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// expiring reports whether a grant lets a port pass until some instant, which
// can be said.
func (r *renderer) expiring(g *plan.Grant, port uint16) bool {
	return slices.ContainsFunc(g.Clauses, func(c plan.Clause) bool {
		return !c.Deny && c.Cond != nil && c.Cond.When == nil && c.Traffic.Contains(netset.TCP, port)
	})
}

// grant writes what some callers may do with a port.
func (r *renderer) grant(u *unit, port uint16, g *plan.Grant, by speaker) {
	if g.Clauses == nil {
		u.policy.add(statement{by: by, ports: []uint16{port}})
		return
	}
	plain, narrow := false, false
	for _, c := range g.Clauses {
		if !c.Traffic.Contains(netset.TCP, port) {
			continue
		}
		if c.Deny {
			r.deny(u, port, c, by)
			continue
		}
		if c.Cond != nil && c.Cond.When != nil && !kept(g, port) {
			r.say(u.at(), "add a target that keeps time, such as ebpf", "the rule %s/%s holds at some times only, which Lattice cannot say: it is left out", c.Rule.Policy, c.Rule.Rule)
			continue
		}
		s := statement{by: by, ports: []uint16{port}}
		if c.Cond != nil {
			s.expires = c.Cond.Expires
		}
		if c.Cond == nil || c.Cond.HTTP == nil {
			plain = plain || s.expires.IsZero()
			u.policy.add(s)
			continue
		}
		narrow = true
		for _, h := range c.Cond.HTTP {
			s.request = request{methods: h.Methods, paths: wider(h.Paths), headers: h.Headers}
			u.policy.add(s)
		}
	}
	if narrow && !plain {
		u.policy.add(statement{deny: true, by: by, ports: []uint16{port}, request: request{paths: ambiguous()}})
	}
}

// deny writes a deny that is about requests. What cannot be said as narrowly is
// left out, and so passes.
func (r *renderer) deny(u *unit, port uint16, c plan.Clause, by speaker) {
	if c.Cond == nil || c.Cond.HTTP == nil || c.Cond.MTLS || c.Cond.When != nil {
		r.say(u.at(), "leave it to a target that can", "the deny %s/%s holds under conditions that Lattice cannot say: what it denies passes", c.Rule.Policy, c.Rule.Rule)
		return
	}
	for _, h := range c.Cond.HTTP {
		if h.Hosts != nil {
			r.say(u.at(), "leave it to a target that can", "the deny %s/%s names hosts, which Lattice cannot say: what it denies passes", c.Rule.Policy, c.Rule.Rule)
			continue
		}
		s := statement{deny: true, by: by, ports: []uint16{port}, expires: c.Cond.Expires}
		s.request = request{methods: h.Methods, headers: h.Headers}
		if h.Paths == nil {
			u.policy.add(s)
			continue
		}
		exact, loose, neither := divide(h.Paths)
		if neither != nil {
			r.say(u.at(), "leave it to a target that can", "the deny %s/%s names the paths %s, which Lattice cannot tell from longer ones: what it denies there passes", c.Rule.Policy, c.Rule.Rule, strings.Join(neither, ", "))
		}
		s.request.paths = append(exact, ambiguous()...)
		u.policy.add(s)
		for _, p := range loose {
			s.request.paths, s.request.but = []string{p}, []string{strings.Repeat("/*", strings.Count(p, "/")+1)}
			u.policy.add(s)
		}
	}
}

// wider turns patterns into IAM's, in which '*' also spans slashes.
func wider(patterns []string) []string {
	var out []string
	for _, p := range patterns {
		out = append(out, translate(p))
	}
	return out
}

// divide turns patterns into IAM's: those that mean the same, those that mean it
// only of paths with as many slashes, and, as they were, those that neither is
// true of, which have a wildcard and more behind it, and end with one that spans
// slashes.
func divide(patterns []string) (exact, loose, neither []string) {
	for _, p := range patterns {
		body, all := strings.CutSuffix(p, "/*")
		before := body
		if all { // what spans slashes next to what does not means the same
			last := body[strings.LastIndexByte(body, '/')+1:]
			if before = strings.TrimSuffix(body, "*"); variable(last) {
				before = strings.TrimSuffix(body, last)
			}
		}
		switch inner := strings.Contains(before, "*") || variable(before); {
		case !inner:
			exact = append(exact, translate(p))
		case !all:
			loose = append(loose, translate(p))
		default:
			neither = append(neither, p)
		}
	}
	return exact, loose, neither
}

// variable reports whether a pattern has a segment like {id}.
func variable(p string) bool {
	return slices.ContainsFunc(strings.Split(p, "/"), func(s string) bool { return strings.HasPrefix(s, "{") && strings.HasSuffix(s, "}") })
}

// translate writes a pattern as StringLike takes it.
func translate(p string) string {
	segments := strings.Split(p, "/")
	for i, s := range segments {
		if strings.HasPrefix(s, "{") && strings.HasSuffix(s, "}") {
			segments[i] = "?*"
			continue
		}
		segments[i] = strings.ReplaceAll(s, "${", "${$}{")
	}
	return strings.Join(segments, "/")
}

// ambiguous lists patterns that together hold every ambiguous path and no other:
// see the language's description of paths.
func ambiguous() []string {
	out := []string{"*//*", `*\*`, "*/./*", "*/.", "*/../*", "*/.."}
	const hex = "0123456789abcdef"
	for c := byte(0x21); c < 0x7f; c++ {
		if !isUnreserved(c) && c != '/' && c != '\\' {
			continue
		}
		low := "%" + string(hex[c>>4]) + string(hex[c&15])
		out = append(out, "*"+low+"*")
		if up := strings.ToUpper(low); up != low {
			out = append(out, "*"+up+"*")
		}
	}
	return out
}

// isUnreserved is RFC 3986, section 2.3.
func isUnreserved(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || strings.IndexByte("-._~", c) >= 0
}
