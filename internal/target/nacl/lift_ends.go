package nacl

import (
	"net/netip"
	"slices"

	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/live/aws"
	"firebreak/internal/live/terraform"
)

// families are the families of somebody's addresses, as bits. Packets go between
// addresses of one family only, so that of somebody with both only those count
// which the other end has, too.
type families uint8

const (
	ipv4 families = 1 << iota
	ipv6
	anyFamily = ipv4 | ipv6
)

// of are those of some addresses that are of the families.
func (f families) of(addrs []netip.Addr) []netip.Addr {
	return slices.DeleteFunc(slices.Clone(addrs), func(a netip.Addr) bool { return a.Is4() && f&ipv4 == 0 || !a.Is4() && f&ipv6 == 0 })
}

// familiesOf are a workload's; of one without known addresses any.
func familiesOf(w *inventory.Workload) families {
	var f families
	for _, a := range w.Addresses {
		if a.Is4() {
			f |= ipv4
		} else {
			f |= ipv6
		}
	}
	if f == 0 {
		return anyFamily
	}
	return f
}

// ends are those of a subnet that a table decides for: all of them, and by the
// families that they have, which is left to anyFamily where it makes no difference.
type ends struct {
	members  []*inventory.Workload
	all      layer.Match
	byFamily [anyFamily + 1]layer.Match
}

func (l *lifter) ends(names []string) ends {
	e := ends{all: layer.Everything()}
	e.byFamily[anyFamily] = e.all
	for _, n := range names {
		e.members = append(e.members, l.named[n])
	}
	e.divide(l.mixed, true)
	return e
}

// only are the ends that are machines, or else all others and addresses of
// nobody.
func (e ends) only(other map[string]bool, want bool) ends {
	divided := e.byFamily[ipv4] != nil || e.byFamily[ipv6] != nil
	out := ends{}
	var names []string
	for _, w := range e.members {
		if other[w.Name] == want {
			out.members, names = append(out.members, w), append(names, w.Name)
		}
	}
	if slices.Sort(names); len(names) > 0 {
		out.all = layer.Named(names...)
	}
	if want {
		out.all = append(out.all, layer.Term{Address: true})
	}
	if out.divide(divided, want); !divided {
		out.byFamily[anyFamily] = out.all
	}
	return out
}

// divide divides the ends by family, and if they hold addresses of nobody those.
func (e *ends) divide(really, addresses bool) {
	if !really {
		return
	}
	var names [anyFamily + 1][]string
	for _, w := range e.members {
		names[familiesOf(w)] = append(names[familiesOf(w)], w.Name)
	}
	for f := range names {
		e.byFamily[f] = nil
		if slices.Sort(names[f]); len(names[f]) > 0 {
			e.byFamily[f] = layer.Named(slices.Compact(names[f])...)
		}
	}
	if addresses {
		e.byFamily[ipv4] = append(e.byFamily[ipv4], layer.Term{Address: true, Prefixes: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}})
		e.byFamily[ipv6] = append(e.byFamily[ipv6], layer.Term{Address: true, Prefixes: []netip.Prefix{netip.MustParsePrefix("::/0")}})
	}
}

// peers are those that a rule is about.
type peers uint8

const (
	everybody peers = iota
	machines        // workloads that choose the ports of usualClients
	others          // all others
)

// meant are the peers in a prefix.
func (l *lifter) meant(who peers, prefix netip.Prefix) layer.Match {
	t := layer.Term{Prefixes: []netip.Prefix{prefix}}
	if who == everybody {
		return layer.Match{t}
	}
	names := sortedKeys(l.any)
	if who == machines {
		t.Workload = true
		if len(names) > 0 {
			t.Not = layer.Named(names...)
		}
		return layer.Match{t}
	}
	t.Address = true
	if len(names) == 0 {
		return layer.Match{t}
	}
	return layer.Match{t, {Prefixes: t.Prefixes, Workloads: names}}
}

// unlikeMachines finds the workloads that do not choose their ports as Linux and
// Windows do: pods, for which nodes translate, and interfaces that AWS shows without
// an instance, or with one that forwards packets of others.
func (l *lifter) unlikeMachines(answers *aws.Answers, set *terraform.Set) map[string]bool {
	ids, addrs := map[string]bool{}, map[netip.Addr]bool{}
	if answers != nil {
		for i := range answers.NetworkInterfaces {
			n := &answers.NetworkInterfaces[i]
			forwards := n.SourceDestCheck != nil && !*n.SourceDestCheck
			if n.Attachment != nil && n.Attachment.InstanceId != "" && !forwards {
				continue
			}
			ids[n.NetworkInterfaceId] = true
			for _, x := range n.PrivateIpAddresses {
				if a, err := netip.ParseAddr(x.PrivateIpAddress); err == nil {
					addrs[a] = true
				}
			}
			if a, err := netip.ParseAddr(n.PrivateIpAddress); err == nil {
				addrs[a] = true
			}
		}
	}
	if set != nil {
		for _, r := range set.Of("aws_lambda_function", "aws_lb", "aws_alb", "aws_elb", "aws_nat_gateway") {
			for _, field := range []string{"function_name", "name"} {
				if s, ok := set.Known(r.Attribute(field)).String(); ok && s != "" {
					ids[s] = true
				}
			}
			ids[r.Address], ids[r.ID] = true, true
		}
	}
	delete(ids, "")
	out := map[string]bool{}
	for i := range l.src.Inventory.Workloads {
		w := &l.src.Inventory.Workloads[i]
		if w.Labels["k8s/namespace"] != "" || ids[w.Name] || ids[w.Labels["net/interface"]] || slices.ContainsFunc(w.Addresses, func(a netip.Addr) bool { return addrs[a] }) {
			out[w.Name] = true
		}
	}
	return out
}
