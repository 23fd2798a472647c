package lang

import (
	"net/netip"
	"strings"

	"go.yaml.in/yaml/v3"

	"firebreak/internal/label"
)

func (r *reader) estate(n *yaml.Node) {
	e := &Estate{}
	e.Meta = r.body(n, "Estate", func(n *yaml.Node) {
		r.object(n, "an Estate's spec",
			may("inventory", func(n *yaml.Node) {
				r.each(n, "inventory", func(n *yaml.Node) { r.source(n, e) })
			}),
			may("networks", func(n *yaml.Node) { e.Networks = r.cidrs(n, "networks") }),
			may("labels", func(n *yaml.Node) {
				r.each(n, "labels", func(n *yaml.Node) { r.labelMapping(n, e) })
			}),
			may("targets", func(n *yaml.Node) {
				r.each(n, "targets", func(n *yaml.Node) {
					if s := r.name(n, "a target"); s != "" {
						e.Targets = append(e.Targets, Word{s, r.pos(n)})
					}
				})
			}),
			may("quotas", func(n *yaml.Node) { r.quotas(n, e) }))
	})
	r.estates = append(r.estates, e)
}

// source reads an entry of inventory, which names exactly one source.
func (r *reader) source(n *yaml.Node, e *Estate) {
	var found []Source
	take := func(kind string) field {
		return may(kind, func(v *yaml.Node) {
			if s, ok := r.text(v, kind); ok {
				found = append(found, Source{Kind: kind, Path: s, Pos: r.pos(n)})
			}
		})
	}
	before := len(r.list)
	cluster := ""
	var clusterAt *yaml.Node
	of := may("cluster", func(v *yaml.Node) { cluster, clusterAt = r.name(v, "a cluster"), v })
	if !r.object(n, "an inventory entry", take("file"), take("kube"), take("terraform"), take("aws"), of) || len(r.list) > before {
		return
	}
	if len(found) != 1 {
		r.errorf(n, "bad-inventory", "an inventory entry names exactly one source, not %d", len(found)).
			WithHelp("write {file: PATH}, {kube: FOLDER}, {terraform: PATH} or {aws: FOLDER}, each as an entry of its own")
		return
	}
	if clusterAt != nil && found[0].Kind == "file" {
		r.errorf(clusterAt, "bad-inventory", "an inventory file is of no cluster").WithHelp("write the label k8s/cluster on its workloads")
		return
	}
	found[0].Cluster = cluster
	e.Inventory = append(e.Inventory, found[0])
}

func (r *reader) labelMapping(n *yaml.Node, e *Estate) {
	m := LabelMapping{Authority: "tag", Pos: r.pos(n)}
	ok := r.object(n, "a label mapping",
		need("from", r.textTo(&m.From, "from")),
		need("to", func(n *yaml.Node) {
			s, ok := r.text(n, "to")
			switch err := label.CheckKey(s); {
			case !ok:
			case err != nil:
				r.errorf(n, "bad-label", "%v", err)
			case label.IsBuiltin(s):
				r.errorf(n, "bad-label", "%q is set by inventories and cannot be mapped to", shorten(s)).WithHelp("choose a key without that prefix")
			default:
				m.To = s
			}
		}),
		may("map", func(n *yaml.Node) { m.Map = r.valueMap(n) }),
		may("authority", func(n *yaml.Node) {
			if i, ok := r.choice(n, "bad-authority", "authority", authorities); ok {
				m.Authority = authorities[i]
			}
		}))
	if ok && m.From != "" && m.To != "" {
		e.Labels = append(e.Labels, m)
	}
}

// valueMap reads raw value: label value.
func (r *reader) valueMap(n *yaml.Node) map[string]string {
	out := map[string]string{}
	n = r.enter(n)
	if n == nil || n.Kind != yaml.MappingNode {
		if n != nil {
			r.errorf(n, "bad-value", "map must be a mapping (raw value: label value), not %s", describe(n))
		}
		return nil
	}
	for i := 0; i+1 < len(n.Content) && !r.stop(); i += 2 {
		raw, ok := r.text(n.Content[i], "a raw value")
		if !ok {
			continue
		}
		value, ok := r.text(n.Content[i+1], "a label value")
		_, twice := out[raw]
		switch err := label.CheckValue("", value); {
		case !ok:
		case twice:
			r.errorf(n.Content[i], "duplicate-key", "the value %q is mapped twice", shorten(raw))
		case err != nil:
			r.errorf(n.Content[i+1], "bad-label", "%v", err)
		default:
			out[raw] = value
		}
	}
	return out
}

func (r *reader) cidrs(n *yaml.Node, what string) []CIDR {
	var out []CIDR
	r.each(n, what, func(n *yaml.Node) {
		if p, ok := r.cidr(n, what); ok {
			out = append(out, CIDR{p, r.pos(n)})
		}
	})
	return out
}

// cidr reads a prefix without host bits. A bare address is refused: whether
// one address or a network was meant cannot be seen from it.
func (r *reader) cidr(n *yaml.Node, what string) (netip.Prefix, bool) {
	s, ok := r.text(n, "an entry of "+what)
	if !ok {
		return netip.Prefix{}, false
	}
	p, err := netip.ParsePrefix(s)
	addr, addrErr := netip.ParseAddr(s)
	switch {
	case err != nil && addrErr == nil && addr.Zone() == "":
		r.errorf(n, "bad-cidr", "%q is an address, not a CIDR", s).WithHelp("write %s", netip.PrefixFrom(addr, addr.BitLen()))
	case err != nil:
		help := r.errorf(n, "bad-cidr", "%q is no CIDR", shorten(s))
		if strings.ContainsFunc(s, func(c rune) bool { return c > 'f' && c <= 'z' }) {
			help.WithHelp("names are not supported; write the addresses, like 192.0.2.0/24 or 2001:db8::/32")
		} else {
			help.WithHelp("a CIDR is like 192.0.2.0/24 or 2001:db8::/32")
		}
	case p.Addr().Is4In6():
		r.errorf(n, "bad-cidr", "%q is an IPv4 address in IPv6 clothes", s).WithHelp("write it as IPv4, like 192.0.2.0/24")
	case p != p.Masked():
		r.errorf(n, "bad-cidr", "%q has bits set beyond its length", s).WithHelp("write %s, or %s for the one address", p.Masked(), netip.PrefixFrom(p.Addr(), p.Addr().BitLen()))
	default:
		return p, true
	}
	return netip.Prefix{}, false
}
