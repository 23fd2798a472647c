package plan

import (
	"net/netip"
	"slices"

	"firebreak/internal/flow"
	"firebreak/internal/netset"
	"firebreak/internal/verify"
)

// Through is what must pass between some workloads and a relay, so that what is
// permitted to or from those behind it gets there. Who they are is for the
// relay's own layer to decide.
type Through struct {
	Relay    string         // the name of its target
	Prefixes []netip.Prefix // of the families that the workloads speak; never empty
	// Traffic is TCP, and never empty: coming in, the ports of the workloads; going
	// out, the ports at which the relay is called. As Grant.Open it holds what
	// passes under some request or certificate.
	Traffic netset.Traffic
	Peers   []verify.Peer // who is behind the relay; ascending
}

// Relays are those that lead between workloads of the inventory.
func (w *Wanted) Relays() []*Relayed { return w.relays }

// ThroughOf returns what must pass in a direction between a subject's workloads
// and relays, one for each relay.
func (w *Wanted) ThroughOf(s *Subject, d flow.Direction) []Through {
	if len(w.relays) == 0 {
		return nil
	}
	var workloads []int
	for _, id := range s.Identities {
		workloads = append(workloads, w.Policy.Identities[id].Workloads...)
	}
	return w.Through(workloads, d)
}

// Through returns what must pass in a direction between some workloads of one
// subject (indices into the inventory) and relays, one for each relay.
func (w *Wanted) Through(workloads []int, d flow.Direction) []Through {
	if len(workloads) == 0 {
		return nil
	}
	var out []Through
	grants := w.SubjectOf(w.Policy.IdentityOf[workloads[0]]).Grants(d)
	for _, l := range w.relays {
		own, families := l.ends(workloads, d)
		if len(own) == 0 {
			continue
		}
		t := Through{Relay: l.Relay.Name(), Prefixes: l.of(families)}
		ports := map[uint16]bool{}
		for i := range grants {
			if len(grants[i].Open.Ranges(netset.TCP)) == 0 {
				continue
			}
			for _, x := range grants[i].Peers {
				if id := w.Engine.Identity(x); id >= 0 && l.pass(own, id, d, grants[i].Open, ports) {
					t.Peers = append(t.Peers, x)
				}
			}
		}
		t.Traffic = netset.Collect(func(yield func(netset.Protocol, netset.Range) bool) {
			for p := range ports {
				if !yield(netset.TCP, netset.Range{Lo: p, Hi: p}) {
					return
				}
			}
		})
		if slices.Sort(t.Peers); len(ports) > 0 && len(t.Prefixes) > 0 {
			out = append(out, t)
		}
	}
	return out
}

// ends lists the classes of workloads that the relay leads to, or from, and the
// families of their addresses.
func (l *Relayed) ends(workloads []int, d flow.Direction) (own []int32, families [2]bool) {
	of := l.from
	if d == flow.Ingress {
		of = l.to
	}
	for _, i := range workloads {
		c := of[i]
		if c < 0 {
			continue
		}
		if !slices.Contains(own, c) {
			own = append(own, c)
		}
		families[0], families[1] = families[0] || l.family[i][0], families[1] || l.family[i][1]
	}
	return own, families
}

// pass adds the ports by which some traffic passes between own ends and an
// identity, and reports whether there are any.
func (l *Relayed) pass(own []int32, identity int, d flow.Direction, open netset.Traffic, ports map[uint16]bool) bool {
	found := false
	if d == flow.Ingress {
		for _, f := range l.fromOf[identity] {
			for _, t := range own {
				for _, p := range l.ports[t] {
					if l.leads[f][t] && open.Contains(netset.TCP, p.Number) {
						found, ports[p.Number] = true, true
					}
				}
			}
		}
		return found
	}
	for _, t := range l.toOf[identity] {
		if !slices.ContainsFunc(own, func(f int32) bool { return l.leads[f][t] }) {
			continue
		}
		for _, p := range l.ports[t] {
			if open.Contains(netset.TCP, p.Number) {
				found = true
				for _, c := range p.Calls {
					ports[c] = true
				}
			}
		}
	}
	return found
}
