package ebpf

import (
	"cmp"
	"encoding/binary"
	"maps"
	"net/netip"
	"slices"
	"strconv"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/flow"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
)

// answer is what is said about some traffic.
type answer struct {
	traffic netset.Traffic
	text    string // of traffic
	voice
}

// voice is one decision.
type voice struct {
	allow bool
	until int64
	rule  uint32
}

// heard is what is said to a peer about all traffic: text tells what differs apart.
type heard struct {
	text    string
	answers []answer
}

// heardKey is what is said to any peer, and, by the first entry, what besides.
type heardKey struct {
	usual   string
	entries *layout.DumpEntry
}

// saidKey is the decisions that ends have in common.
type saidKey struct {
	short *layout.DumpDecisions
	at    slotKey // where there is no such
}

// localSays is what one local end says in one direction, each thing with those to whom;
// no peer is in two.
type localSays struct {
	parts  []*layout.Said
	voices []voice // what is said to any peer, by class
	usual  *heard
}

// saying works out what an end says, once for all that say the same.
func (r *reader) saying(at slotKey) *saying {
	key := saidKey{at: at}
	if len(r.long[at]) == 0 && len(r.short[at]) == 1 {
		key = saidKey{short: r.short[at][0]}
	}
	out := r.bySaid[key]
	if out == nil {
		out = r.tiers(at)
		r.bySaid[key] = out
	}
	return out
}

func (r *reader) endsOf(at slotKey) *localSays {
	own := &localSays{}
	if short := r.short[at]; len(r.long[at]) == 0 && len(short) == 1 && r.once(short[0]) {
		own.parts = short[0].Said
	} else {
		own.parts = r.apart(at)
	}
	own.voices = make([]voice, len(r.order)) // without any entry the kernel drops
	for _, p := range own.parts {
		if slices.Contains(p.Peers, layout.AnyPeer) {
			own.voices = r.voices(own.voices, p.Entries)
		}
	}
	text := textOf(own.voices)
	own.usual = &heard{text, r.answersOf(text, own.voices)}
	return own
}

// once reports whether no peer is spoken to twice. It is asked of each record once.
func (r *reader) once(x *layout.DumpDecisions) bool {
	for _, p := range x.Said {
		for _, peer := range p.Peers {
			if r.spoken[peer] == x {
				return false
			}
			r.spoken[peer] = x
		}
	}
	return true
}

// apart sorts out what is said to whom, where that does not stand together.
func (r *reader) apart(at slotKey) []*layout.Said {
	byPeer := map[uint32][]layout.DumpEntry{}
	for _, x := range r.short[at] {
		for _, e := range x.Of(at.local) {
			byPeer[e.Peer] = append(byPeer[e.Peer], e)
		}
	}
	for _, i := range r.long[at] {
		e := &r.dump.Policy[i]
		byPeer[e.Peer] = append(byPeer[e.Peer], *e)
	}
	parts := map[string]*layout.Said{}
	var out []*layout.Said
	for _, n := range slices.Sorted(maps.Keys(byPeer)) {
		text := string(layout.AppendEntries(nil, byPeer[n]))
		p := parts[text]
		if p == nil {
			p = &layout.Said{Entries: shared(r.entries, text, byPeer[n])}
			parts[text] = p
			out = append(out, p)
		}
		p.Peers = append(p.Peers, n)
	}
	for _, p := range out {
		var key []byte
		for _, n := range p.Peers {
			key = binary.NativeEndian.AppendUint32(key, n)
		}
		p.Peers = shared(r.numbers, string(key), p.Peers)
	}
	return out
}

// shared returns the first list that had the key.
func shared[T any](known map[string][]T, key string, list []T) []T {
	if first, is := known[key]; is {
		return first
	}
	known[key] = list
	return list
}

// voices are what is said to a peer about each class, as the kernel asks: the
// peer's own entries, by class and for any, then those about any peer. Of two
// entries with one key the last holds.
func (r *reader) voices(usual []voice, entries []layout.DumpEntry) []voice {
	out := slices.Clone(usual)
	for i := range entries {
		if e := &entries[i]; e.Class == layout.ClassAny {
			for c := range out {
				out[c] = voiceOf(e)
			}
		}
	}
	for i := range entries {
		e := &entries[i]
		if c, is := slices.BinarySearch(r.order, e.Class); is {
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

// hear works out what entries say, beside what is said to any peer.
func (r *reader) hear(own *localSays, entries []layout.DumpEntry) *heard {
	key := heardKey{own.usual.text, &entries[0]}
	out := r.heard[key]
	if out == nil {
		voices := r.voices(own.voices, entries)
		text := textOf(voices)
		out = &heard{text, r.answersOf(text, voices)}
		r.heard[key] = out
	}
	return out
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
			out = append(out, answer{traffic: traffic, voice: v})
		}
	}
	out = slices.DeleteFunc(out, func(a answer) bool { return a.traffic.IsEmpty() })
	for i := range out {
		out[i].text = out[i].traffic.String()
	}
	slices.SortFunc(out, func(a, b answer) int {
		return cmp.Or(cmp.Compare(a.rule, b.rule), cmp.Compare(a.until, b.until), cmp.Compare(strconv.FormatBool(a.allow), strconv.FormatBool(b.allow)))
	})
	r.answered[text] = out
	return out
}

// crowd is who some peers are.
type crowd struct {
	names []string // workloads, sorted
	odd   []uint32 // those of the peers that are not just workloads of their own
}

func (r *reader) crowd(numbers []uint32) *crowd {
	c := r.crowds[&numbers[0]]
	if c == nil {
		c = &crowd{}
		for _, n := range numbers {
			c.names = append(c.names, r.peers[n]...)
			if r.odd[n] {
				c.odd = append(c.odd, n)
			}
		}
		slices.Sort(c.names)
		r.crowds[&numbers[0]] = c
	}
	return c
}

// group is peers to which the same is said.
type group struct {
	*heard
	crowds []*crowd
}

// tiers work out what an end says to everybody: first to those that entries
// speak of, then to all others.
func (r *reader) tiers(at slotKey) *saying {
	own := r.endsOf(at)
	groups := map[string]*group{}
	differs := map[uint32]*group{} // by peer that is odd: where not the usual is said
	for _, p := range own.parts {
		h := r.hear(own, p.Entries)
		if h.text == own.usual.text {
			continue
		}
		g := groups[h.text]
		if g == nil {
			g = &group{heard: h}
			groups[h.text] = g
		}
		c := r.crowd(p.Peers)
		g.crowds = append(g.crowds, c)
		for _, n := range c.odd {
			differs[n] = g
		}
	}
	w := newWriter(r)
	rules := 0
	for _, g := range groups {
		rules += len(g.answers)
	}
	w.out[0] = make([]layer.Rule, 0, rules)
	for _, k := range slices.Sorted(maps.Keys(groups)) {
		w.write(0, r.match(groups[k], differs), groups[k].answers)
	}
	w.writeMixed(own, differs)
	w.write(2, layer.Everything(), own.usual.answers)
	return &saying{w.out, at.direction.String() + " " + string(w.digest.Sum(nil))}
}

// match is who has one of the numbers: workloads, and addresses of nobody's, less
// what longer prefixes make something that is told otherwise.
func (r *reader) match(g *group, differs map[uint32]*group) layer.Match {
	var m layer.Match
	names := g.crowds[0].names
	odd := slices.Clone(g.crowds[0].odd)
	if len(g.crowds) > 1 {
		names = slices.Clone(names)
		for _, c := range g.crowds[1:] {
			names = append(names, c.names...)
			odd = append(odd, c.odd...)
		}
		slices.Sort(names)
	}
	slices.Sort(odd)
	for _, n := range odd {
		for _, p := range r.prefixes[n] {
			except := r.trie.within(p, func(peer uint32) bool { return differs[peer] != g })
			m = append(m, layer.Term{Address: true, Prefixes: []netip.Prefix{p}, Except: except})
		}
	}
	if len(names) > 0 {
		m = append(m, layer.Term{Workloads: names})
	}
	return m
}

// ref names a rule by its number.
func (r *reader) ref(number uint32) flow.Rule {
	out, known := r.refs[number]
	if known {
		return out
	}
	out = flow.Rule{Policy: "maps of host " + r.dump.Host, Rule: "rule " + strconv.FormatUint(uint64(number), 10), File: r.file, Line: 1}
	if r.dump.Host == "" {
		out.Policy = "maps of the fleet"
	}
	if ref, is := r.dump.Rules[number]; is {
		out.Rule = ref.String()
	}
	r.refs[number] = out
	return out
}
