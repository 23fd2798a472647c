package agent

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// ownNamespace is where an agent lives if its configuration names no other.
const ownNamespace = "/proc/self/ns/net"

func namespacePaths(paths []string) []string {
	if len(paths) == 0 {
		return []string{ownNamespace}
	}
	return paths
}

// ownAddresses returns the addresses of every interface in the namespaces,
// without loopback, sorted.
func ownAddresses(namespaces []string) ([]netip.Addr, error) {
	var out []netip.Addr
	for _, path := range namespacePaths(namespaces) {
		addrs, err := addressesIn(path)
		if err != nil {
			return nil, fmt.Errorf("addresses of network namespace %s: %w", path, err)
		}
		out = append(out, addrs...)
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out), nil
}

func addressesIn(path string) ([]netip.Addr, error) {
	ns, err := netns.GetFromPath(path)
	if err != nil {
		return nil, fmt.Errorf("%w; create it, or take it out of the configuration", err)
	}
	defer ns.Close()
	h, err := netlink.NewHandleAt(ns, syscall.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	list, err := h.AddrList(nil, netlink.FAMILY_ALL)
	for errors.Is(err, netlink.ErrDumpInterrupted) { // it changed while it was read
		list, err = h.AddrList(nil, netlink.FAMILY_ALL)
	}
	if err != nil {
		return nil, err
	}
	var out []netip.Addr
	for _, a := range list {
		if addr, ok := netip.AddrFromSlice(a.IP); ok && !addr.Unmap().IsLoopback() {
			out = append(out, addr.Unmap())
		}
	}
	return out, nil
}

// watchAddresses calls changed whenever an address comes or goes in one of the
// namespaces, until ctx is done. It returns once it watches.
func watchAddresses(ctx context.Context, namespaces []string, changed func()) error {
	for _, path := range namespacePaths(namespaces) {
		ns, err := netns.GetFromPath(path)
		if err != nil {
			return fmt.Errorf("network namespace %s: %w", path, err)
		}
		updates := make(chan netlink.AddrUpdate, 64)
		err = netlink.AddrSubscribeWithOptions(updates, ctx.Done(), netlink.AddrSubscribeOptions{
			Namespace:     &ns,
			ErrorCallback: func(error) { changed() }, // an overrun lost something: look again
		})
		err = errors.Join(err, ns.Close())
		if err != nil {
			return fmt.Errorf("watch addresses of network namespace %s: %w", path, err)
		}
		go func() {
			for range updates {
				changed()
			}
		}()
	}
	return nil
}
