package gen

// condition is the further demands of a rule to a service, for a few percent
// of them.
func (m *maker) condition(to int) string {
	role := m.apps[m.services[to].app].role
	switch k := m.r.below(100); {
	case k < 5 && role.http:
		return "    http: [{methods: [GET, POST], paths: [\"/api/v" + string(rune('1'+m.r.below(3))) + "/" + m.apps[m.services[to].app].domain + "/*\"]}]\n"
	case k < 9:
		return m.mtls()
	case k < 11:
		return "    when: {hours: \"06:00-22:00\", days: [mon, tue, wed, thu, fri], timeZone: Europe/Berlin}\n"
	}
	return ""
}

func (m *maker) mtls() string {
	return "    require: mtls\n"
}

// guardrails writes what must hold whatever the rules say.
func (m *maker) guardrails() {
	v, ok := m.vault()
	if !ok {
		return
	}
	m.begin("guardrails.yaml", "what must hold whatever the rules say")
	m.printf("---\nkind: Guardrail\nmetadata: {name: production-data-stays, owner: security}\nspec:\n  stage: enforce\n  never: {from: {select: \"env,env!=prod\"}, to: {zone: %s}}\n  controls: [PCI-DSS-1.3.1]\n", v.name)
	m.printf("---\nkind: Guardrail\nmetadata: {name: the-edge-sees-no-restricted-data, owner: security}\nspec:\n  stage: enforce\n  only:\n    to: {zone: %s}\n    from:\n", v.name)
	for _, z := range m.zonesOf(prod, func(class int) bool { return class != public }) {
		m.printf("    - {zone: %s}\n", z.name)
	}
	m.printf("  controls: [PCI-DSS-1.3.2, ISO27001-A.8.22]\n")
	m.printf("---\nkind: Guardrail\nmetadata: {name: restricted-data-is-accounted-for, owner: security}\nspec:\n  stage: observe\n  must: {rule: {to: {zone: %s}}, have: [owner, reason]}\n", v.name)
}

// exceptions writes allows that were approved for a time, each of something
// that no rule allows. They end in years.
func (m *maker) exceptions() {
	if m.Rules < 100 {
		return
	}
	m.begin("exceptions.yaml", "what was approved for a time")
	for i := range min(1+m.Rules/2000, 20) {
		to, from := m.r.below(len(m.services)), -1
		for t := 0; t < tries && (from < 0 || len(m.purposes(to)) == 0 || !m.fresh(m.services[from].name, m.services[to].name, "purpose")); t++ {
			to = m.r.below(len(m.services))
			from = m.caller(to)
		}
		if from < 0 {
			return
		}
		a, b := &m.services[from], &m.services[to]
		m.printf("---\nkind: Exception\nmetadata: {name: migration-%d, owner: %s}\nspec:\n  from: {service: %s}\n  to: {service: %s}\n  ports: [%d/TCP]\n  ticket: CHG-%d\n  approver: security-lead\n  reason: data moves once\n  expires: 2036-12-31T18:00:00Z\n",
			i+1, m.teams[m.apps[a.app].team].name, a.name, b.name, m.apps[b.app].role.ports[0].number, 4000+i)
	}
}

// cases writes tests: some of what rules permit, and what nothing does.
func (m *maker) cases() {
	if v, ok := m.vault(); ok {
		m.intruders(v)
	}
	if len(m.expected) == 0 {
		return
	}
	m.begin("cases.yaml", "tests that travel with the policy")
	m.printf("---\nkind: Case\nmetadata: {name: calls-that-must-pass-and-calls-that-must-not}\nspec:\n  expect:\n")
	for _, c := range m.expected {
		m.printf("  - {from: {%s}, to: {%s}, port: %s, effect: %s}\n", c.from, c.to, c.port, c.effect)
	}
}

// intruders adds expectations that other environments do not reach what v holds.
func (m *maker) intruders(v zone) {
	for _, to := range m.byEnv[prod] {
		s := &m.services[to]
		if m.class(to) != v.class || s.replicas > m.small() || len(m.purposes(to)) == 0 {
			continue
		}
		for env := prod + 1; env < len(envs); env++ {
			for _, from := range m.byEnv[env][:min(3, len(m.byEnv[env]))] {
				if m.services[from].replicas <= m.small() {
					m.expected = append(m.expected, expectation{"service: " + m.services[from].name, "service: " + s.name, m.purposes(to)[0], "deny"})
					break
				}
			}
		}
		return
	}
}
