package ebpf

import (
	"crypto/sha256"
	"hash"
	"maps"
	"slices"
	"strconv"
	"time"

	"firebreak/internal/layer"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
)

// writer writes what an end says as the tiers of a table.
type writer struct {
	r   *reader
	out [][]layer.Rule

	// digest is of all that two tables must have in common to be one, which is
	// everything but the places.
	digest hash.Hash
	buf    []byte
}

func newWriter(r *reader) *writer {
	return &writer{r: r, out: make([][]layer.Rule, 4), digest: sha256.New()}
}

// write adds what is said to some peers: what is permitted for a time only is
// denied in the next tier, where nothing else is left.
func (w *writer) write(tier int, peer layer.Match, said []answer) {
	w.note(tier, peer)
	for i := range said {
		a := &said[i]
		rule := layer.Rule{Ref: w.r.ref(a.rule), Subject: layer.Everything(), Peer: peer, Traffic: a.traffic}
		if a.allow {
			rule.Effect = layer.Allow
		}
		if a.allow && a.until != 0 {
			rule.Cond = &policy.Condition{Expires: time.Unix(0, a.until).UTC()}
			after := rule
			after.Effect, after.Cond = layer.Deny, nil
			w.out[tier+1] = append(w.out[tier+1], after)
		}
		w.out[tier] = append(w.out[tier], rule)
		w.buf = strconv.AppendBool(append(append(w.buf[:0], a.text...), 0), a.allow)
		w.buf = strconv.AppendInt(append(append(w.buf, rule.Ref.Rule...), 0), a.until, 10)
		w.digest.Write(append(w.buf, '\n'))
	}
}

// note adds to the digest to whom the next rules speak.
func (w *writer) note(tier int, peer layer.Match) {
	w.buf = strconv.AppendInt(append(w.buf[:0], "\n\n"...), int64(tier), 10)
	for i := range peer {
		t := &peer[i]
		if len(t.Workloads) > 0 {
			w.buf = strconv.AppendInt(append(w.buf, "list "...), int64(w.r.l.lists.number(t.Workloads)), 10)
		}
		w.buf = append(w.buf, "in\x00"...)
		for _, p := range t.Prefixes {
			w.buf = append(p.AppendTo(w.buf), 0)
		}
		w.buf = append(w.buf, "less\x00"...)
		for _, p := range t.Except {
			w.buf = append(p.AppendTo(w.buf), 0)
		}
		w.buf = append(strconv.AppendBool(w.buf, t.Address), '\n')
	}
	w.digest.Write(w.buf)
}

// writeMixed is about workloads whose addresses are different peers.
func (w *writer) writeMixed(own *localSays, differs map[uint32]*group) {
	for _, name := range slices.Sorted(maps.Keys(w.r.mixed)) {
		numbers := w.r.mixed[name]
		first := differs[numbers[0]]
		one := true
		for _, n := range numbers[1:] {
			one = one && differs[n] == first
		}
		if one {
			if first != nil {
				w.write(0, layer.Named(name), first.answers)
			}
			continue
		}
		surely, perhaps := netset.All(), netset.None()
		for _, n := range numbers {
			said := own.usual
			if g := differs[n]; g != nil {
				said = g.heard
			}
			sure, open := said.open()
			surely, perhaps = surely.Intersect(sure), perhaps.Union(open)
		}
		w.doubt(name, surely, perhaps)
	}
}

// open is what is permitted for good, and what is permitted at all.
func (h *heard) open() (surely, perhaps netset.Traffic) {
	surely, perhaps = netset.None(), netset.None()
	for _, a := range h.answers {
		if a.allow {
			perhaps = perhaps.Union(a.traffic)
		}
		if a.allow && a.until == 0 {
			surely = surely.Union(a.traffic)
		}
	}
	return surely, perhaps
}

// doubt adds what is permitted to a workload whichever peer it is, and what only if
// it is some.
func (w *writer) doubt(name string, surely, perhaps netset.Traffic) {
	peer := layer.Named(name)
	w.note(0, peer)
	w.digest.Write([]byte(surely.String() + "\x00" + perhaps.String() + "\n"))
	rule := layer.Rule{Ref: w.r.ref(0), Subject: layer.Everything(), Peer: peer}
	rule.Effect, rule.Traffic = layer.Allow, surely
	w.out[0] = append(w.out[0], rule)
	rule.Traffic, rule.Unknown = perhaps.Subtract(surely), "its addresses are different peers to the kernel"
	w.out[0] = append(w.out[0], rule)
	rule.Effect, rule.Traffic, rule.Unknown = layer.Deny, netset.All().Subtract(surely), ""
	w.out[1] = append(w.out[1], rule)
}
