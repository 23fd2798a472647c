package lattice

import (
	"slices"
	"strings"

	"firebreak/internal/label"
	"firebreak/internal/layer"
	"firebreak/internal/live/terraform"
)

// awsPrincipal matches every name under which AWS knows a caller.
const awsPrincipal = "arn:*:iam::*"

// principal narrows a statement to callers. "*" is everybody, also who does not
// say who it is.
// docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
func (w *way) principal(s *spoken, v terraform.Value) {
	field, not := v.Field("Principal"), v.Field("NotPrincipal")
	negated := not.Kind != terraform.Null
	if negated == (field.Kind != terraform.Null) {
		s.doubtful("a policy of a resource needs either a Principal or a NotPrincipal")
		return
	}
	if negated {
		field = not
	}
	who, everybody := w.principals(s, field)
	switch {
	case everybody && negated:
		s.never = true
	case everybody:
	case negated:
		s.named = true
		s.who = layer.Match{{Principals: []string{awsPrincipal}, Not: who}}
	default:
		s.named, s.nobody = true, false
		s.who = who
	}
}

func (w *way) principals(s *spoken, v terraform.Value) (who layer.Match, everybody bool) {
	if text, ok := v.String(); ok {
		if text != "*" {
			s.doubtful("a Principal is \"*\" or names its kind: {\"AWS\": …}")
		}
		return nil, true
	}
	if v.Kind != terraform.Object {
		s.doubtful("its Principal is not known")
		return nil, true
	}
	var names []string
	for kind, list := range v.Fields {
		switch kind {
		case "AWS":
			values, ok := texts(list)
			if !ok {
				s.doubtful("its Principal is not known")
				return nil, true
			}
			names = append(names, values...)
		case "Service": // an AWS service is no workload
		default:
			s.doubtful("a Principal of the kind %s is not understood", kind)
		}
	}
	if slices.Contains(names, "*") {
		return nil, true
	}
	var patterns []string
	for _, n := range names {
		p, ok := principalPattern(n)
		if !ok {
			s.doubtful("the Principal %q is not understood", n)
			patterns = append(patterns, awsPrincipal)
			continue
		}
		patterns = append(patterns, p)
	}
	if patterns == nil {
		return nil, false
	}
	slices.Sort(patterns)
	return layer.Match{{Principals: slices.Compact(patterns)}}, false
}

// principalPattern says which names of workloads an AWS principal stands for: a
// role or user for itself, an account (by number or by its root) for every
// principal in it. Wildcards do not work in names, and what is not a name of
// IAM (a session, the number of a deleted role) is not understood.
func principalPattern(n string) (pattern string, ok bool) {
	if isAccount(n) {
		return "arn:*:iam::" + n + ":*", true
	}
	parts := strings.SplitN(n, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "iam" || strings.ContainsAny(n, "*?$") {
		return "", false
	}
	if parts[5] == "root" {
		return "arn:" + parts[1] + ":iam::" + parts[4] + ":*", true
	}
	return n, true
}

func isAccount(n string) bool {
	return len(n) == 12 && strings.Trim(n, "0123456789") == ""
}

// both is what two matches both match.
func both(a, b layer.Match) layer.Match {
	var out layer.Match
	for _, x := range a {
		for _, y := range b {
			out = append(out, meet(x, y))
		}
	}
	return out
}

// meet is what two terms both match. Both are of the few shapes that reading
// makes: everything, workloads by name, by selector, by principal, and not.
func meet(a, b layer.Term) layer.Term {
	if a.Principals != nil && b.Principals != nil && !slices.Equal(a.Principals, b.Principals) {
		switch {
		case slices.Equal(a.Principals, []string{awsPrincipal}) && allARNs(b.Principals):
			a.Principals = nil
		case slices.Equal(b.Principals, []string{awsPrincipal}) && allARNs(a.Principals):
			b.Principals = nil
		default:
			return layer.Term{Workload: true, Not: layer.Match{{Not: layer.Match{a}}, {Not: layer.Match{b}}}}
		}
	}
	out := a
	out.Workload = a.Workload || b.Workload
	if out.Principals == nil {
		out.Principals = b.Principals
	}
	switch {
	case a.Select == nil:
		out.Select = b.Select
	case b.Select != nil:
		if s, err := label.Parse(a.Select.String() + "," + b.Select.String()); err == nil {
			out.Select = &s
		}
	}
	out.Not = append(slices.Clone(a.Not), b.Not...)
	return out
}

func allARNs(list []string) bool {
	return !slices.ContainsFunc(list, func(p string) bool { return !strings.HasPrefix(p, "arn:") || !strings.Contains(p, ":iam::") })
}
