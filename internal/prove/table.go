package prove

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"firebreak/internal/layer"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/verify/space"
)

// table is a layer's table by ends: for every governed end, which rules speak of
// which others.
type table struct {
	*layer.Table
	u     *universe
	rules []rule

	governed []governed // ascending by end
	rows     [][]int32  // by group, by the class of the peer: the list
	lists    lists
	said     map[saidKey]bounds
}

// governed is an end that a table decides for, or perhaps does.
type governed struct {
	end   int32
	group int32 // those of which the same rules speak
	sure  bool
}

// governs says whether the table decides for an end, and in which group it is.
func (t *table) governs(x int) (group int32, is layer.Tri) {
	i, found := slices.BinarySearchFunc(t.governed, int32(x), func(g governed, x int32) int { return cmp.Compare(g.end, x) })
	switch {
	case !found:
		return -1, layer.No
	case t.governed[i].sure:
		return t.governed[i].group, layer.Yes
	}
	return t.governed[i].group, layer.Maybe
}

// rule is one of a tier's rules, and all others that say the same about other
// peers.
type rule struct {
	*layer.Rule   // the first
	parts         []*layer.Rule
	tier          int
	subject, peer *members
}

// saidKey is everything that what a table says of a pair depends on.
type saidKey struct {
	list    int32
	perhaps bool // it is not known whether the table governs the end
	through bool // the conversation comes through the layer, though it could go around
}

// bounds are what something lets pass, and of what it does not speak, as strict
// and as lax as it can be. What it abstains from passes.
type bounds struct {
	lower, upper                 space.Set
	lowerAbstains, upperAbstains space.Set
	why                          string // why the two are not the same; empty if they are
	oneWay                       bool   // since replies are stopped and nothing else: see layer.Rule
}

// lists are the lists of items that speak of some pair, each once.
type lists struct {
	parent []int32
	item   []int32
	known  map[[2]int32]int32
}

func newLists() lists {
	return lists{parent: []int32{0}, item: []int32{-1}, known: map[[2]int32]int32{}}
}

// An item is a rule's index, with what is not sure about it.
const (
	inDoubt    = 1 << iota // whether the rule speaks, for whatever reason
	whoInDoubt             // whether it means these ends
	itemBits   = iota
)

func itemOf(rule int) int32 { return int32(rule) << itemBits }

// with is a list with one more item.
func (l *lists) with(list, item int32) int32 {
	key := [2]int32{list, item}
	n, known := l.known[key]
	if !known {
		n = int32(len(l.parent))
		l.known[key] = n
		l.parent, l.item = append(l.parent, list), append(l.item, item)
	}
	return n
}

// items lists them in the order of the rules.
func (l *lists) items(list int32) []int32 {
	var out []int32
	for ; list != 0; list = l.parent[list] {
		out = append(out, l.item[list])
	}
	slices.Reverse(out)
	return out
}

// newTable evaluates the matches of a table. Its rows come later, when the ends
// are known. Rules of a tier that say the same about different peers are one: a
// list of single addresses would tell apart all who are on it.
func newTable(t *layer.Table, u *universe, m *matcher) *table {
	out := &table{Table: t, u: u, lists: newLists(), said: map[saidKey]bounds{}}
	m.of(t.Governs)
	at := map[saying]int{}
	var key []byte
	for tier, rules := range t.Tiers {
		clear(at)
		for i := range rules {
			r := &rules[i]
			subject := m.of(r.Subject)
			if len(rules) > 1 && r.Unknown == "" && !r.Around {
				key = space.Plain(r.Traffic).AppendKey(key[:0])
				k := saying{subject, r.Effect, r.Cond, string(key)}
				if n, known := at[k]; known {
					out.rules[n].parts = append(out.rules[n].parts, r)
					continue
				}
				at[k] = len(out.rules)
			}
			out.rules = append(out.rules, rule{Rule: r, tier: tier, subject: subject, parts: []*layer.Rule{r}})
		}
	}
	for i := range out.rules {
		out.rules[i].peer = m.asPeer(peersOf(out.rules[i].parts))
	}
	return out
}

// saying is everything that a rule says but about whom.
type saying struct {
	subject *members
	effect  layer.Effect
	cond    *policy.Condition
	traffic string
}

// peersOf is the match of everybody whom some rules mean.
func peersOf(rules []*layer.Rule) layer.Match {
	if len(rules) == 1 {
		return rules[0].Peer
	}
	var out layer.Match
	for _, r := range rules {
		out = append(out, r.Peer...)
	}
	return out
}

// part is the rule that means an end.
func (r *rule) part(u *universe, end int) *layer.Rule {
	if len(r.parts) == 1 {
		return r.Rule
	}
	party, perhaps := u.party(&u.ends[end]), r.Rule
	for _, p := range r.parts {
		switch p.Peer.Matches(party, u.networks) {
		case layer.Yes:
			return p
		case layer.Maybe:
			perhaps = p
		}
	}
	return perhaps
}

// classes turns elements into ends, or into other classes.
type classes struct {
	n     int
	class []int32         // by element; -1 for none
	first []uint32        // by class: its first element
	reps  *roaring.Bitmap // of these
	known map[*roaring.Bitmap][]int32
}

func newClasses(class []int32, n int) *classes {
	c := &classes{n: n, class: class, first: make([]uint32, n), reps: roaring.New(), known: map[*roaring.Bitmap][]int32{}}
	seen := make([]bool, n)
	for e, x := range class {
		if x >= 0 && !seen[x] {
			seen[x] = true
			c.first[x] = uint32(e)
			c.reps.Add(uint32(e))
		}
	}
	return c
}

// of lists the ends that a bitmap holds, ascending.
func (c *classes) of(b *roaring.Bitmap) []int32 {
	if out, known := c.known[b]; known {
		return out
	}
	out := []int32{}
	for it := roaring.And(b, c.reps).Iterator(); it.HasNext(); {
		out = append(out, c.class[it.Next()])
	}
	slices.Sort(out) // the order of first elements, unless classes were numbered otherwise
	c.known[b] = out
	return out
}

// has reports whether a bitmap holds an end.
func (c *classes) has(b *roaring.Bitmap, x int32) bool { return b.Contains(c.first[x]) }

// lay finds the rows.
func (t *table) lay(c, peers *classes, governs *members) {
	for _, x := range c.of(governs.may) {
		t.governed = append(t.governed, governed{end: x, sure: governs.may == governs.yes || c.has(governs.yes, x)})
	}
	at := map[string]int32{}
	var key []byte
	for i, items := range t.speaking(c) {
		key = key[:0]
		for _, item := range items {
			key = binary.LittleEndian.AppendUint32(key, uint32(item))
		}
		g, known := at[string(key)]
		if !known {
			g = int32(len(t.rows))
			at[string(key)] = g
			t.rows = append(t.rows, t.row(peers, items))
		}
		t.governed[i].group = g
	}
}

// speaking lists, for every governed end, the items of which it is the subject.
func (t *table) speaking(c *classes) [][]int32 {
	out := make([][]int32, len(t.governed))
	for i := range t.rules {
		s := t.rules[i].subject
		say := func(k int, sure bool) {
			item := itemOf(i)
			if !sure {
				item |= inDoubt | whoInDoubt
			}
			out[k] = append(out[k], item)
		}
		if s.all {
			for k := range out {
				say(k, true)
			}
			continue
		}
		if len(t.governed) < fewGoverned {
			for k, g := range t.governed {
				if c.has(s.may, g.end) {
					say(k, s.yes == s.may || c.has(s.yes, g.end))
				}
			}
			continue
		}
		k := 0
		for _, x := range c.of(s.may) { // both ascending
			for k < len(t.governed) && t.governed[k].end < x {
				k++
			}
			if k < len(t.governed) && t.governed[k].end == x {
				say(k, s.yes == s.may || c.has(s.yes, x))
			}
		}
	}
	return out
}

// fewGoverned is how many ends are looked up one by one.
const fewGoverned = 32

// row finds the list of every class of peers for the items of one.
func (t *table) row(c *classes, items []int32) []int32 {
	row := make([]int32, c.n)
	for _, item := range items {
		r := &t.rules[item>>itemBits]
		if r.Unknown != "" {
			item |= inDoubt
		}
		yes, may := c.of(r.peer.yes), c.of(r.peer.may)
		last, next := int32(-1), int32(0) // neighbours often have the same list
		put := func(x, item int32) {
			if row[x] != last {
				last = row[x]
				next = t.lists.with(last, item)
			}
			row[x] = next
		}
		for _, x := range yes {
			put(x, item)
		}
		if len(may) > len(yes) {
			last = -1
			for _, x := range may {
				if _, sure := slices.BinarySearch(yes, x); !sure {
					put(x, item|inDoubt|whoInDoubt)
				}
			}
		}
	}
	return row
}

// says works out what the rules of a list let pass.
func (t *table) says(key saidKey) bounds {
	if b, known := t.said[key]; known {
		return b
	}
	items := t.lists.items(key.list)
	if key.through {
		items = slices.DeleteFunc(items, func(item int32) bool { return t.rules[item>>itemBits].Around })
	}
	var b bounds
	b.lower, b.lowerAbstains = t.walk(items, false)
	b.upper, b.upperAbstains = t.walk(items, true)
	if key.perhaps { // a lax reading does not govern the end
		b.upper, b.upperAbstains = everything, everything
	}
	if !b.lower.Equal(b.upper) || !b.lowerAbstains.Equal(b.upperAbstains) {
		b.why, b.oneWay = t.why(items, key.perhaps)
	}
	t.said[key] = b
	return b
}

var everything = space.Plain(netset.All())

// walk asks the tiers in order.
func (t *table) walk(items []int32, lax bool) (passes, abstains space.Set) {
	left := everything
	for i := 0; i < len(items) && !left.IsEmpty(); {
		var said [3]space.Set
		tier := t.rules[items[i]>>itemBits].tier
		for ; i < len(items) && t.rules[items[i]>>itemBits].tier == tier; i++ {
			r := &t.rules[items[i]>>itemBits]
			if unsure := items[i]&inDoubt != 0; unsure && lax == (r.Effect == layer.Deny) {
				continue
			}
			set, _ := t.u.space.Of(r.Traffic, r.Cond, r.Effect == layer.Deny)
			said[r.Effect] = said[r.Effect].Union(set)
		}
		allows := said[layer.Allow].Subtract(said[layer.Deny])
		stays := said[layer.Abstain].Subtract(said[layer.Deny]).Subtract(said[layer.Allow])
		passes = passes.Union(left.Intersect(allows.Union(stays)))
		abstains = abstains.Union(left.Intersect(stays))
		left = left.Subtract(said[layer.Deny]).Subtract(allows).Subtract(stays)
	}
	switch t.Default {
	case layer.Allow:
		passes = passes.Union(left)
	case layer.Abstain:
		passes, abstains = passes.Union(left), abstains.Union(left)
	}
	return passes, abstains
}

// why says what is not known about some items, and whether that is no more than
// that replies are stopped.
func (t *table) why(items []int32, perhaps bool) (why string, oneWay bool) {
	for _, item := range items {
		r := &t.rules[item>>itemBits]
		if item&inDoubt == 0 || r.Unknown == "" {
			continue
		}
		if only := r.OneWay && item&whoInDoubt == 0; why == "" || oneWay && !only {
			why, oneWay = said(r.Ref.String(), r.Unknown), only
		}
	}
	if why != "" && !oneWay {
		return why, false
	}
	for _, item := range items {
		if item&whoInDoubt != 0 {
			return said(t.rules[item>>itemBits].Ref.String(), "it is not known whether it means these ends, by the addresses that are known of them"), false
		}
	}
	switch {
	case perhaps:
		return said(t.Name, "it is not known whether it governs these ends, by the addresses that are known of them"), false
	case why != "":
		return why, oneWay
	}
	return said(t.Name, "it is not known what it says"), false
}

// said puts the place before a reason.
func said(where, why string) string {
	if where == "" {
		return why
	}
	return where + ": " + why
}
