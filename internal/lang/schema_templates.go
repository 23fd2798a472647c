package lang

import "slices"

// entryForm is an entry of rules: a rule, or what a template makes rules of.
func entryForm() *form {
	rule := ruleForm()
	f := &form{shape: anObject, choices: []choice{{field: "template", form: rule}}}
	var with []member
	for _, t := range templateForms() {
		f.choices = append(f.choices, choice{"template", t.name, templateEntry(t.name, t.form)})
		with = merged(with, t.form.fields)
	}
	f.fields = merged([]member{
		rule.fields[0], can("template", text("")), can("with", object("", with...)),
	}, rule.fields)
	return f
}

// merged adds the fields that are not there yet.
func merged(fields, more []member) []member {
	for _, m := range more {
		if !slices.ContainsFunc(fields, func(have member) bool { return have.name == m.name }) {
			fields = append(fields, m)
		}
	}
	return fields
}

func templateEntry(name string, with *form) *form {
	return object("Rules made by a template.",
		must("name", matching("What the names of the rules begin with.", namePattern)),
		must("template", oneWord("Which template.", []string{name})),
		must("with", with),
		can("stage", oneWord("How far the rules have been promoted; the policy's if not given.", stages)),
		can("reason", text("Why they are there.")),
		can("owner", text("Who answers for them; the policy's owner if not given.")))
}

// templateForms are the parameters of each template, in the order of the
// reference.
func templateForms() []member {
	ends := func(about string) *form {
		return either(about, endForm(""), list("", endForm("")))
	}

	return []member{
		can("three-tiers", object("Web may reach app, app may reach data, and web never reaches data.",
			must("web", endForm("Who faces the users.")),
			must("app", endForm("Who does the work.")),
			must("data", endForm("Who keeps the data.")),
			must("appPorts", portsForm()),
			must("dataPorts", portsForm()))),
		can("database-access", object("Each client may reach the database.",
			must("clients", ends("Who may.")),
			must("database", endForm("The database.")),
			must("ports", portsForm()),
			can("mtls", truth("Clients must prove their principals.")))),
		can("shared-logging", object("Everything listed may reach the collector of logs.",
			must("from", ends("Who may.")),
			must("to", endForm("The collector.")),
			must("ports", portsForm()))),
		can("egress-by-name", object("Everything listed may reach one External.",
			must("from", ends("Who may.")),
			must("to", object("The External.", must("external", matching("Its name.", namePattern)))),
			can("ports", portsForm()))),
	}
}
