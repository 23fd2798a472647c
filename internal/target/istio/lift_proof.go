package istio

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"firebreak/internal/layer"
)

// strict reports whether each workload that m matches, of which there must be
// one, lets in nobody who proves nothing.
func (l *lifter) strict(m layer.Match) bool {
	found := false
	for _, k := range l.kinds {
		if !k.member() || l.matches(m, k.of) == layer.No {
			continue
		}
		if found = true; l.plaintext(k) {
			return false
		}
	}
	return found
}

// plaintext reports whether some port of a kind's workloads takes plaintext. Only
// ports that some PeerAuthentication names can differ from the others.
func (l *lifter) plaintext(k *kind) bool {
	if k.plain != layer.Maybe {
		return k.plain == layer.Yes
	}
	ports := []uint16{1}
	var about [meshLevel + 1][]*peerAuth
	for _, ns := range l.asked(k.of) {
		for _, p := range l.near[ns] {
			if l.matches(p.subject, k.of) == layer.Yes {
				about[l.level(p)] = append(about[l.level(p)], p)
				ports = slices.AppendSeq(ports, maps.Keys(p.ports))
			}
		}
	}
	list := slices.Concat(about[:]...)
	k.plain = layer.No
	if slices.ContainsFunc(ports, func(port uint16) bool { return mode(list, port) != "STRICT" }) {
		k.plain = layer.Yes
	}
	return k.plain == layer.Yes
}

// mode is the mode that holds for a port of a workload which these are about, the
// narrowest first.
func mode(about []*peerAuth, port uint16) string {
	for _, p := range about {
		if mode := cmp.Or(p.ports[port], p.mode); mode != "" {
			return mode
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
				closed = addSubject(closed, r.Subject)
			case r.Cond != nil && r.Cond.MTLS, r.Unknown != "", everybody(r.Peer) && !l.plain, l.elsewhere(r.Peer), !l.meansMember(r.Peer):
			default:
				loose = addSubject(loose, r.Subject)
			}
		}
	}
	for _, k := range l.kinds {
		is := func(m layer.Match) bool { return l.matches(m, k.of) != layer.No }
		if !k.member() || !l.plaintext(k) {
			continue
		}
		if slices.ContainsFunc(loose, is) || !l.source.Alone && !slices.ContainsFunc(closed, is) {
			return false
		}
	}
	return true
}

// addSubject adds a match, unless it is the one before: those of one policy are
// the same.
func addSubject(list []layer.Match, m layer.Match) []layer.Match {
	if n := len(list); n > 0 && len(m) > 0 && len(list[n-1]) == len(m) && &list[n-1][0] == &m[0] {
		return list
	}
	return append(list, m)
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
