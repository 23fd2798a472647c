package load

import (
	"fmt"
	"slices"
	"strings"

	"firebreak/internal/diag"
	"firebreak/internal/layer"
	"firebreak/internal/live/aws"
)

// mostAside is how many findings of one layer are told that make no verdict
// unknown.
const mostAside = 20

// aside warns of what a layer's reader found and no verdict tells of, since it
// concerns no workload that is known: a group that was never made, a call that
// nobody asked for.
func aside(l *layer.Layer) (diags diag.List) {
	left := 0
	for i := range l.Unknown {
		u := &l.Unknown[i]
		if len(u.Concerns) > 0 {
			continue
		}
		what := named(u)
		if !strings.HasPrefix(what, l.Target) {
			what = l.Target + ": " + what
		}
		d := diag.Diagnostic{Code: "live-aside", Severity: diag.Warning, Pos: diag.Pos{File: u.Where.File, Line: u.Where.Line}, Message: what}
		if slices.Contains(diags, d) {
			continue
		}
		if len(diags) == mostAside {
			left++
			continue
		}
		diags = append(diags, d)
	}
	if left > 0 {
		diags.Warnf(diag.Pos{}, "live-aside", "%s: %d more findings like these concern no workload that is known", l.Target, left)
	}
	return diags
}

// named is why something was not understood, with its name.
func named(u *layer.Unknown) string {
	name := u.Where.Rule
	if u.Where.Policy != "" {
		name = strings.TrimSuffix(u.Where.Policy+"/"+name, "/")
	}
	if name == "" || strings.Contains(u.Why, name) {
		return u.Why
	}
	return name + ": " + u.Why
}

// scope says of which accounts and regions AWS's answers speak: of what is
// elsewhere, and of what a filter left out, they cannot.
func scope(a *aws.Answers) (diags diag.List) {
	if !a.Any() {
		return nil
	}
	var said []string
	for _, p := range a.Places() {
		switch {
		case p.Region == "":
			said = append(said, "account "+p.Account)
		case p.Account == "":
			said = append(said, p.Region)
		default:
			said = append(said, p.Region+" of account "+p.Account)
		}
	}
	const most = 10
	if more := len(said) - most; more > 0 {
		said = append(said[:most], fmt.Sprintf("%d more", more))
	}
	where := strings.Join(said, ", ")
	if n := len(said); n > 1 {
		where = strings.Join(said[:n-1], ", ") + " and " + said[n-1]
	}
	if where == "" {
		where = "no account and no region that they name"
	}
	diags.Infof(diag.Pos{}, "aws-scope", "the answers of AWS are about %s: nothing is known of what is elsewhere, or was left out by a filter", where)
	return diags
}
