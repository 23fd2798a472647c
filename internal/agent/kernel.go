package agent

import (
	"context"
	"time"

	"firebreak/internal/datapath/layout"
)

// Kernel is what an agent needs of the kernel to enforce: the desired state
// goes in whole.
type Kernel interface {
	// Revision is the one in force, 0 if there is none.
	Revision() uint64
	// Apply puts tables in force, all at once or not at all.
	Apply(*layout.Tables) (Applied, error)
	// Attach makes the kernel enforce; it may be repeated.
	Attach() error
	// Guard does for interfaces that have appeared since what Attach did for
	// the others.
	Guard() error
	// EndWithdrawn ends the conversations that the revision in force does not
	// permit any more, and returns how many.
	EndWithdrawn(context.Context) (int, error)
	// Close lets go. What is in force stays in force.
	Close() error
}

// Evidence is what the kernel saw. A Kernel is one as well.
type Evidence interface {
	// Events calls f with what was judged, in order, until ctx is done. The
	// slice is only valid during the call.
	Events(ctx context.Context, f func([]layout.Event)) error
	// Bins calls f with what edges carried since the last call.
	Bins(f func(layout.Bin)) error
	// Lost is how many events the kernel had no room for.
	Lost() (uint64, error)
}

// Applied says what Apply did.
type Applied struct {
	Revision   uint64
	Entries    int // policy entries in the kernel
	Fill, Flip time.Duration
}

// KernelOptions say where an agent's part of the kernel lives.
type KernelOptions struct {
	Pins       string
	Cgroup     string
	Namespaces []string
	Interfaces []string
}
