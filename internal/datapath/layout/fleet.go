package layout

import (
	"maps"
	"net/netip"
	"slices"

	"firebreak/internal/flow"
)

// With returns the tables of a host whose file says only in what they are not
// those of a fleet: its addresses hold instead of the fleet's with the same
// prefix, and of the fleet's decisions it has those of its own local ends.
func (d *Dump) With(fleet *Dump) *Dump {
	out := *d
	out.Fleet = ""
	own := make(map[netip.Prefix]bool, len(d.Addresses))
	locals := map[uint32]bool{d.Default: true}
	for _, a := range d.Addresses {
		own[a.Prefix] = true
		locals[a.Local] = true
	}
	for _, n := range d.Locals {
		locals[n] = true
	}
	for _, c := range d.Cgroups {
		locals[c.Local] = true
	}
	out.Addresses = slices.Concat(slices.DeleteFunc(slices.Clone(fleet.Addresses), func(a DumpAddress) bool { return own[a.Prefix] }), d.Addresses)
	out.Classes = slices.Concat(fleet.Classes, d.Classes)
	out.Identities, out.Rules = maps.Clone(fleet.Identities), maps.Clone(fleet.Rules)
	if out.Identities == nil {
		out.Identities = map[uint32]DumpIdentity{}
	}
	maps.Copy(out.Identities, d.Identities)
	if out.Rules == nil {
		out.Rules = map[uint32]flow.Rule{}
	}
	maps.Copy(out.Rules, d.Rules)
	out.Decisions = nil
	for _, x := range slices.Concat(fleet.Decisions, d.Decisions) {
		if x = x.among(locals); len(x.Locals) > 0 {
			out.Decisions = append(out.Decisions, x)
		}
	}
	out.Policy = slices.Concat(slices.DeleteFunc(slices.Clone(fleet.Policy), func(e DumpEntry) bool { return !locals[e.Local] }), d.Policy)
	return &out
}
