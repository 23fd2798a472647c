package demo

import (
	"slices"
	"sync"
	"time"

	"firebreak/internal/demo/actor"
)

// ledger counts what attacks reached, from what the attacker and the victims
// say. It knows nothing of what Firebreak says. It is safe for concurrent use.
type ledger struct {
	mu      sync.Mutex
	entries map[string]*entry
	tries   map[actor.Sight]*try
	early   map[actor.Sight]time.Time // sights of tries that are not announced yet
	alive   map[sessionKey]bool
}

type sessionKey struct {
	family actor.Family
	phase  string
}

// entry is an attack's account.
type entry struct {
	open, enforced tally
	began          time.Time // the first packet, enforced
}

type tally struct{ attempts, reached, answered int }

// try is one attempt, found by what a victim sees of it.
type try struct {
	tally   *tally
	reached bool
	seen    bool // by a victim
	over    bool
}

func newLedger() *ledger {
	return &ledger{entries: map[string]*entry{}, tries: map[actor.Sight]*try{}, early: map[actor.Sight]time.Time{}, alive: map[sessionKey]bool{}}
}

// earliness is how much sooner a victim's word may come in than the
// attacker's: they travel on different connections.
const earliness = 5 * time.Second

// note takes in what an actor says.
func (l *ledger) note(r actor.Report) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case r.Attempt != nil:
		l.attempt(r.Attempt)
	case r.Sight != nil:
		l.sight(*r.Sight)
	case r.Session != nil && r.Session.Alive:
		l.alive[sessionKey{r.Session.Family, r.Session.Phase}] = true
	case r.Stage != nil && r.Stage.Begin && r.Stage.Phase == actor.OrderEnforce:
		if e := l.entry(r.Stage.Attack); e.began.IsZero() {
			e.began = r.Stage.Time
		}
	}
}

func (l *ledger) entry(name string) *entry {
	e := l.entries[name]
	if e == nil {
		e = &entry{}
		l.entries[name] = e
	}
	return e
}

func (l *ledger) attempt(a *actor.Attempt) {
	if !a.Over {
		e := l.entry(a.Attack)
		t := &try{tally: &e.open}
		if a.Phase == actor.OrderEnforce {
			t.tally = &e.enforced
		}
		t.tally.attempts++
		l.tries[a.Sight] = t
		if at, ok := l.early[a.Sight]; ok {
			delete(l.early, a.Sight)
			if time.Since(at) < earliness {
				t.seen = true
				t.reach()
			}
		}
		return
	}
	t := l.tries[a.Sight]
	if t == nil || t.over {
		return
	}
	t.over = true
	if a.Answered {
		t.tally.answered++
	}
	if a.Reached {
		t.reach()
	}
}

func (l *ledger) sight(s actor.Sight) {
	if t := l.tries[s]; t != nil {
		t.seen = true
		t.reach()
		return
	}
	if len(l.early) < maxEarly {
		l.early[s] = time.Now()
	}
}

// maxEarly bounds the sights that wait for their attempt.
const maxEarly = 10_000

// reach counts a try once, whoever saw it first.
func (t *try) reach() {
	if !t.reached {
		t.reached = true
		t.tally.reached++
	}
}

// strays returns how many sights belong to no attempt. There should be none.
func (l *ledger) strays() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.early)
}

// began returns when an attack's first packet went out, enforced; zero before.
func (l *ledger) began(name string) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.entry(name).began
}

// attacks returns every attack's account, without drops.
func (l *ledger) attacks() []Attack {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []Attack
	for _, a := range attacks() {
		e := l.entry(a.Name)
		out = append(out, Attack{
			Name: a.Name, Family: a.Family.String(), From: takenService, To: a.To, Traffic: a.Traffic,
			AttemptsOpen: e.open.attempts, ReachedOpen: e.open.reached,
			Attempts: e.enforced.attempts, Reached: e.enforced.reached, Answered: e.enforced.answered,
			FirstDropMs: -1,
		})
	}
	return out
}

// sessions returns what became of the connections that were opened before.
func (l *ledger) sessions() []Session {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []Session
	for _, h := range attackerConfig().Hold {
		out = append(out, Session{
			Name: h.Name, Family: h.Family.String(), From: takenService, To: "orders-db", Traffic: traffic(h.Kind, h.Numbers),
			AliveOpen: l.alive[sessionKey{h.Family, actor.OrderOpen}], Alive: l.alive[sessionKey{h.Family, actor.OrderEnforce}],
		})
	}
	return out
}

// percentiles of samples in µs; zero where there are none.
func percentiles(s actor.Samples) Percentiles {
	p := Percentiles{Requests: len(s.Micros) + s.Failed, Failed: s.Failed}
	if len(s.Micros) == 0 {
		return p
	}
	sorted := slices.Sorted(slices.Values(s.Micros))
	at := func(q float64) int64 { return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))] }
	p.P50us, p.P99us = at(0.50), at(0.99)
	return p
}
