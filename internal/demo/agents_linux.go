package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	threetier "firebreak/examples/three-tier"
	"firebreak/internal/demo/lab"
)

// agents are the agents of the estate's hosts, each a process of its own
// outside the hosts' namespaces and cgroups.
type agents struct {
	dir    string // of their files
	procs  map[string]*agentProcess
	failed chan error // the first that ends by itself
}

type agentProcess struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{}
}

// The places of a demonstration beside its lab.
func runDir(prefix string) string { return filepath.Join("/run/firebreak", prefix) }
func pinDir(prefix string) string { return filepath.Join("/sys/fs/bpf", prefix) }

// sweep removes what a demonstration puts beside its lab. The lab's lock must
// be held.
func sweep(prefix string) error {
	err := errors.Join(removeLocks(prefix), os.RemoveAll(runDir(prefix)))
	// Unpinning detaches: nothing else holds the programs once the agents are
	// gone. The name is removed only where it can only be pins.
	var st unix.Statfs_t
	pins := pinDir(prefix)
	if unix.Statfs(pins, &st) == nil && st.Type == unix.BPF_FS_MAGIC {
		err = errors.Join(err, os.RemoveAll(pins))
	}
	return err
}

// lockDir is where agents keep the locks of what no two may share: a file for
// each cgroup, namespace and pin directory, named by kind and inode.
const lockDir = "/run/firebreak/locks"

// locksFile, in a run's directory, lists those that name what will be gone.
const locksFile = "locks"

// noteLocks writes down the locks that the agents of the stage will take.
func (s *stage) noteLocks() error {
	var names []string
	for _, host := range estateHosts {
		h := s.hosts[host]
		for kind, path := range map[string]string{"cgroup": h.Cgroup(), "netns": h.NamespacePath()} {
			if name, ok := lockName(kind, path); ok {
				names = append(names, name)
			}
		}
	}
	return os.WriteFile(filepath.Join(runDir(s.lab.Prefix()), locksFile), []byte(strings.Join(names, "\n")), 0o644)
}

func lockName(kind, path string) (string, bool) {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return "", false
	}
	return fmt.Sprintf("%s-%d", kind, st.Ino), true
}

// removeLocks removes the lock files of agents that are gone. One that
// somebody holds again is left.
func removeLocks(prefix string) error {
	text, _ := os.ReadFile(filepath.Join(runDir(prefix), locksFile))
	names := strings.Fields(string(text))
	pins, _ := filepath.Glob(filepath.Join(pinDir(prefix), "*"))
	for _, p := range pins {
		if name, ok := lockName("pins", p); ok {
			names = append(names, name)
		}
	}
	var errs []error
	for _, name := range names {
		if !filepath.IsLocal(name) {
			continue
		}
		f, err := os.Open(filepath.Join(lockDir, name))
		if err != nil {
			continue // never taken
		}
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			errs = append(errs, os.Remove(f.Name()))
		}
		errs = append(errs, f.Close())
	}
	_ = os.Remove(lockDir) // fails, as it should, while there are others
	return errors.Join(errs...)
}

// unpack writes the policy directory where agents, and curious people, can
// read it.
func unpack(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return fs.WalkDir(threetier.Files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := threetier.Files.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name), text, 0o644)
	})
}

// agentConfig is an agent's configuration file; JSON is YAML too.
type agentConfig struct {
	Name       string        `json:"name"`
	Policy     string        `json:"policy"`
	Cgroups    []agentCgroup `json:"cgroups"`
	CgroupRoot string        `json:"cgroupRoot"`
	Namespaces []string      `json:"namespaces"`
	Zone       string        `json:"zone"`
	State      string        `json:"state"`
	Pins       string        `json:"pins"`
	Wire       string        `json:"wire"`
}

type agentCgroup struct {
	Path     string `json:"path"`
	Workload string `json:"workload"`
}

func (s *stage) agentConfig(host, wire string) agentConfig {
	prefix := s.lab.Prefix()
	c := agentConfig{
		Name: host, Policy: filepath.Join(runDir(prefix), "policy"), CgroupRoot: filepath.Join("/", prefix, host), // below the mount, wherever that is

		Namespaces: []string{s.hosts[host].NamespacePath()}, Zone: "unassigned",
		State: filepath.Join(runDir(prefix), "state-"+host), Pins: filepath.Join(pinDir(prefix), host), Wire: wire,
	}
	for _, p := range players() {
		if p.Host == host {
			c.Cgroups = append(c.Cgroups, agentCgroup{filepath.Join(c.CgroupRoot, p.Name), p.Name})
		}
	}
	return c
}

// enforce starts the agent of every host. It does not wait until they enforce.
func (s *stage) enforce(wire string) error {
	dir := runDir(s.lab.Prefix())
	s.agents = &agents{dir: dir, procs: map[string]*agentProcess{}, failed: make(chan error, len(estateHosts))}
	if err := s.noteLocks(); err != nil {
		return err
	}
	for _, host := range estateHosts {
		text, err := json.MarshalIndent(s.agentConfig(host, wire), "", "  ")
		if err != nil {
			return err
		}
		config := filepath.Join(dir, "agent-"+host+".yaml")
		if err := os.WriteFile(config, text, 0o644); err != nil {
			return err
		}
		if err := s.startAgent(host, config); err != nil {
			return fmt.Errorf("the agent of %s: %w", host, err)
		}
	}
	return nil
}

func (s *stage) agentGroup(host string) string {
	return filepath.Join(s.lab.Cgroup(), "agents", host)
}

func (s *stage) startAgent(host, config string) error {
	group := s.agentGroup(host)
	if err := os.MkdirAll(group, 0o755); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(s.agents.dir, "agent-"+host+".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	args := append(s.self[1:len(s.self):len(s.self)], "agent", "--config", config)
	p := &agentProcess{cmd: exec.Command(s.self[0], args...), log: log.Name(), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.Dir = "/"
	p.cmd.SysProcAttr = apart()
	if err := lab.StartIn(group, p.cmd); err != nil {
		return err
	}
	s.agents.procs[host] = p
	go func() {
		err := p.cmd.Wait()
		close(p.done)
		s.agents.failed <- fmt.Errorf("the agent of %s ended (%w): %s", host, orNil(err), lastLine(p.log))
	}()
	return nil
}

// orNil makes a nil error printable.
func orNil(err error) error {
	if err == nil {
		return errors.New("without an error")
	}
	return err
}

// lastLine returns the last line of a log that is not empty.
func lastLine(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return strings.TrimPrefix(string(lines[len(lines)-1]), "firebreak: ")
}

// agentPatience is how long an agent may take to end when it is asked to.
const agentPatience = 3 * time.Second

// dismiss asks every agent to end, and insists.
func (a *agents) dismiss() {
	for _, p := range a.procs {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
	}
	ctx, cancel := context.WithTimeout(context.Background(), agentPatience)
	defer cancel()
	for _, p := range a.procs {
		select {
		case <-p.done:
		case <-ctx.Done():
			_ = p.cmd.Process.Kill()
			<-p.done
		}
	}
}
