package gen

import "fmt"

// policy writes every document but the inventory.
func (w *writer) policy() {
	w.estateFile()
	w.zoneFile()
	for i := range w.teams {
		w.serviceFile(&w.teams[i])
	}
	w.externalFile()
	m := newMaker(w)
	m.guardrails()
	m.rules()
	m.exceptions()
	m.cases()
	w.end()
}

func (w *writer) estateFile() {
	w.begin("estate.yaml", fmt.Sprintf("%d workloads, %d identities, %d rules; made by firebreak gen with seed %d", w.Workloads, w.Identities, w.Rules, w.Seed))
	w.printf("kind: Estate\nmetadata: {name: corp, owner: platform}\nspec:\n  networks: [10.0.0.0/8, \"fd00::/8\"]\n  labels:\n")
	w.printf("  - {from: \"tag:Environment\", to: env, map: {production: prod, development: dev}, authority: controller}\n")
	w.printf("  inventory:\n")
	for _, s := range w.sources {
		w.printf("  - {file: %s}\n", s.name)
	}
	if len(w.frontendList()) > 0 {
		w.printf("  - {file: %s}\n", frontendFile)
	}
	w.printf("  - {file: %s}\n", networkFile)
}

func (w *writer) zoneFile() {
	w.begin("zones.yaml", "trust zones: environment by class of data")
	for _, z := range w.zones {
		stage := "observe"
		switch {
		case z.env == prod:
			stage = "enforce"
		case envs[z.env] == "staging":
			stage = "alert"
		}
		scope := ""
		if z.class == restricted {
			scope = "\n  scope: [pci-dss, gdpr]"
		}
		w.printf("---\nkind: Zone\nmetadata: {name: %s, owner: platform}\nspec:\n  select: env=%s,data-class=%s\n  sensitivity: %s%s\n  stage: %s\n  default: deny\n",
			z.name, envs[z.env], classes[z.class], classes[z.class], scope, stage)
	}
	w.printf("---\nkind: Zone\nmetadata: {name: unassigned, owner: platform}\nspec: {stage: enforce, default: deny}\n")
}

func (w *writer) serviceFile(t *team) {
	if w.begin("services/"+t.name+".yaml", "what "+t.name+" runs"); w.err != nil {
		return
	}
	for i := t.first; i < t.first+t.size; i++ {
		s := &w.services[i]
		a := &w.apps[s.app]
		w.printf("---\nkind: Service\nmetadata: {name: %s, owner: %s}\nspec:\n  select: %s\n  ports:\n", s.name, t.name, w.selector(i))
		for _, p := range a.role.ports {
			w.printf("  - {name: %s, port: %d}\n", p.name, p.number)
		}
	}
	if t.first == 0 {
		w.regional()
	}
}

// selector is what a service selects.
func (e *estate) selector(s int) string {
	a := &e.apps[e.services[s].app]
	return appLabel(a) + "=" + a.name + ",env=" + envs[e.services[s].env]
}

// regional writes a Service of everything that production has in one region.
// It is what makes the region count: groups of one service in two regions are
// two identities, however few rules there are.
func (w *writer) regional() {
	region := w.regionOf(0)
	w.printf("---\nkind: Service\nmetadata: {name: production-%s, owner: platform}\nspec: {select: \"env=prod,cloud/region=%s\"}\n", region, region)
}

// regionOf is a region in which a service is.
func (e *estate) regionOf(s int) string {
	for i := range e.groups {
		if e.groups[i].service == s {
			return e.groups[i].region
		}
	}
	return ""
}

// externals is how many of outside are documents.
func (e *estate) externals() int { return min(len(outside), 2+e.Rules/100) }

func (w *writer) externalFile() {
	w.begin("externals.yaml", "who is outside")
	w.printf("---\nkind: External\nmetadata: {name: internet, owner: platform}\nspec: {cidrs: [0.0.0.0/0, \"::/0\"], reason: customers come from anywhere}\n")
	for i, x := range outside[:w.externals()] {
		where := fmt.Sprintf("cidrs: [198.51.100.%d/28]", i*16)
		if i%3 == 1 {
			where = fmt.Sprintf("fqdns: [api.%s.example, \"*.%[1]s.example\"]", x.name)
		}
		w.printf("---\nkind: External\nmetadata: {name: %s, owner: procurement}\nspec:\n  %s\n  reason: %s\n", x.name, where, x.reason)
	}
}

// zonesOf are the zones of an environment with a class that keep permits.
func (e *estate) zonesOf(env int, keep func(class int) bool) []zone {
	var out []zone
	for _, z := range e.zones {
		if z.env == env && keep(z.class) {
			out = append(out, z)
		}
	}
	return out
}

// vault is the zone that guardrails guard; ok is false if the estate has none.
func (e *estate) vault() (zone, bool) {
	list := e.zonesOf(prod, func(class int) bool { return class == restricted })
	if len(list) == 0 {
		return zone{}, false
	}
	return list[0], true
}
