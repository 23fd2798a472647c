package datapath

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf/ringbuf"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/flow"
)

// eventBytes is the size of struct event.
const eventBytes = 32 + 32 + 24 + 4 + 8

// gather is how long events may wait for others after the reader has caught
// up. The kernel wakes a reader only when it had caught up, so this also bounds
// wake-ups, to 250 a second: each costs what ten events do.
const gather = 4 * time.Millisecond

// maxBatch bounds the memory of a batch.
const maxBatch = 4096

// Events calls f with batches of events until ctx ends, and then returns its
// error. The slice is valid only during the call. Only one caller at a time.
func (d *Datapath) Events(ctx context.Context, f func([]layout.Event)) error {
	// A deadline cannot be set while the reader waits; a flush wakes it.
	stop := context.AfterFunc(ctx, func() { _ = d.reader.Flush() })
	defer stop()
	var rec ringbuf.Record
	batch := make([]layout.Event, 0, maxBatch)
	for {
		err := d.reader.ReadInto(&rec)
		if errors.Is(err, ringbuf.ErrFlushed) {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			continue
		}
		if errors.Is(err, ringbuf.ErrClosed) {
			return err
		}
		if err != nil {
			return fmt.Errorf("read the event ring: %w", err)
		}
		if e, ok := decodeEvent(rec.RawSample); ok {
			batch = append(batch, e)
		}
		if len(batch) < maxBatch && d.reader.AvailableBytes() > 0 {
			continue
		}
		f(batch)
		batch = batch[:0]
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(gather):
		}
	}
}

// decodeEvent reads struct event; false if b is not one.
func decodeEvent(b []byte) (layout.Event, bool) {
	if len(b) < eventBytes {
		return layout.Event{}, false
	}
	n := binary.NativeEndian
	fam := b[92]
	return layout.Event{
		Time: n.Uint64(b), NetNS: n.Uint64(b[8:]), Cgroup: n.Uint64(b[16:]), Anchor: n.Uint64(b[24:]),
		Src: addrOf([16]byte(b[32:48]), fam), Dst: addrOf([16]byte(b[48:64]), fam),
		Revision: n.Uint32(b[64:]), Local: n.Uint32(b[68:]), Peer: n.Uint32(b[72:]),
		Rule: n.Uint32(b[76:]), ToComeRule: n.Uint32(b[80:]), Edge: n.Uint32(b[84:]),
		SrcPort: n.Uint16(b[88:]), DstPort: n.Uint16(b[90:]),
		Protocol: b[93], Direction: flow.Direction(b[94]), Verdict: flow.Verdict(b[95]),
		ToCome: flow.Verdict(b[96]), Reason: flow.Reason(b[97]), Hook: b[98],
	}, true
}
