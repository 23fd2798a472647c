package datapath

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// bpffsRoot is where a bpffs is mounted if the pins' parent is on none.
const bpffsRoot = "/sys/fs/bpf"

// lockDir holds one lock file for each thing that an agent holds.
const lockDir = "/run/firebreak/locks"

// namespace is an open network namespace.
type namespace struct {
	path    string
	inode   uint64
	cookie  uint64
	handle  netns.NsHandle
	guarded []string // interfaces that the guard stands at; nil before it was set
}

func (n namespace) close() error { return n.handle.Close() }

// openNamespaces opens the paths, or the caller's own namespace for none.
func openNamespaces(paths []string) ([]namespace, error) {
	if len(paths) == 0 {
		paths = []string{"/proc/thread-self/ns/net"}
	}
	var out []namespace
	for _, p := range paths {
		n, err := openNamespace(p)
		if err != nil {
			for _, o := range out {
				err = errors.Join(err, o.close())
			}
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}

func openNamespace(path string) (namespace, error) {
	h, err := netns.GetFromPath(path)
	if err != nil {
		return namespace{}, fmt.Errorf("network namespace %s: %w (give the path of a namespace that exists, such as /run/netns/NAME)", path, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(h), &st); err != nil {
		return namespace{}, errors.Join(fmt.Errorf("network namespace %s: %w", path, err), h.Close())
	}
	n := namespace{path: path, inode: st.Ino, handle: h}
	err = n.do(func() error {
		n.cookie, err = netnsCookie()
		return err
	})
	if err != nil {
		return namespace{}, errors.Join(fmt.Errorf("network namespace %s: %w", path, err), h.Close())
	}
	return n, nil
}

// netnsCookie is the kernel's number for the thread's namespace: what the
// programs know it by (SO_NETNS_COOKIE, socket(7)).
func netnsCookie() (uint64, error) {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(s)
	return unix.GetsockoptUint64(s, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
}

// do runs f on a thread inside the namespace. A thread that cannot come back
// is ended with its goroutine, never reused.
func (n namespace) do(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		home, err := netns.Get()
		if err != nil {
			done <- err
			return
		}
		defer home.Close()
		if err := netns.Set(n.handle); err != nil {
			done <- fmt.Errorf("enter network namespace %s: %w", n.path, err)
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

// ensureBPFFS makes sure that the pins will be on a bpffs.
func ensureBPFFS(pins string) error {
	if pins == "" {
		return errors.New("no directory for pins is given")
	}
	if !onBPFFS(pins) && strings.HasPrefix(filepath.Clean(pins), bpffsRoot) {
		if err := os.MkdirAll(bpffsRoot, 0o700); err != nil {
			return fmt.Errorf("create %s: %w", bpffsRoot, err)
		}
		if err := unix.Mount("bpf", bpffsRoot, "bpf", 0, "mode=0700"); err != nil {
			return fmt.Errorf("mount a bpffs on %s: %w (run as root)", bpffsRoot, err)
		}
	}
	if err := os.MkdirAll(pins, 0o700); err != nil {
		return fmt.Errorf("create %s: %w (give `pins` a directory that can be written, with space left)", pins, err)
	}
	if !onBPFFS(pins) {
		return fmt.Errorf("%s is not on a bpffs: choose a directory below %s", pins, bpffsRoot)
	}
	return nil
}

// onBPFFS reports whether path, or its nearest ancestor that exists, is.
func onBPFFS(path string) bool {
	for p := filepath.Clean(path); ; p = filepath.Dir(p) {
		var st unix.Statfs_t
		err := unix.Statfs(p, &st)
		if err == nil {
			return st.Type == unix.BPF_FS_MAGIC
		}
		if !errors.Is(err, unix.ENOENT) || p == filepath.Dir(p) {
			return false
		}
	}
}

// lockAll takes the locks of everything that two agents must not share. They
// end with the process, however it ends.
func lockAll(o Options, spaces []namespace) ([]*os.File, error) {
	if err := os.MkdirAll(lockDir, 0o700); err != nil {
		return nil, fmt.Errorf("create %s: %w", lockDir, err)
	}
	// One at a time: who looks at the others' locks must not be taken for a
	// holder of them.
	queue, err := os.OpenFile(filepath.Join(lockDir, "queue"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("queue for the locks: %w", err)
	}
	defer queue.Close()
	if err := unix.Flock(int(queue.Fd()), unix.LOCK_EX); err != nil {
		return nil, fmt.Errorf("queue for the locks: %w", err)
	}
	pins, err := inode(o.Pins)
	if err != nil {
		return nil, err
	}
	type holding struct{ name, what, path string }
	all := []holding{{fmt.Sprintf("pins-%d", pins), "the pins " + o.Pins, o.Pins}}
	if o.Cgroup != "" {
		cg, err := inode(o.Cgroup)
		if err != nil {
			return nil, err
		}
		if err := overlaps(o.Cgroup, cg); err != nil {
			return nil, err
		}
		all = append(all, holding{fmt.Sprintf("%s%d", cgroupLock, cg), "the cgroup " + o.Cgroup, o.Cgroup})
	}
	for _, s := range spaces {
		all = append(all, holding{fmt.Sprintf("netns-%d", s.inode), "the network namespace " + s.path, s.path})
	}
	var locks []*os.File
	for _, h := range all {
		f, err := lock(filepath.Join(lockDir, h.name), h.what, h.path)
		if err != nil {
			return locks, err
		}
		locks = append(locks, f)
	}
	return locks, nil
}

// cgroupLock begins the names of the lock files of cgroups.
const cgroupLock = "cgroup-"

// overlaps refuses a cgroup above or below one that another agent holds: both
// would judge the same sockets, each by its own tables.
func overlaps(cgroup string, self uint64) error {
	held, err := filepath.Glob(filepath.Join(lockDir, cgroupLock+"*"))
	if err != nil {
		return err
	}
	mine := filepath.Clean(cgroup) + "/"
	for _, path := range held {
		if path == filepath.Join(lockDir, fmt.Sprintf("%s%d", cgroupLock, self)) {
			continue
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			continue // gone meanwhile
		}
		free := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil
		pid, other := holder(f)
		f.Close()
		theirs := filepath.Clean(other) + "/"
		if !free && other != "" && (strings.HasPrefix(mine, theirs) || strings.HasPrefix(theirs, mine)) {
			return fmt.Errorf("another agent (process %s) holds the cgroup %s, which overlaps %s: give each its own subtree", pid, other, cgroup)
		}
	}
	return nil
}

// holder reads who wrote a lock file, and of what.
func holder(f *os.File) (pid, path string) {
	b := make([]byte, 4096)
	n, _ := f.ReadAt(b, 0)
	pid, path, _ = strings.Cut(strings.TrimSpace(string(b[:n])), " ")
	return pid, path
}

func lock(file, what, path string) (*os.File, error) {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", what, err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		pid, _ := holder(f)
		f.Close()
		return nil, fmt.Errorf("another agent (process %s) holds %s: stop it, or give this one another", pid, what)
	}
	// Whoever detaches removes his lock files: this may be one of those.
	if there, err := inode(file); err != nil || there != inodeOf(f) {
		f.Close()
		return lock(file, what, path)
	}
	if err := f.Truncate(0); err != nil {
		return f, fmt.Errorf("lock %s: %w", what, err)
	}
	if _, err := fmt.Fprintf(f, "%d %s\n", os.Getpid(), path); err != nil {
		return f, fmt.Errorf("lock %s: %w", what, err)
	}
	return f, nil
}

func inodeOf(f *os.File) uint64 {
	var st unix.Stat_t
	if unix.Fstat(int(f.Fd()), &st) != nil {
		return 0
	}
	return st.Ino
}

func inode(path string) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return st.Ino, nil
}
