package prove

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/verify"
	"firebreak/internal/verify/space"
)

// A conversation that goes to a frontend goes on to what stands behind it. Some
// layers see the frontend's address and judge it by that, others see only where
// the conversation goes on to. So of a frontend's ports is meant what is meant
// both of the address and of everything behind; what is meant of one of the two
// is not too much.

// serving is a port of a frontend.
type serving struct {
	proto  netset.Protocol
	number uint16
	to     []backend
}

// backend is somebody behind a port, and the port there.
type backend struct {
	peer verify.Peer
	port uint16
}

// frontends knows the addresses of frontends that no workload has.
type frontends struct {
	at     map[netip.Addr]int32 // the class
	serves [][]serving          // by class: what those have in common
}

func findFrontends(p *policy.Policy, g *verify.Engine) *frontends {
	out := &frontends{at: map[netip.Addr]int32{}}
	if p == nil || p.Inventory == nil || g == nil {
		return out
	}
	behind, known := p.Behind(), map[string]int32{}
	for i := range p.Inventory.Frontends {
		f := &p.Inventory.Frontends[i]
		var serves []serving
		members := behind.Workloads(f)
		for _, port := range f.Ports {
			s := serving{proto: port.Protocol, number: port.Number}
			for _, w := range members {
				for _, target := range behind.Targets(f, port, w) {
					if b := (backend{g.OfWorkload(w), target}); !slices.Contains(s.to, b) {
						s.to = append(s.to, b)
					}
				}
			}
			if len(s.to) > 0 && port.Protocol.HasPorts() {
				serves = append(serves, s)
			}
		}
		if serves == nil {
			continue
		}
		key := keyOfServings(serves)
		class, seen := known[key]
		if !seen {
			class = int32(len(out.serves))
			known[key] = class
			out.serves = append(out.serves, serves)
		}
		for _, a := range f.Addresses {
			if a = a.Unmap().WithZone(""); !out.has(a) { // of several the first, as everywhere
				out.at[a] = class
			}
		}
	}
	return out
}

func (f *frontends) has(a netip.Addr) bool { _, known := f.at[a]; return known }

// of is the class of a region; -1 if it is none of a frontend's addresses.
func (f *frontends) of(p netip.Prefix) int32 {
	if class, known := f.at[p.Addr()]; known && p.IsSingleIP() {
		return class
	}
	return -1
}

func keyOfServings(list []serving) string {
	var key []byte
	for _, s := range list {
		key = append(key, byte(s.proto))
		key = binary.LittleEndian.AppendUint16(key, s.number)
		key = binary.AppendUvarint(key, uint64(len(s.to)))
		for _, b := range s.to {
			key = binary.AppendVarint(key, int64(b.peer))
			key = binary.LittleEndian.AppendUint16(key, b.port)
		}
	}
	return string(key)
}

// atFrontend is what was meant between an end and frontends of a class, of which base is
// meant by their address alone.
func (p *pairs) atFrontend(from verify.Peer, class int32, base intended) intended {
	g := p.e.u.engine
	for _, s := range p.e.u.frontends.serves[class] {
		here := netset.Of(s.proto, s.number, s.number)
		moved := func(set space.Set, port uint16) space.Set { return set.Moved(s.proto, port, here) }
		all := [3]space.Set{space.Plain(here), space.Plain(here), space.Plain(here)}
		for _, b := range s.to {
			permitted, _ := g.Permitted(from, b.peer, p.e.inForce)
			leaving, _ := g.Leaving(from, b.peer, p.e.inForce)
			arriving, _ := g.Arriving(from, b.peer, p.e.inForce)
			for i, set := range [3]space.Set{permitted, leaving, arriving} {
				all[i] = all[i].Intersect(moved(set, b.port))
			}
		}
		base.permitted = base.permitted.Subtract(space.Plain(here)).Union(base.permitted.Intersect(all[0]))
		base.leaving, base.arriving = base.leaving.Union(all[1]), base.arriving.Union(all[2])
	}
	return base
}

// kindAt is the number of what was meant between an end and a frontend.
func (p *pairs) kindAt(i, j int) int32 {
	from, to := p.e.u.ends[i].peer, &p.e.u.ends[j]
	key := frontKey{from, to.peer, to.front}
	if n, known := p.fronts[key]; known {
		return n
	}
	x := p.atFrontend(from, to.front, p.meant(from, to.peer))
	content := x.permitted.AppendKey(nil)
	content = x.leaving.AppendKey(append(content, 0xfe))
	content = x.arriving.AppendKey(append(content, 0xfe))
	n, known := p.contents[string(content)]
	if !known {
		p.intents = append(p.intents, x)
		n = int32(len(p.intents)) - 1
		p.contents[string(content)] = n
	}
	p.fronts[key] = n
	return n
}

// frontKey is everything that what was meant at a frontend depends on.
type frontKey struct {
	from, to verify.Peer
	class    int32
}
