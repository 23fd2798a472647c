package istio

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"firebreak/internal/inventory"
	"firebreak/internal/layer"
)

// strict reports whether each workload that m matches, of which there must be
// one, lets in nobody who proves nothing.
func (l *lifter) strict(m layer.Match) bool {
	found := false
	for i := range l.source.Inventory.Workloads {
		w := &l.source.Inventory.Workloads[i]
		p := layer.Party{Workload: w}
		if min(m.Matches(p, l.source.Networks), l.mesh.all.Matches(p, l.source.Networks)) == layer.No {
			continue
		}
		if found = true; l.plaintext(w) {
			return false
		}
	}
	return found
}

// plaintext reports whether some port of a workload takes plaintext. Only ports
// that some PeerAuthentication names can differ from the others.
func (l *lifter) plaintext(w *inventory.Workload) bool {
	ports := []uint16{1}
	for _, ns := range l.asked(w) {
		for _, p := range l.near[ns] {
			if p.subject.Matches(layer.Party{Workload: w}, l.source.Networks) == layer.Yes {
				ports = slices.AppendSeq(ports, maps.Keys(p.ports))
			}
		}
	}
	return slices.ContainsFunc(ports, func(port uint16) bool { return l.mode(w, port) != "STRICT" })
}

// mode is the mode that holds for a port of a workload.
func (l *lifter) mode(w *inventory.Workload, port uint16) string {
	for level := range meshLevel + 1 {
		for _, ns := range l.asked(w) {
			for _, p := range l.near[ns] {
				if l.level(p) != level || p.subject.Matches(layer.Party{Workload: w}, l.source.Networks) != layer.Yes {
					continue
				}
				if mode := p.ports[port]; mode != "" {
					return mode
				}
				if p.mode != "" {
					return p.mode
				}
			}
		}
	}
	return "PERMISSIVE"
}

// provesAll reports whether nobody in the mesh can reach anybody in it without
// the proof that is asked for: the ends are STRICT, or no ALLOW lets in somebody
// of the mesh who proves nothing. One that lets in everybody in the world asks
// for none; one of which it is not known whether it does says so itself. A
// workload without any ALLOW takes everything; what was rendered alone means it
// so.
func (l *lifter) provesAll() bool {
	var loose, closed []layer.Match
	for _, t := range l.out.Tables {
		if !strings.HasSuffix(t.Name, ": ALLOW") {
			continue
		}
		for _, r := range slices.Concat(t.Tiers[1:]...) {
			switch {
			case r.Effect == layer.Deny:
				closed = append(closed, r.Subject)
			case r.Cond != nil && r.Cond.MTLS, r.Unknown != "", everybody(r.Peer) && !l.plain, l.elsewhere(r.Peer), !l.any(and(r.Peer, l.mesh.all)):
			default:
				loose = append(loose, r.Subject)
			}
		}
	}
	for i := range l.source.Inventory.Workloads {
		w := &l.source.Inventory.Workloads[i]
		is := func(m layer.Match) bool { return m.Matches(layer.Party{Workload: w}, l.source.Networks) != layer.No }
		if !is(l.mesh.all) || !l.plaintext(w) {
			continue
		}
		if slices.ContainsFunc(loose, is) || !l.source.Alone && !slices.ContainsFunc(closed, is) {
			return false
		}
	}
	return true
}

func everybody(m layer.Match) bool { return len(m) == 1 && isZero(m[0]) }

// elsewhere reports whether a match holds no address of the estate.
func (l *lifter) elsewhere(m layer.Match) bool {
	for _, t := range m {
		if t.Prefixes == nil || len(l.source.Networks) == 0 {
			return false
		}
		for _, p := range t.Prefixes {
			cut := func(n int) bool {
				return slices.ContainsFunc(excepted(t), func(x netip.Prefix) bool { return contains(x, l.source.Networks[n]) })
			}
			for n, network := range l.source.Networks {
				if p.Overlaps(network) && !cut(n) {
					return false
				}
			}
		}
	}
	return true
}
