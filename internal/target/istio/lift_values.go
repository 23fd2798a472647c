package istio

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"firebreak/internal/label"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
)

// blocks reads addresses and prefixes.
func blocks(list []string) (out []netip.Prefix, why string) {
	for _, t := range list {
		p, err := netip.ParsePrefix(t)
		if a, bad := netip.ParseAddr(t); bad == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			why = strconv.Quote(t) + " is no address and no range of them"
			continue
		}
		out = append(out, p.Masked())
	}
	return out, why
}

func (c *combo) addresses(prefixes []netip.Prefix, not bool) {
	if prefixes == nil {
		prefixes = []netip.Prefix{} // nothing, not anything
	}
	m := layer.Match{{Prefixes: prefixes}}
	switch {
	case not:
		for i := range c.peer {
			if x := &c.peer[i]; x.Prefixes != nil { // says more of whose address is not known
				x.Except = append(slices.Clone(x.Except), prefixes...)
				continue
			}
			c.peer[i].Not = append(slices.Clone(c.peer[i].Not), m...)
		}
	case len(c.peer) == 1 && isZero(c.peer[0]):
		c.peer = m
	default:
		c.peer = and(c.peer, m)
	}
}

func ports(list []string) (out netset.Traffic, why string) {
	for _, t := range list {
		n, err := strconv.ParseUint(t, 10, 16)
		if err != nil {
			why = strconv.Quote(t) + " is no port"
			continue
		}
		out = out.Union(netset.Of(netset.TCP, uint16(n), uint16(n)))
	}
	return out, why
}

// say adds a list of hosts, methods or paths; why says what of it cannot be
// understood.
func say(h *policy.HTTP, kind string, list []string) (why string) {
	var out []string
	for _, t := range list {
		if t == "*" {
			return ""
		}
		var v, bad string
		switch kind {
		case "paths":
			v, bad = path(t)
		case "hosts":
			v, bad = host(t, list)
		default:
			v = t
			if strings.Contains(t, "*") {
				bad = "methods that begin or end like " + strconv.Quote(t) + " are not modelled"
			}
		}
		if bad != "" {
			why = bad
		} else {
			out = append(out, v)
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	if why != "" {
		return why // whatever is said of it
	}
	switch kind {
	case "paths":
		h.Paths = out
	case "hosts":
		h.Hosts = out
	default:
		h.Methods = out
	}
	return ""
}

// host reads a host. Requests may name a port behind it: "shop:*" beside "shop"
// says so, and is no host of its own.
func host(t string, list []string) (string, string) {
	t = strings.ToLower(t)
	bare := strings.TrimSuffix(t, ":*")
	switch {
	case bare != t && slices.ContainsFunc(list, func(s string) bool { return strings.ToLower(s) == bare }):
		return bare, ""
	case strings.HasPrefix(t, "*.") && !strings.ContainsAny(t[2:], "*:"), !strings.ContainsAny(t, "*:"):
		return t, ""
	}
	return "", "hosts like " + strconv.Quote(t) + " are not modelled"
}

// path turns a pattern into one of the language, or into one that begins with
// "~", see policy.Condition. Only a star at the beginning or the end is one;
// {*} is a segment, {**} any number of them.
func path(t string) (string, string) {
	if strings.Contains(t, "{*}") || strings.Contains(t, "{**}") {
		return template(t)
	}
	middle := strings.TrimSuffix(strings.TrimPrefix(t, "*"), "*")
	if strings.HasPrefix(t, "*") {
		middle = t[1:]
	}
	odd := strings.ContainsAny(middle, "{}~")
	switch {
	case strings.ContainsAny(middle, "*?"):
		return "", "the path " + strconv.Quote(t) + " has a literal star or question mark"
	case middle == t && !odd && strings.HasPrefix(t, "/"):
		return t, ""
	case strings.HasSuffix(t, "/*") && !odd && strings.HasPrefix(t, "/"):
		return t, ""
	}
	return "~" + t, ""
}

func template(t string) (string, string) {
	segments := strings.Split(t, "/")
	some, inside := false, false
	for i, s := range segments {
		switch {
		case s == "{*}":
			segments[i], some = "{x}", true
		case s == "{**}":
			segments[i] = "*"
			inside = inside || i < len(segments)-1
		case strings.ContainsAny(s, "{}*?~"):
			return "", "the path " + strconv.Quote(t) + " is no template"
		}
	}
	text := strings.Join(segments, "/")
	switch {
	case inside && some:
		return "", "a path with {*} before or behind {**}, like " + strconv.Quote(t) + ", is not modelled"
	case inside:
		return "~" + text, ""
	}
	return text, ""
}

func (c *combo) header(name string, list []string, not bool) {
	h := policy.Header{Name: name}
	for _, v := range list {
		if v == "*" {
			h.Values = nil
			break
		}
		if strings.HasPrefix(v, "*") || strings.HasSuffix(v, "*") {
			c.unknown("values of headers that begin or end like " + strconv.Quote(v) + " are not modelled")
			return
		}
		h.Values = append(h.Values, v)
	}
	if strings.HasPrefix(name, ":") {
		c.unknown("the header " + name + " is not modelled")
		return
	}
	slices.Sort(h.Values)
	h.Values = slices.Compact(h.Values)
	if not {
		c.not = append(c.not, policy.HTTP{Headers: []policy.Header{h}})
		return
	}
	for _, other := range c.http.Headers {
		if other.Name == name {
			c.unknown("two conditions speak of the header " + name)
			return
		}
	}
	c.http.Headers = append(c.http.Headers, h)
	slices.SortFunc(c.http.Headers, func(a, b policy.Header) int { return strings.Compare(a.Name, b.Name) })
}

// ownDomain rewrites principals and trust domains of another name than the mesh's
// own is known to have, where it may have that name: nothing was read that would
// say so. strange is the last such name.
func (l *lifter) ownDomain(kind string, list []string) (out []string, strange string) {
	if l.mesh.said || l.source.Alone || kind != "principals" && kind != "trustDomains" {
		return list, ""
	}
	for _, v := range list {
		domain, rest, _ := strings.Cut(v, "/")
		if domain != "" && !strings.Contains(domain, "*") && !slices.Contains(l.mesh.domains, domain) {
			strange = domain
			v = strings.TrimSuffix("cluster.local/"+rest, "/")
		}
		out = append(out, v)
	}
	return out, strange
}

// identities matches the workloads of the mesh whose certificates are meant. A
// principal is TRUST-DOMAIN/ns/NAMESPACE/sa/ACCOUNT.
func (l *lifter) identities(a *authorization, kind string, list []string) layer.Match {
	var out layer.Match
	for _, v := range list {
		switch kind {
		case "principals":
			out = append(out, l.principal(v)...)
		case "namespaces":
			if strings.Contains(v, "*") {
				out = append(out, layer.Term{Principals: []string{account(v, "*")}})
			} else {
				out = append(out, inNamespace(v)...)
			}
		case "serviceAccounts":
			ns, name, ok := strings.Cut(v, "/")
			if !ok {
				ns, name = a.namespace, v
			}
			out = append(out, one(ns, name)...)
		case "trustDomains":
			if slices.ContainsFunc(l.mesh.domains, func(d string) bool { return layer.Glob(v, d) }) {
				out = append(out, layer.Term{Workload: true})
			}
		}
	}
	return and(out, l.mesh.all)
}

func account(ns, name string) string { return "system:serviceaccount:" + ns + ":" + name }

// one matches the workloads of a service account.
func one(ns, name string) layer.Match {
	s, err := label.Parse("k8s/namespace=" + ns + ",k8s/serviceaccount=" + name)
	if err != nil {
		return nil
	}
	return layer.Selected(s)
}

// principal reads a principal: exact, or with a star in front or behind.
func (l *lifter) principal(v string) layer.Match {
	glob := func(p string) layer.Match { return layer.Match{{Principals: []string{p}}} }
	switch {
	case v == "*":
		return layer.Match{{Workload: true}}
	case strings.HasPrefix(v, "*"):
		if g := l.ending(v[1:]); g != "" {
			return glob(g)
		}
		return nil
	case strings.HasSuffix(v, "*"):
		for _, d := range l.mesh.domains {
			if g := beginning(strings.TrimSuffix(v, "*"), d+"/ns/"); g != "" {
				return glob(g)
			}
		}
		return nil
	}
	for _, d := range l.mesh.domains {
		if rest, ok := strings.CutPrefix(v, d+"/ns/"); ok {
			if ns, name, ok := strings.Cut(rest, "/sa/"); ok {
				return one(ns, name)
			}
		}
	}
	return nil
}

// beginning turns the beginning of a principal into a pattern of service
// accounts; "" if none begins so.
func beginning(v, base string) string {
	if strings.HasPrefix(base, v) {
		return account("*", "*")
	}
	rest, ok := strings.CutPrefix(v, base)
	if !ok {
		return ""
	}
	ns, rest, ok := strings.Cut(rest, "/")
	switch name, behind := strings.CutPrefix(rest, "sa/"); {
	case !ok:
		return account(ns+"*", "*")
	case behind:
		return account(ns, name+"*")
	case strings.HasPrefix("sa/", rest):
		return account(ns, "*")
	}
	return ""
}

// ending does the same with the end of one.
func (l *lifter) ending(v string) string {
	parts := strings.Split(v, "/")
	n := len(parts)
	name := parts[n-1]
	switch {
	case n == 1:
		return account("*", "*"+name)
	case !strings.HasSuffix("sa", parts[n-2]) || n > 2 && parts[n-2] != "sa":
		return ""
	case n == 2:
		return account("*", name)
	case n == 3:
		return account("*"+parts[0], name)
	case !strings.HasSuffix("ns", parts[n-4]) || n > 4 && parts[n-4] != "ns":
		return ""
	case n == 5 && !slices.ContainsFunc(l.mesh.domains, func(d string) bool { return strings.HasSuffix(d, parts[0]) }), n > 5:
		return ""
	}
	return account(parts[n-3], name)
}
