// Package datapath puts one revision of a policy into the kernel, attaches the
// programs that enforce it, and reads back what they saw. Programs and maps
// are pinned: they outlive the process, and the next one takes them over.
//
// A Datapath is safe for use by several goroutines, except that Apply, Attach,
// Guard and Close must not overlap with themselves or each other.
package datapath

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"firebreak/internal/datapath/layout"
)

// Options say where a Datapath lives and what it holds.
type Options struct {
	// Pins is a directory below a bpffs; it is created, and the bpffs mounted
	// if /sys/fs/bpf has none.
	Pins string
	// Cgroup is the cgroup v2 directory at whose root the socket programs
	// attach; empty attaches none.
	Cgroup string
	// Namespaces are paths of network namespaces; empty means the caller's.
	Namespaces []string
	// Interfaces are guarded against packet sockets; empty means every
	// interface but loopback and bridge ports.
	Interfaces []string
	// Events is the size of the ring buffer in bytes, a power of two and a
	// multiple of the page size; 0 means 8 MiB.
	Events int
	// Connections is the capacity of the conversation table; 0 means 262144.
	Connections int
}

// Datapath is the kernel's side of one agent.
type Datapath struct {
	opts     Options
	objs     bpfObjects
	locks    []*os.File
	spaces   []namespace
	control  []byte // the control map, mapped
	edges    *ebpf.Memory
	reader   *ringbuf.Reader
	attached bool // by this process

	mu       sync.Mutex // guards what follows
	revision uint64
	slots    [2]*image // what each slot holds; nil if that is not known
	tables   *layout.Tables
	grace    chan struct{} // closed when no packet can still read the old slot
	bins     binReader
}

// Open creates the maps or takes over those that are pinned. It attaches
// nothing. It fails if another process holds the cgroup, a namespace or the
// pins; the error then names that process.
func Open(o Options) (*Datapath, error) {
	if err := rlimit.RemoveMemlock(); err != nil {
		return nil, fmt.Errorf("raise the memory lock limit: %w (run as root)", err)
	}
	if err := ensureBPFFS(o.Pins); err != nil {
		return nil, err
	}
	spaces, err := openNamespaces(o.Namespaces)
	if err != nil {
		return nil, err
	}
	d := &Datapath{opts: o, spaces: spaces, grace: make(chan struct{})}
	close(d.grace)
	if err := d.open(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *Datapath) open() error {
	locks, err := lockAll(d.opts, d.spaces)
	d.locks = locks
	if err != nil {
		return err
	}
	if err := d.load(); err != nil {
		return err
	}
	if d.control, err = unix.Mmap(d.objs.Control.FD(), 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return fmt.Errorf("map the revision: %w", err)
	}
	d.revision = atomic.LoadUint64(&d.word().revision)
	atomic.StoreUint64(&d.word().shards, uint64(shards()))
	if d.edges, err = d.objs.Edges.Memory(); err != nil {
		return fmt.Errorf("map the edge counters: %w", err)
	}
	if d.reader, err = ringbuf.NewReader(d.objs.Events); err != nil {
		return fmt.Errorf("open the event ring: %w", err)
	}
	return d.bins.open(d)
}

// load brings the programs in, over maps that are pinned already or now.
func (d *Datapath) load() error {
	spec, err := loadBpf()
	if err != nil {
		return fmt.Errorf("read the programs: %w", err)
	}
	for _, m := range spec.Maps {
		m.Pinning = ebpf.PinByName
	}
	spec.Maps["edges"].MaxEntries = layout.MaxEdges * shards()
	if d.opts.Events > 0 {
		spec.Maps["events"].MaxEntries = uint32(d.opts.Events)
	}
	if d.opts.Connections > 0 {
		spec.Maps["conns"].MaxEntries = uint32(d.opts.Connections)
	}
	dir := d.mapDir()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("create %s: %w", dir, err)
	}
	err = spec.LoadAndAssign(&d.objs, &ebpf.CollectionOptions{Maps: ebpf.MapOptions{PinPath: dir}})
	if errors.Is(err, ebpf.ErrMapIncompatible) {
		return fmt.Errorf("%s holds maps of another size or version: run `firebreak agent detach` first, or give the agent other pins: %w", dir, err)
	}
	var verifier *ebpf.VerifierError
	if errors.As(err, &verifier) {
		return fmt.Errorf("this kernel refuses a program: %w (see `firebreak agent status` for what it supports)", err)
	}
	if err != nil {
		return fmt.Errorf("load into %s: %w", dir, err)
	}
	return nil
}

// The layout's version is in the path, so that maps of another layout are
// never taken for this one's.
func (d *Datapath) mapDir() string {
	return filepath.Join(d.opts.Pins, fmt.Sprintf("maps-v%d", layout.Version))
}

func (d *Datapath) linkDir() string { return filepath.Join(d.opts.Pins, "links") }

// word is the mapped control map: what packets read. It is written by atomic
// stores, which a map update is not.
func (d *Datapath) word() *control { return (*control)(unsafe.Pointer(unsafe.SliceData(d.control))) }

// shards is how many copies of the counters there are: one for each processor,
// up to a limit that bounds their memory.
func shards() uint32 {
	n := uint32(1)
	for n < layout.MaxShards && n < uint32(ebpf.MustPossibleCPU()) {
		n *= 2
	}
	return n
}

// Revision is the one in force; 0 before the first Apply. It survives
// restarts.
func (d *Datapath) Revision() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.revision
}

// Close lets go of everything. What is attached stays attached and in force.
// It is safe on a partly opened Datapath.
func (d *Datapath) Close() error {
	var errs []error
	if d.reader != nil {
		errs = append(errs, d.reader.Close())
	}
	select {
	case <-d.grace:
	case <-time.After(time.Second):
	}
	if d.control != nil {
		errs = append(errs, unix.Munmap(d.control))
		d.control = nil
	}
	errs = append(errs, d.closeObjects())
	for _, s := range d.spaces {
		errs = append(errs, s.close())
	}
	for _, l := range d.locks {
		errs = append(errs, l.Close())
	}
	d.locks, d.spaces = nil, nil
	return errors.Join(errs...)
}

func (d *Datapath) closeObjects() error {
	if d.objs.Control == nil {
		return nil
	}
	return d.objs.Close()
}
