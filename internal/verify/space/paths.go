package space

import (
	"encoding/binary"
	"slices"
)

// What bounds the automaton of paths: what it is made of, its states, what they
// keep, and the steps that are taken to find them.
const (
	maxLetters = 1 << 18 // of patterns, those that begin alike counted once
	maxStates  = 1 << 17
	maxKept    = 1 << 22
	maxSteps   = 1 << 26
)

// paths are the atoms of paths: the combinations of patterns that some path
// meets, and one atom more, the last, for all ambiguous paths. A path that
// does not begin with a slash is as good as ambiguous.
type paths struct {
	patterns []string         // distinct
	met      map[string]int32 // by pattern: the state of the tree in which it is met
	tree     tree

	class   [256]uint8 // bytes of one class are alike to all patterns
	bytes   []byte     // by class: one of them
	next    []uint32   // by state and class: the next state; the one of ambiguous paths is 0
	atoms   []uint16   // by state: where a path is that ends there
	ends    [][]int32  // by atom but the last: the states of the tree that are met, sorted
	samples []string   // by atom: a path, one of the shortest
}

// state is a state of the automaton while it is made.
type state struct {
	set   []int32
	doubt doubt
	from  uint32 // the state before, on a shortest way
	by    byte
}

func newPaths(patterns []string) (*paths, error) {
	p := &paths{met: map[string]int32{}}
	p.tree.grow(loopNone)
	for _, x := range patterns {
		if len(p.tree.all)+len(x) > maxLetters {
			return nil, &TooManyError{"letters of paths", maxLetters}
		}
		if _, known := p.met[x]; !known {
			p.patterns = append(p.patterns, x)
			p.met[x] = p.tree.add(x)
		}
	}
	p.classes()
	return p, p.build()
}

// niceBytes are what samples are made of where there is a choice.
const niceBytes = "xyzabcdefghijklmnopqrstuvwXYZABCDEFGHIJKLMNOPQRSTUVW0123456789-_~!$&'()*+,;=:@"

// classes gives each byte that some pattern or the test for ambiguity names a
// class of its own, and class 0 to all others.
func (p *paths) classes() {
	var named [256]bool
	for _, b := range []byte("/%.\\0123456789abcdefABCDEF") {
		named[b] = true
	}
	for _, s := range p.tree.all {
		for b := range s.lit {
			named[b] = true
		}
	}
	all := []byte(niceBytes)
	for b := range 256 {
		if b := byte(b); !slices.Contains(all, b) {
			all = append(all, b)
		}
	}
	p.bytes = []byte{'/'} // should no byte be left unnamed, a slash does no harm
	for _, b := range all {
		if !named[b] {
			p.bytes[0] = b
			break
		}
	}
	for _, b := range all {
		if named[b] {
			p.class[b] = uint8(len(p.bytes))
			p.bytes = append(p.bytes, b)
		}
	}
}

// build finds every state that some path reaches, those of short paths first,
// and from them the atoms.
func (p *paths) build() error {
	states := []state{{doubt: doubted}}
	known := map[string]uint32{}
	var key []byte
	kept, steps := 0, 0
	reach := func(set []int32, d doubt, from uint32, by byte) uint32 {
		if d == doubted {
			return 0
		}
		key = append(key[:0], byte(d))
		for _, at := range set {
			key = binary.LittleEndian.AppendUint32(key, uint32(at))
		}
		n, ok := known[string(key)]
		if !ok {
			n = uint32(len(states))
			known[string(key)] = n
			states = append(states, state{slices.Clone(set), d, from, by})
			kept += len(set)
		}
		return n
	}
	reach(p.tree.step(nil, p.tree.start(), '/'), segmentStart, 0, '/')
	p.next = make([]uint32, len(p.bytes)) // whatever comes, ambiguous stays so
	var room []int32
	for i := uint32(1); i < uint32(len(states)); i++ {
		if len(states) > maxStates || kept > maxKept || steps > maxSteps {
			return &TooManyError{"states of paths", maxStates}
		}
		s := states[i]
		steps += len(s.set) * (1 + len(p.bytes))
		room = p.tree.step(room[:0], s.set, p.bytes[0])
		other := reach(room, s.doubt.next(p.bytes[0]), i, p.bytes[0])
		row := len(p.next)
		for range p.bytes {
			p.next = append(p.next, other)
		}
		for c, b := range p.bytes[1:] {
			if p.special(s, b) {
				room = p.tree.step(room[:0], s.set, b)
				p.next[row+1+c] = reach(room, s.doubt.next(b), i, b)
			}
		}
	}
	return p.number(states)
}

// special reports whether a byte may lead elsewhere than an unnamed one.
func (p *paths) special(s state, b byte) bool {
	if b == '/' || s.doubt.next(b) != inside {
		return true
	}
	return slices.ContainsFunc(s.set, func(at int32) bool {
		_, ok := p.tree.all[at].lit[b]
		return ok
	})
}

// number gives each combination of patterns met an atom.
func (p *paths) number(states []state) error {
	known := map[string]uint16{}
	p.atoms = make([]uint16, len(states))
	var key []byte
	for i, s := range states {
		if i == 0 || s.doubt.dots() {
			continue
		}
		var ends []int32
		key = key[:0]
		for _, at := range s.set {
			if p.tree.all[at].ends {
				ends = append(ends, at)
				key = binary.LittleEndian.AppendUint32(key, uint32(at))
			}
		}
		n, ok := known[string(key)]
		if !ok {
			n = uint16(len(p.ends))
			known[string(key)] = n
			p.ends = append(p.ends, ends)
			p.samples = append(p.samples, sample(states, uint32(i)))
		}
		if p.atoms[i] = n; len(p.ends) >= maxAtoms {
			return &TooManyError{"paths", maxAtoms}
		}
	}
	for i, s := range states {
		if i == 0 || s.doubt.dots() {
			p.atoms[i] = p.ambiguous()
		}
	}
	p.samples = append(p.samples, "//")
	return nil
}

// sample returns the path that first led to a state.
func sample(states []state, at uint32) string {
	var out []byte
	for ; at != 0; at = states[at].from {
		out = append(out, states[at].by)
	}
	slices.Reverse(out)
	return string(out)
}

// ambiguous returns the atom of ambiguous paths.
func (p *paths) ambiguous() uint16 { return uint16(len(p.ends)) }

// locate returns the atom of a path.
func (p *paths) locate(path string) uint16 {
	if path == "" || path[0] != '/' {
		return p.ambiguous()
	}
	at, width := uint32(1), uint32(len(p.bytes))
	for i := 1; i < len(path) && at != 0; i++ {
		at = p.next[at*width+uint32(p.class[path[i]])]
	}
	return p.atoms[at]
}

// in returns the atoms whose paths meet a pattern.
func (p *paths) in(pattern string) atoms {
	at := p.met[pattern]
	out := make(atoms, len(p.ends)+1)
	for i, ends := range p.ends {
		_, out[i] = slices.BinarySearch(ends, at)
	}
	return out
}

// of returns the atoms whose paths meet one of the patterns, any if there are
// none; the ambiguous ones are in or not.
func (p *paths) of(patterns []string, ambiguous bool) atoms {
	out := make(atoms, len(p.ends)+1)
	for i := range p.ends {
		out[i] = len(patterns) == 0
	}
	for _, x := range patterns {
		out = out.or(p.in(x))
	}
	out[p.ambiguous()] = ambiguous
	return out
}
