package httpapi

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"firebreak/internal/observe"
	"firebreak/internal/wire"
)

// Agent is an agent's last status, and whether it is connected now.
type Agent struct {
	wire.Status
	Connected bool   `json:"connected"`
	Unsent    uint64 `json:"unsent"` // conversations that it could not send in time
}

// Snapshot is everything there is to show at one moment.
type Snapshot struct {
	Now      time.Time              `json:"now"`
	Seq      uint64                 `json:"seq"` // of the last Batch that is contained
	Estate   string                 `json:"estate"`
	Zones    []wire.ZoneInfo        `json:"zones"`
	Services []wire.ServiceInfo     `json:"services"`
	Rules    []wire.RuleInfo        `json:"rules"`
	Agents   []Agent                `json:"agents"`
	Edges    []observe.Edge         `json:"edges"`
	Totals   observe.Totals         `json:"totals"`
	Flows    []observe.Conversation `json:"flows"` // newest first
	Bins     []observe.Bin          `json:"bins"`  // of the last 60 s, oldest first
	Recorded bool                   `json:"recorded,omitempty"`
}

// Batch is what changed since the batch before. A list that is absent has not
// changed.
type Batch struct {
	Now      time.Time              `json:"now"`
	Seq      uint64                 `json:"seq"`
	Flows    []observe.Conversation `json:"flows,omitempty"`   // oldest first; one that was corrected comes again with its ID
	Skipped  uint64                 `json:"skipped,omitempty"` // flows that this reader was too slow to be given
	Edges    []observe.Edge         `json:"edges,omitempty"`   // absolute values; one with no flows is gone
	Bins     []observe.Bin          `json:"bins,omitempty"`    // to be added; negative where a report was corrected
	Agents   []Agent                `json:"agents,omitempty"`  // the whole list
	Estate   string                 `json:"estate,omitempty"`
	Zones    []wire.ZoneInfo        `json:"zones,omitempty"`
	Services []wire.ServiceInfo     `json:"services,omitempty"`
	Rules    []wire.RuleInfo        `json:"rules,omitempty"`
	Totals   *observe.Totals        `json:"totals,omitempty"`
	Lost     *uint64                `json:"lost,omitempty"` // as in Totals, if it has changed
}

// Bounds of what is shown at once.
const (
	snapshotFlows = 500
	snapshotBins  = 20_000
	shownRanges   = 64 // ranges of ports of one edge
	maxHosts      = 4096
)

// state is everything the server knows. It is safe for concurrent use.
type state struct {
	mu       sync.Mutex
	agg      *observe.Aggregate
	recorded bool
	agents   map[string]*Agent
	catalogs map[string]*wire.Catalog
	seq      uint64
	lost     uint64 // as in the last batch
	news     struct{ agents, catalogs bool }
}

func newState(l observe.Limits, recorded bool) *state {
	return &state{
		agg: observe.New(l), recorded: recorded,
		agents: map[string]*Agent{}, catalogs: map[string]*wire.Catalog{},
	}
}

// agent returns an agent by its host's name, nil if there are too many.
func (s *state) agent(host string) *Agent {
	a := s.agents[host]
	if a == nil && len(s.agents) < maxHosts {
		a = &Agent{Status: wire.Status{Host: host}}
		s.agents[host] = a
	}
	return a
}

// enter marks an agent as connected, unless one of that name already is.
func (s *state) enter(host string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.agent(host)
	if a == nil || a.Connected {
		return false
	}
	a.Connected, s.news.agents = true, true
	return true
}

// leave marks an agent as gone; its last status stays.
func (s *state) leave(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.agents[host]; a != nil {
		a.Connected, s.news.agents = false, true
	}
}

// take adds a message and reports whether there is now something to tell.
func (s *state) take(m wire.Message, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.agg.Take(m, now)
	switch {
	case m.Hello != nil:
		if a := s.agent(m.Hello.Host); a != nil {
			a.Kernel, a.Tier, a.Connected = m.Hello.Kernel, m.Hello.Tier, true
		}
		s.news.agents = true
	case m.Status != nil:
		if a := s.agent(m.Status.Host); a != nil {
			kernel, tier := a.Kernel, a.Tier // from its hello
			a.Status = *m.Status
			a.Kernel, a.Tier = cmp.Or(a.Kernel, kernel), cmp.Or(a.Tier, tier)
		}
		s.news.agents = true
	case m.Unsent != nil:
		if a := s.agent(m.Unsent.Host); a != nil {
			a.Unsent = m.Unsent.Flows
		}
		s.news.agents = true
	case m.Catalog != nil:
		if len(s.catalogs) < maxHosts || s.catalogs[m.Catalog.Host] != nil {
			s.catalogs[m.Catalog.Host] = m.Catalog
		}
		s.news.catalogs = true
	default:
		return m.Flows != nil || m.Bins != nil
	}
	return true
}

func (s *state) totals() observe.Totals {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.agg.Totals()
}

func (s *state) edges() []observe.Edge {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.agg.Edges()
}

func (s *state) recent(limit int, match func(*observe.Conversation) bool) []observe.Conversation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.agg.Recent(limit, match)
}

// batch returns what is new, nil if nothing is. later means that there will be
// more without anything happening. The caller holds the lock.
func (s *state) batch(now time.Time) (b *Batch, later bool) {
	c := s.agg.Changes(now, shownRanges)
	if len(c.Flows)+len(c.Edges)+len(c.Bins) == 0 && c.Totals == nil && c.Skipped == 0 && !s.news.agents && !s.news.catalogs {
		return nil, c.Later
	}
	s.seq++
	b = &Batch{Now: now, Seq: s.seq, Flows: c.Flows, Skipped: c.Skipped, Edges: c.Edges, Bins: c.Bins, Totals: c.Totals}
	if c.Totals != nil && c.Totals.Lost != s.lost {
		s.lost = c.Totals.Lost
		b.Lost = &c.Totals.Lost
	}
	if s.news.agents {
		b.Agents = s.agentList()
	}
	if s.news.catalogs {
		b.Estate, b.Zones, b.Services, b.Rules = s.catalog()
	}
	s.news.agents, s.news.catalogs = false, false
	return b, c.Later
}

// snapshot returns everything. The caller holds the lock and has just taken a
// batch, so that nothing is both in the snapshot and in a later batch.
func (s *state) snapshot(now time.Time) *Snapshot {
	out := &Snapshot{
		Now: now, Seq: s.seq, Agents: s.agentList(), Edges: s.agg.EdgesUpTo(shownRanges), Totals: s.agg.Totals(),
		Flows: s.agg.Recent(snapshotFlows, nil), Bins: s.agg.Timeline(snapshotBins), Recorded: s.recorded,
	}
	out.Estate, out.Zones, out.Services, out.Rules = s.catalog()
	return out
}

func (s *state) agentList() []Agent {
	out := make([]Agent, 0, len(s.agents))
	for _, host := range slices.Sorted(maps.Keys(s.agents)) {
		out = append(out, *s.agents[host])
	}
	return out
}

// catalog joins what the agents have in force. Where they disagree, the newest
// revision is shown; each agent's own revision is in its status.
func (s *state) catalog() (estate string, zones []wire.ZoneInfo, services []wire.ServiceInfo, rules []wire.RuleInfo) {
	all := slices.SortedFunc(maps.Values(s.catalogs), func(a, b *wire.Catalog) int {
		return cmp.Or(cmp.Compare(b.Revision, a.Revision), cmp.Compare(a.Host, b.Host))
	})
	zones, services, rules = []wire.ZoneInfo{}, []wire.ServiceInfo{}, []wire.RuleInfo{}
	seenZones, seenServices, seenRules := map[string]bool{}, map[string]bool{}, map[ruleKey]bool{}
	for _, c := range all {
		estate = cmp.Or(estate, c.Estate)
		zones = appendNew(zones, c.Zones, seenZones, func(z wire.ZoneInfo) string { return z.Name })
		services = appendNew(services, c.Services, seenServices, func(z wire.ServiceInfo) string { return z.Name })
		rules = appendNew(rules, c.Rules, seenRules, func(r wire.RuleInfo) ruleKey {
			return ruleKey{r.Policy, r.Rule.Rule, r.File, r.Line}
		})
	}
	return estate, zones, services, rules
}

type ruleKey struct {
	policy, rule, file string
	line               int
}

func appendNew[T any, K comparable](out, more []T, seen map[K]bool, key func(T) K) []T {
	for _, v := range more {
		if k := key(v); !seen[k] {
			seen[k] = true
			out = append(out, v)
		}
	}
	return out
}
