package path

import (
	"fmt"
	"net/netip"
	"slices"

	"firebreak/internal/layer"
)

// through walks a conversation that a relay takes: from the initiator to the
// relay, what the relay says, and from the relay to the responder, whose own
// layers no longer see who began.
func (w *walk) through(q Question, relay *layer.Layer) []Step {
	others := func(l *layer.Layer) bool { return !l.Optional }
	if len(relay.Relays) == 0 {
		return w.layers(q, func(l *layer.Layer) bool { return others(l) || l == relay })
	}
	out, in := q, q
	out.To = layer.Party{Addr: addressOf(relay, q.From)}
	in.From = layer.Party{Addr: addressOf(relay, q.To)}
	out.Port = w.listener(q, relay)
	var steps []Step
	for _, s := range w.layers(out, others) {
		s.Why = fmt.Sprintf("%s (to %s, port %d)", s.Why, relay.Target, out.Port)
		steps = append(steps, s)
	}
	steps = append(steps, w.layers(q, func(l *layer.Layer) bool { return l == relay })...)
	for _, s := range w.layers(in, others) {
		s.Why += " (it sees " + relay.Target + ", not who began)"
		steps = append(steps, s)
	}
	return steps
}

// addressOf is an address of a relay that an end can talk with: of IPv4, if the
// end has such an address or none that is known.
func addressOf(relay *layer.Layer, end layer.Party) netip.Addr {
	first := relay.Relays[0].Addr().Next()
	if end.Workload == nil || len(end.Workload.Addresses) == 0 {
		return first
	}
	for _, p := range relay.Relays {
		if slices.ContainsFunc(end.Workload.Addresses, func(a netip.Addr) bool { return a.Unmap().Is4() == p.Addr().Is4() }) {
			return p.Addr().Next()
		}
	}
	return first
}

// listener is the port at which the relay is called: of listeners that were read
// and lead to the responder's port the one with that number or the first, else
// that of a frontend of the inventory, else the responder's port.
func (w *walk) listener(q Question, relay *layer.Layer) uint16 {
	var called []uint16
	for i := range relay.Leads {
		l := &relay.Leads[i]
		if l.Protocol == q.Protocol && l.Port == q.Port && l.To.Matches(q.To, w.Networks) == layer.Yes {
			called = append(called, l.Called)
		}
	}
	switch {
	case slices.Contains(called, q.Port):
		return q.Port
	case len(called) > 0:
		return called[0]
	}
	if q.To.Workload != nil {
		for i := range w.Inventory.Frontends {
			f := &w.Inventory.Frontends[i]
			if !slices.Contains(f.Workloads, q.To.Workload.Name) || f.Rewrites != "both" {
				continue
			}
			for _, p := range f.Ports {
				if p.Target == q.Port && p.Protocol == q.Protocol {
					return p.Number
				}
			}
		}
	}
	return q.Port
}
