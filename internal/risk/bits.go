package risk

import (
	"math/bits"
	"strings"
)

// bitset is a set of small numbers.
type bitset []uint64

func newBitset(n int) bitset { return make(bitset, (n+63)/64) }

func (b bitset) add(i int)      { b[i>>6] |= 1 << (i & 63) }
func (b bitset) remove(i int)   { b[i>>6] &^= 1 << (i & 63) }
func (b bitset) has(i int) bool { return b[i>>6]&(1<<(i&63)) != 0 }

func (b bitset) or(c bitset) {
	for i, w := range c {
		b[i] |= w
	}
}

// each visits the numbers in order.
func (b bitset) each(visit func(int)) {
	for i, w := range b {
		for ; w != 0; w &= w - 1 {
			visit(i<<6 + bits.TrailingZeros64(w))
		}
	}
}

// weigh adds up the weights of the numbers.
func (b bitset) weigh(weights []int64) int64 {
	sum := int64(0)
	for i, w := range b {
		for ; w != 0; w &= w - 1 {
			sum += weights[i<<6+bits.TrailingZeros64(w)]
		}
	}
	return sum
}

// matrix is one bitset for each row, all of one size and in one piece.
type matrix struct {
	width int
	words []uint64
}

func newMatrix(rows, columns int) matrix {
	width := (columns + 63) / 64
	return matrix{width, make([]uint64, rows*width)}
}

func (m matrix) row(i int) bitset { return m.words[i*m.width : (i+1)*m.width] }

func (m matrix) has(a arc) bool { return m.row(int(a.from)).has(int(a.to)) }
func (m matrix) add(a arc)      { m.row(int(a.from)).add(int(a.to)) }

// eachBit visits the numbers of the bits that are set, in order.
func eachBit(w uint64, visit func(int)) {
	for ; w != 0; w &= w - 1 {
		visit(bits.TrailingZeros64(w))
	}
}

// compare orders by the first pair of texts that differ.
func compare(pairs ...string) int {
	for i := 0; i+1 < len(pairs); i += 2 {
		if c := strings.Compare(pairs[i], pairs[i+1]); c != 0 {
			return c
		}
	}
	return 0
}
