package agent

import (
	"firebreak/internal/flow"
	"firebreak/internal/wire"
)

// catalogBytes is what a catalog may take, with room for what encoding adds: a
// message holds wire.MaxMessage.
const catalogBytes = wire.MaxMessage * 3 / 4

// fit leaves out of a catalog what is least missed until it can be sent: first
// the rules that decide nothing on this host, then the texts, then workloads of
// no service, and in the end whatever is last.
func fit(c *wire.Catalog, decides map[flow.Rule]bool) {
	if size(c) <= catalogBytes {
		return
	}
	kept := make([]wire.RuleInfo, 0, len(decides))
	for _, r := range c.Rules {
		if decides[r.Rule] || r.Tier == "default" || r.Tier == "builtin" {
			kept = append(kept, r)
		}
	}
	c.Rules = kept
	over := size(c) - catalogBytes
	for i := len(c.Rules) - 1; i >= 0 && over > 0; i-- {
		over -= len(c.Rules[i].Text)
		c.Rules[i].Text = ""
	}
	if size(c) > catalogBytes {
		services := make([]wire.ServiceInfo, 0, len(c.Services))
		for _, s := range c.Services {
			if !s.Loose {
				services = append(services, s)
			}
		}
		c.Services = services
	}
	for size(c) > catalogBytes && len(c.Rules)+len(c.Services) > 0 {
		c.Rules = c.Rules[:len(c.Rules)*3/4]
		c.Services = c.Services[:len(c.Services)*3/4]
	}
}

// size estimates what a catalog takes: its texts, and what frames them.
func size(c *wire.Catalog) int {
	const frame = 160 // names of fields and lengths
	n := frame + len(c.Estate)
	for _, z := range c.Zones {
		n += frame + len(z.Name) + len(z.Owner) + len(z.Sensitivity) + len(z.File)
	}
	for _, s := range c.Services {
		n += frame + len(s.Name) + len(s.Zone)
		for _, words := range [][]string{s.Workloads, s.Ports} {
			for _, w := range words {
				n += 5 + len(w)
			}
		}
	}
	for _, r := range c.Rules {
		n += frame + len(r.Policy) + len(r.Rule.Rule) + len(r.File) + len(r.From) + len(r.To) + len(r.Ports) + len(r.Reason) + len(r.Owner) + len(r.Text)
	}
	return n
}

// deciding are the rules that the tables name.
func (c *candidate) deciding() map[flow.Rule]bool {
	out := map[flow.Rule]bool{}
	for _, v := range c.tables.Policy {
		out[c.view.rules[v.InForceRule]] = true
		out[c.view.rules[v.ToComeRule]] = true
	}
	return out
}
