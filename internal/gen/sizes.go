package gen

import "math"

// zipf divides total over n so that every share is at least 1 and the k-th is
// about proportional to 1/k: a few are huge, most are small. total must not be
// less than n.
func zipf(total, n int) []int {
	sum := 0.0
	for k := 1; k <= n; k++ {
		sum += 1 / float64(k)
	}
	out := make([]int, n)
	rest := total - n
	left := rest
	for k := range out {
		share := int(math.Floor(float64(rest) / float64(k+1) / sum))
		out[k] = 1 + share
		left -= share
	}
	for k := 0; left > 0; k = (k + 1) % n {
		out[k]++
		left--
	}
	return out
}

// shuffled returns 0 to n-1 in random order.
func shuffled(r *random, n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	for i := n - 1; i > 0; i-- {
		j := r.below(i + 1)
		out[i], out[j] = out[j], out[i]
	}
	return out
}
