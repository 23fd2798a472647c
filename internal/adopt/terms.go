package adopt

import (
	"fmt"
	"regexp"
	"strings"

	"firebreak/internal/netset"
	"firebreak/internal/verify/space"
)

// terms is what a rule says of traffic. ports is empty for all.
type terms struct {
	ports string // "80/TCP, 8000-8080/TCP"
	deny  bool   // of what else is permitted between the two
	mtls  bool
	http  string // "{methods: [POST], paths: [/x]}"; empty for whatever is said
}

// request is how a set says a condition that the language can say as well.
var request = regexp.MustCompile(`^(TCP [0-9,-]+) ([A-Z]+ )?(/[^ ]*)$`)

// say turns a set into what rules say of it; together they say at least all of
// it.
func (a *adopter) say(set space.Set) []terms {
	whole := set.Whole()
	if space.Plain(whole).Equal(set) && !whole.IsAll() && whole.Contains(netset.Other, 0) {
		// Only everything holds what has no ports and is no ICMP.
		return []terms{{}, {ports: a.ports(netset.All().Subtract(whole)), deny: true}}
	}
	var out []terms
	if !whole.IsEmpty() {
		out = append(out, terms{ports: a.ports(whole)})
	}
	rest := set.Subtract(space.Plain(whole))
	if rest.IsEmpty() {
		return out
	}
	mtls := false
	if proven := rest.Given(true); rest.Given(false).IsEmpty() && proven.Equal(space.Plain(proven.Ports())) {
		return append(out, terms{ports: a.ports(proven.Ports()), mtls: true})
	} else if rest.Given(false).IsEmpty() {
		rest, mtls = proven, true
	}
	for _, part := range strings.Split(rest.String(), "; ") {
		m := request.FindStringSubmatch(part)
		if m == nil {
			a.note("%s: the condition cannot be said in the language; all of its ports are permitted", rest)
			return append(out, terms{ports: a.ports(rest.Ports()), mtls: mtls})
		}
		ports, _ := netset.Parse(m[1])
		http := "{paths: [" + quote(m[3]) + "]}"
		if m[2] != "" {
			http = "{methods: [" + strings.TrimSpace(m[2]) + "], paths: [" + quote(m[3]) + "]}"
		}
		out = append(out, terms{ports: a.ports(ports), mtls: mtls, http: http})
	}
	return out
}

func quote(path string) string {
	if strings.ContainsAny(path, "{}[]*,:#&!|>'\"%@`") {
		return fmt.Sprintf("%q", path)
	}
	return path
}

// ports writes traffic as a rule does; "" for all.
func (a *adopter) ports(t netset.Traffic) string {
	if t.IsAll() {
		return ""
	}
	var out []string
	for p, r := range t.Runs() {
		switch {
		case p == netset.ICMP:
			out = append(out, "icmp")
		case p == netset.Other:
			a.note("%s: protocols without ports but ICMP can only be permitted with everything else; they are left out", t)
		case r.Lo == r.Hi:
			out = append(out, fmt.Sprintf("%d/%s", r.Lo, p))
		default:
			out = append(out, fmt.Sprintf("%d-%d/%s", r.Lo, r.Hi, p))
		}
	}
	return strings.Join(out, ", ")
}
