package networkpolicy

import (
	"fmt"
	"slices"
	"strings"

	"firebreak/internal/flow"
	"firebreak/internal/netset"
	"firebreak/internal/plan"
	"firebreak/internal/verify"
)

// relayed writes what is led through relays: an entry for each, of its addresses
// and exactly those ports. Who is behind them is for the relay's own layer to
// decide.
func (r *renderer) relayed(b *strings.Builder, s *plan.Subject, dir flow.Direction) {
	for _, t := range r.w.ThroughOf(s, dir) {
		for _, line := range r.reasonsThrough(s, dir, t) {
			fmt.Fprintf(b, "  # %s\n", comment(line))
		}
		word := "from"
		if dir == flow.Egress {
			word = "to"
		}
		fmt.Fprintf(b, "  - %s:\n", word)
		for _, p := range t.Prefixes {
			b.WriteString(blockYAML(p, nil, t.Relay))
		}
		b.WriteString("    ports:\n")
		for _, ports := range t.Traffic.Ranges(netset.TCP) {
			if ports.Lo == ports.Hi {
				fmt.Fprintf(b, "    - {protocol: TCP, port: %d}\n", ports.Lo)
			} else {
				fmt.Fprintf(b, "    - {protocol: TCP, port: %d, endPort: %d}\n", ports.Lo, ports.Hi)
			}
		}
	}
}

// reasonsThrough names what the text says of what is led, for comments.
func (r *renderer) reasonsThrough(s *plan.Subject, dir flow.Direction, t plan.Through) []string {
	var out []string
	for i := range s.Grants(dir) {
		g := s.Grants(dir)[i]
		g.Peers = slices.DeleteFunc(slices.Clone(g.Peers), func(x verify.Peer) bool {
			_, behind := slices.BinarySearch(t.Peers, x)
			return !behind
		})
		for _, line := range r.reasons(s, dir, &g) {
			if line += ", through " + t.Relay; !slices.Contains(out, line) {
				out = append(out, line)
			}
		}
	}
	return out
}
