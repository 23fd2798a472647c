package kube

import (
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"firebreak/internal/diag"
	"firebreak/internal/inventory"
	"firebreak/internal/manifest"
	"firebreak/internal/netset"
)

// snapshot turns what was collected into an inventory part.
func (c *collector) snapshot() *inventory.Snapshot {
	byKey := map[string]*inventory.Workload{}
	var order []string
	for _, o := range c.objects {
		if c.owner(o) == o {
			w := c.own(o)
			byKey[o.key()], order = &w, append(order, o.key())
		}
	}
	nodes := map[string][]string{}
	for _, o := range c.objects {
		if o.kind == "Pod" {
			top := c.owner(o).key()
			byKey[top].Addresses = append(byKey[top].Addresses, c.addressesOf(o)...)
			nodes[top] = append(nodes[top], o.Spec.NodeName)
		}
	}
	for k, names := range nodes {
		slices.Sort(names)
		if one := slices.Compact(names); len(one) == 1 {
			byKey[k].Host = one[0] // pods on several nodes have no one host
		}
	}
	part := &inventory.Snapshot{Nodes: c.nodesOf(), Identities: c.identities()}
	for _, k := range order {
		part.Workloads = append(part.Workloads, *byKey[k])
	}
	for i := range c.services {
		if f, ok := c.frontend(&c.services[i], part.Workloads); ok {
			part.Frontends = append(part.Frontends, f)
		}
	}
	return part
}

// owner walks up to the outermost controller that is present. A pod whose own
// labels contradict its controller's template stays itself, because selectors
// judge pods; a cycle of owners ends where it began.
func (c *collector) owner(o *object) *object {
	seen := map[*object]bool{}
	top := o
	for !seen[top] {
		seen[top] = true
		for _, ref := range top.Metadata.OwnerReferences {
			if up := c.byKey[key(top.namespace(), ref.Name, ref.Kind)]; up != nil && ref.Controller {
				top = up
				break
			}
		}
	}
	if top != o && !lends(o, top) {
		return o
	}
	return top
}

// lends reports whether every label of the owner's template holds for o too.
func lends(o, top *object) bool {
	have, _ := o.pod()
	want, _ := top.pod()
	for k, v := range want {
		if got, ok := have[k]; !ok || got != v {
			return false
		}
	}
	return true
}

// own describes the workload that o is by itself, without its pods' addresses.
func (c *collector) own(o *object) inventory.Workload {
	tags, pod := o.pod()
	w := inventory.Workload{
		Name:      o.key(),
		Namespace: o.namespace(),
		Labels:    map[string]string{},
		Pod:       tags,
		Principal: "system:serviceaccount:" + o.namespace() + ":" + pod.account(),
		Source:    o.pos,
	}
	if w.Pod == nil {
		w.Pod = map[string]string{}
	}
	maps.Copy(w.Labels, tags)
	w.Labels["k8s/namespace"] = o.namespace()
	w.Labels["k8s/serviceaccount"] = pod.account()
	if c.cluster != "" {
		w.Labels["k8s/cluster"] = c.cluster
	}
	if pod.HostNetwork {
		w.Labels["k8s/hostnetwork"] = "true"
	}
	for k, v := range c.namespaces[o.namespace()] {
		w.Labels["k8s/namespace."+strings.ReplaceAll(k, "/", ".")] = v
	}
	for _, ct := range slices.Concat(pod.Containers, pod.InitContainers) {
		for _, p := range ct.Ports {
			if number, proto, ok := c.port(o, "containerPort", &p.Number, p.Protocol); ok {
				w.Ports = append(w.Ports, inventory.Port{Name: p.Name, Number: number, Protocol: proto})
			}
		}
	}
	return w
}

// port reads a port's number and protocol. One that is wrong is left out; it
// does not take the rest of its object with it.
func (c *collector) port(o *object, field string, n *yaml.Node, proto string) (uint16, netset.Protocol, bool) {
	p, known := protocol(proto)
	at, text := o.pos, ""
	if n.Kind != 0 {
		at = diag.Pos{File: o.pos.File, Line: n.Line, Col: n.Column}
		text = manifest.Resolve(n).Value
	}
	v, err := strconv.ParseUint(text, 10, 16)
	switch {
	case n.Kind == 0:
		c.diags.Errorf(at, "bad-port", "%s has a port without %s", o.key(), field)
	case err != nil || v == 0 || manifest.Resolve(n).ShortTag() != "!!int":
		c.diags.Errorf(at, "bad-port", "%s: the %s %q is no number from 1 to 65535", o.key(), field, text)
	case !known:
		c.diags.Errorf(at, "bad-port", "%s: the protocol of port %d is %q", o.key(), v, proto).WithHelp("one of: TCP, UDP, SCTP")
	default:
		return uint16(v), p, true
	}
	return 0, p, false
}

// addresses are those of a pod that still holds them: a pod that has ended has
// given them back.
func (c *collector) addresses(o *object) []netip.Addr {
	if o.Status.Phase == "Succeeded" || o.Status.Phase == "Failed" {
		return nil
	}
	texts := []string{o.Status.PodIP}
	for _, ip := range o.Status.PodIPs {
		texts = append(texts, ip.IP)
	}
	return c.parse(o, texts)
}

func (c *collector) parse(o *object, texts []string) []netip.Addr {
	var out []netip.Addr
	for _, t := range texts {
		if t == "" || t == "None" {
			continue
		}
		a, err := netip.ParseAddr(t)
		if err != nil {
			c.diags.Errorf(o.pos, "bad-address", "%s: %q is not an IP address", o.key(), t)
			continue
		}
		out = append(out, a.Unmap())
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out)
}

// frontend describes a Service; false for one without a selector, whose
// endpoints someone else decides.
func (c *collector) frontend(o *object, workloads []inventory.Workload) (inventory.Frontend, bool) {
	var selector labels
	if o.Spec.Selector.Kind != yaml.MappingNode || selector.UnmarshalYAML(&o.Spec.Selector) != nil || len(selector) == 0 {
		return inventory.Frontend{}, false
	}
	texts := append([]string{o.Spec.ClusterIP, o.Spec.LoadBalancerIP}, o.Spec.ClusterIPs...)
	texts = append(texts, o.Spec.ExternalIPs...)
	for _, in := range o.Status.LoadBalancer.Ingress {
		texts = append(texts, in.IP)
	}
	f := inventory.Frontend{
		Name:      o.key(),
		Namespace: o.namespace(),
		Addresses: c.parse(o, texts),
		Selector:  selector,
		Rewrites:  rewrites(o),
		Labels:    o.Metadata.Labels,
		Headless:  o.Spec.ClusterIP == "None",
		Source:    o.pos,
	}
	if f.Labels == nil {
		f.Labels = map[string]string{}
	}
	for _, p := range o.Spec.Ports {
		number, proto, ok := c.port(o, "port", &p.Number, p.Protocol)
		if !ok {
			continue
		}
		fp := inventory.FrontendPort{Name: p.Name, Number: number, Target: p.TargetPort.number, TargetName: p.TargetPort.name, Protocol: proto, Application: p.App}
		if fp.Target == 0 && fp.TargetName == "" {
			fp.Target = fp.Number
		}
		f.Ports = append(f.Ports, fp)
	}
	for _, w := range workloads {
		if w.Namespace == f.Namespace && subset(selector, w.Labels) {
			f.Workloads = append(f.Workloads, w.Name)
		}
	}
	slices.Sort(f.Workloads)
	return f, true
}

// rewrites says which ends a Service changes: always the destination; the
// source too where traffic from outside may enter at one node and be served at
// another, which is so unless externalTrafficPolicy is Local.
func rewrites(o *object) string {
	outside := o.Spec.Type == "NodePort" || o.Spec.Type == "LoadBalancer"
	if outside && o.Spec.ExternalPolicy != "Local" {
		return "both"
	}
	return "destination"
}

func subset(want, have map[string]string) bool {
	for k, v := range want {
		if got, ok := have[k]; !ok || got != v {
			return false
		}
	}
	return true
}

func protocol(s string) (netset.Protocol, bool) {
	switch s {
	case "", "TCP":
		return netset.TCP, true
	case "UDP":
		return netset.UDP, true
	case "SCTP":
		return netset.SCTP, true
	}
	return 0, false
}
