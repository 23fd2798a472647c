package lattice

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/json"

	"firebreak/internal/policy"
)

// speaker is who a statement is about. With account, everybody in these
// accounts who says who he is.
type speaker struct {
	roles    []string // sorted
	vpcs     []string // sorted; nil: from wherever
	accounts []string
}

// request is what a statement demands of requests.
type request struct {
	methods []string
	paths   []string // any of these
	but     []string // and none of these
	headers []policy.Header
}

// statement is one statement of a policy.
type statement struct {
	deny    bool
	by      speaker
	ports   []uint16 // nil: all
	request request
	expires time.Time
}

// policyDocument is an auth policy.
type policyDocument struct{ statements []statement }

// add puts a statement into a policy; where it says the same of other callers
// or of another port as one that is there, the two become one.
func (d *policyDocument) add(s statement) {
	for i := range d.statements {
		t := &d.statements[i]
		switch {
		case t.rest(true, true) != s.rest(true, true):
		case t.rest(false, true) == s.rest(false, true):
			t.ports = union(t.ports, s.ports)
			return
		case t.rest(true, false) == s.rest(true, false):
			t.by.roles = union(t.by.roles, s.by.roles)
			return
		}
	}
	d.statements = append(d.statements, s)
}

// rest is a text of everything in a statement, without callers or ports.
func (s *statement) rest(noRoles, noPorts bool) string {
	c := *s
	if noRoles {
		c.by.roles = nil
	}
	if noPorts {
		c.ports = nil
	}
	return fmt.Sprintf("%#v %v %v %#v", c.by, c.ports, c.deny, c.request) + c.expires.String()
}

func union[T string | uint16](a, b []T) []T {
	out := append(slices.Clone(a), b...)
	slices.Sort(out)
	return slices.Compact(out)
}

// value is the document as AWS takes it.
func (d *policyDocument) value(estate string) cty.Value {
	var list []cty.Value
	for _, s := range d.statements {
		list = append(list, s.value())
	}
	return cty.ObjectVal(map[string]cty.Value{
		"Version":   cty.StringVal("2012-10-17"),
		"Id":        cty.StringVal("firebreak-" + estate),
		"Statement": cty.TupleVal(list),
	})
}

// size is how many bytes the document has as Terraform's jsonencode writes it.
func (d *policyDocument) size(estate string) int {
	v := d.value(estate)
	text, err := json.Marshal(v, v.Type())
	if err != nil {
		return maxPolicy + 1
	}
	return len(text)
}

func (s *statement) value() cty.Value {
	out := map[string]cty.Value{
		"Effect":   cty.StringVal("Allow"),
		"Action":   cty.StringVal("vpc-lattice-svcs:Invoke"),
		"Resource": cty.StringVal("*"),
	}
	if s.deny {
		out["Effect"] = cty.StringVal("Deny")
	}
	switch {
	case s.by.roles == nil:
		out["Principal"] = cty.StringVal("*")
	default:
		out["Principal"] = cty.ObjectVal(map[string]cty.Value{"AWS": words(s.by.roles)})
	}
	if c := s.conditions(); len(c) > 0 {
		operators := map[string]cty.Value{}
		for operator, keys := range c {
			operators[operator] = cty.ObjectVal(keys)
		}
		out["Condition"] = cty.ObjectVal(operators)
	}
	return cty.ObjectVal(out)
}

// words is one text, or a list of several.
func words(list []string) cty.Value {
	if len(list) == 1 {
		return cty.StringVal(list[0])
	}
	var out []cty.Value
	for _, s := range list {
		out = append(out, cty.StringVal(s))
	}
	return cty.TupleVal(out)
}

func (s *statement) conditions() map[string]map[string]cty.Value {
	out := map[string]map[string]cty.Value{}
	put := func(operator, key string, values []string) {
		if values == nil {
			return
		}
		if out[operator] == nil {
			out[operator] = map[string]cty.Value{}
		}
		out[operator][key] = words(values)
	}
	var ports []string
	for _, p := range s.ports {
		ports = append(ports, fmt.Sprint(p))
	}
	put("StringEquals", "vpc-lattice-svcs:Port", ports)
	put("StringEquals", "vpc-lattice-svcs:SourceVpc", s.by.vpcs)
	put("StringEquals", "vpc-lattice-svcs:RequestMethod", s.request.methods)
	put("StringLike", "vpc-lattice-svcs:RequestPath", s.request.paths)
	put("StringNotLike", "vpc-lattice-svcs:RequestPath", s.request.but)
	for _, h := range s.request.headers {
		key := "vpc-lattice-svcs:RequestHeader/" + strings.ToLower(h.Name)
		if h.Values == nil {
			put("Null", key, []string{"false"})
		}
		put("StringEquals", key, h.Values)
	}
	if s.by.accounts != nil {
		put("StringEquals", "aws:PrincipalAccount", s.by.accounts)
		put("StringNotEquals", "aws:PrincipalType", []string{"Anonymous"})
	}
	if !s.expires.IsZero() {
		put("DateLessThan", "aws:CurrentTime", []string{s.expires.UTC().Format(time.RFC3339)})
	}
	return out
}
