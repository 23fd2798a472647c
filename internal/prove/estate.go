package prove

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/verify"
	"firebreak/internal/verify/space"
)

// estate is the layers of an estate, and the intent if there is one, by ends.
type estate struct {
	u        *universe
	layers   []*compiled
	contents *contents
	known    map[spokenKey]*spoken
	inForce  bool
	at       time.Time

	proven, unproven space.Set // everything between peers that have, and have not, proven who they are
	requests         space.Set // all requests; empty unless a layer has a Shut that speaks of them
}

const defaultHorizon = 366 * 24 * time.Hour

// build compiles layers. p may be nil; without intent it only says what there is
// outside.
func build(inv *inventory.Snapshot, p *policy.Policy, intent bool, layers []*layer.Layer, o Options) (*estate, error) {
	if inv == nil {
		inv = &inventory.Snapshot{}
	}
	if o.Horizon == 0 {
		o.Horizon = defaultHorizon
	}
	g := gatherer{conds: map[*policy.Condition]bool{}, prefixes: map[netip.Prefix]bool{}, lists: map[*netip.Prefix]int{}, names: map[string]bool{}}
	g.layers(layers)
	mtls := &policy.Condition{MTLS: true}
	g.order = append(g.order, mtls)
	asked := anyRequest(layers)
	if asked != nil {
		g.order = append(g.order, asked)
	}
	u := &universe{inv: inv}
	e := &estate{u: u, contents: newContents(), known: map[spokenKey]*spoken{}, at: o.At}
	if p != nil {
		u.networks = p.Networks
		for i := range p.Externals {
			if len(p.Externals[i].FQDNs) > 0 {
				g.names[p.Externals[i].Name] = true
			}
			for _, c := range p.Externals[i].CIDRs {
				g.prefixes[c] = true
			}
		}
	}
	var err error
	if conds := g.order; intent {
		u.engine, err = verify.New(p, verify.Options{At: o.At, Horizon: o.Horizon, Also: conds})
		if err == nil {
			u.space = u.engine.Space()
		}
	} else {
		u.space, err = space.New(conds, space.Horizon{From: o.At, To: o.At.Add(o.Horizon)})
	}
	if err != nil {
		return nil, err
	}
	u.frontends = findFrontends(p, u.engine)
	for a := range u.frontends.at {
		g.prefixes[netip.PrefixFrom(a, a.BitLen())] = true
	}
	e.proven, _ = u.space.Of(netset.All(), mtls, false)
	e.unproven = everything.Subtract(e.proven)
	if asked != nil {
		e.requests, _ = u.space.Of(netset.All(), asked, false)
	}
	for n := range g.names {
		u.names = append(u.names, n)
	}
	slices.Sort(u.names)
	all := make([]netip.Prefix, 0, len(g.prefixes))
	for x := range g.prefixes {
		all = append(all, x)
	}
	u.findRegions(all)
	e.compile(layers, newIndex(u), o.byWay)
	return e, u.space.Err()
}

// compile divides the universe by what layers tell apart, and finds what they say
// of its ends. The layers are worked on side by side.
func (e *estate) compile(layers []*layer.Layer, x *index, byWay bool) {
	e.layers = make([]*compiled, len(layers))
	matchers := make([]*matcher, len(layers))
	var wait sync.WaitGroup
	for i, l := range layers {
		wait.Go(func() {
			matchers[i] = newMatcher(x)
			e.layers[i] = compile(l, e.u, matchers[i])
		})
	}
	wait.Wait()
	var ends, peers []*roaring.Bitmap
	for _, m := range matchers {
		ends, peers = append(ends, m.bitmaps(false)...), append(peers, m.bitmaps(true)...)
	}
	relays := slices.ContainsFunc(e.layers, (*compiled).relays)
	if relays || byWay {
		ends = append(ends, x.labelled("net/vpc")...)
	}
	if relays {
		ends = append(ends, x.speaking()...)
	}
	e.u.divide(ends, peers)
	for i, l := range e.layers {
		wait.Go(func() {
			l.lay(newClasses(e.u.class, len(e.u.ends)), newClasses(e.u.coarse, e.u.peers), matchers[i], e.contents)
		})
	}
	wait.Wait()
	for _, l := range e.layers {
		for x := range e.u.ends {
			if l.relay[x] {
				e.u.ends[x].relay = l.Target
			}
		}
	}
}

// gatherer finds everything that layers tell apart.
type gatherer struct {
	conds    map[*policy.Condition]bool
	order    []*policy.Condition
	prefixes map[netip.Prefix]bool
	lists    map[*netip.Prefix]int // long lists that have been seen
	names    map[string]bool
}

func (g *gatherer) layers(layers []*layer.Layer) {
	for _, l := range layers {
		g.list(l.Relays)
		for i := range l.Points {
			g.match(l.Points[i].Governs)
		}
		for i := range l.Unknown {
			g.match(l.Unknown[i].Concerns)
		}
		for i := range l.Leads {
			g.match(l.Leads[i].To)
		}
		for i := range l.Tables {
			g.table(&l.Tables[i])
		}
		for i := range l.Shut {
			g.match(l.Shut[i].Subject)
			g.match(l.Shut[i].Peer)
		}
	}
}

func (g *gatherer) table(t *layer.Table) {
	g.match(t.Governs)
	for _, tier := range t.Tiers {
		for i := range tier {
			r := &tier[i]
			g.match(r.Subject)
			g.match(r.Peer)
			if r.Cond != nil && !g.conds[r.Cond] {
				g.conds[r.Cond] = true
				g.order = append(g.order, r.Cond)
			}
		}
	}
}

func (g *gatherer) match(m layer.Match) {
	for i := range m {
		t := &m[i]
		g.list(t.Prefixes)
		g.list(t.Except)
		for _, n := range t.Names {
			g.names[n] = true
		}
		g.match(t.Not)
	}
}

func (g *gatherer) list(list []netip.Prefix) {
	if len(list) == 0 || g.lists[&list[0]] == len(list) {
		return
	}
	g.lists[&list[0]] = len(list)
	for _, p := range list {
		g.prefixes[p.Masked()] = true
	}
}
