package ebpf

import (
	"encoding/binary"
	"slices"

	"firebreak/internal/flow"
)

// side is what the rules that touch one identity here say in one direction,
// sorted out by far end. Lists of items are in the order of rules.
type side struct {
	ident     int
	touches   []touch
	any       []item   // what speaks of a far end that no rule names
	naming    []naming // 0 names nobody
	namingOf  []int32  // by identity
	mentioned []int    // identities that some rule names
	byExt     map[int]named
	byDefault verdicts // what any says alone
	known     map[string]*verdicts
}

// naming is which touches name a far identity: one more than its parent has.
// Identities that the same touches name share it.
type naming struct {
	parent, touch int32
	heir, byTouch int32     // the naming that has this touch more
	says          *verdicts // nil until it is asked for
}

// named is how what speaks of a far end that rules name differs from any: with
// what names it, and without what speaks of everything but it.
type named struct{ with, without []item }

func (r *renderer) side(ident int, d flow.Direction) *side {
	s := &side{ident: ident, touches: r.touches[r.slot[ident]][d], byExt: map[int]named{}, known: map[string]*verdicts{}}
	s.naming = []naming{{byTouch: -1}}
	s.namingOf = r.blank()
	for i, t := range s.touches {
		if t.far.Any || t.far.Not {
			s.any = append(s.any, t.item)
		}
		for _, id := range t.far.Identities {
			s.name(id, int32(i))
		}
		for _, x := range t.far.Externals {
			s.byExt[x] = s.byExt[x].and(t)
		}
	}
	s.byDefault = r.evaluate(s, s.any, nil)
	s.naming[0].says = &s.byDefault
	return s
}

// blank returns a slot for each identity, all 0; done gives it back.
func (r *renderer) blank() []int32 {
	if n := len(r.blanks); n > 0 {
		b := r.blanks[n-1]
		r.blanks = r.blanks[:n-1]
		return b
	}
	return make([]int32, len(r.p.Identities))
}

func (r *renderer) done(s *side) {
	for _, id := range s.mentioned {
		s.namingOf[id] = 0
	}
	r.blanks = append(r.blanks, s.namingOf)
	s.namingOf = nil
}

// name notes that a touch names an identity.
func (s *side) name(ident int, touch int32) {
	was := s.namingOf[ident]
	if was == 0 {
		s.mentioned = append(s.mentioned, ident)
	}
	if s.naming[was].byTouch != touch {
		s.naming[was].heir, s.naming[was].byTouch = int32(len(s.naming)), touch
		s.naming = append(s.naming, naming{parent: was, touch: touch, byTouch: -1})
	}
	s.namingOf[ident] = s.naming[was].heir
}

func (n named) and(t touch) named {
	if t.far.Not {
		n.without = append(n.without, t.item)
	} else {
		n.with = append(n.with, t.item)
	}
	return n
}

// toIdentity returns what the end says about a far identity.
func (r *renderer) toIdentity(s *side, ident int) *verdicts {
	at := s.namingOf[ident]
	n := &s.naming[at]
	if n.says == nil {
		var touches []int32
		for i := at; i > 0; i = s.naming[i].parent {
			touches = append(touches, s.naming[i].touch)
		}
		var own named
		for _, t := range slices.Backward(touches) {
			own = own.and(s.touches[t])
		}
		v := r.evaluate(s, own.among(s.any), s.byDefault.classes)
		n.says = &v
	}
	return n.says
}

// toExternals returns what the end says about an address in those Externals.
func (r *renderer) toExternals(s *side, set []int) *verdicts {
	var own named
	for _, x := range set {
		own.with = mergeItems(own.with, s.byExt[x].with)
		own.without = mergeItems(own.without, s.byExt[x].without)
	}
	return r.remembered(s, own)
}

// remembered evaluates a list of items once, however many peers have it.
func (r *renderer) remembered(s *side, own named) *verdicts {
	if len(own.with) == 0 && len(own.without) == 0 {
		return &s.byDefault
	}
	key := make([]byte, 0, 8*(len(own.with)+len(own.without)+1))
	for _, it := range own.with {
		key = appendItem(key, it)
	}
	key = appendItem(key, item{rule: -1, grant: -1})
	for _, it := range own.without {
		key = appendItem(key, it)
	}
	v, ok := s.known[string(key)]
	if !ok {
		says := r.evaluate(s, own.among(s.any), s.byDefault.classes)
		v = &says
		s.known[string(key)] = v
	}
	return v
}

func appendItem(key []byte, it item) []byte {
	key = binary.NativeEndian.AppendUint32(key, uint32(it.rule))
	return binary.NativeEndian.AppendUint32(key, uint32(it.grant))
}

// among returns the items that speak of what is so named, where those of any
// speak of what is not named.
func (n named) among(any []item) []item {
	return mergeItems(lessItems(any, n.without), n.with)
}

// lessItems returns a without those of b, all of which a has.
func lessItems(a, b []item) []item {
	if len(b) == 0 {
		return a
	}
	out := make([]item, 0, len(a))
	for _, it := range a {
		if len(b) > 0 && it == b[0] {
			b = b[1:]
			continue
		}
		out = append(out, it)
	}
	return out
}

// mergeItems merges two lists in the order of rules and drops what is twice.
func mergeItems(a, b []item) []item {
	if len(a) == 0 {
		return b
	}
	if len(b) == 0 {
		return a
	}
	out := make([]item, 0, len(a)+len(b))
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && less(a[0], b[0]):
			out, a = append(out, a[0]), a[1:]
		case len(a) == 0 || less(b[0], a[0]):
			out, b = append(out, b[0]), b[1:]
		default:
			out, a, b = append(out, a[0]), a[1:], b[1:]
		}
	}
	return out
}

func less(a, b item) bool { return a.rule < b.rule || a.rule == b.rule && a.grant < b.grant }
