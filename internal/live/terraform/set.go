// Package terraform reads what Terraform and OpenTofu write and are given:
// configurations (*.tf, *.tf.json), plans (`terraform show -json PLAN`, in
// *.tfplan.json) and states (*.tfstate.json, as they are stored or as
// `terraform show -json` prints them). It knows the language's literals and
// references, no provider: what a resource means, its readers know.
//
// It evaluates nothing that needs a provider or a clock. What it cannot know
// stands in the result as an Unresolved value, with the reason.
package terraform

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"firebreak/internal/diag"
)

// From says where a resource was read. Where several say the same it is the one
// nearest to what exists.
type From uint8

// From the least to the most real.
const (
	Config From = iota
	Plan
	State
)

// String returns "configuration", "plan" or "state".
func (f From) String() string { return [...]string{"configuration", "plan", "state"}[min(f, State)] }

// Resource is one instance of a managed resource, or of a data source, from
// wherever it was read.
type Resource struct {
	// Address is "aws_security_group.orders", "data.aws_vpc.main" or
	// `module.net.aws_subnet.a["x"]`. In a folder with several configurations, that
	// of each in a folder of its own begins with the folder and two slashes:
	// "shop/net//aws_vpc.main".
	Address    string
	Type, Name string
	Data       bool   // it is a data source
	Body       Value  // an Object of its arguments and, from plan and state, its attributes
	ID         string // from a state; empty if not known
	From       From
	Pos        diag.Pos
}

// Attribute is Body.Field.
func (r *Resource) Attribute(name string) Value { return r.Body.Field(name) }

// Set is everything that was read, as one. Do not change it.
type Set struct {
	// Resources are sorted by Address; there is one per address. Where
	// configuration, plan and state say different things of a field there is a
	// diagnostic terraform-disagrees, and the field is Unresolved.
	Resources []Resource
	Outputs   map[string]Value // of root modules
	Locals    map[string]Value // of root modules
	// Unread are calls of modules that are not in the folder, and files that cannot
	// be read: they may make resources of any type. Those that a plan or a state
	// tells of are none.
	Unread []Unread

	byAddress map[string]int
}

// Unread is a call of a module, or, with File, a file, that could not be read.
// Address is the module's, or the file's name.
type Unread struct {
	Address, Why string
	Pos          diag.Pos
	File         bool
}

// NewSet makes a set of resources, which it sorts. Of several with one address
// the first counts.
func NewSet(resources []Resource) *Set {
	s := &Set{Outputs: map[string]Value{}, Locals: map[string]Value{}, byAddress: make(map[string]int, len(resources))}
	order := make([]int, len(resources))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(strings.Compare(resources[a].Address, resources[b].Address), a-b) })
	s.Resources = make([]Resource, 0, len(resources))
	for _, i := range order {
		if _, known := s.byAddress[resources[i].Address]; !known {
			s.byAddress[resources[i].Address] = len(s.Resources)
			s.Resources = append(s.Resources, resources[i])
		}
	}
	return s
}

// Of returns the managed resources of these types, in the order of their
// addresses.
func (s *Set) Of(types ...string) []*Resource { return s.pick(false, types) }

// Sources returns the data sources of these types, in the order of their
// addresses.
func (s *Set) Sources(types ...string) []*Resource { return s.pick(true, types) }

func (s *Set) pick(data bool, types []string) []*Resource {
	if s == nil {
		return nil
	}
	var out []*Resource
	for i := range s.Resources {
		if r := &s.Resources[i]; r.Data == data && slices.Contains(types, r.Type) {
			out = append(out, r)
		}
	}
	return out
}

// At returns the resource of that address; nil if there is none.
func (s *Set) At(address string) *Resource {
	if s == nil {
		return nil
	}
	if i, ok := s.byAddress[address]; ok {
		return &s.Resources[i]
	}
	return nil
}

// Resolve finds what a reference points to: the resource, and the path of the
// attribute after its address ("id", "tags.Name", `list[0].arn`; empty for the
// whole resource). ok is false where no resource of the set has that address,
// for instance since it exists elsewhere.
func (s *Set) Resolve(ref string) (r *Resource, attr string, ok bool) {
	for at := ref; at != ""; at = shorter(at) {
		if r = s.At(at); r != nil {
			return r, strings.TrimPrefix(ref[len(at):], "."), true
		}
	}
	return nil, "", false
}

// shorter cuts the last step off a reference. A dot or a bracket in a quoted
// key is none.
func shorter(ref string) string {
	quoted, cut := false, 0
	for i := 0; i < len(ref); i++ {
		switch c := ref[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == '.' || c == '['):
			cut = i
		}
	}
	return ref[:cut]
}

// Same reports whether a value names the resource: by a reference to any
// attribute of it, or by its literal ID, ARN or name.
func (s *Set) Same(v Value, r *Resource) bool {
	if v.Kind == Reference {
		to, _, ok := s.Resolve(v.Ref)
		return ok && to.Address == r.Address
	}
	text, ok := v.String()
	if !ok || text == "" {
		return false
	}
	for _, name := range []string{"id", "arn", "name"} {
		if own, known := r.Attribute(name).String(); known && own == text {
			return true
		}
	}
	return text == r.ID
}

// Known follows a reference to the value of the attribute that it names, where
// that is known; everything else is returned as it is.
func (s *Set) Known(v Value) Value {
	for range 32 { // references in a circle have no value
		if v.Kind != Reference {
			return v
		}
		r, attr, ok := s.Resolve(v.Ref)
		if !ok {
			return v
		}
		to := r.Body.At(attr)
		if attr == "id" && to.Kind == Null && r.ID != "" {
			to = Value{Kind: String, Text: r.ID, Pos: r.Pos}
		}
		if attr == "" || to.Kind == Null || to.Kind == Unresolved {
			return v
		}
		v = to
	}
	return v
}

// At returns what lies at a path such as "tags.Name" or `list[0].arn`; Null
// where nothing does.
func (v Value) At(path string) Value {
	for path != "" && v.Kind != Null {
		var step string
		step, path = firstStep(path)
		if n, ok := indexOf(step); ok && v.Kind == List {
			if n >= len(v.List) {
				return Value{Pos: v.Pos}
			}
			v = v.List[n]
			continue
		}
		v = v.Field(unquoted(step))
	}
	return v
}

func (v Value) names() []string { return slices.Sorted(maps.Keys(v.Fields)) }
