package agent

import (
	"context"
	"time"

	"golang.org/x/sys/unix"

	"firebreak/internal/cgroup"
	"firebreak/internal/datapath"
	"firebreak/internal/datapath/layout"
	"firebreak/internal/diag"
	"firebreak/internal/wire"
)

// thisMachine is the System that users have.
func thisMachine() *System {
	return &System{
		Probe:          Probe,
		Open:           openDatapath,
		Discard:        func(o KernelOptions) error { return datapath.Detach(datapathOptions(o)) },
		Cgroups:        cgroupsHere,
		Addresses:      ownAddresses,
		WatchAddresses: watchAddresses,
		Clock:          clockOffset,
		Now:            time.Now,
		Boot:           bootTime,
		After:          time.After,
		Dial: func(socket string, hello wire.Hello) Sender {
			return wire.NewWriter(wire.WriterOptions{Path: socket, Hello: hello})
		},
	}
}

// Probe says which kernel runs and how much of the datapath it can carry, or
// what is missing and what to do about it.
func Probe() (kernel, tier string, err error) { return datapath.Probe() }

// kernel makes a Datapath what the agent needs.
type kernel struct{ *datapath.Datapath }

func openDatapath(o KernelOptions) (Kernel, Evidence, error) {
	d, err := datapath.Open(datapathOptions(o))
	if err != nil {
		return nil, nil, err
	}
	return kernel{d}, d, nil
}

func datapathOptions(o KernelOptions) datapath.Options {
	return datapath.Options{Pins: o.Pins, Cgroup: o.Cgroup, Namespaces: o.Namespaces, Interfaces: o.Interfaces}
}

// Apply implements Kernel.
func (k kernel) Apply(t *layout.Tables) (Applied, error) {
	a, err := k.Datapath.Apply(t)
	return Applied{Revision: a.Revision, Entries: a.Entries, Fill: a.Fill, Flip: a.Flip}, err
}

func cgroupsHere(cfg *Config) (*cgroupTree, diag.List) {
	mount, err := cgroup.Mount()
	if err != nil {
		var diags diag.List
		diags.Errorf(diag.Pos{}, "no-cgroup2", "%v", err)
		return &cgroupTree{}, diags
	}
	return findCgroups(cfg, mount)
}

// clockOffset is what to add to the kernel's time to get Unix time.
func clockOffset() int64 {
	var before, after unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &before) != nil {
		return 0
	}
	now := time.Now().UnixNano()
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &after) != nil {
		return 0
	}
	return now - (before.Nano()+after.Nano())/2
}

func bootTime() int64 {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) != nil {
		return 0
	}
	return ts.Nano()
}

// ReadPinned reads what is pinned below a directory. It returns
// fs.ErrNotExist if nothing is.
func ReadPinned(pins string) (Pinned, error) {
	s, err := datapath.ReadState(pins)
	if err != nil {
		return Pinned{}, err
	}
	p := Pinned{Revision: s.Revision, Entries: s.Entries, Cgroups: s.Cgroups, Programs: s.Programs, Lost: s.Lost, Drops: map[string]uint64{}}
	for reason, packets := range s.Drops {
		if packets > 0 {
			p.Drops[reason.String()] = packets
		}
	}
	return p, nil
}

// readDump reads back the maps that are pinned below a directory.
func readDump(pins string) (*layout.Dump, error) { return datapath.ReadDump(pins) }

// Detach removes everything that a configuration's agent has put into the
// kernel. It fails while that agent runs.
func Detach(ctx context.Context, cfg *Config) error {
	if err := Forget(cfg); err != nil {
		return err
	}
	o := KernelOptions{Pins: cfg.Pins, Namespaces: cfg.Namespaces, Interfaces: cfg.Interfaces}
	if tree, diags := cgroupsHere(cfg); !diags.HasErrors() {
		o.Cgroup = tree.root
	}
	return datapath.Detach(datapathOptions(o))
}
