package agent

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// lags is a histogram of how long events took from the kernel to the wire. It
// is safe for concurrent use and never allocates. Buckets grow by a quarter of
// a power of two, so that a quantile is at most 25 % too high.
type lags struct {
	buckets [256]atomic.Uint32
}

func (l *lags) add(d time.Duration) {
	l.buckets[bucketOf(uint64(max(d, 0)))].Add(1)
}

func bucketOf(ns uint64) int {
	if ns < 4 {
		return int(ns)
	}
	top := bits.Len64(ns) - 1
	return top*4 + int(ns>>(top-2)&3)
}

// upper is the highest value of a bucket.
func upper(bucket int) time.Duration {
	if bucket < 8 {
		return time.Duration(bucket)
	}
	top, quarter := bucket/4, bucket%4
	return time.Duration((uint64(5+quarter) << (top - 2)) - 1)
}

// p99 returns the 99th percentile since the last call, 0 if there was nothing.
func (l *lags) p99() time.Duration {
	var counts [len(l.buckets)]uint32
	total := uint64(0)
	for i := range l.buckets {
		counts[i] = l.buckets[i].Swap(0)
		total += uint64(counts[i])
	}
	if total == 0 {
		return 0
	}
	beyond := total / 100 // how many may lie above
	above := uint64(0)
	for i := len(counts) - 1; i >= 0; i-- {
		if above += uint64(counts[i]); above > beyond {
			return upper(i)
		}
	}
	return 0
}
