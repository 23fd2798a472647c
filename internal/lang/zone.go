package lang

import (
	"go.yaml.in/yaml/v3"

	"firebreak/internal/diag"
	"firebreak/internal/label"
	"firebreak/internal/netset"
)

func (r *reader) zone(n *yaml.Node) {
	z := &Zone{Default: Deny}
	selected := false
	before := len(r.list)
	z.Meta = r.body(n, "Zone", func(n *yaml.Node) {
		r.object(n, "a Zone's spec",
			may("select", func(n *yaml.Node) { selected, z.Select = true, r.selector(n, "the zone's selector") }),
			may("sensitivity", func(n *yaml.Node) {
				if i, ok := r.choice(n, "bad-sensitivity", "sensitivity", sensitivities); ok {
					z.Sensitivity = sensitivities[i]
				}
			}),
			may("scope", func(n *yaml.Node) {
				r.each(n, "scope", func(n *yaml.Node) {
					if s, ok := r.text(n, "an entry of scope"); ok {
						z.Scope = append(z.Scope, s)
					}
				})
			}),
			may("stage", func(n *yaml.Node) {
				z.StagePos = r.pos(n)
				choiceTo(r, &z.Stage, "bad-stage", "stage", stages)(n)
			}),
			may("default", choiceTo(r, &z.Default, "bad-default", "default", effects[:Pass])))
	})
	switch {
	case z.Name == Unassigned && selected:
		r.errorAt(z.NamePos, "reserved-name", "the zone %q has no selector: it is what no other zone selects", Unassigned).
			WithHelp("remove its select, or choose another name")
	case z.Name != Unassigned && z.Name != "" && !selected && !r.list[before:].HasErrors():
		r.errorAt(z.Pos, "missing-field", "the zone %q needs the field %q", z.Name, "select").
			WithHelp("only the zone %q is declared without one", Unassigned)
	}
	if z.Select == nil && z.Name != Unassigned {
		z.Select = &Select{Selector: matchesNothing(), Unread: true, Pos: z.Pos}
	}
	if z.Name != "" {
		r.dir.Zones = append(r.dir.Zones, z)
	}
}

func (r *reader) service(n *yaml.Node) {
	s := &Service{}
	seen := map[ServicePort]diag.Pos{}
	s.Meta = r.body(n, "Service", func(n *yaml.Node) {
		r.object(n, "a Service's spec",
			need("select", func(n *yaml.Node) { s.Select = r.selector(n, "the service's selector") }),
			may("ports", func(n *yaml.Node) {
				r.each(n, "ports", func(n *yaml.Node) { r.servicePort(n, s, seen) })
			}))
	})
	if s.Select == nil {
		s.Select = &Select{Selector: matchesNothing(), Unread: true, Pos: s.Pos}
	}
	if s.Name != "" {
		r.dir.Services = append(r.dir.Services, s)
	}
}

// matchesNothing stands, in a tree with errors, for a selector that could not
// be read, so that names still resolve and nothing more is found.
func matchesNothing() label.Selector {
	sel, err := label.Parse("none,!none")
	if err != nil {
		return label.Selector{}
	}
	return sel
}

// validPortName says what a port may be called: as in Kubernetes, but dots and
// capitals are left out, so that a name is never taken for a number or a class.
func validPortName(s string) bool {
	hasLetter := false
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z'
		if !letter && (c < '0' || c > '9') && (c != '-' || i == 0 || i == len(s)-1) {
			return false
		}
		hasLetter = hasLetter || letter
	}
	return hasLetter && len(s) <= 63 && s != "icmp"
}

// servicePort adds a port, unless it is there already; seen has the names and
// the numbers that are.
func (r *reader) servicePort(n *yaml.Node, s *Service, seen map[ServicePort]diag.Pos) {
	p := ServicePort{Pos: r.pos(n)}
	r.object(n, "a port of a Service",
		may("name", func(n *yaml.Node) {
			name, ok := r.text(n, "the name of a port")
			switch {
			case !ok:
			case !validPortName(name):
				r.errorf(n, "bad-port", "%q is no name of a port", shorten(name)).
					WithHelp("at most 63 letters in lower case, digits and '-', with a letter among them, and not \"icmp\"")
			default:
				p.Name = name
			}
		}),
		need("port", func(n *yaml.Node) {
			if i, ok := r.number(n, "bad-port", "port", 1, 65535); ok {
				p.Number = uint16(i)
			}
		}),
		may("protocol", func(n *yaml.Node) {
			s, ok := r.text(n, "protocol")
			proto, known := netset.ParseProtocol(s)
			switch {
			case !ok:
			case !known || !proto.HasPorts():
				r.errorf(n, "bad-protocol", "%q is no protocol with ports", shorten(s)).WithHelp("%s", oneOf(s, withPorts))
			default:
				p.Protocol = proto
			}
		}))
	if p.Number == 0 {
		return
	}
	name, number := ServicePort{Name: p.Name}, ServicePort{Number: p.Number, Protocol: p.Protocol}
	if other, twice := seen[name]; twice && p.Name != "" {
		r.errorAt(p.Pos, "duplicate-name", "the service has two ports called %q", p.Name).
			WithHelp("the other is at %s; give each its own name", other)
		return
	}
	if other, twice := seen[number]; twice {
		r.errorAt(p.Pos, "duplicate-name", "the service has the port %d/%s twice", p.Number, p.Protocol).
			WithHelp("the other is at %s; remove one", other)
		return
	}
	seen[name], seen[number] = p.Pos, p.Pos
	s.Ports = append(s.Ports, p)
}

// withPorts are the classes that have ports.
var withPorts = []string{netset.TCP.String(), netset.UDP.String(), netset.SCTP.String()}

func (r *reader) external(n *yaml.Node) {
	e := &External{}
	e.Meta = r.body(n, "External", func(n *yaml.Node) {
		before := len(r.list)
		read := r.object(n, "an External's spec",
			may("cidrs", func(n *yaml.Node) { e.CIDRs = r.cidrs(n, "cidrs") }),
			may("fqdns", func(n *yaml.Node) { e.FQDNs = r.fqdns(n) }),
			may("reason", r.textTo(&e.Reason, "the reason")))
		if read && len(e.CIDRs)+len(e.FQDNs) == 0 && len(r.list) == before {
			r.errorf(n, "missing-field", "an External's spec needs the field %q or %q", "cidrs", "fqdns")
		}
	})
	if e.Name != "" {
		r.dir.Externals = append(r.dir.Externals, e)
	}
}
