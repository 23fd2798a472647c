package lattice_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"firebreak/internal/inventory"
	"firebreak/internal/target"
)

// This file is a judge of its own: a small model of VPC Lattice and of IAM, from
// AWS's documentation, one request at a time. It shares nothing with the reader
// that it judges.

// request is a request to a service, as IAM sees it.
type request struct {
	method, path string
	headers      map[string]string
	at           time.Time
}

// keys is what is known of a request, by condition key in lower case. Without a
// role the caller is anonymous: most keys of principals are then missing.
// docs.aws.amazon.com/vpc-lattice/latest/ug/auth-policies.html#auth-policies-condition-keys
func (q request) keys(role, vpc string, port int) map[string]string {
	out := map[string]string{
		"vpc-lattice-svcs:port": fmt.Sprint(port), "vpc-lattice-svcs:requestmethod": q.method, "vpc-lattice-svcs:requestpath": q.path,
		"vpc-lattice-svcs:sourcevpc": vpc, "aws:currenttime": q.at.UTC().Format(time.RFC3339), "aws:principaltype": "Anonymous",
		"aws:epochtime": fmt.Sprint(q.at.Unix()),
	}
	for name, value := range q.headers {
		out["vpc-lattice-svcs:requestheader/"+name] = value
	}
	if role != "" {
		out["aws:principalarn"] = role
		out["aws:principaltype"] = "AssumedRole"
		out["aws:principalaccount"] = strings.Split(role, ":")[4]
	}
	return out
}

// tinyAllows evaluates a document: an explicit deny wins, and what nothing
// allows is denied.
// docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
func tinyAllows(document any, role string, keys map[string]string) bool {
	allowed := false
	for _, x := range tinyList(document.(map[string]any)["Statement"]) {
		s := x.(map[string]any)
		if !tinyPrincipal(s, role) || !tinyAction(s) || !tinyConditions(s["Condition"], keys) {
			continue
		}
		if s["Effect"] == "Deny" {
			return false
		}
		allowed = true
	}
	return allowed
}

func tinyList(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	return []any{v}
}

func tinyPrincipal(s map[string]any, role string) bool {
	field, negated := s["Principal"], false
	if field == nil {
		field, negated = s["NotPrincipal"], true
	}
	found := field == "*"
	if kinds, ok := field.(map[string]any); ok {
		for _, v := range tinyList(kinds["AWS"]) {
			name, _ := v.(string)
			account := ""
			if role != "" {
				account = strings.Split(role, ":")[4]
			}
			found = found || name == "*" || role != "" && (name == role || name == account || strings.HasPrefix(name, "arn:aws:iam::"+account+":root"))
		}
	}
	return found != negated
}

func tinyAction(s map[string]any) bool {
	field, negated := s["Action"], false
	if field == nil {
		field, negated = s["NotAction"], true
	}
	return slices.ContainsFunc(tinyList(field), func(v any) bool {
		return tinyLike(strings.ToLower(v.(string)), "vpc-lattice-svcs:invoke")
	}) != negated
}

// tinyLike matches a pattern of StringLike.
func tinyLike(pattern, text string) bool {
	pattern = strings.ReplaceAll(pattern, "${$}", "$")
	for pattern != "" && pattern[0] != '*' {
		if text == "" || pattern[0] != '?' && pattern[0] != text[0] {
			return false
		}
		pattern, text = pattern[1:], text[1:]
	}
	if pattern == "" {
		return text == ""
	}
	for {
		if tinyLike(pattern[1:], text) {
			return true
		}
		if text == "" {
			return false
		}
		text = text[1:]
	}
}

// tinyConditions: all operators and keys must hold, each by any of its values.
// docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
func tinyConditions(v any, keys map[string]string) bool {
	operators, _ := v.(map[string]any)
	for operator, block := range operators {
		for key, values := range block.(map[string]any) {
			if !tinyCondition(operator, strings.ToLower(key), tinyList(values), keys) {
				return false
			}
		}
	}
	return true
}

func tinyCondition(operator, key string, values []any, keys map[string]string) bool {
	value, there := keys[key]
	if operator == "Null" {
		return slices.ContainsFunc(values, func(v any) bool { return fmt.Sprint(v) == fmt.Sprint(!there) })
	}
	base, ifExists := strings.CutSuffix(operator, "IfExists")
	base, all := strings.CutPrefix(base, "ForAllValues:")
	base, some := strings.CutPrefix(base, "ForAnyValue:")
	negated := strings.Contains(base, "Not")
	if !there {
		return (ifExists || all || negated) && !some
	}
	base = strings.Replace(base, "Not", "", 1)
	return slices.ContainsFunc(values, func(v any) bool { return tinyCompare(base, value, fmt.Sprint(v)) }) != negated
}

func tinyCompare(base, value, v string) bool {
	switch base {
	case "StringEquals":
		return value == v
	case "StringEqualsIgnoreCase", "Bool":
		return strings.EqualFold(value, v)
	case "StringLike", "ArnLike", "ArnEquals":
		return tinyLike(v, value)
	}
	var a, b float64
	if strings.HasPrefix(base, "Date") {
		a, b = tinyTime(value), tinyTime(v)
		base = strings.TrimPrefix(base, "Date")
	} else {
		fmt.Sscan(value, &a)
		fmt.Sscan(v, &b)
		base = strings.TrimPrefix(base, "Numeric")
	}
	switch base {
	case "LessThan":
		return a < b
	case "LessThanEquals":
		return a <= b
	case "GreaterThan":
		return a > b
	case "GreaterThanEquals":
		return a >= b
	}
	return a == b
}

func tinyTime(s string) float64 {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return float64(t.Unix())
	}
	var n float64
	fmt.Sscan(s, &n)
	return n
}

// tinyResource is a block of a Terraform file: attributes by path, of which a
// reference is the address that it leads to.
type tinyResource struct {
	kind, name string
	at         map[string]any
}

// tinyRead reads what was rendered with Terraform's own parser.
func tinyRead(t *testing.T, files []target.File) []tinyResource {
	var out []tinyResource
	for _, f := range files {
		parsed, diags := hclsyntax.ParseConfig(f.Data, f.Path, hcl.InitialPos)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		locals := tinyLocals(t, parsed.Body.(*hclsyntax.Body))
		for _, b := range parsed.Body.(*hclsyntax.Body).Blocks {
			if b.Type != "resource" && b.Type != "data" {
				continue
			}
			r := tinyResource{b.Labels[0], strings.Join(b.Labels, "."), map[string]any{}}
			if b.Type == "data" {
				r.name = "data." + r.name
			}
			context := tinyContext()
			context.Variables = map[string]cty.Value{"local": locals}
			if a := b.Body.Attributes["for_each"]; a != nil {
				list, diags := a.Expr.Value(context)
				if diags.HasErrors() {
					t.Fatal(diags)
				}
				for each := list.ElementIterator(); each.Next(); {
					key, value := each.Element()
					one := tinyResource{r.kind, fmt.Sprintf("%s[%q]", r.name, key.AsString()), map[string]any{}}
					context.Variables = map[string]cty.Value{"each": cty.ObjectVal(map[string]cty.Value{"key": key, "value": value})}
					tinyBody(t, context, b.Body, "", one.at)
					out = append(out, one)
				}
				continue
			}
			tinyBody(t, context, b.Body, "", r.at)
			if text, ok := r.at["policy"].(string); ok {
				var v any
				if err := json.Unmarshal([]byte(text), &v); err != nil {
					t.Fatal(err)
				}
				r.at["policy"] = v
			}
			out = append(out, r)
		}
	}
	return out
}

func tinyContext() *hcl.EvalContext {
	return &hcl.EvalContext{Functions: map[string]function.Function{"jsonencode": stdlib.JSONEncodeFunc, "toset": stdlib.MakeToFunc(cty.Set(cty.DynamicPseudoType))}}
}

func tinyBody(t *testing.T, context *hcl.EvalContext, b *hclsyntax.Body, prefix string, to map[string]any) {
	for name, a := range b.Attributes {
		if name == "for_each" && prefix == "" {
			continue
		}
		if vars := a.Expr.Variables(); len(vars) > 0 && vars[0].RootName() != "each" {
			var parts []string
			for _, step := range vars[0][:len(vars[0])-1] {
				switch s := step.(type) {
				case hcl.TraverseRoot:
					parts = append(parts, s.Name)
				case hcl.TraverseAttr:
					parts = append(parts, s.Name)
				}
			}
			to[prefix+name] = strings.Join(parts, ".")
			continue
		}
		v, diags := a.Expr.Value(context)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		switch {
		case v.Type() == cty.String:
			to[prefix+name] = v.AsString()
		case v.Type() == cty.Number:
			n, _ := v.AsBigFloat().Int64()
			to[prefix+name] = int(n)
		}
	}
	for _, inner := range b.Blocks {
		tinyBody(t, context, inner.Body, prefix+inner.Type+".", to)
	}
}

// tinyLocals are the local values of a file.
func tinyLocals(t *testing.T, body *hclsyntax.Body) cty.Value {
	out := map[string]cty.Value{}
	for _, b := range body.Blocks {
		for name, a := range b.Body.Attributes {
			if b.Type == "locals" {
				v, diags := a.Expr.Value(tinyContext())
				if diags.HasErrors() {
					t.Fatal(diags)
				}
				out[name] = v
			}
		}
	}
	return cty.ObjectVal(out)
}

// tinyWays says whether a request gets from one workload to a port of another.
type tinyEstate struct {
	inv   *inventory.Snapshot
	all   []tinyResource
	kinds map[string][]tinyResource
	known struct { // the last answer of ways
		to   *inventory.Workload
		port int
		ways []tinyWay
	}
}

func (e *tinyEstate) of(kind string) []tinyResource {
	if e.kinds == nil {
		e.kinds = map[string][]tinyResource{}
		for _, r := range e.all {
			if !strings.HasPrefix(r.name, "data.") {
				e.kinds[r.kind] = append(e.kinds[r.kind], r)
			}
		}
	}
	return e.kinds[kind]
}

// document returns the policy of what has that address, and whether it has one.
func (e *tinyEstate) document(address string) (any, bool) {
	for _, p := range e.of("aws_vpclattice_auth_policy") {
		if p.at["resource_identifier"] == address {
			return p.at["policy"], true
		}
	}
	return nil, false
}

// lets is what the auth policy of a service or a network says.
// docs.aws.amazon.com/vpc-lattice/latest/ug/auth-policies.html#auth-policies-evaluation-logic
func (e *tinyEstate) lets(address string, auth any, role string, keys map[string]string) bool {
	if auth == nil || auth == "NONE" {
		return true
	}
	d, there := e.document(address)
	return there && tinyAllows(d, role, keys)
}

// joined reports whether a VPC is associated with a network.
func (e *tinyEstate) joined(vpc, network string) bool {
	for _, a := range e.of("aws_vpclattice_service_network_vpc_association") {
		if a.at["service_network_identifier"] == network && a.at["vpc_identifier"] == vpc {
			return true
		}
	}
	for _, r := range e.all {
		for _, n := range e.inv.Networks {
			if r.name == network && strings.HasPrefix(network, "data.") && n.Name == vpc && n.Labels["net/service-network"] == r.at["service_network_identifier"] {
				return true
			}
		}
	}
	return false
}

func (e *tinyEstate) permits(from, to *inventory.Workload, port int, q request) bool {
	return slices.ContainsFunc(e.ways(to, port), func(w tinyWay) bool { return e.through(w.listener, w.network, from, q) })
}

// tinyWay is a listener that leads to a workload, and a network of its service.
type tinyWay struct {
	listener tinyResource
	network  any
}

func (e *tinyEstate) ways(to *inventory.Workload, port int) (out []tinyWay) {
	if e.known.to == to && e.known.port == port {
		return e.known.ways
	}
	for _, l := range e.of("aws_vpclattice_listener") {
		group := l.at["default_action.forward.target_groups.target_group_identifier"]
		hit := slices.ContainsFunc(e.of("aws_vpclattice_target_group_attachment"), func(a tinyResource) bool {
			return a.at["target_group_identifier"] == group && a.at["target.id"] == to.Addresses[0].String() && a.at["target.port"] == port
		})
		for _, a := range e.of("aws_vpclattice_service_network_service_association") {
			if hit && a.at["service_identifier"] == l.at["service_identifier"] {
				out = append(out, tinyWay{l, a.at["service_network_identifier"]})
			}
		}
	}
	e.known.to, e.known.port, e.known.ways = to, port, out
	return out
}

// through tries both ways to call: under one's own name, and anonymously.
func (e *tinyEstate) through(l tinyResource, network any, from *inventory.Workload, q request) bool {
	vpc := from.Labels["net/vpc"]
	if !e.joined(vpc, network.(string)) {
		return false
	}
	var netAuth, serviceAuth any = "AWS_IAM", nil
	for _, r := range e.all {
		if r.name == network && !strings.HasPrefix(r.name, "data.") {
			netAuth = r.at["auth_type"]
		}
		if r.name == l.at["service_identifier"] {
			serviceAuth = r.at["auth_type"]
		}
	}
	for _, role := range []string{from.Labels["aws/role"], ""} {
		keys := q.keys(role, vpc, l.at["port"].(int))
		if e.lets(network.(string), netAuth, role, keys) && e.lets(l.at["service_identifier"].(string), serviceAuth, role, keys) {
			return true
		}
	}
	return false
}
