// Package lint finds what is valid but unwise: rules that do nothing or more
// than they say, exceptions that nobody will end, zones that do not separate.
// Every finding has a code and a section in docs/lint.md; none is an error.
package lint

import (
	"slices"
	"time"

	"firebreak/internal/diag"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/verify"
)

// Codes are those of all findings, sorted.
var Codes = []string{
	"any-to-any", "conflicting", "editable-zone-label", "expired", "expires-soon", "long-exception", "never-matching",
	"no-dns", "no-stage", "redundant", "service-port-unserved", "shadowed", "too-coarse", "too-fine",
	"unassigned-workloads", "unknown-code", "unowned", "unserved-port",
}

// Check returns the findings about a policy, sorted by place. The engine must
// have been made of the policy that dir resolves to; what expires is judged at
// its present. Findings that their document accepts (lang.AcceptKey) are left
// out.
func Check(dir *lang.Dir, e *verify.Engine) diag.List {
	l := &linter{dir: dir, e: e, p: e.Policy(), at: e.At(), accepts: map[string][]string{}, templated: map[[2]string]bool{}}
	l.documents()
	l.rules()
	l.zones()
	l.exceptions()
	l.owners()
	l.dns()
	l.unassigned()
	l.servicePorts()
	l.codes()
	l.diags.Sort()
	return l.diags
}

type linter struct {
	dir     *lang.Dir
	e       *verify.Engine
	p       *policy.Policy
	at      time.Time
	accepts map[string][]string // codes by policy, guardrail or exception
	// Rules (policy, name) that a template made: nobody can remove one of them.
	templated map[[2]string]bool
	diags     diag.List

	loose     []*lang.Zone // that enforce by labels of which nobody says who sets them
	looseKeys []string
	served    []netset.Traffic // by identity: what its workloads say that they serve
	behindAll [][]int          // workloads by frontend; nil until it is asked for
}

// documents notes what the documents that rules come from accept.
func (l *linter) documents() {
	note := func(m lang.Meta) {
		if m.Accepts != nil {
			l.accepts[m.Name] = m.Accepts
		}
	}
	for _, x := range l.dir.Policies {
		note(x.Meta)
		for _, r := range x.Rules {
			if r.Template != "" {
				l.templated[[2]string{x.Name, r.Name}] = true
			}
		}
	}
	for _, x := range l.dir.Exceptions {
		note(x.Meta)
	}
	for _, x := range l.dir.Guardrails {
		note(x.Meta)
	}
}

// about returns where a finding of a document goes; a throw-away place if the
// document accepts it.
func (l *linter) about(accepts []string, code string) *diag.List {
	if slices.Contains(accepts, code) {
		return &diag.List{}
	}
	return &l.diags
}

// ofRule is about, for a rule.
func (l *linter) ofRule(r *policy.Rule, code string) *diag.List {
	return l.about(l.accepts[r.Ref.Policy], code)
}
