package nftables

import (
	"encoding/binary"
	"slices"
	"strings"

	"firebreak/internal/flow"
)

// Chains of the same name that say the same, on whatever hosts, are walked once
// for all that enters them whole and is decided in them.

// innerKey is what such a walk depends on.
type innerKey struct {
	chain     int // see identity
	family    int
	direction flow.Direction
	hook      string
	reply     bool
}

// inner is what a walk along a chain came to.
type inner struct {
	plain   bool // it may be used again
	entries []entry
}

// enter walks along a chain from its beginning, as run does.
func (x *walker) enter(to *chain, d cond, after func(cond)) (done bool) {
	id := 0
	if x.unbound(d) {
		id = x.lifter.identity(x.table, to)
	}
	if id <= 0 {
		return x.run(to, 0, d, after)
	}
	key := innerKey{id, x.family, x.direction, x.hook, x.reply}
	known := x.lifter.inner[key]
	if known == nil && x.peers != wholeArea[x.family] {
		known = x.tryWhole(key, to, d)
	}
	if known != nil && known.plain {
		if x.peers == wholeArea[x.family] {
			x.out = append(x.out, known.entries...)
			return true
		}
		for _, e := range known.entries { // with whom else does not matter: see needless
			if e.peer.meets(x.peers) {
				x.out = append(x.out, e)
			}
		}
		return true
	}
	if x.peers != wholeArea[x.family] {
		return x.run(to, 0, d, after)
	}
	left, bound := false, x.hostBound
	x.hostBound = false
	out, rewrites, asked := len(x.out), len(x.rewrites), len(x.asked)
	done = x.run(to, 0, d, func(d cond) {
		left = true
		after(d)
	})
	if known == nil {
		known = &inner{plain: done && !left && !x.hostBound && len(x.asked) == asked && len(x.rewrites) == rewrites && x.broken == ""}
		if known.plain {
			known.entries = slices.Clone(x.out[out:])
		}
		x.lifter.inner[key] = known
	}
	x.hostBound = x.hostBound || bound
	return done
}

// tryWhole walks along a chain for all peers, where some are asked about.
func (x *walker) tryWhole(key innerKey, to *chain, d cond) *inner {
	all := *x
	all.peers, all.out, all.asked, all.rewrites = wholeArea[x.family], nil, nil, nil
	d.peer = all.peers
	all.enter(to, d, func(cond) {})
	return x.lifter.inner[key]
}

// matchesKey is what the matches of a rule that speaks of no set of its table
// depend on, beside the local address, for all conversations.
type matchesKey struct {
	rule      int // see numbered
	family    int
	direction flow.Direction
	hook      string
	reply     bool
}

// narrowed is what such matches leave, and how many there are; -1 if it is not
// the same for all addresses.
type narrowed struct {
	conds []cond
	n     int
}

// matches applies the matches that a rule begins with, as far as that was done
// before, and returns where to go on.
func (x *walker) matches(r *statements, in cond) ([]cond, int) {
	if !x.unbound(in) || len(r.from.references().sets) > 0 {
		return []cond{in}, 0
	}
	key := matchesKey{x.lifter.numbered(&r.from.number), x.family, x.direction, x.hook, x.reply}
	known, is := x.lifter.narrowed[key]
	if !is {
		whole := in
		whole.peer = wholeArea[x.family]
		known = x.narrowAll(r, whole)
		x.lifter.narrowed[key] = known
	}
	if known.n <= 0 {
		return []cond{in}, 0
	}
	if x.peers == wholeArea[x.family] {
		return known.conds, known.n
	}
	var conds []cond
	for _, d := range known.conds {
		if d.peer = d.peer.and(x.peers); !d.none() {
			conds = append(conds, d)
		}
	}
	return conds, known.n
}

func (x *walker) narrowAll(r *statements, in cond) narrowed {
	asked, bound := len(x.asked), x.hostBound
	x.hostBound = false
	out := narrowed{conds: []cond{in}}
	for k := range r.expr {
		o, _ := r.expr[k].(map[string]any)
		if o["match"] == nil || len(o) != 1 {
			break
		}
		if len(out.conds) > 0 {
			out.conds = x.narrow(out.conds, o["match"], &r.expr[k])
		}
		out.n++
	}
	if x.hostBound || len(x.asked) > asked {
		out.n = -1
	}
	x.asked, x.hostBound = x.asked[:asked], bound
	return out
}

// unbound reports whether a cond is all conversations that are asked about.
func (x *walker) unbound(d cond) bool {
	return d.peer == x.peers && !d.link && d.unknown == "" && d.traffic.IsAll() && d.sport.IsAll()
}

// refs are what a rule names of its table.
type refs struct{ sets, chains []string }

func (p *parsed) references() *refs {
	if p.refs == nil {
		p.refs = &refs{}
		p.refs.gather(p.object["expr"])
	}
	return p.refs
}

// gather takes every text that could be a name: too many are no harm.
func (r *refs) gather(v any) {
	switch v := v.(type) {
	case string:
		if name, is := strings.CutPrefix(v, "@"); is {
			r.sets = append(r.sets, name)
		}
	case []any:
		for _, inner := range v {
			r.gather(inner)
		}
	case map[string]any:
		if name, is := v["target"].(string); is {
			r.chains = append(r.chains, name)
		}
		for _, inner := range v {
			r.gather(inner)
		}
	}
}

// identity is a number above 0 that chains have in common which are called the
// same, in tables that are, and say the same with the same sets and chains; -1
// if there is none: something is missing, it leads in a circle, or by a map.
func (l *lifter) identity(t *table, c *chain) int {
	if c.identity != 0 {
		return c.identity
	}
	c.identity = -1
	key := append([]byte(t.family+" "+t.name+" "+c.name), 0)
	for _, r := range c.rules {
		refs := r.from.references()
		key = binary.AppendUvarint(key, uint64(l.numbered(&r.from.number)))
		for _, name := range refs.sets {
			s := t.sets[name]
			if s == nil || s.verdicts {
				return -1
			}
			key = binary.AppendUvarint(key, uint64(l.numbered(&s.number)))
		}
		for _, name := range refs.chains {
			to := t.chain(name)
			if to == nil {
				return -1
			}
			id := l.identity(t, to)
			if id < 0 {
				return -1
			}
			key = binary.AppendUvarint(key, uint64(id))
		}
	}
	id, known := l.chains[string(key)]
	if !known {
		id = len(l.chains) + 1
		l.chains[string(key)] = id
	}
	c.identity = id
	return id
}

// numbered is the number of a rule or set, given when it is first asked for.
func (l *lifter) numbered(at *int) int {
	if *at == 0 {
		l.given++
		*at = l.given
	}
	return *at
}
