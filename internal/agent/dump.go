package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/inventory"
	"firebreak/internal/load"
	"firebreak/internal/target/ebpf"
)

// Dump reads back what the kernel judges by at this moment on this host,
// whether or not the agent runs: the maps themselves, which somebody may have
// changed behind the agent's back. Names come from elsewhere and decide nothing:
// those of rules from the policy's files and the agent's numbers, as far as they
// can be read, those of ends from the configured cgroups. It returns an error
// if nothing is in force.
func Dump(cfg *Config) (*layout.Dump, error) {
	d, err := readDump(cfg.Pins)
	if errors.Is(err, fs.ErrNotExist) || err == nil && d == nil {
		return nil, fmt.Errorf("nothing is in force on host %s: no maps are pinned below %s", cfg.Name, cfg.Pins)
	}
	if err != nil {
		return nil, err
	}
	d.Host = cfg.Name
	nameEnds(d, cfg)
	nameRules(d, cfg)
	return d, nil
}

// nameEnds says which workloads the cgroups in the kernel stand for.
func nameEnds(d *layout.Dump, cfg *Config) {
	tree, _ := thisMachine().Cgroups(cfg) // without cgroups there are no names
	local := map[uint64]uint32{}
	for _, c := range d.Cgroups {
		local[c.ID] = c.Local
	}
	d.Identities = map[uint32]layout.DumpIdentity{}
	for _, c := range tree.found {
		if n, is := local[c.ID]; is && !slices.Contains(d.Identities[n].Workloads, c.Workload) {
			d.Identities[n] = layout.DumpIdentity{Workloads: append(d.Identities[n].Workloads, c.Workload)}
		}
	}
	for _, id := range d.Identities {
		slices.Sort(id.Workloads)
	}
}

// nameRules names the rules that decide something, as far as the files of
// today know them.
func nameRules(d *layout.Dump, cfg *Config) {
	numbers := &ebpf.Numbers{}
	text, err := readRegular(filepath.Join(cfg.State, numbersFile), maxState)
	if err != nil || json.Unmarshal(text, numbers) != nil {
		return
	}
	loaded, _ := new(load.Cache).Dir(cfg.Policy, cfg.Inventory, inventory.Workload{Name: ebpf.HostWorkload(cfg.Zone), Zone: cfg.Zone, Host: cfg.Name})
	if loaded.Policy == nil {
		return
	}
	d.Estate = loaded.Policy.Estate
	d.Rules = ebpf.Rules(loaded.Policy, numbers)
	used := map[uint32]bool{}
	for i := range d.Policy {
		_, v := d.Policy[i].Decision()
		used[v.InForceRule], used[v.ToComeRule] = true, true
	}
	for n := range d.Rules {
		if !used[n] {
			delete(d.Rules, n)
		}
	}
}
