package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"

	"github.com/vishvananda/netlink"
)

// Lab is a network of hosts around a router. Its methods are safe for
// concurrent use.
type Lab struct {
	prefix string
	root   string // cgroup directory
	lock   *lock
	router *Host
	swept  []string

	mu     sync.Mutex
	hosts  map[string]*Host
	cables int
	closed bool
}

var validName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,12}$`)

// New makes an empty lab: a router and a cgroup subtree. A prefix is one to 13
// lower-case letters, digits and hyphens; two labs with one prefix cannot live
// at the same time. What a killed predecessor with the same prefix left behind
// is removed first. On error nothing is left behind; it is an *Error where the
// person at the terminal can do something about it.
func New(prefix string) (*Lab, error) {
	if err := Require(); err != nil {
		return nil, err
	}
	if !validName.MatchString(prefix) {
		return nil, fmt.Errorf("lab prefix %q: want letters, digits and hyphens, at most 13", prefix)
	}
	lk, err := acquire(prefix)
	if err != nil {
		return nil, err
	}
	l := &Lab{prefix: prefix, lock: lk, hosts: map[string]*Host{}}
	if err := l.begin(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *Lab) begin() error {
	var err error
	if l.swept, err = sweep(l.prefix); err != nil {
		return err
	}
	mount, err := cgroupMount()
	if err != nil {
		return err
	}
	l.root = filepath.Join(mount, l.prefix)
	if err := makeRootGroup(l.root); err != nil {
		return err
	}
	l.router, err = l.newHost("router")
	if err != nil {
		return err
	}
	return l.router.Do(func() error {
		return errors.Join(
			writeSysctl("net/ipv4/ip_forward", "1"),
			writeSysctl("net/ipv6/conf/all/forwarding", "1"),
			writeSysctl("net/ipv4/conf/all/rp_filter", "0"),
			writeSysctl("net/ipv4/conf/default/rp_filter", "0"),
		)
	})
}

// Require says, as an *Error, what this machine lacks for a lab; nil if
// nothing. It changes nothing.
func Require() error {
	if os.Geteuid() != 0 {
		return &Error{What: "network namespaces need root", Do: "run it with sudo"}
	}
	_, err := cgroupMount()
	return err
}

// Prefix returns the prefix of every name in the lab.
func (l *Lab) Prefix() string { return l.prefix }

// Swept returns, in words, what a killed predecessor had left behind and New
// removed.
func (l *Lab) Swept() []string { return slices.Clone(l.swept) }

// Cgroup returns the directory below which every process of the lab lives.
func (l *Lab) Cgroup() string { return l.root }

// Router returns the host between all others. It forwards everything.
func (l *Lab) Router() *Host { return l.router }

// AddHost makes a host with one cable, eth0, to the router. Each address comes
// with the length of its subnet; the router has the first address of every
// subnet and is the default route, so that address must not be among them. The
// addresses work as soon as AddHost returns: there is no duplicate address
// detection. Names are as New's prefix. On error the host does not exist; a
// namespace of that name that is not the lab's is an *Error.
func (l *Lab) AddHost(name string, addrs ...netip.Prefix) (*Host, error) {
	if !validName.MatchString(name) || name == "router" {
		return nil, fmt.Errorf("host name %q: want letters, digits and hyphens, at most 13, not router", name)
	}
	h, err := l.newHost(name)
	if err != nil {
		return nil, err
	}
	h.addrs = append(h.addrs, addrs...)
	if err := l.cable(h); err != nil {
		return nil, errors.Join(fmt.Errorf("host %s: %w", name, err), l.drop(h))
	}
	return h, nil
}

func (l *Lab) newHost(name string) (*Host, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, errors.New("the lab is closed")
	}
	if l.hosts[name] != nil {
		return nil, fmt.Errorf("host %s exists already", name)
	}
	h := &Host{name: name, ns: l.prefix + "-" + name, cgroup: filepath.Join(l.root, name)}
	if err := os.Mkdir(h.cgroup, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	if err := makeNamespace(h.ns, l.prefix); err != nil {
		return nil, errors.Join(err, os.Remove(h.cgroup))
	}
	l.hosts[name] = h
	return h, nil
}

func (l *Lab) drop(h *Host) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.hosts, h.name)
	return errors.Join(removeGroups(h.cgroup), l.uncable(h), removeNamespace(h.ns))
}

// uncable removes the cable: a namespace takes its links with it, but not at
// once.
func (l *Lab) uncable(h *Host) error {
	router, err := l.router.netlink()
	if err != nil {
		return err
	}
	defer router.Close()
	link, err := router.LinkByName(h.name)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil
	}
	if err != nil {
		return err
	}
	return router.LinkDel(link)
}

// cable lays a veth pair from the router to h and gives both ends addresses
// and routes.
func (l *Lab) cable(h *Host) error {
	router, err := l.router.netlink()
	if err != nil {
		return err
	}
	defer router.Close()
	host, err := h.netlink()
	if err != nil {
		return err
	}
	defer host.Close()
	ns, err := h.open()
	if err != nil {
		return err
	}
	defer ns.Close()
	attrs := netlink.NewLinkAttrs()
	attrs.Name = h.name
	// The ends of a cable must differ in number. Where they are equal, the
	// kernel takes an end for a device without a peer and tells nobody for up
	// to a second that it has a carrier; IPv6 begins only then.
	attrs.Index = l.nextIndex()
	veth := &netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerNamespace: netlink.NsFd(ns)}
	if err := router.LinkAdd(veth); err != nil {
		return fmt.Errorf("veth: %w", err)
	}
	var gateways []netip.Prefix
	for _, a := range h.addrs {
		gw := netip.PrefixFrom(a.Masked().Addr().Next(), a.Bits())
		if !containsPrefix(gateways, gw) {
			gateways = append(gateways, gw)
		}
	}
	if err := dress(router, h.name, gateways); err != nil {
		return err
	}
	if err := dress(host, "eth0", h.addrs); err != nil {
		return err
	}
	if err := routes(host, gateways); err != nil {
		return err
	}
	return errors.Join(settle(router, h.name), settle(host, "eth0"))
}

// nextIndex returns a number for a device of the router that no device of a
// host has.
func (l *Lab) nextIndex() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cables++
	return 1000 + l.cables
}

// Close ends every process in the lab, removes everything that the lab made
// and gives the prefix free. It is idempotent. Its error names what is left.
func (l *Lab) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	_, err := sweep(l.prefix)
	return errors.Join(err, l.lock.release())
}

// Clean removes what a killed process left of the lab with that prefix and
// returns what it removed, in words. A lab that still lives is an *Error that
// names the process, and so is a thing that has the name but not the mark; it
// is left alone.
func Clean(prefix string) (removed []string, err error) {
	if err := Require(); err != nil {
		return nil, err
	}
	lk, err := acquire(prefix)
	if err != nil {
		return nil, err
	}
	removed, err = sweep(prefix)
	return removed, errors.Join(err, lk.release())
}

// sweep removes everything marked with prefix: processes first, so that
// nothing holds what comes after.
func sweep(prefix string) (removed []string, err error) {
	mount, err := cgroupMount()
	if err != nil {
		return nil, err
	}
	groups, err := sweepGroups(filepath.Join(mount, prefix))
	if err != nil {
		return groups, err
	}
	spaces, err := sweepNamespaces(prefix)
	return append(groups, spaces...), err
}
