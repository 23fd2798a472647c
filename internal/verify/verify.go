// Package verify is the symbolic engine: it answers for all pairs of peers,
// all traffic and all circumstances at once what the reference evaluator
// answers for one conversation.
//
// The workloads that no rule can tell apart are one identity, and the addresses
// that none can tell apart are one peer. For every pair of peers the engine
// keeps the set of rules that speak of it; there are far fewer such sets than
// pairs, so that everything else is worked out once per set: what passes, by
// which rule, and what would pass without the guardrails.
package verify

import (
	"slices"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"firebreak/internal/policy"
	"firebreak/internal/verify/space"
)

// Engine answers questions about one policy. Between calls of Update it is
// immutable and safe for concurrent use.
type Engine struct {
	p       *policy.Policy
	options Options
	space   *space.Space
	spaceOf map[*policy.Condition]bool // that space was made of

	peers   peers
	ends    ends
	rules   rules
	lists   lists
	fresh   int       // how many lists there were after everything was last made anew
	cells   [][]int32 // by from, to: the list of items that speak of the pair
	tables  []*table  // by list; nil for one that no pair has had yet
	used    []use     // by list but list 0
	bits    []uint8   // by peer: what its zone's default lets pass
	packed  []uint32  // by peer: see workloadEnd
	quick   []quick   // by list
	runs    runs
	kept    int // runs that there were when all were made
	managed *roaring.Bitmap
	holds   map[held]*space.Set

	addresses addressTable
}

// Options are what the answers depend on beside the policy.
type Options struct {
	// At is the present: nothing is said of instants before it. Horizon is how
	// far ahead of it weekly windows are looked at; 0 is a year. What expires
	// later than that does not expire.
	At      time.Time
	Horizon time.Duration
	// Also are conditions that no rule of the policy has, and that sets are to be
	// compared with (see Space). Set them only for what is never updated.
	Also []*policy.Condition
}

const defaultHorizon = 366 * 24 * time.Hour

// New computes everything about a policy. The only error is of conditions
// too many to tell apart (*space.TooManyError).
func New(p *policy.Policy, o Options) (*Engine, error) {
	e := empty(o)
	return e, e.Update(p)
}

// NewPair is New for two policies whose sets can be compared.
func NewPair(a, b *policy.Policy, o Options) (*Engine, *Engine, error) {
	x, y := empty(o), empty(o)
	if err := x.newSpace(conditions(a, b)); err != nil {
		return nil, nil, err
	}
	y.space, y.spaceOf = x.space, x.spaceOf
	if err := x.Update(a); err != nil {
		return nil, nil, err
	}
	return x, y, y.Update(b)
}

func empty(o Options) *Engine {
	if o.Horizon == 0 {
		o.Horizon = defaultHorizon
	}
	return &Engine{options: o}
}

// Policy returns the policy that the engine answers about.
func (e *Engine) Policy() *policy.Policy { return e.p }

// At returns the present that the engine was given.
func (e *Engine) At() time.Time { return e.options.At }

// Covers reports whether an instant is one that the engine's sets speak of.
func (e *Engine) Covers(t time.Time) bool {
	return !t.Before(e.options.At) && t.Before(e.options.At.Add(e.options.Horizon))
}

// Space returns the alphabet of the engine's sets.
func (e *Engine) Space() *space.Space { return e.space }

// Update goes over to another policy and computes anew only what depends on
// what has changed. The answers are those of a fresh engine. After an error
// the engine answers nothing any more.
func (e *Engine) Update(p *policy.Policy) error {
	alphabet, err := e.alphabet(p)
	if err != nil {
		return err
	}
	e.p = p
	again := e.tidy()
	moved := e.peers.update(p)
	e.resize(moved)
	changes := e.rules.update(e, moved)
	e.apply(changes)
	switch {
	case changes.reordered:
		e.forget(func(*table) bool { return true })
	case alphabet:
		e.forget(func(t *table) bool { return t.conditional })
	}
	e.compile()
	if again {
		e.fresh = len(e.lists.parent)
	}
	e.addresses.update(p)
	return e.space.Err()
}

// Lists that no pair has any more, and rules that are gone, are only forgotten
// all at once: when there are mostFold times as many lists as there need be.
const (
	mostFold = 8
	fewLists = 512
)

// tidy forgets everything but the peers, whose numbers have been handed out, if
// it is time to, or the first time. It reports whether it did.
func (e *Engine) tidy() bool {
	if e.fresh > 0 && len(e.lists.parent) <= mostFold*max(e.fresh, fewLists) {
		return false
	}
	e.ends, e.rules, e.lists = ends{}, rules{}, lists{}
	e.lists.init()
	e.rules.init()
	e.cells, e.tables, e.used = nil, nil, make([]use, 1)
	return true
}

// alphabet makes a new space if there are conditions that the present one does
// not know, and reports whether it has.
func (e *Engine) alphabet(p *policy.Policy) (bool, error) {
	conds := append(conditions(p), e.options.Also...)
	known := func(c *policy.Condition) bool { return e.spaceOf[c] }
	if e.space != nil && !slices.ContainsFunc(conds, func(c *policy.Condition) bool { return !known(c) }) {
		return false, nil
	}
	return true, e.newSpace(conds)
}

func (e *Engine) newSpace(conds []*policy.Condition) (err error) {
	e.space, err = space.New(conds, space.Horizon{From: e.options.At, To: e.options.At.Add(e.options.Horizon)})
	e.spaceOf = make(map[*policy.Condition]bool, len(conds))
	for _, c := range conds {
		e.spaceOf[c] = true
	}
	return err
}

// conditions lists the conditions of policies, each once.
func conditions(of ...*policy.Policy) []*policy.Condition {
	seen := map[*policy.Condition]bool{}
	var out []*policy.Condition
	for _, p := range of {
		for i := range p.Rules {
			if c := p.Rules[i].Cond; c != nil && !seen[c] {
				seen[c] = true
				out = append(out, c)
			}
		}
	}
	return out
}
