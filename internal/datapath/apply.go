package datapath

import (
	"errors"
	"fmt"
	"maps"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"firebreak/internal/datapath/layout"
)

// Applied says what putting a revision in force took.
type Applied struct {
	Revision uint64
	Fill     time.Duration // filling the idle slot, by difference
	Flip     time.Duration // the one write that puts it in force
	Entries  int           // of the policy map
	Changed  int           // map entries written or deleted
}

// image is the contents of one slot, as the kernel holds them.
type image struct {
	host      uint32
	addresses map[addressKey]addressValue
	cgroups   map[cgroupKey]uint32
	policy    map[policyKey]policyValue
	classes   [3]*[65536]uint16
}

func imageOf(t *layout.Tables, slot uint8) (*image, error) {
	clock := t.Clock
	if clock == 0 {
		clock = time.Now().UnixNano() - bootNS()
	}
	im := &image{
		host:      t.HostIdentity,
		addresses: make(map[addressKey]addressValue, len(t.Addresses)),
		cgroups:   make(map[cgroupKey]uint32, len(t.Cgroups)),
		policy:    make(map[policyKey]policyValue, len(t.Policy)),
	}
	for _, a := range t.Addresses {
		if !a.Prefix.IsValid() {
			return nil, fmt.Errorf("address table: invalid prefix for peer %d", a.Peer)
		}
		im.addresses[addressKeyOf(a.Prefix, slot)] = addressValue{a.Peer, a.Local, uint32(a.Flags), a.Rule}
	}
	for _, c := range t.Cgroups {
		im.cgroups[cgroupKey{ID: c.ID, Slot: uint32(slot)}] = c.Local
	}
	for k, v := range t.Policy {
		im.policy[policyKeyOf(k, slot)] = policyValueOf(v, clock)
	}
	for i := range im.classes {
		im.classes[i] = new([65536]uint16)
	}
	for _, r := range t.Classes {
		if int(r.Protocol) >= len(im.classes) {
			return nil, fmt.Errorf("class table: protocol %d has no ports", r.Protocol)
		}
		for p := int(r.Lo); p <= int(r.Hi); p++ {
			im.classes[r.Protocol][p] = r.Class
		}
	}
	return im, im.fits()
}

func (im *image) fits() error {
	for _, c := range []struct {
		what     string
		n, limit int
	}{
		{"addresses", len(im.addresses), layout.MaxAddresses},
		{"cgroups", len(im.cgroups), layout.MaxCgroups},
		{"policy entries", len(im.policy), layout.MaxPolicy},
	} {
		if c.n > c.limit {
			return fmt.Errorf("%d %s do not fit: the kernel's tables hold %d per revision", c.n, c.what, c.limit)
		}
	}
	return nil
}

// Apply fills the idle slot with t, by difference to what it holds, and flips
// to it with one write. Every packet sees either the old revision or the new
// one, whole. On error the old revision stays in force.
func (d *Datapath) Apply(t *layout.Tables) (Applied, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	<-d.grace
	next := d.revision + 1
	slot := uint8(next & 1)
	im, err := imageOf(t, slot)
	if err != nil {
		return Applied{}, err
	}
	start := time.Now()
	changed, err := d.fill(im, slot)
	if err != nil {
		d.slots[slot] = nil
		return Applied{}, fmt.Errorf("fill the idle tables (revision %d stays in force): %w", d.revision, err)
	}
	d.slots[slot] = im
	filled := time.Now()
	atomic.StoreUint64(&d.word().revision, next)
	flipped := time.Now()
	d.revision, d.tables = next, t
	d.awaitGrace()
	return Applied{
		Revision: next, Fill: filled.Sub(start), Flip: flipped.Sub(filled),
		Entries: len(im.policy), Changed: changed,
	}, nil
}

// awaitGrace opens the gate to the old slot once every packet that read the
// old revision is through: programs run inside an RCU read section, and a
// global membarrier waits for those (membarrier(2)).
func (d *Datapath) awaitGrace() {
	done := make(chan struct{})
	d.grace = done
	go func() {
		defer close(done)
		const membarrierGlobal = 1
		if _, _, errno := unix.Syscall(unix.SYS_MEMBARRIER, membarrierGlobal, 0, 0); errno != 0 {
			time.Sleep(100 * time.Millisecond) // a bound far above any run of a program
		}
	}()
}

func (d *Datapath) fill(im *image, slot uint8) (changed int, err error) {
	was := d.slots[slot]
	if was == nil {
		if was, err = readSlot(&d.objs.bpfMaps, slot); err != nil {
			return 0, err
		}
	}
	if err := d.objs.Slots.Put(uint32(slot), slotConfig{HostIdentity: im.host}); err != nil {
		return 0, err
	}
	n, err := syncMap(d.objs.Addresses, was.addresses, im.addresses)
	changed += n
	if err != nil {
		return changed, fmt.Errorf("addresses: %w", err)
	}
	n, err = syncMap(d.objs.Cgroups, was.cgroups, im.cgroups)
	changed += n
	if err != nil {
		return changed, fmt.Errorf("cgroups: %w", err)
	}
	n, err = syncMap(d.objs.Policy, was.policy, im.policy)
	changed += n
	if err != nil {
		return changed, fmt.Errorf("policy: %w", err)
	}
	for i, ports := range im.classes {
		if was.classes[i] != nil && *was.classes[i] == *ports {
			continue
		}
		if err := d.objs.Classes.Put(uint32(slot)*3+uint32(i), ports); err != nil {
			return changed, fmt.Errorf("classes: %w", err)
		}
		changed++
	}
	return changed, nil
}

// syncMap makes the kernel's map hold want instead of have, touching only what
// differs. Deleting first keeps the map within its capacity.
func syncMap[K, V comparable](m *ebpf.Map, have, want map[K]V) (int, error) {
	var gone []K
	for k := range have {
		if _, ok := want[k]; !ok {
			gone = append(gone, k)
		}
	}
	var keys []K
	var values []V
	for k, v := range want {
		if old, ok := have[k]; !ok || old != v {
			keys, values = append(keys, k), append(values, v)
		}
	}
	if len(gone) > 0 {
		if _, err := m.BatchDelete(gone, nil); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return 0, err
		}
	}
	if len(keys) > 0 {
		if _, err := m.BatchUpdate(keys, values, nil); err != nil {
			return 0, err
		}
	}
	return len(gone) + len(keys), nil
}

// readSlot reads back what a slot holds, for the first change after a restart
// or a failure.
func readSlot(m *bpfMaps, slot uint8) (*image, error) {
	im := &image{
		addresses: map[addressKey]addressValue{},
		cgroups:   map[cgroupKey]uint32{},
		policy:    map[policyKey]policyValue{},
	}
	for _, err := range []error{
		readMap(m.Addresses, im.addresses, func(k addressKey) bool { return k.Slot == slot }),
		readMap(m.Cgroups, im.cgroups, func(k cgroupKey) bool { return k.Slot == uint32(slot) }),
		readMap(m.Policy, im.policy, func(k policyKey) bool { return k.Slot == slot }),
	} {
		if err != nil {
			return nil, fmt.Errorf("read back slot %d: %w", slot, err)
		}
	}
	return im, nil
}

func readMap[K, V comparable](m *ebpf.Map, into map[K]V, mine func(K) bool) error {
	all := map[K]V{}
	var k K
	var v V
	it := m.Iterate()
	for it.Next(&k, &v) {
		all[k] = v
	}
	if err := it.Err(); err != nil {
		return err
	}
	maps.DeleteFunc(all, func(k K, _ V) bool { return !mine(k) })
	maps.Copy(into, all)
	return nil
}
