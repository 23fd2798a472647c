package risk

import (
	"fmt"
	"slices"

	"firebreak/internal/netset"
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
	leaving, _ := m.e.Leaving(from, to, m.inForce) // everything, where a stranger enters: nobody asks it
	permitted, _ := m.e.Permitted(from, to, m.inForce)
	return !leaving.Subtract(permitted).Ports().Intersect(d.traffic).IsEmpty()
}

// doors lists the ports behind frontends that rewrite the source, each once
// for each identity.
func (m *maker) doors() []door {
	p, behind := m.e.Policy(), m.e.Policy().Behind()
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
		for _, w := range behind.Workloads(f) {
			for _, fp := range f.Ports {
				for _, port := range behind.Targets(f, fp, w) {
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
