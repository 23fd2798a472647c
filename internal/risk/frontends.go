package risk

import (
	"fmt"
	"slices"
	"strings"

	"firebreak/internal/inventory"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/verify"
)

// door is a port of workloads behind a frontend that hides who began.
type door struct {
	identity int
	traffic  netset.Traffic
	frontend string
}

// hidden adds the links that are open only perhaps. A backend of a frontend
// that rewrites the source sees that somebody entered, not who: if it lets some
// in who may enter, but not all of them, nothing is known about the others.
func (m *maker) hidden(peers []verify.Peer) {
	for _, d := range m.doors() {
		to := m.e.OfIdentity(d.identity)
		if !slices.ContainsFunc(peers, func(p verify.Peer) bool { return m.lets(p, to, d) }) {
			continue
		}
		var pass int32 = -1
		for _, from := range peers {
			if from == to && m.e.Weight(from) < 2 || m.pass(from, to) >= 0 || !m.mayEnter(from, to, d) || m.linked(from, to) {
				continue
			}
			if pass < 0 {
				pass = int32(len(m.g.Passes))
				m.g.Passes = append(m.g.Passes, Pass{
					Traffic: d.traffic, Unknown: true,
					Text: fmt.Sprintf("%s behind frontend %s, which hides who began", d.traffic, d.frontend),
				})
			}
			at := m.node[from]
			m.g.Links[at] = append(m.g.Links[at], Link{To: m.node[to], Pass: pass})
		}
	}
}

func (m *maker) linked(from, to verify.Peer) bool {
	return slices.ContainsFunc(m.g.Links[m.node[from]], func(l Link) bool { return l.To == m.node[to] })
}

// lets reports whether a peer gets through a door if it is asked itself.
func (m *maker) lets(from, to verify.Peer, d door) bool {
	pass := m.pass(from, to)
	return pass >= 0 && !m.g.Passes[pass].Traffic.Intersect(d.traffic).IsEmpty()
}

// mayEnter reports whether what the door's workloads would refuse to a peer is
// let out at its own end, so that it gets as far as the frontend.
func (m *maker) mayEnter(from, to verify.Peer, d door) bool {
	for _, part := range m.e.Parts(from, to, m.inForce) {
		if part.Permits || part.Set.Ports().Intersect(d.traffic).IsEmpty() {
			continue
		}
		if m.e.Identity(from) < 0 { // nobody is asked where a stranger enters
			return true
		}
		// A rule speaks for both ends; a default only for its own zone's, and the
		// first end that refuses is the one that is named.
		ref, far := m.e.Ref(part.By), m.e.Policy().Zones[m.e.Zone(to)].Pos
		if part.By.Rule() < 0 && m.e.Zone(from) != m.e.Zone(to) && ref.File == far.File && ref.Line == far.Line {
			return true
		}
	}
	return false
}

// doors lists the ports behind frontends that rewrite the source, each once
// for each identity.
func (m *maker) doors() []door {
	p := m.e.Policy()
	type key struct {
		identity int
		protocol netset.Protocol
		port     uint16
	}
	seen := map[key]bool{}
	var out []door
	for i := range p.Inventory.Frontends {
		f := &p.Inventory.Frontends[i]
		if f.Rewrites == "destination" {
			continue
		}
		for _, w := range Backends(p, f) {
			for _, fp := range f.Ports {
				for _, port := range targets(p, fp, w) {
					k := key{p.IdentityOf[w], fp.Protocol, port}
					if !seen[k] {
						seen[k] = true
						out = append(out, door{k.identity, netset.Of(k.protocol, port, port), f.Name})
					}
				}
			}
		}
	}
	return out
}

// Backends are the workloads (indices into the inventory) behind a frontend; the
// same one may be there twice.
func Backends(p *policy.Policy, f *inventory.Frontend) []int {
	var out []int
	all := p.Inventory.Workloads
	for _, name := range f.Workloads {
		if i, found := slices.BinarySearchFunc(all, name, func(w inventory.Workload, name string) int { return strings.Compare(w.Name, name) }); found {
			out = append(out, i)
		}
	}
	for i := range p.Services {
		if f.ToService != "" && p.Services[i].Name == f.ToService {
			out = append(out, p.Services[i].Workloads...)
		}
	}
	for i := range all {
		if len(f.Selector) > 0 && f.Namespace == all[i].Namespace && selected(f.Selector, all[i].Labels) {
			out = append(out, i)
		}
	}
	return out
}

func selected(selector, labels map[string]string) bool {
	for key, value := range selector {
		if got, there := labels[key]; !there || got != value {
			return false
		}
	}
	return true
}

// targets are the ports of a workload that a port of a frontend may lead to.
func targets(p *policy.Policy, fp inventory.FrontendPort, w int) []uint16 {
	if fp.TargetName == "" {
		return []uint16{fp.Target}
	}
	var out []uint16
	add := func(ports []inventory.Port) {
		for _, x := range ports {
			if x.Name == fp.TargetName && x.Protocol == fp.Protocol && !slices.Contains(out, x.Number) {
				out = append(out, x.Number)
			}
		}
	}
	add(p.Inventory.Workloads[w].Ports)
	for _, s := range p.ServicesOf[w] {
		add(p.Services[s].Ports)
	}
	return out
}
