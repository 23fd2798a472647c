//go:build !linux

package agent

import (
	"context"
	"errors"
	"net/netip"
	"runtime"
	"time"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/diag"
	"firebreak/internal/wire"
)

// errNotLinux is what everything here comes to.
var errNotLinux = errors.New("enforcing needs Linux 6.6 or newer, and this is " + runtime.GOOS + "; run the agent on a Linux host")

// Probe says what is missing: another system.
func Probe() (kernel, tier string, err error) { return "", "", errNotLinux }

// ReadPinned says that there is no kernel to pin anything in.
func ReadPinned(string) (Pinned, error) { return Pinned{}, errNotLinux }

func readDump(string) (*layout.Dump, error) { return nil, errNotLinux }

// Detach says that there is nothing to detach from.
func Detach(context.Context, *Config) error { return errNotLinux }

// thisMachine can do nothing that an agent needs; Probe, which comes first,
// says so.
func thisMachine() *System {
	return &System{
		Probe:          Probe,
		Open:           func(KernelOptions) (Kernel, Evidence, error) { return nil, nil, errNotLinux },
		Discard:        func(KernelOptions) error { return errNotLinux },
		Cgroups:        noCgroups,
		Addresses:      func([]string) ([]netip.Addr, error) { return nil, errNotLinux },
		WatchAddresses: func(context.Context, []string, func()) error { return errNotLinux },
		Clock:          func() int64 { return 0 },
		Now:            time.Now,
		Boot:           func() int64 { return 0 },
		After:          time.After,
		Dial:           func(string, wire.Hello) Sender { return nobody{} },
	}
}

func noCgroups(*Config) (*cgroupTree, diag.List) {
	var diags diag.List
	diags.Errorf(diag.Pos{}, "no-cgroup2", "%v", errNotLinux)
	return &cgroupTree{}, diags
}

// namespacePaths is only asked for on Linux.
func namespacePaths(paths []string) []string { return paths }
