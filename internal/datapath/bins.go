package datapath

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"

	"firebreak/internal/datapath/layout"
)

const (
	tickNS    = 10_000_000
	edgeBytes = 2 * 8 * layout.BinsPerEdge
)

// counters are packets, then bytes, of every bin of one shard of an edge.
type counters [2 * layout.BinsPerEdge]uint64

// binReader turns the kernel's ever-growing counters into what each tick
// added. A bin of the ring serves every 32nd tick and is never reset, so that
// no packet can be lost between two readings; read too late, several rounds
// count as the newest.
type binReader struct {
	shards int
	keys   []layout.EdgeKey // by edge number; 0 is unused
	seen   []counters       // by edge number and shard
	now    []counters       // of the edge being read, by shard
	tick   uint64           // of the last reading
	buf    []byte
}

// open takes today's counters as the starting point.
func (b *binReader) open(d *Datapath) error {
	b.shards = int(shards())
	b.now = make([]counters, b.shards)
	b.buf = make([]byte, b.shards*edgeBytes)
	b.tick = monotonicNS() / tickNS
	return b.grow(d)
}

// monotonicNS is the clock that the programs read.
func monotonicNS() uint64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0
	}
	return uint64(ts.Nano())
}

// bootNS is the time by which what is permitted ends: it counts while the
// machine sleeps, and setting the clock does not move it.
func bootNS() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0
	}
	return ts.Nano()
}

// grow learns the edges that have appeared. The counters of a new edge start
// at zero, those of an edge that was there when the reader opened do not.
func (b *binReader) grow(d *Datapath) error {
	var next uint32
	if err := d.objs.EdgeNext.Lookup(uint32(0), &next); err != nil {
		return fmt.Errorf("read the number of edges: %w", err)
	}
	n := int(min(next, layout.MaxEdges-1)) + 1
	first := b.keys == nil
	if n <= len(b.keys) {
		return nil
	}
	b.keys = append(b.keys, make([]layout.EdgeKey, n-len(b.keys))...)
	b.seen = append(b.seen, make([]counters, n*b.shards-len(b.seen))...)
	var k edgeKey
	var id uint32
	it := d.objs.EdgeIds.Iterate()
	for it.Next(&k, &id) {
		if int(id) < n {
			b.keys[id] = edgeKeyOf(k)
		}
	}
	if err := it.Err(); err != nil {
		return fmt.Errorf("read the edges: %w", err)
	}
	for id := 1; first && id < n; id++ {
		if err := b.read(d, id); err != nil {
			return err
		}
		copy(b.seen[id*b.shards:], b.now)
	}
	return nil
}

func (b *binReader) read(d *Datapath, id int) error {
	if _, err := d.edges.ReadAt(b.buf, int64(id*b.shards)*edgeBytes); err != nil {
		return fmt.Errorf("read the counters of edge %d: %w", id, err)
	}
	for s := range b.now {
		for i := range b.now[s] {
			b.now[s][i] = binary.NativeEndian.Uint64(b.buf[s*edgeBytes+8*i:])
		}
	}
	return nil
}

// Bins calls f with what every edge carried since the last call, in no order.
// Called at least every 300 ms it gives each tick its own; later, what belongs
// to older ticks is counted with newer ones, never lost. The current tick may
// be told again with what it gained.
func (d *Datapath) Bins(f func(layout.Bin)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	b := &d.bins
	if err := b.grow(d); err != nil {
		return err
	}
	now := monotonicNS() / tickNS
	from := b.tick
	if now-from >= layout.BinsPerEdge {
		from = now - layout.BinsPerEdge + 1
	}
	for id := 1; id < len(b.keys); id++ {
		if err := b.read(d, id); err != nil {
			return err
		}
		for t := from; t <= now; t++ {
			b.take(id, t, f)
		}
	}
	b.tick = now
	return nil
}

// take tells what a tick added to an edge, over all shards.
func (b *binReader) take(id int, tick uint64, f func(layout.Bin)) {
	i := int(tick % layout.BinsPerEdge)
	bin := layout.Bin{Edge: b.keys[id], Tick: tick}
	for s := range b.now {
		now, seen := &b.now[s], &b.seen[id*b.shards+s]
		bin.Packets += now[i] - seen[i]
		bin.Bytes += now[layout.BinsPerEdge+i] - seen[layout.BinsPerEdge+i]
		seen[i], seen[layout.BinsPerEdge+i] = now[i], now[layout.BinsPerEdge+i]
	}
	if bin.Packets > 0 || bin.Bytes > 0 {
		f(bin)
	}
}
