package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"firebreak/internal/wire"
)

// report tells the server and leaves in the state directory how things are.
func (a *agent) report(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	a.attributor.clock.Store(a.sys.Clock())
	s := wire.Status{
		Host: a.cfg.Name, Kernel: a.release, Tier: a.tier, Revision: a.kernel.Revision(),
		Endpoints: a.current.endpoints(), Entries: len(a.current.tables.Policy),
		Lag: a.lags.p99(), Error: a.complaint, Time: time.Now(), Unenforced: len(a.current.unenforced),
	}
	lost, err := a.evidence.Lost()
	if err != nil {
		s.Error = fmt.Sprintf("what was lost cannot be read: %v", err)
	}
	s.Lost = lost
	a.sender.Send(wire.Message{Version: wire.Version, Status: &s})
	a.writeStatus(s)
}

// noteServer logs when the server goes away and comes back.
func (a *agent) noteServer() {
	now := "telling the server at " + a.cfg.Wire
	if a.cfg.Wire == "" {
		now = ""
	} else if err := a.sender.Err(); err != nil {
		now = "enforcing without a server: " + err.Error()
	}
	if now != a.server {
		a.server = now
		a.logf("%s", now)
	}
}

func (a *agent) writeStatus(s wire.Status) {
	text, err := json.Marshal(s)
	if err == nil {
		err = a.state.replace(statusFile, text, false)
	}
	why := ""
	if err != nil {
		why = err.Error()
	}
	if why != "" && why != a.statusBroken {
		a.logf("%s", why)
	}
	a.statusBroken = why
}

// StatusReport is what `agent status` prints.
type StatusReport struct {
	Host      string `json:"host"`
	Kernel    string `json:"kernel"`
	Tier      string `json:"tier"`
	Running   bool   `json:"running"` // whether the agent's process is alive
	PID       int    `json:"pid,omitempty"`
	Enforcing bool   `json:"enforcing"` // whether the kernel holds a revision, also without the agent
	Revision  uint64 `json:"revision"`
	Endpoints int    `json:"endpoints"`
	Entries   int    `json:"entries"`
	Lost      uint64 `json:"lost"`
	Lag       int64  `json:"lag"` // ns from kernel event to wire, p99 of the last second
	Programs  int    `json:"programs"`
	Drops     any    `json:"drops,omitempty"`
	Error     string `json:"error,omitempty"`
	// Unenforced is how many rules here demand what the kernel cannot see.
	Unenforced int       `json:"unenforced"`
	Time       time.Time `json:"time"` // of the agent's last report; zero if there is none
}

// Pinned is what the pinned maps say, whether or not an agent runs.
type Pinned struct {
	Revision uint64
	Entries  int
	Cgroups  int
	Programs int
	Lost     uint64
	Drops    map[string]uint64 // packets by reason
}

// ReadStatus puts together what the kernel, the state directory and its lock
// say. read returns fs.ErrNotExist if nothing is pinned.
func ReadStatus(cfg *Config, probe func() (string, string, error), read func(pins string) (Pinned, error)) (*StatusReport, error) {
	r := &StatusReport{Host: cfg.Name}
	r.PID, r.Running = running(cfg.State)
	if last, err := lastStatus(cfg.State); err == nil {
		r.Kernel, r.Tier, r.Endpoints, r.Time = last.Kernel, last.Tier, last.Endpoints, last.Time
		r.Error, r.Lost, r.Unenforced = last.Error, last.Lost, last.Unenforced
		if r.Running {
			r.Lag = int64(last.Lag)
		}
	}
	if kernel, tier, err := probe(); err == nil {
		r.Kernel, r.Tier = kernel, tier
	} else if r.Tier == "" {
		return nil, err
	}
	pinned, err := read(cfg.Pins)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	r.Revision, r.Entries, r.Programs, r.Lost = pinned.Revision, pinned.Entries, pinned.Programs, pinned.Lost
	r.Enforcing = pinned.Revision > 0 && pinned.Programs > 0
	if r.Endpoints == 0 {
		r.Endpoints = pinned.Cgroups
	}
	if len(pinned.Drops) > 0 {
		r.Drops = pinned.Drops
	}
	return r, nil
}

func lastStatus(dir string) (*wire.Status, error) {
	text, err := readRegular(filepath.Join(dir, statusFile), maxState)
	if err != nil {
		return nil, err
	}
	var s wire.Status
	return &s, json.Unmarshal(text, &s)
}

// Forget removes what a detached host has no use for: the last status. Numbers
// stay, so that they are never reused. It fails while an agent runs.
func Forget(cfg *Config) error {
	s, err := openState(cfg.State)
	if err != nil {
		return err
	}
	defer s.close()
	return s.remove(statusFile)
}
