package semantics

import (
	"net/netip"
	"slices"
	"strings"

	"firebreak/internal/inventory"
)

// Party is one side of a conversation: workloads, or an address that no
// workload owns. The zero Party is an address of the rest of the world.
type Party struct {
	// Owners has one element for a workload, several for an address that
	// several workloads share, none for any other address.
	Owners []*inventory.Workload
	// Addr is the address that was asked for; invalid for a workload.
	Addr netip.Addr
	// Frontend is set for the address of a frontend, which no workload owns, and
	// for a frontend without an address. What goes to a port that it serves goes
	// on to its workloads; otherwise the rest says what the address is.
	Frontend *inventory.Frontend
	// Of an address without owners, at most one of these is set; none of them
	// is the rest of the world. An External without an address is the thing
	// that is known by its FQDNs.
	Builtin   string   // "loopback", "metadata" or "resolver"
	Unknown   bool     // inside the estate's networks
	Externals []string // the names of the Externals that contain it
}

// alternatives lists what the party may be: each owner of its address, or the
// address itself.
func (p Party) alternatives() []Party {
	if len(p.Owners) == 0 {
		return []Party{p}
	}
	out := make([]Party, len(p.Owners))
	for i, w := range p.Owners {
		out[i] = Party{Owners: []*inventory.Workload{w}, Addr: p.Addr}
	}
	return out
}

func (p Party) isExternal(name string) bool { return slices.Contains(p.Externals, name) }

// IsPlace reports whether the party is a plain address, or a name, outside the
// inventory: nobody's workload, no frontend, not built in.
func (p Party) IsPlace() bool { return len(p.Owners) == 0 && p.Frontend == nil && p.Builtin == "" }

// builtins are what design and kernel agree never to judge.
var builtins = [...]struct{ prefix, name string }{
	{"127.0.0.0/8", "loopback"},
	{"::1/128", "loopback"},
	{"169.254.169.254/32", "metadata"},
	{"fd00:ec2::254/128", "metadata"},
	{"169.254.169.253/32", "resolver"},
	{"fd00:ec2::253/128", "resolver"},
}

// Workload returns the workload of that name as a party; false if there is
// none.
func (e *Evaluator) Workload(name string) (Party, bool) {
	for i := range e.inv.Workloads {
		if w := &e.inv.Workloads[i]; w.Name == name {
			return Party{Owners: []*inventory.Workload{w}}, true
		}
	}
	return Party{}, false
}

// Frontend returns the frontend of that name as a party: its first address, or
// itself where it has none; false if there is no such frontend.
func (e *Evaluator) Frontend(name string) (Party, bool) {
	for i := range e.inv.Frontends {
		f := &e.inv.Frontends[i]
		if f.Name != name {
			continue
		}
		p := Party{Unknown: true}
		if len(f.Addresses) > 0 {
			p = e.Address(f.Addresses[0])
			p.Owners, p.Builtin = nil, ""
		}
		p.Frontend = f
		return p, true
	}
	return Party{}, false
}

// Address returns what an address is: its owners, else a built-in, else
// unknown if the estate's networks contain it, else whatever Externals do. It
// is a frontend's if it has neither owners nor is built in.
func (e *Evaluator) Address(a netip.Addr) Party {
	p := Party{Addr: a.Unmap(), Owners: e.owners[a.Unmap()]}
	if p.Owners != nil {
		return p
	}
	for _, b := range builtins {
		if netip.MustParsePrefix(b.prefix).Contains(p.Addr) {
			p.Builtin = b.name
			return p
		}
	}
	p.Frontend = e.frontendAt(p.Addr)
	if e.dir.Estate != nil {
		for _, n := range e.dir.Estate.Networks {
			if n.Prefix.Contains(p.Addr) {
				p.Unknown = true
				return p
			}
		}
	}
	for _, x := range e.dir.Externals {
		for _, c := range x.CIDRs {
			if c.Prefix.Contains(p.Addr) && !p.isExternal(x.Name) {
				p.Externals = append(p.Externals, x.Name)
			}
		}
	}
	return p
}

func (e *Evaluator) frontendAt(a netip.Addr) *inventory.Frontend {
	for i := range e.inv.Frontends {
		if f := &e.inv.Frontends[i]; slices.Contains(f.Addresses, a) {
			return f
		}
	}
	return nil
}

// Span is a run of addresses of one family, both ends included, that the
// policy cannot tell apart.
type Span struct {
	Lo, Hi netip.Addr
	Party  Party // what each of them is; its Addr is Lo
}

// Spans cuts both address families wherever the policy or the inventory names
// an address, and returns all pieces in order, IPv4 first.
func (e *Evaluator) Spans() []Span {
	starts := []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}
	cut := func(p netip.Prefix) {
		starts = append(starts, p.Masked().Addr())
		if next := last(p).Next(); next.IsValid() {
			starts = append(starts, next)
		}
	}
	for _, b := range builtins {
		cut(netip.MustParsePrefix(b.prefix))
	}
	if e.dir.Estate != nil {
		for _, n := range e.dir.Estate.Networks {
			cut(n.Prefix)
		}
	}
	for _, x := range e.dir.Externals {
		for _, c := range x.CIDRs {
			cut(c.Prefix)
		}
	}
	for _, w := range e.inv.Workloads {
		for _, a := range w.Addresses {
			cut(netip.PrefixFrom(a, a.BitLen()))
		}
	}
	for _, f := range e.inv.Frontends {
		for _, a := range f.Addresses {
			cut(netip.PrefixFrom(a, a.BitLen()))
		}
	}
	slices.SortFunc(starts, netip.Addr.Compare)
	starts = slices.Compact(starts)
	out := make([]Span, len(starts))
	for i, lo := range starts {
		hi := last(netip.PrefixFrom(lo, 0)) // of its family
		if i+1 < len(starts) && starts[i+1].Is4() == lo.Is4() {
			hi = starts[i+1].Prev()
		}
		out[i] = Span{Lo: lo, Hi: hi, Party: e.Address(lo)}
	}
	return out
}

// last is the highest address of a prefix.
func last(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < 8*len(b); i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// Name is what a person would call the party: the workload's name, the
// address, and what is known about it.
func (p Party) Name() string {
	switch {
	case !p.Addr.IsValid() && len(p.Owners) == 1:
		return p.Owners[0].Name
	case !p.Addr.IsValid() && p.Frontend != nil:
		return "frontend " + p.Frontend.Name
	case !p.Addr.IsValid() && p.Externals != nil:
		return strings.Join(p.Externals, ", ") + " (by name)"
	case !p.Addr.IsValid():
		return "world"
	}
	var names []string
	for _, w := range p.Owners {
		names = append(names, w.Name)
	}
	switch {
	case names != nil:
	case p.Frontend != nil:
		names = []string{"frontend " + p.Frontend.Name}
	case p.Builtin != "":
		names = []string{p.Builtin}
	case p.Unknown:
		names = []string{"unknown"}
	case p.Externals != nil:
		names = p.Externals
	default:
		names = []string{"world"}
	}
	return p.Addr.String() + " (" + strings.Join(names, ", ") + ")"
}
