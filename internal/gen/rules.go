package gen

import (
	"fmt"
	"hash/fnv"
)

// maker makes the rules, policy by policy.
type maker struct {
	*writer
	r        *random
	said     map[uint64]bool // what rules speak of, so that no two say the same
	odd      int             // rules that had to make up a port
	expected []expectation

	names map[string]bool // in the policy at hand
}

// expectation is a line of a Case.
type expectation struct{ from, to, port, effect string }

func newMaker(w *writer) *maker {
	return &maker{writer: w, r: &random{hash(w.Seed, 2)}, said: map[uint64]bool{}}
}

// rule is the text of a rule's fields. What is empty is left out.
type rule struct {
	name, effect, from, to, ports, extra, reason string
}

func (m *maker) header(name, owner, spec string) {
	m.names = map[string]bool{}
	m.printf("---\nkind: Policy\nmetadata: {name: %s, owner: %s}\nspec:\n%s  stage: enforce\n  rules:\n", name, owner, spec)
}

func (m *maker) write(x rule) {
	name := x.name
	for n := 2; m.names[name] || len(name) > 63; n++ {
		name = fmt.Sprintf("%.55s-%d", x.name, n)
	}
	m.names[name] = true
	m.printf("  - name: %s\n    effect: %s\n    from: {%s}\n    to: {%s}\n", name, x.effect, x.from, x.to)
	if x.ports != "" {
		m.printf("    ports: [%s]\n", x.ports)
	}
	m.printf("%s    reason: %s\n", x.extra, x.reason)
}

// fresh reports whether no rule has spoken of this yet, and notes that one now
// does.
func (m *maker) fresh(from, to, what string) bool {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s\x00%s\x00%s", from, to, what)
	key := h.Sum64()
	if m.said[key] {
		return false
	}
	m.said[key] = true
	return true
}

// rules writes all Policies: a few of the platform's, and those of the teams.
func (m *maker) rules() {
	m.begin("policies/platform.yaml", "what holds for everybody")
	left := m.Rules - m.platform(m.Rules/50) - m.baseline(m.Rules/100)
	sizes := m.policySizes(left)
	for i, n := range sizes {
		first, last := i*len(m.teams)/len(sizes), ((i+1)*len(m.teams)-1)/len(sizes)
		name := m.teams[first].name
		if i == 0 || m.teams[(i-1)*len(m.teams)/len(sizes)].name != name {
			m.begin("policies/"+name+".yaml", "who may talk to what "+name+" runs")
		} else {
			name = fmt.Sprintf("%s-%d", name, i+1)
		}
		if m.err != nil {
			return
		}
		m.header("team-"+name, m.teams[first].name, "")
		m.teamRules(n, m.teams[first].first, m.teams[last].first+m.teams[last].size)
	}
}

// policySizes divides rules into policies of 20 to 60, 40 on average.
func (m *maker) policySizes(rules int) []int {
	if rules == 0 {
		return nil
	}
	sizes := make([]int, max(1, rules/40))
	for i := range sizes {
		sizes[i] = rules / len(sizes)
		if i < rules%len(sizes) {
			sizes[i]++
		}
	}
	for i := 0; i+1 < len(sizes); i += 2 {
		d := m.r.below(max(1, min(20, sizes[i]-20)))
		sizes[i], sizes[i+1] = sizes[i]-d, sizes[i+1]+d
	}
	return sizes
}

// platform writes at most n rules of the platform tier and returns how many.
func (m *maker) platform(n int) int {
	var legacy, apart, watch []rule
	for _, p := range []struct{ name, port string }{{"telnet", "23/TCP"}, {"ftp", "21/TCP"}, {"smb", "445/TCP"}, {"rlogin", "513/TCP"}} {
		legacy = append(legacy, rule{"no-" + p.name, "deny", "any: true", "any: true", p.port, "", "nobody needs " + p.name})
	}
	for _, z := range m.zonesOf(prod, func(int) bool { return true }) {
		if z.class != restricted { // that is a guardrail's
			apart = append(apart, rule{"keep-out-of-" + z.name, "deny", `select: "env,env!=prod"`, "zone: " + z.name, "", "", "production is for production"})
		}
	}
	if s := m.watcher(); s >= 0 {
		for _, z := range m.zonesOf(prod, func(int) bool { return true }) {
			watch = append(watch, rule{"scrape-" + z.name, "allow", "service: " + m.services[s].name, "zone: " + z.name, "9102/TCP", "", "metrics are collected centrally"})
		}
	}
	written := 0
	for i, p := range []struct {
		name  string
		rules []rule
	}{{"no-legacy-protocols", legacy}, {"environments-apart", apart}, {"observability", watch}} {
		p.rules = p.rules[:min(len(p.rules), n-written)]
		if len(p.rules) == 0 {
			continue
		}
		m.header("platform-"+p.name, "security", fmt.Sprintf("  tier: platform\n  priority: %d\n", 100*(i+1)))
		for _, x := range p.rules {
			m.write(x)
		}
		written += len(p.rules)
	}
	return written
}

// watcher is a service that collects metrics from all of production; -1 if
// none could.
func (m *maker) watcher() int {
	for _, s := range m.byEnv[prod] {
		if a := &m.apps[m.services[s].app]; a.class == internal && a.role.tier == "app" {
			return s
		}
	}
	return -1
}

// baseline writes at most n rules of the baseline tier and returns how many.
func (m *maker) baseline(n int) int {
	n = min(n, len(m.zones))
	if n == 0 {
		return 0
	}
	m.header("baseline", "platform", "  tier: baseline\n")
	for _, z := range m.zones[:n] {
		m.write(rule{"echo-in-" + z.name, "allow", "zone: " + z.name, "zone: " + z.name, "icmp", "", "who shares a zone may ping"})
	}
	return n
}
