package lab

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Host is a network namespace with a cgroup subtree. Its methods are safe for
// concurrent use.
type Host struct {
	name   string
	ns     string
	cgroup string
	addrs  []netip.Prefix
}

// Name returns the name given to AddHost, "router" for the router.
func (h *Host) Name() string { return h.name }

// Namespace returns the name of the network namespace, as `ip netns` shows it.
func (h *Host) Namespace() string { return h.ns }

// NamespacePath returns the path of the network namespace.
func (h *Host) NamespacePath() string { return namespacePath(h.ns) }

// Cgroup returns the directory of the host's cgroup subtree.
func (h *Host) Cgroup() string { return h.cgroup }

// Addresses returns the host's addresses in the order given to AddHost.
func (h *Host) Addresses() []netip.Prefix { return slices.Clone(h.addrs) }

// Group makes sure that a cgroup of that name is there below the host's and
// returns its directory. A slash makes levels.
func (h *Host) Group(name string) (string, error) {
	if !filepath.IsLocal(name) {
		return "", fmt.Errorf("cgroup name %q leaves the host", name)
	}
	dir := filepath.Join(h.cgroup, name)
	return dir, os.MkdirAll(dir, 0o755)
}

// Start starts cmd inside the host's namespace and, from its first instruction
// on, inside the cgroup directory given (one that Group returned, or any
// other; empty means the host's own). The caller waits for cmd. It sets
// cmd.SysProcAttr's cgroup fields and leaves the others.
func (h *Host) Start(cgroup string, cmd *exec.Cmd) error {
	if cgroup == "" {
		cgroup = h.cgroup
	}
	return h.Do(func() error { return StartIn(cgroup, cmd) })
}

// StartIn starts cmd inside a cgroup directory and the caller's namespace.
func StartIn(cgroup string, cmd *exec.Cmd) error {
	dir, err := os.Open(cgroup)
	if err != nil {
		return err
	}
	defer dir.Close()
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.UseCgroupFD = true
	cmd.SysProcAttr.CgroupFD = int(dir.Fd())
	return cmd.Start()
}

// Do runs f on a thread that is inside the host's namespace. Sockets that f
// makes, and processes that it starts, belong to the namespace for good;
// goroutines that f starts are outside. Nothing else of the calling process
// moves.
func (h *Host) Do(f func() error) error {
	ns, err := h.open()
	if err != nil {
		return err
	}
	defer ns.Close()
	return within(ns, f)
}

func (h *Host) open() (netns.NsHandle, error) {
	ns, err := netns.GetFromPath(h.NamespacePath())
	if err != nil {
		return ns, fmt.Errorf("namespace %s: %w", h.ns, err)
	}
	return ns, nil
}

func (h *Host) netlink() (*netlink.Handle, error) {
	ns, err := h.open()
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	return netlink.NewHandleAt(ns, unix.NETLINK_ROUTE)
}

// within runs f on a thread of its own inside ns. Where the thread cannot go
// back it dies with its goroutine, still locked, rather than serve others in
// the wrong namespace.
func within(ns netns.NsHandle, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		home, err := netns.Get()
		if err != nil {
			done <- err
			return
		}
		defer home.Close()
		if err := netns.Set(ns); err != nil {
			done <- err
			return
		}
		err = f()
		if netns.Set(home) == nil {
			runtime.UnlockOSThread()
		}
		done <- err
	}()
	return <-done
}
