package prove

import (
	"fmt"
	"slices"

	"firebreak/internal/flow"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
	"firebreak/internal/verify/space"
)

// witness is one conversation of a finding.
func (c *comparison) witness(f *finding, n int) *Witness {
	e := c.e
	proto, port, in, ok := f.set.Witness()
	if !ok {
		return nil
	}
	if in.At.IsZero() {
		in.At = e.at
	}
	a, b := &e.u.ends[f.first[0]], &e.u.ends[f.first[1]]
	from, to := e.u.party(a), e.u.party(b)
	if a == b { // of several workloads
		to.Workload = &e.u.inv.Workloads[a.workloads[1]]
	}
	w := &Witness{From: partyText(from), To: partyText(to), Port: proto.String(), MTLS: in.MTLS, At: in.At, Effect: "allow", Meant: "deny"}
	if proto.HasPorts() {
		w.Port = fmt.Sprintf("%d/%s", port, proto)
	}
	if in.HTTP != nil {
		w.HTTP, w.Host, w.Head = in.HTTP.Method+" "+in.HTTP.Path, in.HTTP.Host, in.HTTP.Headers
	}
	switch f.kind {
	case under:
		w.Effect, w.Meant = "deny", "allow"
	case perhaps:
		w.Effect = "unknown"
	}
	at := e.u.space.Locate(in)
	for _, part := range e.u.engine.Parts(a.peer, b.peer, e.inForce) {
		if part.Set.Contains(proto, port, at) {
			w.Intent = e.u.engine.Ref(part.By).String()
			w.Meant = map[bool]string{true: "allow", false: "deny"}[part.Permits]
		}
	}
	if n >= 0 {
		w.Rule = c.decider(f, n, proto, port, at).String()
	}
	return w
}

// decider names the rule of a layer that decides about a finding's conversation.
func (c *comparison) decider(f *finding, n int, proto netset.Protocol, port uint16, at space.Point) flow.Rule {
	l, from, to := c.e.layers[n], int(f.first[0]), int(f.first[1])
	if !f.relayed {
		return l.decider([2]int{from, from}, [2]int{to, to}, [2]uint16{port, port}, proto, at)
	}
	relay := from
	for x := range c.e.u.ends {
		if slices.ContainsFunc(c.e.layers, func(l *compiled) bool { return l.relays() && l.relay[x] }) {
			relay = x
			break
		}
	}
	ports := [2]uint16{port, port}
	for _, x := range c.e.leadsTo(to) {
		if x.proto == proto && x.port == port {
			ports[flow.Egress] = x.called
		}
	}
	return l.decider([2]int{from, relay}, [2]int{relay, to}, ports, proto, at)
}

func partyText(p layer.Party) string {
	switch {
	case p.Workload != nil:
		return p.Workload.Name
	case p.External != "":
		return "external " + p.External
	}
	return p.Addr.String()
}
