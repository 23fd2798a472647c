package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"firebreak/internal/target/ebpf"
)

// The files of a state directory.
const (
	numbersFile = "numbers.json"
	statusFile  = "status.json"
	lockFile    = "agent.lock"
	maxState    = 256 << 20 // bytes of a state file
)

// state is the agent's own directory, locked for as long as it runs.
type state struct {
	dir  string
	lock *os.File
}

// openState makes the directory if need be and locks it.
func openState(dir string) (*state, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("state directory %s cannot be made: %w; set state: to a directory that this user may write", dir, cause(err))
	}
	path := filepath.Join(dir, lockFile)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, stateError(path, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("another agent (pid %d) holds state directory %s; stop it, or give this one a state directory of its own", lockHolder(dir), dir)
	}
	if err := writePid(f); err != nil {
		f.Close()
		return nil, stateError(path, err)
	}
	return &state{dir: dir, lock: f}, nil
}

func writePid(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0)
	return err
}

// close lets go of the directory.
func (s *state) close() { s.lock.Close() }

// lockHolder returns the pid in the lock file, 0 if there is none.
func lockHolder(dir string) int {
	text, _ := os.ReadFile(filepath.Join(dir, lockFile))
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}

// running reports whether an agent holds the state directory, and its pid.
func running(dir string) (int, bool) {
	f, err := os.Open(filepath.Join(dir, lockFile))
	if err != nil {
		return 0, false
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); err != nil {
		return lockHolder(dir), true
	}
	return 0, false
}

// stateError says what to do about a state directory that cannot be used.
func stateError(path string, err error) error {
	what := "make it writable"
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		what = "free space on its disk"
	}
	return fmt.Errorf("state file %s cannot be written: %w; %s, or set state: to another directory", path, cause(err), what)
}

// numbers reads what was saved, or starts anew where nothing was.
func (s *state) numbers() (*ebpf.Numbers, error) {
	n := &ebpf.Numbers{}
	path := filepath.Join(s.dir, numbersFile)
	text, err := readRegular(path, maxState)
	if errors.Is(err, os.ErrNotExist) {
		return n, nil
	}
	if err == nil {
		err = json.Unmarshal(text, n)
	}
	if err != nil {
		return nil, fmt.Errorf("state file %s cannot be read: %w; restore it, or detach this host with `firebreak agent detach` and remove it", path, err)
	}
	return n, nil
}

// save replaces the numbers at once or not at all, and returns only when they
// are on the disk.
func (s *state) save(n *ebpf.Numbers) error {
	text, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return s.replace(numbersFile, text, true)
}

// replace writes a file beside the old one and renames it over it.
func (s *state) replace(name string, text []byte, durable bool) error {
	path := filepath.Join(s.dir, name)
	temp := path + ".new"
	err := writeSynced(temp, text, durable)
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err == nil && durable {
		err = syncDir(s.dir)
	}
	if err != nil {
		os.Remove(temp)
		return stateError(path, err)
	}
	return nil
}

func writeSynced(path string, text []byte, durable bool) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil && durable {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// remove deletes a state file; one that is not there is no error.
func (s *state) remove(name string) error {
	path := filepath.Join(s.dir, name)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return stateError(path, err)
	}
	return nil
}
