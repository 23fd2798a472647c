package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const lockDir = "/run/firebreak"

// lock is held by the process in which a lab lives. The kernel gives it free
// when that process ends, however it ends.
type lock struct {
	file *os.File
}

func acquire(prefix string) (*lock, error) {
	path := filepath.Join(lockDir, "lab-"+prefix+".lock")
	for {
		if err := os.MkdirAll(lockDir, 0o755); err != nil {
			return nil, err
		}
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
		if errors.Is(err, os.ErrNotExist) {
			continue // the directory's last user has just removed it
		}
		if err != nil {
			return nil, err
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			f.Close()
			pid := holder(path)
			return nil, &Error{What: fmt.Sprintf("a lab named %s is running (process %d)", prefix, pid), Do: "end it first", Holder: pid}
		}
		if !current(f, path) {
			f.Close() // its last holder removed it between our open and our lock
			continue
		}
		if err := errors.Join(f.Truncate(0), write(f, fmt.Sprintln(os.Getpid()))); err != nil {
			f.Close()
			return nil, err
		}
		return &lock{f}, nil
	}
}

// holder reads who holds a lock. It may have let go meanwhile.
func holder(path string) int {
	text, _ := os.ReadFile(path)
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}

func write(f *os.File, s string) error {
	_, err := f.WriteAt([]byte(s), 0)
	return err
}

func current(f *os.File, path string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Stat(path)
	return err == nil && os.SameFile(a, b)
}

// release removes the lock file, and its directory if it was the last.
func (l *lock) release() error {
	err := os.Remove(l.file.Name())
	_ = os.Remove(lockDir) // fails, as it should, while others use it
	return errors.Join(err, l.file.Close())
}
