package demo

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"firebreak/internal/demo/actor"
	"firebreak/internal/flow"
)

// watcher subscribes to the server as a page does and notes what came when. It
// is safe for concurrent use.
type watcher struct {
	base string // http://host:port

	mu     sync.Mutex
	drops  []drop
	agents map[string]agentInfo
	totals Counts
	books  books
	change chan struct{} // closed and replaced at every event
}

// How long totals must be without change before they are final, and how long
// that may take.
const (
	settleTime = 400 * time.Millisecond
	settleMax  = 10 * time.Second
)

// drop is a drop of the taken workload's as a page sees it.
type drop struct {
	flow    flow.Flow
	arrived time.Time
}

// maxDrops bounds what is remembered: far more than one round of attacks.
const maxDrops = 20_000

// The parts of the server's API that are read here.
type (
	agentInfo struct {
		Host      string `json:"host"`
		Tier      string `json:"tier"`
		Kernel    string `json:"kernel"`
		Revision  uint64 `json:"revision"`
		Connected bool   `json:"connected"`
		Error     string `json:"error"`
	}
	conversation struct {
		ID uint64 `json:"id"` // one that was corrected comes again
		flow.Flow
	}
	update struct {
		Agents []agentInfo    `json:"agents"`
		Flows  []conversation `json:"flows"`
		Totals *Counts        `json:"totals"`
	}
)

func newWatcher(base string) *watcher {
	return &watcher{base: base, agents: map[string]agentInfo{}, books: newBooks(), change: make(chan struct{})}
}

// run takes in events until ctx ends or the stream breaks. It calls ready when
// the first has come.
func (w *watcher) run(ctx context.Context, ready func()) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.base+"/api/v1/stream", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the page's stream: %s", resp.Status)
	}
	lines := bufio.NewReaderSize(resp.Body, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return err
		}
		data, ok := strings.CutPrefix(string(line), "data:")
		if !ok {
			continue
		}
		arrived := time.Now()
		var u update
		if err := json.Unmarshal([]byte(data), &u); err != nil {
			return fmt.Errorf("the page's stream: %w", err)
		}
		w.take(&u, arrived)
		if ready != nil {
			ready()
			ready = nil
		}
	}
}

func (w *watcher) take(u *update, arrived time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range u.Agents {
		w.agents[a.Host] = a
	}
	for i := range u.Flows {
		f := &u.Flows[i]
		w.books.enter(f.ID, &f.Flow)
		if f.Verdict == flow.Dropped && f.From == taken && len(w.drops) < maxDrops {
			w.drops = append(w.drops, drop{f.Flow, arrived})
		}
	}
	if u.Totals != nil {
		w.totals = *u.Totals
	}
	close(w.change)
	w.change = make(chan struct{})
}

// news returns a channel that is closed when something comes.
func (w *watcher) news() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.change
}

// settle waits until the totals have not changed for a while and the books
// agree with them, but not for ever.
func (w *watcher) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, settleMax)
	defer cancel()
	for {
		before, change := w.counts(), w.news()
		quiet := time.NewTimer(settleTime)
		for still := true; still; {
			select {
			case <-change:
				change, still = w.news(), w.counts() == before
			case <-quiet.C:
				if w.agree() {
					return
				}
				still = false
			case <-ctx.Done():
				quiet.Stop()
				return
			}
		}
		quiet.Stop()
	}
}

// agree reports whether the conversations that came sum up to the totals.
func (w *watcher) agree() bool {
	_, _, complete := w.result()
	return complete
}

// result returns the edges and the totals of the conversations that came, and
// whether that is all there were.
func (w *watcher) result() (edges []Edge, sums Counts, complete bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	sums = w.books.counts()
	sums.Lost, sums.Unsent = w.totals.Lost, w.totals.Unsent
	return w.books.edges(), sums, sums == w.totals
}

// counts returns the totals as last told.
func (w *watcher) counts() Counts {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.totals
}

// await waits until every host's agent is connected and has a policy in force.
// An agent that refuses its policy is an error at once.
func (w *watcher) await(ctx context.Context, hosts []string) error {
	for {
		w.mu.Lock()
		change, missing := w.change, []string(nil)
		var refused error
		for _, h := range hosts {
			a, ok := w.agents[h]
			if ok && a.Error != "" {
				refused = fmt.Errorf("the agent of %s: %s", h, a.Error)
			}
			if !ok || !a.Connected || a.Revision == 0 {
				missing = append(missing, h)
			}
		}
		w.mu.Unlock()
		if refused != nil || len(missing) == 0 {
			return refused
		}
		select {
		case <-change:
		case <-ctx.Done():
			return fmt.Errorf("no agent has enforced on %s: %w", strings.Join(missing, ", "), ctx.Err())
		}
	}
}

// tier returns the weakest of the agents' tiers, and a kernel's release.
func (w *watcher) tier() (tier, release string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	tier = "full"
	for _, a := range w.agents {
		if a.Tier != "" && a.Tier != "full" {
			tier = a.Tier
		}
		if a.Kernel != "" {
			release = a.Kernel
		}
	}
	return tier, release
}

// firstDrop returns how long after began the first drop of an attack arrived,
// in ms; -1 if none has.
func (w *watcher) firstDrop(a attack, began time.Time) float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if began.IsZero() {
		return -1
	}
	for _, d := range w.drops {
		// The kernel's clock and ours are matched to well within a pause
		// between attacks.
		if d.flow.Time.After(began.Add(-time.Millisecond)) && a.matches(&d.flow) {
			return float64(d.arrived.Sub(began).Microseconds()) / 1000
		}
	}
	return -1
}

// matches reports whether a flow belongs to the attack, by where it goes.
func (a attack) matches(f *flow.Flow) bool {
	if f.Dst.Unmap() != a.Target {
		return false
	}
	protocol := map[actor.Kind]map[actor.Family]uint8{
		actor.Line: {4: 6, 6: 6}, actor.SYN: {4: 6, 6: 6}, actor.UDP: {4: 17, 6: 17}, actor.ICMP: {4: 1, 6: 58},
	}[a.Kind][a.Family]
	if f.Protocol != protocol {
		return false
	}
	if a.Kind == actor.ICMP {
		return true
	}
	for _, n := range a.Numbers {
		if f.DstPort == n {
			return true
		}
	}
	return false
}
