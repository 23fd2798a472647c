package space

import "encoding/binary"

// node is a set of circumstances: a multi-valued decision diagram. It is
// reduced (no node whose kids are all one) and hash-consed (no two nodes of a
// Space look alike), so that equal sets are the same node. A node never
// changes once it is made.
type node struct {
	id   uint32
	dim  uint16  // what is looked at; always less than the dims of the kids
	in   bool    // of a leaf: everything or nothing
	kids []*node // by atom of dim; nil in a leaf
	of   *Space
}

// The dimensions, in the order in which diagrams look at them. From dimHeader
// on there is one for each header name. The time comes last because it is what
// conditions share least: any number of deadlines would otherwise each have a
// diagram of all requests behind it.
const (
	dimMethod = iota
	dimPath
	dimHost
	dimHeader
	dimMTLS = dimHeader + maxHeaders
	dimTime = dimMTLS + 1
	numDims = dimTime + 1
)

// The first atoms of the dimensions are what a witness shows if it may choose.
const (
	proven, unproven    = 0, 1 // of dimMTLS
	noHTTP              = 0    // of dimMethod
	absent, otherHeader = 0, 1 // of a header
)

// eachAtom asks restrict, about the last dimension only, for what is in the set
// whatever the atom.
const eachAtom = 0xffff

type op uint8

const (
	opAnd op = iota
	opOr
	opLess     // in the first and not in the second
	opRestrict // the second is a dimension and an atom
)

type question struct {
	op   op
	a, b uint32
}

// What the tables of a Space may hold: kids of all nodes (8 bytes each), and
// answers that are remembered (more are forgotten and worked out again).
const (
	maxKids    = 8 << 20
	maxAnswers = 1 << 20
)

// diagrams are the tables behind the nodes of a Space. The Space guards them.
type diagrams struct {
	no, yes *node
	byShape map[string]*node
	answers map[question]*node
	shape   []byte // room for a key
	made    uint32
	kids    int
	most    int  // how many kids there may be
	full    bool // something could not be made; see Space.Err
}

func (d *diagrams) start(s *Space) {
	d.no, d.yes = &node{of: s}, &node{id: 1, in: true, of: s}
	d.made, d.most = 2, maxKids
	d.byShape = map[string]*node{}
	d.answers = map[question]*node{}
}

// make returns the node that leads from the atoms of dim to kids; it keeps
// kids.
func (d *diagrams) make(dim uint16, kids []*node) *node {
	same := true
	for _, k := range kids {
		same = same && k == kids[0]
	}
	if same {
		return kids[0]
	}
	d.shape = binary.LittleEndian.AppendUint16(d.shape[:0], dim)
	for _, k := range kids {
		d.shape = binary.LittleEndian.AppendUint32(d.shape, k.id)
	}
	if n := d.byShape[string(d.shape)]; n != nil {
		return n
	}
	if d.kids+len(kids) > d.most {
		d.full = true
		return d.no
	}
	n := &node{id: d.made, dim: dim, kids: kids, of: d.no.of}
	d.made++
	d.kids += len(kids)
	d.byShape[string(d.shape)] = n
	return n
}

// short answers without looking inside, or returns nil.
func (d *diagrams) short(o op, a, b *node) *node {
	switch o {
	case opAnd:
		switch {
		case a == d.no || b == d.yes || a == b:
			return a
		case b == d.no || a == d.yes:
			return b
		}
	case opOr:
		switch {
		case a == d.yes || b == d.no || a == b:
			return a
		case b == d.yes || a == d.no:
			return b
		}
	case opLess:
		switch {
		case b == d.no:
			return a
		case a == d.no || b == d.yes || a == b:
			return d.no
		}
	}
	return nil
}

// apply combines two nodes.
func (d *diagrams) apply(o op, a, b *node) *node {
	if n := d.short(o, a, b); n != nil {
		return n
	}
	if o != opLess && a.id > b.id {
		a, b = b, a
	}
	q := question{o, a.id, b.id}
	if n := d.answers[q]; n != nil {
		return n
	}
	dim, width := a.dim, len(a.kids)
	if a.kids == nil || b.kids != nil && b.dim < a.dim {
		dim, width = b.dim, len(b.kids)
	}
	kids := make([]*node, width)
	for i := range kids {
		kids[i] = d.apply(o, a.kid(dim, i), b.kid(dim, i))
	}
	return d.answer(q, d.make(dim, kids))
}

// answer remembers an answer.
func (d *diagrams) answer(q question, n *node) *node {
	if len(d.answers) >= maxAnswers {
		clear(d.answers)
	}
	d.answers[q] = n
	return n
}

// kid is where the node leads for an atom of a dimension that is not behind
// the node's own.
func (n *node) kid(dim uint16, atom int) *node {
	if n.kids == nil || n.dim != dim {
		return n
	}
	return n.kids[atom]
}

// pick returns the node that is next for the atoms that are in, and nothing
// for the others.
func (d *diagrams) pick(dim uint16, in atoms, next *node) *node {
	kids := make([]*node, len(in))
	for i := range kids {
		kids[i] = d.no
		if in[i] {
			kids[i] = next
		}
	}
	return d.make(dim, kids)
}

// restrict returns the set of all circumstances that would be in the node's
// set if they had this atom.
func (d *diagrams) restrict(n *node, dim uint16, atom int) *node {
	switch {
	case n.kids == nil || n.dim > dim:
		return n
	case n.dim == dim && atom == eachAtom:
		return d.no // of the last dimension: a node that was all of it would not be
	case n.dim == dim:
		return n.kids[atom]
	}
	q := question{opRestrict, n.id, uint32(dim)<<16 | uint32(atom)}
	if known := d.answers[q]; known != nil {
		return known
	}
	kids := make([]*node, len(n.kids))
	for i, k := range n.kids {
		kids[i] = d.restrict(k, dim, atom)
	}
	return d.answer(q, d.make(n.dim, kids))
}
