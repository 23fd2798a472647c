package agent

import (
	"slices"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/load"
	"firebreak/internal/plan"
	"firebreak/internal/target/all"
	"firebreak/internal/target/ebpf"
)

// relays are those of the Estate's targets: what they lead must pass here, too.
// One that leads only under the policy to come counts, since the tables hold both.
func relays(l *load.Loaded) []*plan.Relayed {
	if l.Tree == nil || l.Tree.Estate == nil {
		return nil
	}
	var names []string
	for _, word := range l.Tree.Estate.Targets {
		names = append(names, word.Text)
	}
	return plan.RelayedBy(l.Policy, all.Relays(names, l.Policy, true))
}

// relays names the addresses of relays after them, but for what in them is an
// External of its own.
func (v *view) relays(h ebpf.Host) {
	for _, led := range h.Relays {
		e := &end{name: led.Relay.Name()}
		for _, p := range led.Prefixes() {
			if old := v.prefixes[p]; old != nil && old != v.byNumber[layout.WorldPeer] {
				continue
			}
			v.prefixes[p] = e
			lengths := &v.lengths6
			if p.Addr().Is4() {
				lengths = &v.lengths4
			}
			if !slices.Contains(*lengths, p.Bits()) {
				*lengths = append(*lengths, p.Bits())
				slices.SortFunc(*lengths, func(a, b int) int { return b - a })
			}
		}
	}
}
