package ebpf

import (
	"strings"

	"firebreak/internal/policy"
)

// conditional reports whether a rule speaks of some requests only, which the
// kernel does not see.
func conditional(rule *policy.Rule) bool { return rule.Cond != nil && len(rule.Cond.HTTP) > 0 }

// rendered reports whether the kernel can hold a rule at all. A deny of some
// requests would deny all of them.
func rendered(rule *policy.Rule) bool { return rule.Effect != policy.Deny || !conditional(rule) }

// report warns of what a rule that touches this host demands and the kernel
// cannot see.
func (r *renderer) report(rule *policy.Rule) {
	var what []string
	if conditional(rule) {
		what = append(what, "http: the kernel sees no requests, so "+[...]string{
			policy.Allow: "all on its ports pass",
			policy.Deny:  "it denies nothing",
			policy.Pass:  "what may pass with it or without it passes",
		}[rule.Effect])
	}
	if rule.Cond != nil && rule.Cond.MTLS {
		what = append(what, "require: the kernel sees no certificates, so peers that have proven nothing pass")
	}
	for _, end := range [...]*policy.Peers{&rule.From, &rule.To} {
		what = append(what, r.names(rule, end)...)
	}
	if len(what) == 0 {
		return
	}
	r.diags.Warnf(rule.Pos, "unenforced", "rule %s is not enforced as written on this host; %s", rule.Ref, strings.Join(what, "; ")).
		WithHelp("let a layer that sees it enforce it too, such as a proxy or a mesh")
}

// names says what becomes of the FQDNs that an end speaks of.
func (r *renderer) names(rule *policy.Rule, end *policy.Peers) []string {
	var out []string
	for _, i := range end.Externals {
		x := &r.p.Externals[i]
		if len(x.FQDNs) == 0 {
			continue
		}
		does := [...]string{policy.Allow: "opens", policy.Deny: "denies", policy.Pass: "passes on"}[rule.Effect]
		text := "it " + does + " nothing to them"
		switch {
		case end.Not:
			text = "it " + does + " them too"
		case len(x.CIDRs) > 0:
			text = "it " + does + " nothing beyond the cidrs"
		}
		out = append(out, "fqdns of external "+x.Name+": their addresses are not known here, so "+text)
	}
	return out
}
