package datapath

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/cilium/ebpf"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/flow"
)

// Stats is the state of the kernel's side. Counters run since the maps were
// created.
type Stats struct {
	Revision    uint64
	Entries     int // of the policy map, in the revision in force
	Addresses   int
	Cgroups     int
	Connections int // conversations known, ended ones included until their room is needed
	Edges       int
	Lost        uint64                 // events that the ring buffer refused
	NoEdge      uint64                 // conversations without counters: more edges than fit
	NoConn      uint64                 // conversations that the table refused
	Drops       map[flow.Reason]uint64 // packets dropped, by reason
	Programs    int                    // attached links
}

// Stats reads the state. It iterates the tables: not for every millisecond.
func (d *Datapath) Stats() (Stats, error) {
	s, err := statsOf(&d.objs.bpfMaps, d.Revision())
	if err != nil {
		return s, err
	}
	s.Programs = countLinks(d.linkDir())
	for _, space := range d.spaces {
		n, err := guardDrops(space)
		if err != nil {
			return s, fmt.Errorf("read the guard's counters in %s: %w", space.path, err)
		}
		if n > 0 {
			s.Drops[flow.NotThroughIP] += n
		}
	}
	return s, nil
}

// Lost reads just the number of events that the ring buffer refused.
func (d *Datapath) Lost() (uint64, error) { return readStat(d.objs.Stats, statLost) }

// ReadState reads the state of the agent with these pins, whether or not it
// runs, without a lock. It returns fs.ErrNotExist if nothing is pinned there.
func ReadState(pins string) (Stats, error) {
	var m bpfMaps
	release, err := openPinned(pins, map[string]**ebpf.Map{
		"control": &m.Control, "policy": &m.Policy, "addresses": &m.Addresses, "cgroups": &m.Cgroups,
		"conns": &m.Conns, "edge_next": &m.EdgeNext, "stats": &m.Stats,
	})
	if err != nil {
		return Stats{}, err
	}
	defer release()
	revision, err := revisionIn(&m)
	if err != nil {
		return Stats{}, err
	}
	s, err := statsOf(&m, revision)
	if err == nil {
		s.Programs = countLinks(filepath.Join(pins, "links"))
	}
	return s, err
}

// openPinned opens pinned maps by their names, for reading only.
func openPinned(pins string, maps map[string]**ebpf.Map) (release func(), err error) {
	dir := filepath.Join(pins, fmt.Sprintf("maps-v%d", layout.Version))
	var opened []*ebpf.Map
	release = func() {
		for _, m := range opened {
			m.Close()
		}
	}
	for name, into := range maps {
		m, err := ebpf.LoadPinnedMap(filepath.Join(dir, name), &ebpf.LoadPinOptions{ReadOnly: true})
		if err != nil {
			release()
			return nil, fmt.Errorf("open the pinned map %s: %w", filepath.Join(dir, name), err)
		}
		opened = append(opened, m)
		*into = m
	}
	return release, nil
}

func revisionIn(m *bpfMaps) (uint64, error) {
	word := make([]byte, m.Control.ValueSize())
	if err := m.Control.Lookup(uint32(0), &word); err != nil {
		return 0, fmt.Errorf("read the revision: %w", err)
	}
	return binary.NativeEndian.Uint64(word), nil
}

func countLinks(dir string) int {
	pins, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return 0
	}
	return len(pins)
}

func statsOf(m *bpfMaps, revision uint64) (Stats, error) {
	s := Stats{Revision: revision, Drops: map[flow.Reason]uint64{}}
	slot := uint8(revision & 1)
	var errs []error
	count := func(n int, err error) int {
		errs = append(errs, err)
		return n
	}
	s.Entries = count(countKeys(m.Policy, func(k *policyKey, _ *policyValue) bool { return k.Slot == slot }))
	s.Addresses = count(countKeys(m.Addresses, func(k *addressKey, _ *addressValue) bool { return k.Slot == slot }))
	s.Cgroups = count(countKeys(m.Cgroups, func(k *cgroupKey, _ *uint32) bool { return k.Slot == uint32(slot) }))
	s.Connections = count(countKeys(m.Conns, func(*connKey, *conn) bool { return true }))
	var next uint32
	errs = append(errs, m.EdgeNext.Lookup(uint32(0), &next))
	s.Edges = int(min(next, layout.MaxEdges-1))
	for which, into := range map[uint32]*uint64{statLost: &s.Lost, statNoEdge: &s.NoEdge, statNoConn: &s.NoConn} {
		n, err := readStat(m.Stats, which)
		*into = n
		errs = append(errs, err)
	}
	for r := flow.ByPolicy; r <= flow.Expired; r++ {
		n, err := readStat(m.Stats, statReason+uint32(r))
		errs = append(errs, err)
		if n > 0 {
			s.Drops[r] = n
		}
	}
	return s, errors.Join(errs...)
}

// countKeys counts the keys of a map that are of interest. A table that
// changes while it is read may be counted slightly off; that is no error.
func countKeys[K, V any](m *ebpf.Map, mine func(*K, *V) bool) (int, error) {
	n := 0
	var cursor ebpf.MapBatchCursor
	keys := make([]K, 4096)
	values := make([]V, 4096)
	for {
		got, err := m.BatchLookup(&cursor, keys, values, nil)
		for i := range got {
			if mine(&keys[i], &values[i]) {
				n++
			}
		}
		if errors.Is(err, ebpf.ErrKeyNotExist) {
			return n, nil
		}
		if err != nil {
			return n, fmt.Errorf("count %s: %w", m, err)
		}
	}
}

func readStat(m *ebpf.Map, which uint32) (uint64, error) {
	var perCPU []uint64
	if err := m.Lookup(which, &perCPU); err != nil {
		return 0, fmt.Errorf("read counter %d: %w", which, err)
	}
	var sum uint64
	for _, n := range perCPU {
		sum += n
	}
	return sum, nil
}
