package lattice

import (
	"fmt"
	"slices"
	"strings"

	"firebreak/internal/flow"
	"firebreak/internal/layer"
	"firebreak/internal/live/terraform"
	"firebreak/internal/policy"
)

// document is an auth policy as it was read, statement by statement.
type document struct {
	name       string // for people: "auth policy of service orders"
	statements []terraform.Value
	why        string // it cannot be read at all
}

// The elements of a document.
// docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
var (
	documentFields  = []string{"Version", "Id", "Statement"}
	statementFields = []string{"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"}
)

// readDocument takes a document apart; it does not yet say what it means.
func readDocument(name string, v terraform.Value) *document {
	d := &document{name: name}
	switch {
	case v.Kind == terraform.Unresolved:
		d.why = "the policy is not known: " + v.Why
	case v.Kind != terraform.Object:
		d.why = "the policy is no JSON object"
	case unknownField(v, documentFields) != "":
		d.why = "the policy has a field " + unknownField(v, documentFields) + ", which no policy has"
	case v.Field("Statement").Kind == terraform.Object:
		d.statements = []terraform.Value{v.Field("Statement")}
	case v.Field("Statement").Kind == terraform.List:
		d.statements = v.Field("Statement").List
	default:
		d.why = "the policy has no statements that can be read"
	}
	return d
}

func unknownField(v terraform.Value, known []string) string {
	var out []string
	for name := range v.Fields {
		if !slices.Contains(known, name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// spoken is what a statement says about requests through one listener.
type spoken struct {
	ref    flow.Rule
	deny   bool
	never  bool        // it speaks of no such request
	place  layer.Match // where the caller is
	named  bool        // it is about some named callers only
	who    layer.Match // of callers that act under a name of theirs: which
	nobody bool        // it speaks of callers that do not say who they are
	cond   policy.Condition
	unless []policy.HTTP // not of these requests; nil: of all that cond means
	doubt  string
}

// doubtful notes the first reason why a statement is not understood.
func (s *spoken) doubtful(format string, args ...any) {
	if s.doubt == "" {
		s.doubt = fmt.Sprintf(format, args...)
	}
}

// statement says what one statement means for requests through a listener. What
// is not understood is left out, so that the statement seems to speak of more,
// and named in doubt.
func (w *way) statement(d *document, n int, v terraform.Value) spoken {
	s := spoken{place: layer.Everything(), who: layer.Match{{Principals: []string{awsPrincipal}}}, nobody: true}
	s.ref = flow.Rule{Policy: d.name, Rule: fmt.Sprintf("statement %d", n+1), File: v.Pos.File, Line: v.Pos.Line}
	if sid, ok := v.Field("Sid").String(); ok && sid != "" {
		s.ref.Rule = sid
	}
	if v.Kind != terraform.Object {
		s.doubtful("the statement cannot be read")
		return s
	}
	if why, _ := v.Doubt(); why != "" {
		s.doubtful("%s", why)
	}
	if f := unknownField(v, statementFields); f != "" {
		s.doubtful("the statement has a field %s, which none has", f)
	}
	switch effect, _ := v.Field("Effect").String(); effect {
	case "Deny":
		s.deny = true
	case "Allow":
	default:
		s.doubtful("its Effect is neither Allow nor Deny")
	}
	w.action(&s, v)
	w.resource(&s, v)
	w.principal(&s, v)
	w.conditions(&s, v.Field("Condition"))
	s.never = s.never || len(s.place) == 0 || len(s.who) == 0 && !s.nobody || s.cond.HTTP != nil && len(s.cond.HTTP) == 0
	return s
}

// texts returns one text or several; ok is false if one of them is not known.
func texts(v terraform.Value) (out []string, ok bool) {
	if v.Kind != terraform.List {
		v = terraform.Value{Kind: terraform.List, List: []terraform.Value{v}}
	}
	for _, e := range v.List {
		s, known := e.String()
		if !known {
			return out, false
		}
		out = append(out, s)
	}
	return out, true
}

// action narrows a statement to requests: the action of a request is
// vpc-lattice-svcs:Invoke, that of a TLS connection that is passed through
// vpc-lattice-svcs:Connect. Actions are the same in upper and lower case.
// docs.aws.amazon.com/service-authorization/latest/reference/list_amazonvpclatticeservices.html
func (w *way) action(s *spoken, v terraform.Value) {
	field, not := v.Field("Action"), v.Field("NotAction")
	negated := not.Kind != terraform.Null
	if negated == (field.Kind != terraform.Null) {
		s.doubtful("it needs either an Action or a NotAction")
		return
	}
	if negated {
		field = not
	}
	list, ok := texts(field)
	if !ok {
		s.doubtful("its actions are not known")
		return
	}
	speaks := func(action string) bool {
		return slices.ContainsFunc(list, func(p string) bool { return wild(strings.ToLower(p), action) }) != negated
	}
	invoke := speaks("vpc-lattice-svcs:invoke")
	if w.listener.passthrough && invoke != speaks("vpc-lattice-svcs:connect") {
		s.doubtful("AWS does not say which action stands for a TLS connection that is passed through")
		return
	}
	s.never = s.never || !invoke
}

// resource narrows a statement to a service and to paths of it: the resource of
// a request is the service's ARN with the path behind it.
// docs.aws.amazon.com/vpc-lattice/latest/ug/auth-policies.html#auth-policies-resource-format
func (w *way) resource(s *spoken, v terraform.Value) {
	field, not := v.Field("Resource"), v.Field("NotResource")
	negated := not.Kind != terraform.Null
	if negated == (field.Kind != terraform.Null) {
		s.doubtful("it needs either a Resource or a NotResource")
		return
	}
	if negated {
		field = not
	}
	if field.Kind != terraform.List {
		field = terraform.Value{Kind: terraform.List, List: []terraform.Value{field}}
	}
	var paths []string
	all := false
	for _, e := range field.List {
		path, reach := w.reach(e)
		switch reach {
		case layer.Maybe:
			s.doubtful("it is not known which services its Resource means")
			all = true
		case layer.Yes:
			if path == "*" {
				all = true
			}
			paths = append(paths, "~/"+path)
		}
	}
	switch {
	case negated && all, !negated && paths == nil && !all:
		s.never = s.doubt == ""
	case all || negated && paths == nil:
	case negated:
		s.except(policy.HTTP{Paths: paths})
	default:
		s.only(policy.HTTP{Paths: paths})
	}
}

// reach says whether a resource means this way's service, and which paths.
func (w *way) reach(v terraform.Value) (path string, means layer.Tri) {
	if text, ok := v.String(); ok {
		switch {
		case text == "*":
			return "*", layer.Yes
		case strings.Contains(text, "${"):
			return "", layer.Maybe
		case w.service.arn == "":
			if w.service.id != "" && strings.Contains(text, "/"+w.service.id+"/") && !strings.ContainsAny(text[:strings.Index(text, "/"+w.service.id+"/")], "*?") {
				return text[strings.Index(text, "/"+w.service.id+"/")+len(w.service.id)+2:], layer.Yes
			}
			return "", layer.Maybe
		case strings.HasPrefix(text, w.service.arn+"/"):
			return text[len(w.service.arn)+1:], layer.Yes
		case strings.HasSuffix(text, "*") && wild(text, w.service.arn+"/"):
			return "*", layer.Yes
		case apart(text, w.service.arn+"/"):
			return "", layer.No
		case text == w.service.arn || strings.ContainsAny(text, "*?"):
			return "", layer.Maybe
		}
		return "", layer.No
	}
	if v.Kind != terraform.Template || len(v.List) != 2 || v.List[0].Kind != terraform.Reference {
		return "", layer.Maybe
	}
	rest, ok := v.List[1].String()
	to, attr, found := w.terraform.Resolve(v.List[0].Ref)
	if !ok || !found || attr != "arn" || !strings.HasPrefix(rest, "/") {
		return "", layer.Maybe
	}
	if to.Address != w.service.key {
		return "", layer.No
	}
	return rest[1:], layer.Yes
}

// apart reports whether nothing that begins with a text matches a pattern: they
// differ before the first wildcard.
func apart(pattern, text string) bool {
	for i := 0; i < len(pattern) && i < len(text); i++ {
		if pattern[i] == '*' || pattern[i] == '?' {
			return false
		}
		if pattern[i] != text[i] {
			return true
		}
	}
	return false
}
