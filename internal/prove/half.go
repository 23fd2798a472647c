package prove

import (
	"encoding/binary"
	"slices"
	"sync"

	"firebreak/internal/flow"
	"firebreak/internal/layer"
	"firebreak/internal/verify/space"
)

// compiled is a layer by ends.
type compiled struct {
	*layer.Layer
	u       *universe
	tables  []*table
	points  [][]int32     // by end: the points that govern it, or perhaps do
	governs []bool        // by point: it governs some workload
	relay   []bool        // by end: its addresses are the layer's relays
	leads   [][]layer.Tri // by Lead, by end: whether it leads there
	named   bool          // some rule goes by the names of Externals
	shut    *table        // the layer's Shut, a rule each; nil without any
	halves  [2]half       // by flow.Direction
	// through is what a layer that can be gone around says, for responders, of
	// conversations that come through it all the same; by end, nil where it is what
	// halves say.
	through [][]int32
}

// half is what a layer lets pass at one end of conversations: the initiator's
// for egress, the responder's for ingress.
type half struct {
	rows [][]int32 // by end, by the class of the peer: an index into contents; nil for an end that is not governed
}

// contents are the bounds that there are, each once. What adds to them may be
// called concurrently, reading them otherwise not meanwhile.
type contents struct {
	lock  sync.Mutex
	all   []bounds
	known map[string]int32
	key   []byte
}

// The first contents. An end that is not governed abstains from everything.
const (
	openContent   int32 = iota // everything passes
	nobodyContent              // the end is not governed
)

func newContents() *contents {
	c := &contents{known: map[string]int32{}}
	c.of(bounds{lower: everything, upper: everything})
	c.of(nobody)
	return c
}

func (c *contents) of(b bounds) int32 {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.number(b)
}

// both is the number of what two contents say together.
func (c *contents) both(a, b int32) int32 {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.number(c.all[a].and(c.all[b]))
}

func (c *contents) number(b bounds) int32 {
	c.key = c.key[:0]
	for _, s := range []space.Set{b.lower, b.upper, b.lowerAbstains, b.upperAbstains} {
		c.key = s.AppendKey(c.key)
		c.key = append(c.key, 0xfe)
	}
	c.key = append(append(c.key, flag(b.oneWay)), b.why...)
	n, known := c.known[string(c.key)]
	if !known {
		n = int32(len(c.all))
		c.known[string(c.key)] = n
		c.all = append(c.all, b)
	}
	return n
}

// and is what two tables say together: a conversation must pass both, and is
// abstained from by both or not at all.
func (b bounds) and(o bounds) bounds {
	out := bounds{
		lower: b.lower.Intersect(o.lower), upper: b.upper.Intersect(o.upper),
		lowerAbstains: b.lowerAbstains.Intersect(o.lowerAbstains), upperAbstains: b.upperAbstains.Intersect(o.upperAbstains),
	}
	return out.because(b, o)
}

// because gives bounds the reason of one of two: that replies are stopped only if
// there is no other.
func (out bounds) because(b, o bounds) bounds {
	if out.why, out.oneWay = b.why, b.oneWay; b.why == "" || b.oneWay && o.why != "" {
		out.why, out.oneWay = o.why, o.oneWay
	}
	return out
}

// nobody is an end that is not governed: it abstains from everything.
var nobody = bounds{lower: everything, upper: everything, lowerAbstains: everything, upperAbstains: everything}

// compile evaluates the matches of a layer.
func compile(l *layer.Layer, u *universe, m *matcher) *compiled {
	out := &compiled{Layer: l, u: u}
	for i := range l.Tables {
		t := newTable(&l.Tables[i], u, m)
		out.tables = append(out.tables, t)
		out.named = out.named || slices.ContainsFunc(t.rules, func(r rule) bool { return byNames(r.Peer) })
	}
	for i := range l.Points {
		m.of(l.Points[i].Governs)
	}
	for i := range l.Unknown {
		m.of(l.Unknown[i].Concerns)
	}
	if len(l.Relays) > 0 {
		m.of(layer.Match{{Address: true, Prefixes: l.Relays}})
	}
	for i := range l.Leads {
		m.of(l.Leads[i].To)
	}
	out.shut = newShut(l, u, m)
	return out
}

// byNames reports whether a match goes by the names of Externals.
func byNames(m layer.Match) bool {
	return slices.ContainsFunc(m, func(t layer.Term) bool { return t.Names != nil })
}

// lay finds what the layer says for every pair of ends.
func (l *compiled) lay(c, peers *classes, m *matcher, all *contents) {
	n := c.n
	l.points, l.relay, l.governs = make([][]int32, n), make([]bool, n), make([]bool, len(l.Points))
	for i := range l.Points {
		for _, x := range c.of(m.of(l.Points[i].Governs).may) {
			if l.u.ends[x].managed() {
				l.points[x] = append(l.points[x], int32(i))
				l.governs[i] = true
			}
		}
	}
	if len(l.Relays) > 0 {
		for _, x := range c.of(m.of(layer.Match{{Address: true, Prefixes: l.Relays}}).yes) {
			l.relay[x] = true
		}
	}
	for i := range l.Leads {
		to, who := make([]layer.Tri, n), m.of(l.Leads[i].To)
		for _, x := range c.of(who.may) {
			to[x] = layer.Maybe
		}
		for _, x := range c.of(who.yes) {
			to[x] = layer.Yes
		}
		l.leads = append(l.leads, to)
	}
	for _, t := range l.tables {
		t.lay(c, peers, m.of(t.Governs))
	}
	if l.shut != nil {
		l.shut.lay(c, peers, m.of(l.shut.Governs))
	}
	why := l.unknowns(c, m)
	for d := range l.halves {
		l.halves[d] = l.layHalf(l.u, flow.Direction(d), why, all, false)
	}
	if l.relays() && l.aroundIt() {
		l.through = l.layHalf(l.u, flow.Ingress, why, all, true).rows
	}
}

// unknowns says for every end why nothing is known of what the layer does there.
func (l *compiled) unknowns(c *classes, m *matcher) []string {
	why := make([]string, c.n)
	for x, points := range l.points {
		for _, p := range points {
			if w := l.Points[p].Unknown; w != "" && why[x] == "" {
				why[x] = said(l.Points[p].Name, w)
			}
		}
	}
	for i := range l.Unknown {
		for _, x := range c.of(m.of(l.Unknown[i].Concerns).may) {
			if why[x] == "" {
				why[x] = said(l.Unknown[i].Where.String(), l.Unknown[i].Why)
			}
		}
	}
	return why
}

// missing reports whether nothing enforces what governs an end.
func (l *compiled) missing(x int) bool {
	for _, p := range l.points[x] {
		if l.Points[p].Missing == "" {
			return false
		}
	}
	return len(l.points[x]) > 0
}

// decides is a table that governs an end.
type decides struct {
	table int
	governed
}

// layHalf finds the rows of one direction. An end that the layer governs, in a
// direction in which it has tables, but for which none of them decides, is open.
func (l *compiled) layHalf(u *universe, d flow.Direction, why []string, all *contents, through bool) (h half) {
	h.rows = make([][]int32, len(u.ends))
	known := map[string][]int32{}
	mine, elsewhere := make([][]decides, len(u.ends)), make([]bool, len(u.ends))
	some := false
	for i, t := range l.tables {
		some = some || t.Direction == d
		for _, g := range t.governed {
			elsewhere[g.end] = elsewhere[g.end] || g.sure
			if t.Direction == d {
				mine[g.end] = append(mine[g.end], decides{i, g})
			}
		}
	}
	if !some {
		for x := range u.ends { // nothing could be read at all
			if len(l.tables) == 0 && why[x] != "" && u.ends[x].managed() {
				h.rows[x] = constant(known, why[x], u.peers, all.of(bounds{upper: everything, why: why[x]}))
			}
		}
		return h
	}
	open := make([]int32, u.peers) // all openContent
	combos := newCombos(all, l.tables)
	combos.through = through
	var key []byte
	for x := range u.ends {
		if !u.ends[x].managed() {
			continue
		}
		key = key[:0]
		for _, m := range mine[x] {
			key = binary.AppendUvarint(key, uint64(m.table))
			key = binary.AppendUvarint(key, uint64(m.group))
			key = append(key, flag(m.sure))
		}
		switch {
		case why[x] != "":
			h.rows[x] = constant(known, "?"+why[x], u.peers, all.of(bounds{upper: everything, why: why[x]}))
		case l.missing(x):
			h.rows[x] = open
		case len(mine[x]) > 0:
			row, done := known[string(key)]
			if !done {
				row = combos.row(mine[x])
				known[string(key)] = row
			}
			h.rows[x] = row
		case len(l.points[x]) > 0 || elsewhere[x]: // a table of the other direction governs it
			h.rows[x] = open
		}
	}
	return h
}

// aroundIt reports whether some rule abstains since conversations can go around
// the layer.
func (l *compiled) aroundIt() bool {
	return slices.ContainsFunc(l.tables, func(t *table) bool { return slices.ContainsFunc(t.rules, func(r rule) bool { return r.Around }) })
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func constant(known map[string][]int32, key string, n int, content int32) []int32 {
	row, done := known[key]
	if !done {
		row = make([]int32, n)
		for i := range row {
			row[i] = content
		}
		known[key] = row
	}
	return row
}

// combos finds the contents of lists of one or several tables.
type combos struct {
	all     *contents
	tables  []*table
	one     []map[saidKey]int32 // by table
	through bool
	known   map[[2]int32]int32
}

func newCombos(all *contents, tables []*table) *combos {
	return &combos{all: all, tables: tables, one: make([]map[saidKey]int32, len(tables)), known: map[[2]int32]int32{}}
}

// row is that of an end which some tables govern.
func (c *combos) row(tables []decides) []int32 {
	out := c.rowOf(tables[0])
	for _, m := range tables[1:] {
		next := c.rowOf(m)
		last, both := [2]int32{-1, -1}, int32(0) // neighbours often have the same
		for i := range out {
			if k := [2]int32{out[i], next[i]}; k != last {
				last, both = k, c.both(k)
			}
			out[i] = both
		}
	}
	return out
}

// rowOf is what one table says; the slice is the caller's.
func (c *combos) rowOf(m decides) []int32 {
	t := c.tables[m.table]
	lists := t.rows[m.group]
	out := make([]int32, len(lists))
	if c.one[m.table] == nil {
		c.one[m.table] = map[saidKey]int32{}
	}
	known := c.one[m.table]
	last, content := int32(-1), int32(0)
	for i, list := range lists {
		if list != last {
			last = list
			key := saidKey{list, !m.sure, c.through}
			n, done := known[key]
			if !done {
				n = c.all.of(t.says(key))
				known[key] = n
			}
			content = n
		}
		out[i] = content
	}
	return out
}

func (c *combos) both(k [2]int32) int32 {
	if k[0] == k[1] {
		return k[0]
	}
	n, known := c.known[k]
	if !known {
		n = c.all.both(k[0], k[1])
		c.known[k] = n
	}
	return n
}
