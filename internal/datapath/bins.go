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

// binReader turns the kernel's ever-growing counters into what each tick
// added. A bin of the ring serves every 64th tick and is never reset, so that
// no packet can be lost between two readings; read too late, several rounds
// count as the newest.
type binReader struct {
	keys []layout.EdgeKey // by edge number; 0 is unused
	seen [][2 * layout.BinsPerEdge]uint64
	tick uint64 // of the last reading
	buf  [edgeBytes]byte
}

// open takes today's counters as the starting point.
func (b *binReader) open(d *Datapath) error {
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
	b.seen = append(b.seen, make([][2 * layout.BinsPerEdge]uint64, n-len(b.seen))...)
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
	if !first {
		return nil
	}
	for id := 1; id < n; id++ {
		if err := b.read(d, id); err != nil {
			return err
		}
		for i := range b.seen[id] {
			b.seen[id][i] = binary.NativeEndian.Uint64(b.buf[8*i:])
		}
	}
	return nil
}

func (b *binReader) read(d *Datapath, id int) error {
	if _, err := d.edges.ReadAt(b.buf[:], int64(id)*edgeBytes); err != nil {
		return fmt.Errorf("read the counters of edge %d: %w", id, err)
	}
	return nil
}

// Bins calls f with what every edge carried since the last call, in no order.
// Called at least every 600 ms it gives each tick its own; later, what belongs
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

func (b *binReader) take(id int, tick uint64, f func(layout.Bin)) {
	i := int(tick % layout.BinsPerEdge)
	packets := binary.NativeEndian.Uint64(b.buf[8*i:])
	bytes := binary.NativeEndian.Uint64(b.buf[8*(layout.BinsPerEdge+i):])
	seen := &b.seen[id]
	if packets == seen[i] && bytes == seen[layout.BinsPerEdge+i] {
		return
	}
	f(layout.Bin{
		Edge: b.keys[id], Tick: tick,
		Packets: packets - seen[i], Bytes: bytes - seen[layout.BinsPerEdge+i],
	})
	seen[i], seen[layout.BinsPerEdge+i] = packets, bytes
}
