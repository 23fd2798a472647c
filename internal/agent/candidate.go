package agent

import (
	"net/netip"
	"time"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/diag"
	"firebreak/internal/inventory"
	"firebreak/internal/load"
	"firebreak/internal/policy"
	"firebreak/internal/target/ebpf"
	"firebreak/internal/wire"
)

// candidate is everything that one reading of the files amounts to. It changes
// nothing until it is put in force.
type candidate struct {
	cfg     *Config
	tree    *cgroupTree
	addrs   []netip.Addr
	loaded  *load.Loaded // never nil
	tables  *layout.Tables
	numbers *ebpf.Numbers
	view    *view
	catalog *wire.Catalog

	described  *wire.Catalog // before what does not fit was left out
	next       time.Time     // when to render anew, zero: never
	unenforced diag.List
}

// endpoints is how many workloads of this host are attributed.
func (c *candidate) endpoints() int {
	seen := map[*end]bool{}
	for _, e := range c.view.cgroups {
		seen[e] = true
	}
	for _, e := range c.view.here {
		seen[e] = true
	}
	return len(seen)
}

// consider reads everything that the configuration names, but for what files
// knows already, and renders it. The numbers given out before are not changed.
// With errors only cfg and loaded are set.
func consider(cfg *Config, files *load.Cache, before *ebpf.Numbers, s *System) (*candidate, diag.List) {
	c := &candidate{cfg: cfg, loaded: &load.Loaded{Dirs: []string{cfg.Policy}}}
	tree, diags := s.Cgroups(cfg)
	addrs, err := s.Addresses(cfg.Namespaces)
	if err != nil {
		diags.Errorf(diag.Pos{}, "no-addresses", "%v", err)
	}
	loaded, more := files.Dir(cfg.Policy, cfg.Inventory, inventory.Workload{
		Name: ebpf.HostWorkload(cfg.Zone), Zone: cfg.Zone, Host: cfg.Name,
	})
	c.loaded = loaded
	diags = append(diags, more...)
	if loaded.Policy == nil || diags.HasErrors() {
		return c, diags
	}
	if !zoneExists(loaded.Policy, cfg.Zone, &diags) {
		return c, diags
	}
	c.described = catalog(loaded, cfg.Policy)
	return c, append(diags, c.render(tree, addrs, before, s.Now())...)
}

// render makes of what was loaded what holds at that instant.
func (c *candidate) render(tree *cgroupTree, addrs []netip.Addr, before *ebpf.Numbers, at time.Time) diag.List {
	p := c.loaded.Policy
	h := ebpf.Host{Zone: c.cfg.Zone, Cgroups: tree.found, OwnAddresses: addrs, Relays: relays(c.loaded)}
	numbers := before.Clone()
	tables, diags := ebpf.Render(p, h, at, numbers)
	if tables == nil {
		return diags
	}
	c.tree, c.addrs, c.tables, c.numbers = tree, addrs, tables, numbers
	c.next, c.unenforced = ebpf.Next(p, at), unenforced(diags)
	c.view = newView(p, tables, numbers, h, tree)
	described := *c.described
	c.catalog = &described
	fit(c.catalog, c.deciding())
	return diags
}

func zoneExists(p *policy.Policy, zone string, diags *diag.List) bool {
	names := make([]string, len(p.Zones))
	for i := range p.Zones {
		if names[i] = p.Zones[i].Name; names[i] == zone {
			return true
		}
	}
	d := diags.Errorf(diag.Pos{}, "unknown-reference", "the agent's zone %q is not in the policy", zone)
	if near := diag.Nearest(zone, names); near != "" {
		d.WithHelp("did you mean %q?", near)
	}
	return false
}
