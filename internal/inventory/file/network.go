package file

import (
	"net/netip"
	"slices"

	"firebreak/internal/diag"
	"firebreak/internal/inventory"
	"firebreak/internal/manifest"
)

func network(o, meta, spec *manifest.Object, diags *diag.List) (inventory.Network, bool) {
	name, ok := name(o, meta, diags)
	meta.Text("namespace")
	n := inventory.Network{Name: name, Labels: meta.Labels("labels"), Within: spec.Text("within"), Peers: spec.Texts("peers"), Source: o.Pos(o.Node)}
	for _, item := range spec.Items("cidrs") {
		p, err := netip.ParsePrefix(manifest.Resolve(item).Value)
		switch {
		case err != nil:
			diags.Errorf(o.Pos(item), "bad-cidr", "%q is no CIDR", manifest.Resolve(item).Value).WithHelp("a CIDR is like 10.0.0.0/16 or fd00::/48")
			ok = false
		case p != p.Masked():
			diags.Errorf(o.Pos(item), "bad-cidr", "%q has bits set beyond its length", p).WithHelp("write %s", p.Masked())
			ok = false
		default:
			n.CIDRs = append(n.CIDRs, p)
		}
	}
	if n.Within != "" && len(n.Peers) > 0 {
		diags.Errorf(n.Source, "bad-value", "network %s is within %s, and has peers of its own", n.Name, n.Within).WithHelp("write the peers at %s: a subnet has those of its network", n.Within)
		ok = false
	}
	if slices.Contains(n.Peers, n.Name) || n.Within == n.Name && n.Name != "" {
		diags.Errorf(n.Source, "bad-value", "network %s is its own peer, or within itself", n.Name)
		ok = false
	}
	n.Complete = n.Within == ""
	slices.SortFunc(n.CIDRs, netip.Prefix.Compare)
	n.CIDRs = slices.Compact(n.CIDRs)
	slices.Sort(n.Peers)
	n.Peers = slices.Compact(n.Peers)
	return n, ok
}
