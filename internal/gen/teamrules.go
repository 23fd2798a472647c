package gen

import (
	"fmt"
	"strings"
)

// tries is how often a rule is thought of before one is made up.
const tries = 40

// teamRules writes n rules, most of them about who may talk to the services
// from first (inclusive) to end (exclusive).
func (m *maker) teamRules(n, first, end int) {
	for range n {
		x, ok := rule{}, false
		for t := 0; t < tries && !ok; t++ {
			to := first + m.r.skewed(end-first)
			switch k := m.r.below(100); {
			case k < 72:
				x, ok = m.betweenServices(to)
			case k < 80:
				x, ok = m.fromZone(to)
			case k < 89:
				x, ok = m.fromSelector(to)
			case k < 93:
				x, ok = m.outside(to)
			case k < 98:
				x, ok = m.denied(to)
			default:
				x, ok = m.fromPrincipal(to)
			}
		}
		if !ok {
			x = m.madeUp(first + m.r.below(end-first))
		}
		if m.r.chance(8) {
			x.extra = "    stage: observe\n" + x.extra
		}
		m.write(x)
	}
}

// permitted reports whether the guardrails let a class talk to a service of
// the same environment.
func (m *maker) permitted(class, to int) bool {
	return class != public || m.services[to].env != prod || m.class(to) != restricted
}

func (m *maker) class(s int) int { return m.apps[m.services[s].app].class }

// caller picks a service that talks to another: half of them from the same
// team, the others from anywhere in the same environment. It returns -1 if the
// one that it picked may not.
func (m *maker) caller(to int) int {
	all := m.byEnv[m.services[to].env]
	s := all[m.r.below(len(all))]
	if m.r.chance(50) {
		t := m.teams[m.apps[m.services[to].app].team]
		s = t.first + m.r.below(t.size)
	}
	if s == to || m.services[s].env != m.services[to].env || !m.permitted(m.class(s), to) {
		return -1
	}
	return s
}

// purposes are the ports that a service is there for: not those that watch or
// manage it.
func (m *maker) purposes(s int) []string {
	var out []string
	for _, p := range m.apps[m.services[s].app].role.ports {
		if p != metricsPort && p != adminPort {
			out = append(out, p.name)
		}
	}
	return out
}

func (m *maker) betweenServices(to int) (rule, bool) {
	from, ports := m.caller(to), m.purposes(to)
	if from < 0 || len(ports) == 0 || !m.fresh(m.services[from].name, m.services[to].name, "purpose") {
		return rule{}, false
	}
	if m.r.chance(75) {
		ports = ports[:1]
	}
	a, b := &m.services[from], &m.services[to]
	x := rule{m.apps[a.app].name + "-to-" + m.apps[b.app].name, "allow", "service: " + a.name, "service: " + b.name, strings.Join(ports, ", "), "", "calls of " + a.name}
	x.extra = m.condition(to)
	if x.extra == "" {
		m.remember(from, to, ports[0])
	}
	return x, true
}

// small is how many replicas a service may have for a Case to speak of it: the
// reference evaluator asks about every pair of them.
func (e *estate) small() int { return 3 + e.Workloads/e.Identities/6 }

// remember keeps a few permitted calls for Cases.
func (m *maker) remember(from, to int, port string) {
	a, b := &m.services[from], &m.services[to]
	if len(m.expected) < 12 && a.replicas <= m.small() && b.replicas <= m.small() {
		m.expected = append(m.expected, expectation{"service: " + a.name, "service: " + b.name, port, "allow"})
	}
}

func (m *maker) fromZone(to int) (rule, bool) {
	s := &m.services[to]
	zones := m.zonesOf(s.env, func(class int) bool { return m.permitted(class, to) })
	if len(zones) == 0 {
		return rule{}, false
	}
	z := pick(m.r, zones)
	if !m.fresh(z.name, s.name, "metrics") {
		return rule{}, false
	}
	return rule{"watch-" + m.apps[s.app].name, "allow", "zone: " + z.name, "service: " + s.name, metricsPort.name, "", "collectors run everywhere"}, true
}

func (m *maker) hasAdmin(s int) bool {
	for _, p := range m.apps[m.services[s].app].role.ports {
		if p == adminPort {
			return true
		}
	}
	return false
}

// fromSelector allows a part of a team's workloads, by label. The selector
// always matches the caller that it was made from, and pins the class and, where
// a guardrail cares, the environment. Some are careless about environments: what
// those open too wide is what the platform's denies are there for.
func (m *maker) fromSelector(to int) (rule, bool) {
	from := m.caller(to)
	if from < 0 || !m.hasAdmin(to) {
		return rule{}, false
	}
	a := &m.apps[m.services[from].app]
	words := []string{"env=" + envs[m.services[from].env], "team=" + m.teams[a.team].name}
	switch m.r.below(3) {
	case 0:
		words = append(words, "data-class="+classes[a.class])
	case 1:
		words = append(words, fmt.Sprintf("data-class in (%s,%s)", classes[a.class], classes[max(a.class, internal)]), "tier="+a.role.tier)
	default:
		words = append(words, "data-class="+classes[a.class], "tier,tier!="+otherTier[a.role.tier])
	}
	if m.class(to) != restricted && m.r.chance(30) {
		words[0] = "env"
	}
	selector := strings.Join(words, ",")
	if !m.fresh(words[1]+classes[a.class], m.services[to].name, "admin") {
		return rule{}, false
	}
	return rule{a.domain + "-administers-" + m.apps[m.services[to].app].name, "allow", fmt.Sprintf("select: %q", selector), "service: " + m.services[to].name, adminPort.name, "", "operators of " + a.domain}, true
}

// otherTier is a tier that a workload is not in.
var otherTier = map[string]string{"edge": "data", "app": "edge", "data": "edge"}

// outside is a rule about an external: customers at the edge, partners behind.
func (m *maker) outside(s int) (rule, bool) {
	v := &m.services[s]
	a := &m.apps[v.app]
	x := outside[m.r.below(m.externals())]
	switch {
	case v.env != prod:
		return rule{}, false
	case a.class == public && a.role.ports[0].name == "https" && m.fresh("internet", v.name, "purpose"):
		return rule{"customers-to-" + a.name, "allow", "external: internet", "service: " + v.name, "8443/TCP", "", "customers come from anywhere"}, true
	case a.role.tier == "app" && m.fresh(v.name, x.name, "outside"):
		return rule{a.name + "-to-" + x.name, "allow", "service: " + v.name, "external: " + x.name, "443/TCP", "", x.reason}, true
	}
	return rule{}, false
}

// denied keeps everybody of the environment's region from a service's
// management.
func (m *maker) denied(to int) (rule, bool) {
	from := m.caller(to)
	if from < 0 || !m.hasAdmin(to) {
		return rule{}, false
	}
	a, b := &m.services[from], &m.services[to]
	if m.apps[a.app].role.tier != "edge" || !m.fresh(a.name, b.name, "denied") {
		return rule{}, false
	}
	return rule{"no-" + m.apps[a.app].name + "-to-" + m.apps[b.app].name, "deny", "service: " + a.name, "service: " + b.name, adminPort.name, "", "the edge administers nothing"}, true
}

// fromPrincipal allows a service by its cryptographic or cloud name.
func (m *maker) fromPrincipal(to int) (rule, bool) {
	from, ports := m.caller(to), m.purposes(to)
	if from < 0 || len(ports) == 0 || m.apps[m.services[from].app].role.vm || !m.fresh(m.services[from].name, m.services[to].name, "purpose") {
		return rule{}, false
	}
	a, b := &m.services[from], &m.services[to]
	name := "spiffe://corp.example/ns/" + m.apps[a.app].domain + "/sa/" + a.name
	return rule{m.apps[a.app].name + "-proven-to-" + m.apps[b.app].name, "allow", "principal: " + name, "service: " + b.name, ports[0], m.mtls(), "calls of " + a.name}, true
}

// madeUp is a rule about a port that no other rule has, for estates with more
// rules than sensible conversations.
func (m *maker) madeUp(to int) rule {
	from := m.caller(to)
	if from < 0 {
		from = to
	}
	m.odd++
	a, b := &m.services[from], &m.services[to]
	return rule{m.apps[a.app].name + "-extra", "allow", "service: " + a.name, "service: " + b.name, fmt.Sprintf("%d/TCP", 10_000+m.odd%50_000), "", "a port of its own"}
}
