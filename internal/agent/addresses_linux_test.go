package agent

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"firebreak/internal/demo/lab"
)

func TestAddressesOfANamespaceAreFollowed(t *testing.T) {
	needKernel(t)
	l, err := lab.New("fbaddr")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	h, err := l.AddHost("web", netip.MustParsePrefix("10.73.1.11/24"), netip.MustParsePrefix("fd73::11/64"))
	if err != nil {
		t.Fatal(err)
	}
	paths := []string{h.NamespacePath()}
	got, err := ownAddresses(paths)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range h.Addresses() {
		if !slices.Contains(got, want.Addr()) {
			t.Errorf("no %s in %v", want, got)
		}
	}
	if slices.ContainsFunc(got, netip.Addr.IsLoopback) {
		t.Errorf("a loopback address in %v", got)
	}
	changed := make(chan struct{}, 64)
	if err := watchAddresses(t.Context(), paths, func() { changed <- struct{}{} }); err != nil {
		t.Fatal(err)
	}
	addAddress(t, h, "10.73.1.99/24")
	deadline := time.After(30 * time.Second)
	for !slices.Contains(got, netip.MustParseAddr("10.73.1.99")) {
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("the new address does not come; there are %v", got)
		}
		if got, err = ownAddresses(paths); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ownAddresses([]string{"/run/netns/fbaddr-none"}); err == nil {
		t.Error("a namespace that is not there has addresses")
	}
}

func addAddress(t *testing.T, h *lab.Host, address string) {
	t.Helper()
	ns, err := netns.GetFromPath(h.NamespacePath())
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	handle, err := netlink.NewHandleAt(ns)
	if err != nil {
		t.Fatal(err)
	}
	defer handle.Close()
	link, err := handle.LinkByName("eth0")
	if err != nil {
		t.Fatal(err)
	}
	addr, err := netlink.ParseAddr(address)
	if err != nil {
		t.Fatal(err)
	}
	if err := handle.AddrAdd(link, addr); err != nil {
		t.Fatal(err)
	}
}
