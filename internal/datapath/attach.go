package datapath

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// hookPriorities are used in turn: two programs of one hook cannot share a
// priority, and a successor is attached before its predecessor goes. Both lie
// behind address translation, so that the programs see real ends.
var hookPriorities = [2]int32{50, 51}

// netfilterDefrag asks for whole packets (BPF_F_NETFILTER_IP_DEFRAG; the
// library's constant of that name is 0).
const netfilterDefrag link.NetfilterAttachFlags = 1

// Attach attaches the programs, or replaces those that an earlier process left
// without a moment in which none is there. It is idempotent. Call it after the first Apply.
func (d *Datapath) Attach() error {
	if d.Revision() == 0 {
		return errors.New("attach: no revision has been applied yet")
	}
	if err := os.MkdirAll(d.linkDir(), 0o700); err != nil {
		return fmt.Errorf("create %s: %w", d.linkDir(), err)
	}
	if !d.attached {
		if err := d.attachPrograms(); err != nil {
			return err
		}
		d.attached = true
	}
	return d.Guard()
}

// Guard keeps packet sockets from going around at every interface that is
// there now. Attach does so too; interfaces come later as well.
func (d *Datapath) Guard() error {
	for i := range d.spaces {
		if err := d.spaces[i].guard(d.opts.Interfaces); err != nil {
			return err
		}
	}
	return nil
}

func (d *Datapath) attachPrograms() error {
	if err := d.adoptSockets(); err != nil {
		return err
	}
	for _, s := range d.spaces {
		if err := d.attachNamespace(s); err != nil {
			return err
		}
	}
	d.tellHooked()
	if err := d.attachCgroup(); err != nil {
		return err
	}
	if err := d.dropForeignLinks(); err != nil {
		return err
	}
	// Conversations that began between the first look and the hooks.
	return d.adoptSockets()
}

func (d *Datapath) attachCgroup() error {
	if d.opts.Cgroup == "" {
		return nil
	}
	for name, a := range map[string]struct {
		prog *ebpf.Program
		kind ebpf.AttachType
	}{
		"egress":   {d.objs.FirebreakEgress, ebpf.AttachCGroupInetEgress},
		"ingress":  {d.objs.FirebreakIngress, ebpf.AttachCGroupInetIngress},
		"connect4": {d.objs.FirebreakConnect4, ebpf.AttachCGroupInet4Connect},
		"connect6": {d.objs.FirebreakConnect6, ebpf.AttachCGroupInet6Connect},
	} {
		ino, err := inode(d.opts.Cgroup)
		if err != nil {
			return err
		}
		pin := filepath.Join(d.linkDir(), fmt.Sprintf("cgroup_%d_%s", ino, name))
		if err := replaceCgroup(pin, d.opts.Cgroup, a.prog, a.kind); err != nil {
			return fmt.Errorf("attach to cgroup %s (%s): %w", d.opts.Cgroup, name, err)
		}
	}
	return nil
}

// replaceCgroup updates the pinned link in place, or makes one.
func replaceCgroup(pin, cgroup string, prog *ebpf.Program, kind ebpf.AttachType) error {
	l, err := link.LoadPinnedLink(pin, nil)
	if err == nil {
		defer l.Close()
		return l.Update(prog)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	l, err = link.AttachCgroup(link.CgroupOptions{Path: cgroup, Attach: kind, Program: prog})
	if err != nil {
		return err
	}
	defer l.Close()
	return l.Pin(pin)
}

type netfilterHook struct {
	name string
	prog *ebpf.Program
	hook link.NetfilterInetHook
	pf   link.NetfilterProtocolFamily
}

func (d *Datapath) netfilterHooks() []netfilterHook {
	var out []netfilterHook
	for _, f := range []struct {
		name string
		pf   link.NetfilterProtocolFamily
	}{{"4", link.NetfilterProtoIPv4}, {"6", link.NetfilterProtoIPv6}} {
		out = append(out,
			netfilterHook{"forward" + f.name, d.objs.FirebreakForward, link.NetfilterInetForward, f.pf},
			netfilterHook{"out" + f.name, d.objs.FirebreakOut, link.NetfilterInetLocalOut, f.pf},
			netfilterHook{"in" + f.name, d.objs.FirebreakIn, link.NetfilterInetLocalIn, f.pf},
		)
	}
	return out
}

func (d *Datapath) attachNamespace(s namespace) error {
	for _, h := range d.netfilterHooks() {
		if err := d.replaceNetfilter(s, h); err != nil {
			return fmt.Errorf("attach to network namespace %s (%s): %w", s.path, h.name, err)
		}
	}
	return nil
}

// tellHooked lets the socket programs know where netfilter's judge before
// them. The list is emptied first: a reader of a half-written one must not find
// a namespace that has been let go.
func (d *Datapath) tellHooked() {
	list := d.word().hooked[:]
	for i := range list {
		atomic.StoreUint64(&list[i], 0)
	}
	for i := range min(len(list), len(d.spaces)) {
		atomic.StoreUint64(&list[i], d.spaces[i].cookie)
	}
}

// replaceNetfilter attaches the successor first and lets the predecessor go
// after it: such a link cannot be updated.
func (d *Datapath) replaceNetfilter(s namespace, h netfilterHook) error {
	pin := func(prio int32) string {
		return filepath.Join(d.linkDir(), fmt.Sprintf("netns_%d_%s_%d", s.inode, h.name, prio))
	}
	prio := hookPriorities[0]
	if _, err := os.Stat(pin(prio)); err == nil {
		prio = hookPriorities[1]
		// Both are there only if a takeover was cut short: either enforces.
		if err := removeLink(pin(prio)); err != nil {
			return err
		}
	}
	old := hookPriorities[0] + hookPriorities[1] - prio
	err := s.do(func() error {
		l, err := link.AttachNetfilter(link.NetfilterOptions{
			Program: h.prog, ProtocolFamily: h.pf, Hook: h.hook, Priority: prio, NetfilterFlags: netfilterDefrag,
		})
		if err != nil {
			return err
		}
		defer l.Close()
		return l.Pin(pin(prio))
	})
	if err != nil {
		return err
	}
	return removeLink(pin(old))
}

// removeLink detaches what is pinned there; nothing there is no error.
func removeLink(pin string) error {
	l, err := link.LoadPinnedLink(pin, nil)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		// Not a link that can be opened: taking the pin away lets it go.
		return os.Remove(pin)
	}
	return errors.Join(l.Unpin(), l.Close())
}

// dropForeignLinks removes links to namespaces and cgroups that are no longer
// this agent's.
func (d *Datapath) dropForeignLinks() error {
	mine := map[string]bool{}
	for _, s := range d.spaces {
		mine["netns_"+strconv.FormatUint(s.inode, 10)] = true
	}
	if d.opts.Cgroup != "" {
		ino, err := inode(d.opts.Cgroup)
		if err != nil {
			return err
		}
		mine["cgroup_"+strconv.FormatUint(ino, 10)] = true
	}
	entries, err := os.ReadDir(d.linkDir())
	if err != nil {
		return err
	}
	for _, e := range entries {
		parts := strings.SplitN(e.Name(), "_", 3)
		if len(parts) == 3 && mine[parts[0]+"_"+parts[1]] {
			continue
		}
		if err := removeLink(filepath.Join(d.linkDir(), e.Name())); err != nil {
			return err
		}
	}
	return nil
}
