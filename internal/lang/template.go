package lang

import (
	"strconv"

	"go.yaml.in/yaml/v3"

	"firebreak/internal/netset"
)

// draft is a rule that a template makes, before it has a name of its own.
type draft struct {
	suffix   string // of its name, behind that of the entry
	effect   Effect
	from, to Endpoint
	ports    []Port
	mtls     bool
}

// templates are the rule templates by name, with what reads their parameters.
var templates = []struct {
	name string
	read func(*reader, *yaml.Node) []draft
}{
	{"three-tiers", (*reader).threeTiers},
	{"database-access", (*reader).databaseAccess},
	{"shared-logging", (*reader).sharedLogging},
	{"egress-by-name", (*reader).egressByName},
}

// isTemplated reports whether an entry of rules is to be made by a template.
func isTemplated(n *yaml.Node) bool {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.MappingNode {
		return false
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "template" {
			return true
		}
	}
	return false
}

// templated reads an entry of rules that names a template, and adds the rules
// that it stands for. It adds none if something in it was wrong.
func (r *reader) templated(n *yaml.Node, p *Policy, names ruleNames) {
	base := Rule{Stage: p.Stage, Owner: p.Owner, Pos: r.pos(n), NamePos: r.pos(n)}
	var template, with *yaml.Node
	before := len(r.list)
	r.object(n, "a rule made by a template",
		need("name", func(n *yaml.Node) {
			base.NamePos = r.pos(n)
			base.Name = r.name(n, "the name of a rule")
		}),
		need("template", func(n *yaml.Node) { template = n }),
		need("with", func(n *yaml.Node) { with = n }),
		may("stage", func(n *yaml.Node) {
			base.StagePos = r.pos(n)
			choiceTo(r, &base.Stage, "bad-stage", "stage", stages)(n)
		}),
		may("reason", r.textTo(&base.Reason, "the reason")),
		may("owner", r.textTo(&base.Owner, "the owner")))
	if template == nil || with == nil {
		return
	}
	var known []string
	for _, t := range templates {
		known = append(known, t.name)
	}
	i, ok := r.choice(template, "bad-template", "template of rules", known)
	if !ok {
		return
	}
	base.Template = known[i]
	drafts := templates[i].read(r, with)
	if r.list[before:].HasErrors() {
		return
	}
	for _, d := range drafts {
		r.fromDraft(base, d, p, names)
	}
}

func (r *reader) fromDraft(rule Rule, d draft, p *Policy, names ruleNames) {
	rule.Name += "-" + d.suffix
	if !validName(rule.Name) {
		r.errorAt(rule.NamePos, "bad-name", "the template makes a rule called %q, which is no name", shorten(rule.Name)).
			WithHelp("a name has at most 63 characters; choose a shorter one for the template")
		return
	}
	rule.Effect, rule.From, rule.To, rule.Ports, rule.MTLS = d.effect, d.from, d.to, d.ports, d.mtls
	r.addRule(&rule, p, names)
}

// threeTiers lets the web tier reach the app, and the app the data, and keeps
// the web tier from the data whatever else is written.
func (r *reader) threeTiers(n *yaml.Node) []draft {
	var web, app, data Endpoint
	var appPorts, dataPorts []Port
	r.object(n, "three-tiers", r.needEnd("web", &web), r.needEnd("app", &app), r.needEnd("data", &data),
		r.needPorts("appPorts", &appPorts), r.needPorts("dataPorts", &dataPorts))
	return []draft{
		{suffix: "web-to-app", from: web, to: app, ports: appPorts},
		{suffix: "app-to-data", from: app, to: data, ports: dataPorts},
		{suffix: "web-to-data", effect: Deny, from: web, to: data},
	}
}

// databaseAccess lets each client reach the database.
func (r *reader) databaseAccess(n *yaml.Node) []draft {
	var clients []Endpoint
	d := draft{}
	r.object(n, "database-access",
		need("clients", func(n *yaml.Node) { clients = r.ends(n, "clients") }),
		r.needEnd("database", &d.to), r.needPorts("ports", &d.ports),
		may("mtls", func(n *yaml.Node) { d.mtls, _ = r.truth(n, "mtls") }))
	return fromEach(clients, d)
}

// sharedLogging lets everything listed reach the collector of logs.
func (r *reader) sharedLogging(n *yaml.Node) []draft {
	var from []Endpoint
	d := draft{}
	r.object(n, "shared-logging",
		need("from", func(n *yaml.Node) { from = r.ends(n, "from") }), r.needEnd("to", &d.to), r.needPorts("ports", &d.ports))
	return fromEach(from, d)
}

// egressByName lets everything listed reach one External, by HTTPS where no
// ports are given.
func (r *reader) egressByName(n *yaml.Node) []draft {
	var from []Endpoint
	d := draft{ports: []Port{{Traffic: netset.Of(netset.TCP, 443, 443), Pos: r.pos(n)}}}
	r.object(n, "egress-by-name",
		need("from", func(n *yaml.Node) { from = r.ends(n, "from") }),
		need("to", func(n *yaml.Node) {
			d.to = r.endpoint(n, "to", inRule)
			if d.to.Kind != ByExternal && d.to.Kind != ByNothing {
				r.errorf(n, "bad-template", "egress-by-name leads to an External, not to a %s", d.to.Kind).
					WithHelp("write to: {external: NAME}")
			}
		}),
		may("ports", func(n *yaml.Node) { d.ports = r.ports(n) }))
	return fromEach(from, d)
}

func (r *reader) needEnd(name string, dst *Endpoint) field {
	return need(name, func(n *yaml.Node) { *dst = r.endpoint(n, name, inRule) })
}

func (r *reader) needPorts(name string, dst *[]Port) field {
	return need(name, func(n *yaml.Node) { *dst = r.ports(n) })
}

// ends reads one endpoint or a list of them.
func (r *reader) ends(n *yaml.Node, what string) []Endpoint {
	v := n
	if v.Kind == yaml.AliasNode {
		v = v.Alias
	}
	if v.Kind != yaml.SequenceNode {
		return []Endpoint{r.endpoint(n, what, inRule)}
	}
	var out []Endpoint
	r.each(n, what, func(n *yaml.Node) { out = append(out, r.endpoint(n, what, inRule)) })
	return out
}

// fromEach makes an allow per source. Its name is the source's where that has
// one, so that it stays when the list changes, and otherwise its place in the
// list.
func fromEach(from []Endpoint, d draft) []draft {
	var out []draft
	for i, e := range from {
		d.from, d.suffix = e, strconv.Itoa(i+1)
		if validName(e.Name) {
			d.suffix = e.Name
		}
		out = append(out, d)
	}
	return out
}
