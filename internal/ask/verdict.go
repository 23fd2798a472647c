package ask

import (
	"firebreak/internal/flow"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/verify"
	"firebreak/internal/verify/space"
)

// Verdict is what is said of all that was asked about between two peers. It is
// comparable.
type Verdict struct {
	// Decision is that of the first of the asked ports, with the request that
	// was asked about, or with no HTTP; zero where neither end is a workload.
	Decision verify.Decision
	// Requests is set if no request was given, and some of what was asked passes
	// and some does not.
	Requests bool
	// Ports is set if some of the asked ports pass and others do not with one and
	// the same request.
	Ports bool
}

// Judge says what becomes of all that is asked from one peer to another, in
// the policy to come or in what is in force. Asked must not be empty. Without a
// request in c, every request is meant, and what is no HTTP.
func Judge(e *verify.Engine, from, to verify.Peer, asked netset.Traffic, c flow.Circumstances, inForce bool) Verdict {
	proto, port := lowest(asked)
	v := Verdict{Decision: e.Decide(from, to, proto, port, e.Locate(c))}
	permitted, managed := e.Permitted(from, to, inForce)
	if !managed {
		return v
	}
	if c.HTTP != nil {
		passes := permitted.Seen(e.Locate(c)).Intersect(asked)
		v.Ports = !passes.IsEmpty() && !passes.Equal(asked)
		return v
	}
	permits := space.Plain(asked).Intersect(permitted.At(c.At).Given(c.MTLS))
	v.Requests = !permits.IsEmpty() && !permits.Equal(space.Plain(asked))
	v.Ports = v.Requests && !permits.Equal(permits.Moved(proto, port, asked))
	return v
}

// lowest is the first protocol and port of traffic that is not empty.
func lowest(t netset.Traffic) (netset.Protocol, uint16) {
	for p, r := range t.Runs() {
		return p, r.Lo
	}
	return 0, 0
}

// Asked is the traffic that a port means at a workload (an index into the
// inventory's) that was reached by an endpoint: all if there is no port, none if
// nothing is so called there.
func Asked(p *policy.Policy, port *lang.Port, end lang.Endpoint, workload int) netset.Traffic {
	return askedAt(p, port, end, workload)
}
