package ebpf

import (
	"slices"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/flow"
	"firebreak/internal/netset"
	"firebreak/internal/plan"
)

// relay is a far end that leads conversations between workloads: from there
// come those that it leads here, and to it go those that it leads on. What it
// does not lead is judged as its address alone would be.
type relay struct {
	number    uint32
	externals []int
	led       *plan.Relayed
	kinds     []kind // by plan.Relayed's number
}

// kind is identities that are alike to a relay: one of them, and how many.
type kind struct{ one, n int }

// relayEntries makes the addresses of relays far ends of their own, and sees to it
// that the ports that they lead to, and are called at, can be told apart.
// Nobody here may send from such an address.
func (r *renderer) relayEntries() {
	known := map[string]uint32{}
	for _, led := range r.h.Relays {
		r.partition(led)
		match := newMatcher(r.tables.Addresses)
		for _, p := range led.Prefixes() {
			around, _ := match.find(p.Addr())
			if around.Peer == layout.BuiltinPeer {
				continue
			}
			if around.Prefix != p {
				around.Prefix = p
				r.tables.Addresses = append(r.tables.Addresses, around)
			}
			for i := range r.tables.Addresses {
				a := &r.tables.Addresses[i]
				if a.Prefix.Bits() >= p.Bits() && p.Contains(a.Prefix.Addr()) && a.Peer != layout.BuiltinPeer {
					a.Peer, a.Flags = r.relay(led, a.Peer, known), a.Flags|layout.Named
				}
			}
		}
	}
}

// relay returns the number of a relay at an address that would be that one
// without it.
func (r *renderer) relay(led *plan.Relayed, without uint32, known map[string]uint32) uint32 {
	x := relay{led: led}
	for i := range r.peers {
		if r.peers[i].number == without {
			x.externals = r.peers[i].externals
		}
	}
	key := relayKey(led.Relay.Name(), r.externalNames(x.externals))
	if number, ok := known[key]; ok {
		return number
	}
	x.number = r.n.peer(key)
	known[key] = x.number
	for id := range r.p.Identities {
		k := led.Kind(id)
		if k < 0 {
			continue
		}
		if k == len(x.kinds) { // numbers come in order
			x.kinds = append(x.kinds, kind{one: id})
		}
		x.kinds[k].n++
	}
	r.relays = append(r.relays, x)
	return x.number
}

// partition makes each port of a relay a set of its own.
func (r *renderer) partition(led *plan.Relayed) {
	add := func(port uint16) { r.classes.set(netset.Of(netset.TCP, port, port)) }
	for i := range r.p.Inventory.Workloads {
		if _, ports := led.Relay.To(i); len(ports) > 0 {
			for _, p := range ports {
				add(p.Number)
				for _, c := range p.Calls {
					add(c)
				}
			}
		}
	}
}

// toRelay returns what the end says about conversations that a relay leads to it,
// or that go on to those to whom it leads: what it says to any of them.
func (r *renderer) toRelay(s *side, x *relay, d flow.Direction) *verdicts {
	plain := r.toExternals(s, x.externals)
	led := map[int]decision{} // by class
	seen := map[said]bool{}
	left := slices.Clone(x.kinds)
	ask := func(ident int, says *verdicts) {
		from, to := s.ident, ident
		if d == flow.Ingress {
			from, to = ident, s.ident
		}
		ports := x.led.Between(from, to)
		if len(ports) == 0 || seen[said{says, &ports[0], len(ports)}] {
			return
		}
		seen[said{says, &ports[0], len(ports)}] = true
		for _, p := range ports {
			r.lead(led, says.at(r.classes.at(netset.TCP, p.Number)), p, d)
		}
	}
	for _, id := range s.mentioned {
		if k := x.led.Kind(id); k >= 0 {
			left[k].n--
			ask(id, r.toIdentity(s, id))
		}
	}
	for _, k := range left { // whom no rule names
		if k.n > 0 {
			ask(k.one, &s.byDefault)
		}
	}
	return r.overlay(plain, led)
}

// said is what was taken into account: what an end says about some ports.
type said struct {
	says  *verdicts
	first *plan.RelayPort
	n     int
}

// lead adds what an end says about a port behind a relay: at that port it comes
// in, and goes out to those of the relay that lead there.
func (r *renderer) lead(led map[int]decision, says decision, p plan.RelayPort, d flow.Direction) {
	at := []uint16{p.Number}
	if d == flow.Egress {
		at = p.Calls
	}
	for _, port := range at {
		class := r.classes.at(netset.TCP, port)
		if was, is := led[class]; is {
			led[class] = merge(was, says, false)
		} else {
			led[class] = says
		}
	}
}

// overlay returns what is said of an address for its own sake, and what is led
// through it: whichever is looser.
func (r *renderer) overlay(plain *verdicts, led map[int]decision) *verdicts {
	if len(led) == 0 {
		return plain
	}
	v := &verdicts{classes: slices.Clone(plain.classes)}
	for class := range led {
		v.classes = append(v.classes, class)
	}
	slices.Sort(v.classes)
	v.classes = slices.Compact(v.classes)
	v.decisions = make([]decision, len(v.classes))
	for i, class := range v.classes {
		v.decisions[i] = plain.at(class)
		if d, is := led[class]; is {
			v.decisions[i] = merge(v.decisions[i], d, false)
		}
	}
	return v
}
