package ebpf

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"slices"
	"strconv"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
)

// keyOf is what two hosts must have in common to be one table, as a digest. It
// leaves out the places.
func keyOf(tiers [][]layer.Rule) string {
	h := sha256.New()
	var last layer.Match
	var buf []byte
	for _, tier := range tiers {
		io.WriteString(h, "\n\n")
		for i := range tier {
			x := &tier[i]
			io.WriteString(h, x.Effect.String()+"\x00"+x.Traffic.String()+"\x00"+x.Unknown+"\x00"+x.Ref.Rule+"\x00")
			if x.Cond != nil {
				io.WriteString(h, strconv.FormatInt(x.Cond.Expires.UnixNano(), 10))
			}
			if len(last) > 0 && len(x.Peer) == len(last) && &x.Peer[0] == &last[0] {
				io.WriteString(h, "the same\n")
				continue
			}
			last = x.Peer
			for _, t := range x.Peer {
				buf = appendTerm(buf[:0], &t)
				h.Write(buf)
			}
		}
	}
	return string(h.Sum(nil))
}

func appendTerm(buf []byte, t *layer.Term) []byte {
	for _, name := range t.Workloads {
		buf = append(append(buf, name...), 0)
	}
	for _, p := range t.Prefixes {
		buf = append(p.AppendTo(buf), 0)
	}
	buf = append(buf, "less\x00"...)
	for _, p := range t.Except {
		buf = append(p.AppendTo(buf), 0)
	}
	return append(strconv.AppendBool(buf, t.Address), '\n')
}

// answer is what is said about some traffic.
type answer struct {
	traffic netset.Traffic
	voice
}

// voice is one decision.
type voice struct {
	allow bool
	until int64
	rule  uint32
}

// ownEntries are the entries of one local end in one direction, by peer.
type ownEntries struct {
	r      *reader
	byPeer map[uint32][]int
	usual  []voice // what is said to any peer, by class
}

func (r *reader) entriesOf(at slotKey) *ownEntries {
	own := &ownEntries{r: r, byPeer: map[uint32][]int{}}
	for _, i := range r.slots[at] {
		n := r.dump.Policy[i].Peer
		own.byPeer[n] = append(own.byPeer[n], i)
	}
	own.usual = make([]voice, len(r.order)) // without any entry the kernel drops
	own.usual = own.voices(layout.AnyPeer)
	return own
}

// voices are what an end says to a peer about each class, as the kernel asks: the
// peer's own entries, by class and for any, then those about any peer. Of two
// entries with one key the last holds.
func (o *ownEntries) voices(peer uint32) []voice {
	out := slices.Clone(o.usual)
	entries := o.byPeer[peer]
	for _, i := range entries {
		if e := &o.r.dump.Policy[i]; e.Class == layout.ClassAny {
			for c := range out {
				out[c] = voiceOf(e)
			}
		}
	}
	for _, i := range entries {
		e := &o.r.dump.Policy[i]
		if c, is := slices.BinarySearch(o.r.order, e.Class); is {
			out[c] = voiceOf(e)
		}
	}
	return out
}

func voiceOf(e *layout.DumpEntry) voice {
	v := voice{e.Allow, e.Until, e.Rule}
	if !v.allow {
		v.until = 0
	}
	return v
}

func textOf(voices []voice) string {
	out := make([]byte, 0, 4*len(voices))
	for _, v := range voices {
		said := int64(v.rule)
		if v.allow {
			said = -said - 1
		}
		out = binary.AppendVarint(binary.AppendVarint(out, said), v.until)
	}
	return string(out)
}

// answers puts together what is said to a peer.
func (o *ownEntries) answers(peer uint32) []answer {
	voices := o.voices(peer)
	return o.r.answersOf(textOf(voices), voices)
}

// answersOf puts classes together of which the same is said.
func (r *reader) answersOf(text string, voices []voice) []answer {
	if known, is := r.answered[text]; is {
		return known
	}
	var out []answer
	for c, v := range voices {
		traffic := r.classes[r.order[c]]
		if i := slices.IndexFunc(out, func(a answer) bool { return a.voice == v }); i >= 0 {
			out[i].traffic = out[i].traffic.Union(traffic)
		} else {
			out = append(out, answer{traffic, v})
		}
	}
	out = slices.DeleteFunc(out, func(a answer) bool { return a.traffic.IsEmpty() })
	slices.SortFunc(out, func(a, b answer) int {
		return cmp.Or(cmp.Compare(a.rule, b.rule), cmp.Compare(a.until, b.until), cmp.Compare(strconv.FormatBool(a.allow), strconv.FormatBool(b.allow)))
	})
	r.answered[text] = out
	return out
}

// tiers work out what an end says to everybody: first to those that entries
// speak of, then to all others.
func (r *reader) tiers(at slotKey) [][]layer.Rule {
	own := r.entriesOf(at)
	same := textOf(own.usual)
	byAnswer, said := map[string][]uint32{}, map[string][]answer{}
	differs := map[uint32]string{} // by peer: what is said, if not the usual
	for n := range own.byPeer {
		voices := own.voices(n)
		k := textOf(voices)
		if k == same {
			continue
		}
		byAnswer[k] = append(byAnswer[k], n)
		differs[n] = k
		if said[k] == nil {
			said[k] = r.answersOf(k, voices)
		}
	}
	keys := make([]string, 0, len(said))
	for k := range said {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	out := make([][]layer.Rule, 4)
	for _, k := range keys {
		r.write(out, 0, r.match(byAnswer[k], k, differs), said[k])
	}
	r.writeMixed(out, own, differs)
	r.write(out, 2, layer.Everything(), own.answers(layout.AnyPeer))
	return out
}
