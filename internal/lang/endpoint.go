package lang

import (
	"net/netip"
	"slices"

	"go.yaml.in/yaml/v3"
)

// place is where an endpoint stands: it decides what may be named there.
type place uint8

const (
	inRule place = iota
	inCase
)

const endpointHelp = "exactly one of: service, zone, external, select, principal, any"

// endpoint reads one end of a rule or expectation. Kind is ByNothing, with a
// diagnostic, if it was not one.
func (r *reader) endpoint(n *yaml.Node, what string, where place) Endpoint {
	e := Endpoint{Pos: r.pos(n)}
	v := r.enter(n)
	if v == nil || v.Kind != yaml.MappingNode {
		if v != nil {
			r.errorf(n, "bad-endpoint", "%s must say what it names, not just %s", what, describe(v)).
				WithHelp("write it like %s: {service: NAME}; %s", what, endpointHelp)
		}
		return e
	}
	before, named := len(r.list), 0
	if kind, value := oneName(v); value != nil {
		if named = 1; r.enter(v.Content[0]) != nil {
			e.take(r, kind, value)
		}
	} else {
		r.endpointFields(n, what, where, &e, &named)
	}
	if named != 1 && !r.list[before:].HasErrors() {
		r.errorf(n, "bad-endpoint", "%s must name one thing, not %d", what, named).WithHelp(endpointHelp)
	}
	if named != 1 || r.list[before:].HasErrors() {
		return Endpoint{Pos: e.Pos}
	}
	return e
}

// oneName recognises the endpoints that are written most: one field that may
// stand everywhere, with a value. It spares them what object does for mappings
// in which more could be wrong.
func oneName(v *yaml.Node) (EndpointKind, *yaml.Node) {
	if len(v.Content) != 2 || v.Content[0].Kind != yaml.ScalarNode || isNull(v.Content[1]) {
		return ByNothing, nil
	}
	i := slices.Index(endpointFields[:ByAny], v.Content[0].Value)
	if i < 0 {
		return ByNothing, nil
	}
	return EndpointKind(i + 1), v.Content[1]
}

// take reads the value of one field into e.
func (e *Endpoint) take(r *reader, kind EndpointKind, n *yaml.Node) {
	e.ValuePos = r.pos(n)
	ok := false
	switch kind {
	case ByService, ByZone, ByExternal:
		e.Name = r.name(n, "the name")
		ok = e.Name != ""
	case BySelect:
		ok = r.endpointSelector(n, e)
	case ByPrincipal:
		e.Name, ok = r.principal(n)
	case ByAny:
		ok = r.anyTrue(n)
	case ByWorkload:
		e.Name, ok = r.text(n, "the name")
	case ByIP:
		ok = r.address(n, e)
	}
	if ok {
		e.Kind = kind
	}
}

func (r *reader) endpointFields(n *yaml.Node, what string, where place, e *Endpoint, named *int) {
	set := func(kind EndpointKind) field {
		return may(kind.String(), func(n *yaml.Node) { *named++; e.take(r, kind, n) })
	}
	fields := []field{set(ByService), set(ByZone), set(ByExternal), set(ByPrincipal), set(BySelect), set(ByAny)}
	if where == inCase {
		fields = append(fields, set(ByWorkload), set(ByIP))
	} else {
		fields = append(fields, r.inRuleOnly(e, named)...)
	}
	r.object(n, what, fields...)
}

// inRuleOnly returns the fields that mean something else in a rule than in a
// Case: a rule speaks of identities, a Case may ask about one workload.
func (r *reader) inRuleOnly(e *Endpoint, named *int) []field {
	single := func(name string) field {
		return refuse(name, func(n *yaml.Node) {
			r.errorf(n, "bad-endpoint", "a rule cannot name a single %s", name).
				WithHelp("rules speak of identities: %s; addresses belong in an External", endpointHelp)
		})
	}
	return []field{single("workload"), single("ip"), may("cidr", func(n *yaml.Node) {
		*named++
		r.cidrEndpoint(n, e)
	})}
}

func (r *reader) endpointSelector(n *yaml.Node, e *Endpoint) bool {
	sel := r.selector(n, "the selector")
	if sel == nil {
		return false
	}
	e.Selector = sel.Selector
	return true
}

func (r *reader) anyTrue(n *yaml.Node) bool {
	value, ok := r.truth(n, "any")
	if ok && !value {
		r.errorf(n, "bad-endpoint", "any can only be true").WithHelp("leave it out and name something else: %s", endpointHelp)
	}
	return ok && value
}

func (r *reader) address(n *yaml.Node, e *Endpoint) bool {
	s, ok := r.text(n, "the address")
	if !ok {
		return false
	}
	addr, err := netip.ParseAddr(s)
	if err != nil || addr.Zone() != "" {
		r.errorf(n, "bad-address", "%q is no IP address", shorten(s)).WithHelp("an address is like 192.0.2.7 or 2001:db8::7")
		return false
	}
	e.IP = addr.Unmap()
	return true
}

// cidrPrefix begins the name of an External that was made for a cidr; no name
// that can be written has a colon.
const cidrPrefix = "cidr:"

// cidrEndpoint reads a cidr where an endpoint belongs, as if an External had
// been written for it.
func (r *reader) cidrEndpoint(n *yaml.Node, e *Endpoint) {
	p, ok := r.cidr(n, "cidr")
	if !ok {
		return
	}
	pos := r.pos(n)
	r.warnAt(pos, "cidr-in-rule", "the rule names the addresses %s instead of something that has a name, an owner and a reason", p).
		WithHelp("declare an External with cidrs: [%s] and write {external: NAME}; addresses of the estate are never matched by either", p)
	e.Kind, e.Name, e.CIDR, e.ValuePos = ByExternal, cidrPrefix+p.String(), true, pos
	x := &External{
		Meta:  Meta{Name: e.Name, Pos: pos, NamePos: pos},
		CIDRs: []CIDR{{p, pos}},
	}
	if !r.madeBefore(x) {
		r.dir.Externals = append(r.dir.Externals, x)
	}
}
