package risk

import "slices"

// closure works out whom every node reaches in one step or more.
func (c *cutter) closure() {
	all := newBitset(len(c.g.Nodes))
	for v := range c.g.Nodes {
		all.add(v)
	}
	c.closureOf(all)
}

// search is Tarjan's algorithm over rows of bits: whether somebody was seen is
// asked of 64 at once.
type search struct {
	c          *cutter
	nodes      bitset
	order, low []int32
	unseen     bitset
	stack      []int32
	onStack    bitset
	calls      []int32
	seen       int32
	direct     bitset // scratch of component, as is done
	done       bitset
}

// closureOf works out some nodes' rows of c.after, over the links that there
// are now. What all others reach has to be in c.reach, and none of them may
// reach any of the nodes.
func (c *cutter) closureOf(nodes bitset) {
	n := len(c.g.Nodes)
	s := &search{
		c: c, nodes: nodes, order: make([]int32, n), low: make([]int32, n),
		unseen: slices.Clone(nodes), onStack: newBitset(n), direct: newBitset(n), done: newBitset(n),
	}
	nodes.each(func(v int) {
		if s.unseen.has(v) {
			s.from(int32(v))
		}
	})
}

// row is whom a node reaches that is done, or is none of the nodes.
func (s *search) row(v int) bitset {
	if s.nodes.has(v) {
		return s.c.after.row(v)
	}
	return s.c.reach.row(v)
}

func (s *search) enter(v int32) {
	s.seen++
	s.order[v], s.low[v] = s.seen, s.seen
	s.unseen.remove(int(v))
	s.stack = append(s.stack, v)
	s.onStack.add(int(v))
	s.calls = append(s.calls, v)
}

func (s *search) from(root int32) {
	s.enter(root)
	for len(s.calls) > 0 {
		v := s.calls[len(s.calls)-1]
		row := s.c.links.row(int(v))
		s.c.work -= len(row)
		if to := firstCommon(row, s.unseen); to >= 0 {
			s.enter(int32(to))
			continue
		}
		// Nobody new: all links of v can now be judged at once.
		for i, w := range row {
			eachBit(w&s.onStack[i], func(b int) { s.low[v] = min(s.low[v], s.low[i<<6+b]) })
		}
		s.calls = s.calls[:len(s.calls)-1]
		if s.low[v] == s.order[v] {
			s.component(v)
		}
	}
}

// component takes the members of v's component off the stack and gives all of
// them one row.
func (s *search) component(v int32) {
	at := len(s.stack) - 1
	for s.stack[at] != v {
		at--
	}
	members := s.stack[at:]
	s.stack = s.stack[:at]
	row := s.c.after.row(int(v))
	clear(row)
	for _, m := range members {
		s.onStack.remove(int(m))
		row.or(s.c.links.row(int(m)))
	}
	// The rows of whom they link to are done; those of members hold nothing yet.
	copy(s.direct, row)
	for _, m := range members {
		if len(members) > 1 {
			row.add(int(m))
		}
		s.direct.remove(int(m))
	}
	clear(s.done)
	s.direct.each(func(to int) {
		if s.done.has(to) {
			return
		}
		s.c.work -= len(row)
		next := s.row(to)
		row.or(next)
		s.done.or(next) // whom one of them reaches adds nothing
	})
	for _, m := range members[1:] {
		copy(s.c.after.row(int(m)), row)
	}
}

// firstCommon is the smallest number that both have, or -1.
func firstCommon(a, b bitset) int {
	for i, w := range a {
		if w &= b[i]; w != 0 {
			first := -1
			eachBit(w&-w, func(bit int) { first = i<<6 + bit })
			return first
		}
	}
	return -1
}
