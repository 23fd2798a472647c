package lang

import (
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"firebreak/internal/netset"
)

const portHelp = "a port is a name of the destination's ports, or like 5432/TCP, 8000-8080/TCP, icmp"

// ports reads a list of ports, which is not nil even if none could be read.
func (r *reader) ports(n *yaml.Node) []Port {
	out := []Port{}
	r.each(n, "ports", func(n *yaml.Node) {
		if port, ok := r.port(n); ok {
			out = append(out, port)
		}
	})
	return out
}

// port reads an entry of a rule's ports.
func (r *reader) port(n *yaml.Node) (Port, bool) {
	s, ok := r.text(n, "a port")
	if !ok {
		return Port{}, false
	}
	p := Port{Pos: r.pos(n)}
	number, protocol, slash := strings.Cut(s, "/")
	switch {
	case strings.EqualFold(s, "icmp"):
		p.Traffic = netset.Of(netset.ICMP, 0, 0)
	case slash:
		p.Traffic, ok = r.numbered(n, s, number, protocol)
	case validPortName(s):
		p.Name = s
	default:
		ok = false
		d := r.errorf(n, "bad-port", "%q is no port", shorten(s))
		if _, valid := portRange(s); valid {
			d.WithHelp("say which protocol: %s/TCP or %s/UDP", s, s)
		} else if better := turned(s); better != "" {
			d.WithHelp("write %s", better)
		} else {
			d.WithHelp(portHelp)
		}
	}
	return p, ok
}

func (r *reader) numbered(n *yaml.Node, s, number, protocol string) (netset.Traffic, bool) {
	ports, valid := portRange(number)
	proto, known := netset.ParseProtocol(protocol)
	switch {
	case !valid && turned(s) != "":
		r.errorf(n, "bad-port", "%q is no port: the number comes first", shorten(s)).WithHelp("write %s", turned(s))
	case !valid:
		r.errorf(n, "bad-port", "%q is no port: what stands before '/' must be a number from 1 to 65535, or two with '-' between, the lower first", shorten(s)).
			WithHelp(portHelp)
	case !known || !proto.HasPorts():
		r.errorf(n, "bad-port", "%q is no port: %q is no protocol with ports", shorten(s), shorten(protocol)).
			WithHelp("%s", oneOf(protocol, withPorts))
	default:
		return netset.Of(proto, ports.Lo, ports.Hi), true
	}
	return netset.None(), false
}

// otherForms are how other systems write a port with its protocol.
var otherForms = regexp.MustCompile(`(?i)^(?:(tcp|udp|sctp)[ :/]*([0-9-]+)|([0-9-]+)[ :]*(tcp|udp|sctp))$`)

// turned returns how a port is written that was written as elsewhere, such as
// tcp:5432 or "5432 tcp"; "" if it is none.
func turned(s string) string {
	m := otherForms.FindStringSubmatch(s)
	if m == nil {
		return ""
	}
	if _, valid := portRange(m[2] + m[3]); !valid {
		return ""
	}
	return m[2] + m[3] + "/" + strings.ToUpper(m[1]+m[4])
}

// portRange reads N or N-M. Port 0 is only taken as the beginning of a range:
// 0-65535 is everything that the protocol has.
func portRange(s string) (netset.Range, bool) {
	lo, hi, isRange := strings.Cut(s, "-")
	if !isRange {
		hi = lo
	}
	a, errA := strconv.ParseUint(lo, 10, 16)
	b, errB := strconv.ParseUint(hi, 10, 16)
	ok := errA == nil && errB == nil && a <= b && b > 0
	return netset.Range{Lo: uint16(a), Hi: uint16(b)}, ok
}
