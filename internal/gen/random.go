package gen

// random is splitmix64: tiny, good enough to make estates, and the same on
// every machine and with every version of the standard library.
type random struct{ state uint64 }

func (r *random) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below returns a number from 0 to n-1; n must be positive.
func (r *random) below(n int) int {
	return int(r.next() >> 33 % uint64(n))
}

// chance is true in so many of 100 cases.
func (r *random) chance(percent int) bool { return r.below(100) < percent }

// skewed returns a number from 0 to n-1, small ones much more often: its
// density falls about as 1/x.
func (r *random) skewed(n int) int {
	a, b := r.below(n), r.below(n)
	return a * (b + 1) / n
}

func pick[T any](r *random, list []T) T { return list[r.below(len(list))] }

// hash gives the n-th of a row of numbers that look random, without a state to
// carry along.
func hash(seed uint64, n int) uint64 {
	r := random{seed ^ uint64(n)*0xd6e8feb86659fd93}
	return r.next()
}
