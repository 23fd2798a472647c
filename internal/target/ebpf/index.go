package ebpf

import (
	"firebreak/internal/datapath/layout"
	"firebreak/internal/flow"
	"firebreak/internal/policy"
)

// DefaultRule names a zone's default as a verdict does. Allowed is what the
// default says: also a zone that denies by default allows in force until it
// enforces.
func DefaultRule(z *policy.Zone, allowed bool) flow.Rule {
	return flow.Rule{Rule: defaultWord(allowed), File: z.Pos.File, Line: z.Pos.Line}
}

// Rules returns the rule behind every rule number that tables rendered from p
// with n may hold, built-in ones included.
func Rules(p *policy.Policy, n *Numbers) map[uint32]flow.Rule {
	out := layout.BuiltinRules()
	for i := range p.Rules {
		if number, ok := n.rules[ruleKey(p.Rules[i].Ref)]; ok {
			out[number] = p.Rules[i].Ref
		}
	}
	for i := range p.Zones {
		for _, allowed := range [...]bool{false, true} {
			if number, ok := n.rules[defaultKey(defaultWord(allowed), p.Zones[i].Name)]; ok {
				out[number] = DefaultRule(&p.Zones[i], allowed)
			}
		}
	}
	return out
}

// Identities returns the index into p.Identities behind every number that
// stands for one identity.
func Identities(p *policy.Policy, n *Numbers) map[uint32]int {
	out := make(map[uint32]int, len(p.Identities))
	for i := range p.Identities {
		if number, ok := n.peers[identityKey(p.Identities[i].Key)]; ok {
			out[number] = i
		}
	}
	return out
}
