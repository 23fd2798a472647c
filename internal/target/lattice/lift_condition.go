package lattice

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"firebreak/internal/label"
	"firebreak/internal/layer"
	"firebreak/internal/live/terraform"
	"firebreak/internal/policy"
)

// conditions narrows a statement to what meets all of its conditions; each is
// met by any of its values. Keys are the same in upper and lower case.
// docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition.html
func (w *way) conditions(s *spoken, v terraform.Value) {
	if v.Kind == terraform.Null {
		return
	}
	if v.Kind != terraform.Object {
		s.doubtful("its conditions are not known")
		return
	}
	for _, name := range slices.Sorted(maps.Keys(v.Fields)) {
		keys := v.Fields[name]
		o, ok := parseOperator(name)
		if !ok || keys.Kind != terraform.Object {
			s.doubtful("the condition operator %s is not understood", name)
			continue
		}
		for _, key := range slices.Sorted(maps.Keys(keys.Fields)) {
			w.condition(s, o, key, keys.Fields[key])
		}
	}
}

// condition narrows a statement by one condition.
// The keys are those of docs.aws.amazon.com/vpc-lattice/latest/ug/auth-policies.html#auth-policies-condition-keys
// and of docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html.
func (w *way) condition(s *spoken, o operator, key string, v terraform.Value) {
	lower := strings.ToLower(key)
	if lower == "vpc-lattice-svcs:servicearn" || lower == "vpc-lattice-svcs:servicenetworkarn" {
		w.arn(s, o, lower, v)
		return
	}
	values, ok := texts(v)
	if !ok {
		s.doubtful("the values of %s are not known", key)
		return
	}
	if header, ok := strings.CutPrefix(lower, "vpc-lattice-svcs:requestheader/"); ok {
		w.header(s, o, header, values)
		return
	}
	switch lower {
	case "vpc-lattice-svcs:port":
		s.fixed(o, key, strconv.Itoa(int(w.listener.port)), w.listener.port != 0, values)
	case "vpc-lattice-svcs:requestmethod":
		w.method(s, o, values)
	case "vpc-lattice-svcs:requestpath":
		w.path(s, o, values)
	case "vpc-lattice-svcs:sourcevpc":
		s.sourceVPC(o, key, values)
	case "vpc-lattice-svcs:sourcevpcowneraccount":
		w.sourceAccount(s, o, key, values)
	case "aws:currenttime", "aws:epochtime":
		s.time(o, key, values)
	case "aws:principalarn":
		s.principalARN(o, key, values)
	case "aws:principalaccount":
		s.principalAccount(o, key, values)
	case "aws:principaltype":
		s.principalType(o, key, values)
	case "aws:sourceaccount":
		s.named = s.named || !s.nobody
		s.doubtful("aws:SourceAccount does not name the caller")
	default:
		if strings.HasPrefix(lower, "aws:principal") || lower == "aws:userid" || lower == "aws:username" {
			s.unsaid(o, values)
		}
		s.doubtful("the condition key %s is not understood", key)
	}
}

// fixed is a condition on what is known before any request is made.
func (s *spoken) fixed(o operator, key, value string, known bool, values []string) {
	is, comparable := o.holds(value, values)
	switch {
	case !known || !comparable:
		s.doubtful("it is not known whether its condition on %s holds", key)
	case !is:
		s.never = true
	}
}

// arn is a condition on the service or the network that is asked, which may be
// given as a reference to what does not exist yet.
func (w *way) arn(s *spoken, o operator, lower string, v terraform.Value) {
	own, key := w.service.arn, w.service.key
	if lower == "vpc-lattice-svcs:servicenetworkarn" {
		own, key = w.network.arn, w.network.key
	}
	list := v.Items()
	if v.Kind != terraform.List {
		list = []terraform.Value{v}
	}
	found := false
	for _, e := range list {
		text, isText := e.String()
		switch {
		case e.Kind == terraform.Reference:
			to, attr, ok := w.terraform.Resolve(e.Ref)
			if !ok || attr != "arn" || o.family == byNull {
				s.doubtful("it is not known which ARN %s is", e.Ref)
				return
			}
			found = found || to.Address == key
		case isText && own != "":
			is, ok := operator{family: o.family}.holds(own, []string{text})
			if !ok || o.family == byNull {
				s.doubtful("its condition on an ARN is not understood")
				return
			}
			found = found || is
		default:
			s.doubtful("the ARN that its condition asks for is not known")
			return
		}
	}
	s.never = s.never || found == o.negated
}

// unsaid is a condition on what a caller that does not say who it is has not.
func (s *spoken) unsaid(o operator, values []string) {
	s.named = true
	s.nobody = s.nobody && o.missing(values)
}

// principalARN is a condition on a caller's name; of a session of a role it is
// the role's.
func (s *spoken) principalARN(o operator, key string, values []string) {
	s.unsaid(o, values)
	if o.family == byNull {
		if !slices.Contains(values, "false") {
			s.who = nil
		}
		return
	}
	var patterns []string
	for _, v := range values {
		switch {
		case o.family != byText && o.family != byPattern && o.family != byARN, strings.ContainsAny(v, "?$"),
			o.family == byText && strings.Contains(v, "*"), o.family == byARN && strings.Count(v, ":") < 5:
			s.doubtful("its condition on %s is not understood", key)
			return
		}
		patterns = append(patterns, v)
	}
	s.narrow(o, patterns)
}

// narrow keeps the callers with a name of one of these forms, or, if the
// operator is negated, all others.
func (s *spoken) narrow(o operator, patterns []string) {
	slices.Sort(patterns)
	m := layer.Match{{Principals: slices.Compact(patterns)}}
	if o.negated {
		m = layer.Match{{Workload: true, Not: m}}
	}
	s.who = both(s.who, m)
}

func (s *spoken) principalAccount(o operator, key string, values []string) {
	s.unsaid(o, values)
	var patterns []string
	for _, v := range values {
		if !isAccount(v) || o.family != byText && o.family != byPattern && o.family != byTextFolded {
			s.doubtful("its condition on %s is not understood", key)
			return
		}
		patterns = append(patterns, "arn:*:iam::"+v+":*")
	}
	s.narrow(o, patterns)
}

// principalType is a condition on what kind of caller it is. A workload that
// acts under its role is an AssumedRole.
func (s *spoken) principalType(o operator, key string, values []string) {
	s.named = true
	role, ok1 := o.holds("AssumedRole", values)
	anonymous, ok2 := o.holds("Anonymous", values)
	if !ok1 || !ok2 {
		s.doubtful("its condition on %s is not understood", key)
		return
	}
	s.nobody = s.nobody && anonymous
	users := []string{"arn:*:iam::*:user/*"}
	switch user, _ := o.holds("User", values); {
	case role && !user:
		s.narrow(operator{negated: true}, users)
	case user && !role:
		s.narrow(operator{}, users)
	case !role:
		s.who = nil
	}
}

// sourceVPC is a condition on the VPC that a request comes from.
func (s *spoken) sourceVPC(o operator, key string, values []string) {
	if o.family == byNull {
		s.never = s.never || !slices.Contains(values, "false")
		return
	}
	for _, v := range values {
		if o.family != byText && o.family != byPattern || strings.ContainsAny(v, "*?$") || label.CheckValue("net/vpc", v) != nil || v == "" {
			s.doubtful("its condition on %s is not understood", key)
			return
		}
	}
	s.inVPCs(o, values)
}

func (s *spoken) inVPCs(o operator, vpcs []string) {
	m := inVPC(vpcs...)
	if o.negated {
		m = layer.Match{{Workload: true, Not: m}}
	}
	s.place = both(s.place, m)
}

// inVPC matches the workloads in one of these VPCs.
func inVPC(vpcs ...string) layer.Match {
	if len(vpcs) == 0 {
		return nil
	}
	s, err := label.Parse("net/vpc in (" + strings.Join(vpcs, ",") + ")")
	if err != nil {
		return layer.AnyWorkload()
	}
	return layer.Selected(s)
}

// sourceAccount is a condition on the owner of the VPC that a request comes
// from, which the inventory has to know of every VPC.
func (w *way) sourceAccount(s *spoken, o operator, key string, values []string) {
	var vpcs []string
	for _, n := range w.networks {
		owner := n.Labels["cloud/account"]
		if n.Within != "" {
			continue
		}
		is, ok := operator{family: o.family}.holds(owner, values)
		if owner == "" || !ok || o.family == byNull {
			s.doubtful("its condition on %s: the inventory does not say whose VPC %s is", key, n.Name)
			return
		}
		if is {
			vpcs = append(vpcs, n.Name)
		}
	}
	if len(w.networks) == 0 {
		s.doubtful("its condition on %s: the inventory names no VPCs", key)
		return
	}
	s.inVPCs(o, vpcs)
}

// time is a condition on the instant. Only the end of a statement can be said
// exactly.
func (s *spoken) time(o operator, key string, values []string) {
	if len(values) != 1 || (o.order != "<" && o.order != "<=") || o.family != byDate && o.family != byNumber {
		s.doubtful("its condition on %s is other than an end", key)
		return
	}
	end, ok := instant(values[0])
	if !ok {
		s.doubtful("its condition on %s names no instant", key)
		return
	}
	if o.order == "<=" {
		end = end.Add(time.Second) // requests have the time in whole seconds
	}
	if s.cond.Expires.IsZero() || end.Before(s.cond.Expires) {
		s.cond.Expires = end
	}
}

// method, path and header are conditions on the request. A TLS connection that
// is passed through has none of them.
func (w *way) method(s *spoken, o operator, values []string) {
	switch {
	case w.plain(s, o, values):
	case o.family == byPattern && slices.Contains(values, "*"):
		s.never = s.never || o.negated
	case o.family == byText, o.family == byPattern && !anyWild(values):
		s.request(o, policy.HTTP{Methods: slices.Compact(slices.Sorted(slices.Values(values)))})
	case o.family == byTextFolded:
		var list []string
		for _, v := range values {
			list = append(list, strings.ToUpper(v), strings.ToLower(v))
		}
		s.request(o, policy.HTTP{Methods: slices.Compact(slices.Sorted(slices.Values(list)))})
	default:
		s.doubtful("its condition on the request's method is not understood")
	}
}

func (w *way) path(s *spoken, o operator, values []string) {
	var patterns []string
	for _, v := range values {
		patterns = append(patterns, "~"+strings.ReplaceAll(v, "${$}", "$"))
	}
	switch {
	case w.plain(s, o, values):
	case o.family == byText && anyWild(values), o.family != byText && o.family != byPattern,
		slices.ContainsFunc(patterns, func(p string) bool {
			return strings.Contains(p, "${") && !strings.Contains(strings.Join(values, ""), "${$}{")
		}):
		s.doubtful("its condition on the request's path is not understood")
	case slices.Contains(patterns, "~*"), slices.Contains(patterns, "~/*"):
		s.never = s.never || o.negated
	default:
		s.request(o, policy.HTTP{Paths: patterns})
	}
}

func (w *way) header(s *spoken, o operator, name string, values []string) {
	there := policy.Header{Name: name}
	switch {
	case w.plain(s, o, values):
	case o.family == byNull:
		s.request(operator{negated: slices.Contains(values, "true")}, policy.HTTP{Headers: []policy.Header{there}})
	case o.any && o.negated:
		s.doubtful("its condition on the header %s does not hold where there is none", name)
	case o.ifExists || o.all:
		s.doubtful("its condition on the header %s holds where there is none, too", name)
	case o.family == byPattern && !o.negated && slices.Contains(values, "*"):
		s.request(o, policy.HTTP{Headers: []policy.Header{there}})
	case o.family == byText, o.family == byPattern && !anyWild(values):
		there.Values = slices.Compact(slices.Sorted(slices.Values(values)))
		s.request(o, policy.HTTP{Headers: []policy.Header{there}})
	default:
		s.doubtful("its condition on the header %s is not understood", name)
	}
}

// plain settles a condition on the request where there is none to be seen.
func (w *way) plain(s *spoken, o operator, values []string) bool {
	if w.listener.passthrough {
		s.never = s.never || !o.missing(values)
	}
	return w.listener.passthrough
}

func anyWild(values []string) bool {
	return slices.ContainsFunc(values, func(v string) bool { return strings.ContainsAny(v, "*?") || strings.Contains(v, "${") })
}

func (s *spoken) request(o operator, h policy.HTTP) {
	if o.negated {
		s.except(h)
	} else {
		s.only(h)
	}
}

// except leaves requests out of a statement.
func (s *spoken) except(h policy.HTTP) {
	if len(s.unless) > 0 {
		s.unless = append(s.unless, h)
		return
	}
	s.unless = []policy.HTTP{h}
}

// only narrows a statement to requests.
func (s *spoken) only(h policy.HTTP) {
	if s.cond.HTTP == nil {
		s.cond.HTTP = []policy.HTTP{h}
		return
	}
	x := &s.cond.HTTP[0]
	x.Headers = append(slices.Clone(x.Headers), h.Headers...)
	switch {
	case x.Methods == nil:
		x.Methods = h.Methods
	case h.Methods != nil:
		x.Methods = slices.DeleteFunc(slices.Clone(x.Methods), func(m string) bool { return !slices.Contains(h.Methods, m) })
		s.never = s.never || len(x.Methods) == 0
	}
	switch {
	case x.Paths == nil:
		x.Paths = h.Paths
	case h.Paths != nil && !slices.Equal(x.Paths, h.Paths):
		s.doubtful("it names two lists of paths at once")
	}
}
