package istio

import (
	"slices"
	"strings"

	"firebreak/internal/layer"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
)

// combo is one way in which a rule can match: one of its sources, one of its
// operations, and all of its conditions.
type combo struct {
	line    int
	peer    layer.Match
	notID   layer.Match // who must not be proven to be the peer
	mtls    bool        // the peer must be proven
	traffic netset.Traffic
	http    *policy.HTTP  // nil: it says nothing of requests
	not     []policy.HTTP // requests that it does not mean
	l7      bool          // the rule speaks of what ztunnel does not see
	why     string        // why it is not known what is matched
}

// combos lists the ways in which a rule can match.
func (l *lifter) combos(a *authorization, r rule) []combo {
	from, to := r.from, r.to
	if len(from) == 0 {
		from = []source{nil}
	}
	if len(to) == 0 {
		to = []operation{nil}
	}
	var out []combo
	l7 := false
	for _, f := range from {
		for _, t := range to {
			c := combo{line: r.line, peer: layer.Everything(), traffic: netset.Of(netset.TCP, 0, 65535)}
			l.sources(&c, a, f)
			c.operation(t)
			for _, w := range r.when {
				l.when(&c, a, w)
			}
			l7 = l7 || c.l7
			out = append(out, c)
		}
	}
	for i := range out {
		out[i].l7 = l7
	}
	return out
}

func (c *combo) unknown(why string) {
	if c.why == "" {
		c.why = why
	}
}

// request returns what is said of requests, to add to it.
func (c *combo) request() *policy.HTTP {
	c.l7 = true
	if c.http == nil {
		c.http = &policy.HTTP{}
	}
	return c.http
}

func (l *lifter) sources(c *combo, a *authorization, s source) {
	for _, name := range sourceFields {
		list := s[name]
		if len(list) == 0 {
			continue
		}
		kind, not := strings.CutPrefix(name, "not")
		if not {
			kind = strings.ToLower(kind[:1]) + kind[1:]
		}
		l.peer(c, a, kind, list, not)
	}
}

// peer demands something of the peer, or that it is not so.
func (l *lifter) peer(c *combo, a *authorization, kind string, list []string, not bool) {
	switch kind {
	case "ipBlocks":
		prefixes, why := blocks(list)
		if why != "" {
			c.unknown(why)
		}
		c.addresses(prefixes, not)
		return
	case "remoteIpBlocks":
		c.l7 = true
		c.unknown("remoteIpBlocks are compared with what X-Forwarded-For says, which is not known here")
		return
	case "requestPrincipals":
		c.request()
		c.unknown("what tokens requests carry is not known here")
		return
	}
	list, strange := l.ownDomain(kind, list)
	if strange != "" {
		c.unknown("whether " + strange + " is the mesh's own trust domain is not known: its configuration (ConfigMap istio of istio-system) is not among the files")
		if not { // it may leave out nobody
			return
		}
	}
	m := l.identities(a, kind, list)
	if not {
		c.notID = append(c.notID, m...)
		return
	}
	c.mtls = true
	c.limit(m)
}

// limit narrows the peer to those of m.
func (c *combo) limit(m layer.Match) {
	if len(c.peer) == 1 && isZero(c.peer[0]) {
		c.peer = m
		return
	}
	c.peer = and(c.peer, m)
}

func isZero(t layer.Term) bool {
	return t.Workloads == nil && t.Select == nil && t.Principals == nil && t.Prefixes == nil && t.Names == nil && !t.Workload && !t.Address && t.Not == nil
}

func (c *combo) operation(o operation) {
	for _, name := range operationFields {
		list := o[name]
		if len(list) == 0 {
			continue
		}
		kind, not := strings.CutPrefix(name, "not")
		switch kind = strings.ToLower(kind); {
		case kind == "ports":
			c.ports(list, not)
		case not:
			var h policy.HTTP
			c.request()
			if why := say(&h, kind, list); why != "" {
				c.unknown(why)
			}
			c.not = append(c.not, h)
		default:
			if why := say(c.request(), kind, list); why != "" {
				c.unknown(why)
			}
		}
	}
}

func (c *combo) ports(list []string, not bool) {
	t, why := ports(list)
	if why != "" {
		c.unknown(why)
	}
	if not {
		c.traffic = c.traffic.Subtract(t)
	} else {
		c.traffic = c.traffic.Intersect(t)
	}
}

// when adds a condition: istio.io/latest/docs/reference/config/security/conditions/.
func (l *lifter) when(c *combo, a *authorization, w when) {
	each := func(do func(list []string, not bool)) {
		if len(w.values) > 0 {
			do(w.values, false)
		}
		if len(w.not) > 0 {
			do(w.not, true)
		}
	}
	kinds := map[string]string{"source.principal": "principals", "source.namespace": "namespaces", "source.ip": "ipBlocks",
		"source.serviceAccount": "serviceAccounts", "source.trustDomain": "trustDomains"}
	name, isHeader := strings.CutPrefix(w.key, "request.headers[")
	switch kind := kinds[w.key]; {
	case kind != "":
		c.l7 = c.l7 || kind == "serviceAccounts" || kind == "trustDomains" // ztunnel has no such conditions
		each(func(list []string, not bool) { l.peer(c, a, kind, list, not) })
	case w.key == "destination.port":
		each(c.ports)
	case isHeader && strings.HasSuffix(name, "]"):
		c.request()
		each(func(list []string, not bool) { c.header(strings.ToLower(strings.TrimSuffix(name, "]")), list, not) })
	case strings.HasPrefix(w.key, "request."):
		c.request()
		c.unknown("what " + w.key + " is, is not known here")
	default:
		c.l7 = c.l7 || w.key != "destination.ip"
		c.unknown("what " + w.key + " is, is not known here")
	}
}

// cond is the condition under which a rule of that effect speaks, with or
// without what it says of requests.
func (c *combo) cond(effect layer.Effect, normalized, requests bool) *policy.Condition {
	out := &policy.Condition{MTLS: c.mtls}
	if requests && c.http != nil {
		out.HTTP = []policy.HTTP{*c.http}
		out.Ambiguous = ambiguous(c.http.Paths, effect, normalized)
	}
	if out.HTTP == nil && !out.MTLS {
		return nil
	}
	return out
}

// ambiguous says whether paths in disguise are meant. Where they are rewritten,
// nobody ever sees one, and the language's own way is as right as any other.
// Elsewhere an exact pattern does not match them, another one may: in an allow
// it is taken to, in a deny it is not.
func ambiguous(paths []string, effect layer.Effect, normalized bool) policy.Ambiguous {
	meant := effect == layer.Deny
	if !normalized {
		meant = paths == nil || effect == layer.Allow && slices.ContainsFunc(paths, func(p string) bool { return !plain(p) })
	}
	if meant {
		return policy.Meant
	}
	return policy.NotMeant
}

// plain reports whether a pattern stands for one path, and that is not
// ambiguous.
func plain(p string) bool {
	return !strings.ContainsAny(p, "*{~%\\?") && !strings.Contains(p, "//") && !strings.Contains(p, "/.")
}
