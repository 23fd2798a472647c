package lint

import (
	"fmt"
	"slices"

	"firebreak/internal/diag"
	"firebreak/internal/lang"
)

// Unknown says what is wrong with a code that somebody wants to be left out:
// "" if there is such a finding. help may be empty.
func Unknown(code string) (message, help string) {
	if slices.Contains(Codes, code) || slices.Contains(diag.Codes, code) {
		return "", ""
	}
	message = fmt.Sprintf("there is no finding %q", code)
	if near := diag.Nearest(code, slices.Concat(Codes, diag.Codes)); near != "" {
		help = fmt.Sprintf("did you mean %s?", near)
	} else {
		help = "codes stand in what check says, behind the severity"
	}
	return message, help
}

// elsewhere are what a document accepts beside findings of this room: that a
// guardrail cannot be proven, and, in what prove says, that no layer enforces a
// condition of its rules.
var elsewhere = []string{"guardrail-unproven", "unenforced"}

// codes finds documents that accept what is never found.
func (l *linter) codes() {
	judge := func(m lang.Meta) {
		for _, code := range m.Accepts {
			if slices.Contains(Codes, code) || slices.Contains(elsewhere, code) {
				continue
			}
			message, help := Unknown(code)
			if message == "" {
				message, help = fmt.Sprintf("%s cannot be accepted by a document", code), "correct what it finds, or leave it out with --ignore "+code
			}
			l.diags.Warnf(m.Pos, "unknown-code", "%s accepts what is not: %s", m.Name, message).WithHelp("%s", help)
		}
	}
	if l.dir.Estate != nil {
		judge(l.dir.Estate.Meta)
	}
	for _, x := range l.dir.Zones {
		judge(x.Meta)
	}
	for _, x := range l.dir.Services {
		judge(x.Meta)
	}
	for _, x := range l.dir.Externals {
		judge(x.Meta)
	}
	for _, x := range l.dir.Policies {
		judge(x.Meta)
	}
	for _, x := range l.dir.Guardrails {
		judge(x.Meta)
	}
	for _, x := range l.dir.Exceptions {
		judge(x.Meta)
	}
	for _, x := range l.dir.Cases {
		judge(x.Meta)
	}
}
