package ebpf

import (
	"cmp"
	"encoding/json"
	"slices"

	"firebreak/internal/datapath/layout"
)

// decisions writes the fleet's decisions, those of ends that decide alike once, and
// counts those of each local end.
func (e *fleet) decisions() ([]json.RawMessage, map[uint32]int) {
	ends := slices.DeleteFunc(slices.Clone(e.emitted), func(run []emission) bool { return len(run) == 0 })
	slices.SortStableFunc(ends, func(a, b []emission) int {
		return cmp.Or(cmp.Compare(a[0].key.Local, b[0].key.Local), cmp.Compare(a[0].key.Direction, b[0].key.Direction))
	})
	s := sayer{toCome: e.w.ToCome, known: map[*[]entry]int{}, byText: map[string]int{}}
	counts := make(map[uint32]int, len(ends))
	var out []*layout.DumpDecisions
	alike := map[string]*layout.DumpDecisions{}
	var text []byte
	for _, run := range ends {
		key := run[0].key
		var n int
		text, n = s.append(append(text[:0], byte(key.Direction)), run)
		counts[key.Local] += n
		one := alike[string(text)]
		if one == nil {
			one = &layout.DumpDecisions{Direction: key.Direction, Text: string(text[1:])}
			alike[string(text)] = one
			out = append(out, one)
		}
		one.Locals = append(one.Locals, key.Local)
	}
	written := make([]json.RawMessage, len(out))
	for i, one := range out {
		written[i] = raw(one)
	}
	return written, counts
}

// sayer writes down what ends say to peers: each thing that is said once, with all
// to whom it is.
type sayer struct {
	toCome  bool
	known   map[*[]entry]int // which of said
	byText  map[string]int
	said    []words
	emitted []emission
	entries []layout.DumpEntry // room
	room    []byte
	order   []int // those of said that are said by the end at hand
}

// words are what can be said to a peer, and to whom the end at hand says it.
type words struct {
	text    []byte
	entries int
	peers   []uint32
}

// append writes what one end says in one direction, and counts the entries. Of two
// things that are said to one peer the last holds.
func (s *sayer) append(text []byte, run []emission) (out []byte, n int) {
	s.emitted = append(s.emitted[:0], run...)
	slices.SortStableFunc(s.emitted, func(a, b emission) int { return cmp.Compare(a.key.Peer, b.key.Peer) })
	s.order = s.order[:0]
	for i := range s.emitted {
		e := &s.emitted[i]
		if i+1 < len(s.emitted) && s.emitted[i+1].key.Peer == e.key.Peer {
			continue
		}
		w := s.wordsOf(e.entries)
		if len(s.said[w].peers) == 0 {
			s.order = append(s.order, w)
		}
		s.said[w].peers = append(s.said[w].peers, e.key.Peer)
		n += s.said[w].entries
	}
	for _, w := range s.order {
		text = layout.AppendSaid(text, s.said[w].peers, s.said[w].text)
		s.said[w].peers = s.said[w].peers[:0]
	}
	return text, n
}

func (s *sayer) wordsOf(list *[]entry) int {
	w, known := s.known[list]
	if known {
		return w
	}
	said := s.entries[:0]
	for i := range *list {
		x := &(*list)[i]
		said = append(said, layout.EntryOf(layout.PolicyKey{Class: x.class}, x.says(s.toCome)))
	}
	s.entries = said
	slices.SortFunc(said, func(a, b layout.DumpEntry) int { return cmp.Compare(a.Class, b.Class) })
	s.room = layout.AppendEntries(s.room[:0], said)
	if w, known = s.byText[string(s.room)]; !known {
		w = len(s.said)
		s.byText[string(s.room)] = w
		s.said = append(s.said, words{text: slices.Clone(s.room), entries: len(said)})
	}
	s.known[list] = w
	return w
}
