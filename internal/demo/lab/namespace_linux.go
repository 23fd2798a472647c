package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

const namespaceDir = "/run/netns"

func namespacePath(name string) string { return filepath.Join(namespaceDir, name) }

// mark is the alias of the loopback device in every namespace of a lab. It is
// set before the namespace gets its name: a named namespace of ours always has
// it, however its maker ended.
func mark(prefix string) string { return "firebreak lab " + prefix }

// makeNamespace makes a marked, named namespace with a working loopback and no
// duplicate address detection.
func makeNamespace(name, prefix string) error {
	if err := prepareNamespaceDir(); err != nil {
		return err
	}
	path := namespacePath(name)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDONLY, 0o444)
	if errors.Is(err, os.ErrExist) {
		return taken(name)
	}
	if err != nil {
		return err
	}
	f.Close()
	if err := birth(path, mark(prefix)); err != nil {
		return errors.Join(fmt.Errorf("namespace %s: %w", name, err), os.Remove(path))
	}
	return nil
}

func taken(name string) error {
	return &Error{
		What: fmt.Sprintf("the network namespace %s exists and was not made by firebreak", name),
		Do:   fmt.Sprintf("remove it with `ip netns delete %s`", name),
	}
}

// birth makes the namespace on a thread of its own, which ends with it.
func birth(path, alias string) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread dies here
		done <- func() error {
			if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
				return err
			}
			if err := furnish(alias); err != nil {
				return err
			}
			self := fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid())
			return unix.Mount(self, path, "none", unix.MS_BIND, "")
		}()
	}()
	return <-done
}

// furnish sets up the namespace of the calling thread.
func furnish(alias string) error {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer h.Close()
	lo, err := h.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := h.LinkSetAlias(lo, alias); err != nil {
		return err
	}
	for _, name := range []string{"all", "default"} {
		if err := writeSysctl("net/ipv6/conf/"+name+"/accept_dad", "0"); err != nil {
			return &Error{What: "this kernel has no IPv6", Do: "boot it without ipv6.disable=1"}
		}
	}
	if err := writeSysctl("net/ipv6/conf/default/dad_transmits", "0"); err != nil {
		return err
	}
	return h.LinkSetUp(lo)
}

// prepareNamespaceDir does what `ip netns add` does the first time: a mount
// point of its own that is shared, so that namespaces mounted here are seen,
// and can be removed, everywhere.
func prepareNamespaceDir() error {
	if err := os.MkdirAll(namespaceDir, 0o755); err != nil {
		return err
	}
	err := unix.Mount("", namespaceDir, "none", unix.MS_SHARED|unix.MS_REC, "")
	if !errors.Is(err, unix.EINVAL) {
		return err
	}
	if err := unix.Mount(namespaceDir, namespaceDir, "none", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	return unix.Mount("", namespaceDir, "none", unix.MS_SHARED|unix.MS_REC, "")
}

// dress gives a link its addresses and brings it up.
func dress(h *netlink.Handle, link string, addrs []netip.Prefix) error {
	l, err := h.LinkByName(link)
	if err != nil {
		return fmt.Errorf("%s: %w", link, err)
	}
	for _, p := range addrs {
		a := &netlink.Addr{IPNet: ipNet(p)}
		if p.Addr().Is6() {
			a.Flags = unix.IFA_F_NODAD
		}
		if err := h.AddrAdd(l, a); err != nil {
			return fmt.Errorf("%s on %s: %w", p, link, err)
		}
	}
	return h.LinkSetUp(l)
}

// settlePatience is how long a link may take to be ready for IPv6.
const settlePatience = 5 * time.Second

// settle waits until a link has a link-local address that is in use. Before,
// it answers no neighbour's question.
func settle(h *netlink.Handle, link string) error {
	l, err := h.LinkByName(link)
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(settlePatience); ; time.Sleep(time.Millisecond) {
		addrs, err := h.AddrList(l, netlink.FAMILY_V6)
		if err != nil {
			return err
		}
		for _, a := range addrs {
			if a.Scope == unix.RT_SCOPE_LINK && a.Flags&unix.IFA_F_TENTATIVE == 0 {
				return nil
			}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s has had no link-local address for %s", link, settlePatience)
		}
	}
}

// routes makes each gateway the default route of its family; the first one of
// a family wins.
func routes(h *netlink.Handle, gateways []netip.Prefix) error {
	var seen [2]bool
	for _, gw := range gateways {
		i := 0
		if gw.Addr().Is6() {
			i = 1
		}
		if seen[i] {
			continue
		}
		seen[i] = true
		if err := h.RouteAdd(&netlink.Route{Gw: gw.Addr().AsSlice()}); err != nil {
			return fmt.Errorf("default route by %s: %w", gw.Addr(), err)
		}
	}
	return nil
}

// sweepNamespaces removes every namespace whose name and mark are the lab's.
func sweepNamespaces(prefix string) (removed []string, err error) {
	entries, err := os.ReadDir(namespaceDir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		name := e.Name()
		if !strings.HasPrefix(name, prefix+"-") {
			continue
		}
		ours, e := marked(name, prefix)
		if e != nil || !ours {
			err = errors.Join(err, e)
			continue
		}
		if e := removeNamespace(name); e != nil {
			err = errors.Join(err, e)
			continue
		}
		removed = append(removed, "namespace "+name)
	}
	return removed, err
}

// marked reports whether a namespace is the lab's. A name without a namespace
// behind it is an empty file that a killed maker left.
func marked(name, prefix string) (bool, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(namespacePath(name), &st); err != nil {
		return false, err
	}
	if st.Type != unix.NSFS_MAGIC {
		info, err := os.Lstat(namespacePath(name))
		return err == nil && info.Mode().IsRegular() && info.Size() == 0, err
	}
	ns, err := netns.GetFromPath(namespacePath(name))
	if err != nil {
		return false, err
	}
	defer ns.Close()
	h, err := netlink.NewHandleAt(ns, unix.NETLINK_ROUTE)
	if err != nil {
		return false, err
	}
	defer h.Close()
	lo, err := h.LinkByName("lo")
	if err != nil {
		return false, err
	}
	return lo.Attrs().Alias == mark(prefix), nil
}

func removeNamespace(name string) error {
	path := namespacePath(name)
	for {
		err := unix.Unmount(path, unix.MNT_DETACH)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
			break // not mounted, or not any more
		}
		if err != nil {
			return fmt.Errorf("namespace %s: %w", name, err)
		}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// writeSysctl writes a setting of the calling thread's namespace: the kernel
// looks below /proc/sys/net with the eyes of the thread that asks.
func writeSysctl(name, value string) error {
	return os.WriteFile("/proc/sys/"+name, []byte(value), 0o644)
}

func containsPrefix(list []netip.Prefix, p netip.Prefix) bool { return slices.Contains(list, p) }

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
