package prove

import (
	"fmt"

	"firebreak/internal/layer"
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
		w.Rule = e.layers[n].decider(int(f.first[0]), int(f.first[1]), proto, port, at).String()
	}
	return w
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
