package nftables

import (
	"slices"
	"strings"

	"firebreak/internal/flow"
	"firebreak/internal/netset"
	"firebreak/internal/plan"
	"firebreak/internal/verify"
)

// ledThrough are an end's rules, by family, about packets of relays: what is
// permitted to and from those behind them gets there. Who they are is for the
// relay's own layer to decide.
func (r *renderer) ledThrough(e *end, d flow.Direction, chain string) (text [2]string) {
	for _, s := range e.subjects {
		for _, t := range r.w.ThroughOf(s, d) {
			comment := strings.Join(r.rulesThrough(s, d, t), ", ") + " through " + t.Relay
			for _, p := range t.Prefixes {
				f := 1
				if p.Addr().Is4() {
					f = 0
				}
				at := match("==", payload(headers[f], peerSide[d]), string(appendAddresses(nil, p.Masked().Addr(), lastOf(p))))
				for _, ports := range trafficOf(t.Traffic, f) {
					text[f] += rule(chain, comment, ports, at, accept)
				}
			}
		}
	}
	return text
}

// rulesThrough names the rules by which something is led through a relay.
func (r *renderer) rulesThrough(s *plan.Subject, d flow.Direction, t plan.Through) []string {
	tcp := netset.Of(netset.TCP, 0, 65535)
	var out []string
	for i := range s.Grants(d) {
		g := s.Grants(d)[i]
		g.Peers = slices.DeleteFunc(slices.Clone(g.Peers), func(x verify.Peer) bool {
			_, behind := slices.BinarySearch(t.Peers, x)
			return !behind
		})
		g.Open = g.Open.Intersect(tcp)
		out = append(out, r.rulesOf(s, d, &g)...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
