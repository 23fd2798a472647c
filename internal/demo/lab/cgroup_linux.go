package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"firebreak/internal/cgroup"
)

// attribute marks the root cgroup of a lab.
const attribute = "trusted.firebreak-lab"

// cgroupMount is where the cgroup v2 hierarchy is mounted. An *Error says what
// to do where there is none.
func cgroupMount() (string, error) {
	mount, err := cgroup.Mount()
	if errors.Is(err, cgroup.ErrNone) {
		what, do, _ := strings.Cut(err.Error(), "; ")
		return "", &Error{What: what, Do: do}
	}
	return mount, err
}

func makeRootGroup(dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if err := unix.Setxattr(dir, attribute, []byte("1"), 0); err != nil {
		return errors.Join(fmt.Errorf("mark %s: %w", dir, err), os.Remove(dir))
	}
	return nil
}

// sweepGroups kills what lives in a lab's cgroup subtree and removes it. A
// subtree without the mark is removed only if it is empty.
func sweepGroups(root string) (removed []string, err error) {
	if _, err := os.Stat(root); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if n, err := unix.Getxattr(root, attribute, make([]byte, 8)); err != nil || n == 0 {
		if os.Remove(root) == nil {
			return []string{"cgroup " + root}, nil
		}
		return nil, &Error{
			What: fmt.Sprintf("the cgroup %s exists and was not made by firebreak", root),
			Do:   "end its processes and remove it with rmdir",
		}
	}
	n, err := countProcesses(root)
	if err != nil {
		return nil, err
	}
	if err := removeGroups(root); err != nil {
		return nil, err
	}
	if n > 0 {
		removed = append(removed, fmt.Sprintf("%d processes", n))
	}
	return append(removed, "cgroup "+root), nil
}

// removeGroups kills everything below and in dir, waits until it is gone and
// removes the directories, the deepest first.
func removeGroups(dir string) error {
	if err := Kill(dir); err != nil {
		return err
	}
	var dirs []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return err
	})
	for i := len(dirs) - 1; i >= 0; i-- {
		err = errors.Join(err, os.Remove(dirs[i]))
	}
	return err
}

// killPatience is how long a killed process may take to leave its cgroup. Only
// one that is stuck in the kernel needs more.
const killPatience = 10 * time.Second

// Kill ends every process in a cgroup and below and returns when they are
// gone. A cgroup that does not exist has none.
func Kill(dir string) error {
	err := os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0)
	if errors.Is(err, os.ErrNotExist) {
		if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
			return nil
		}
		return &Error{What: "this kernel has no cgroup.kill", Do: "use Linux 5.14 or newer"}
	}
	if err != nil {
		return err
	}
	events, err := os.Open(filepath.Join(dir, "cgroup.events"))
	if err != nil {
		return err
	}
	defer events.Close()
	deadline := time.Now().Add(killPatience)
	for {
		buf := make([]byte, 256)
		n, err := events.ReadAt(buf, 0)
		if n == 0 {
			return err
		}
		if strings.Contains(string(buf[:n]), "populated 0") {
			return nil
		}
		left := time.Until(deadline)
		if left <= 0 {
			return fmt.Errorf("processes in %s do not end", dir)
		}
		// The kernel raises POLLPRI when the file's content changes.
		fds := []unix.PollFd{{Fd: int32(events.Fd()), Events: unix.POLLPRI}}
		if _, err := unix.Poll(fds, int(left.Milliseconds())+1); err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// Processes returns the ids of the processes in a cgroup and below.
func Processes(dir string) (pids []int, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil // removed while we walk
		}
		if err != nil || d.Name() != "cgroup.procs" {
			return err
		}
		b, err := os.ReadFile(path)
		for _, s := range strings.Fields(string(b)) {
			pid := 0
			if _, e := fmt.Sscan(s, &pid); e == nil {
				pids = append(pids, pid)
			}
		}
		return err
	})
	return pids, err
}

func countProcesses(dir string) (int, error) {
	pids, err := Processes(dir)
	return len(pids), err
}
