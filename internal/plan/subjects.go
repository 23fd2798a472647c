package plan

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"firebreak/internal/flow"
	"firebreak/internal/netset"
	"firebreak/internal/verify"
	"firebreak/internal/verify/space"
)

// builder makes the subjects of a Wanted.
type builder struct {
	w      *Wanted
	o      Options
	peers  []verify.Peer
	sets   map[setKey]int // to an index into grants
	grants []Grant        // without peers, each content once
}

// setKey is everything that what passes at one end depends on.
type setKey struct {
	class int
	zone  int
	dir   flow.Direction
	timed bool // somebody keeps time at this end
}

// subjects puts identities together whose zone, services and rows are the same.
func (b *builder) subjects() {
	e, p := b.w.Engine, b.w.Policy
	for x := range e.Peers() {
		if e.Exists(verify.Peer(x)) {
			b.peers = append(b.peers, verify.Peer(x))
		}
	}
	at := map[string]int{}
	b.w.subjectOf = make([]int, len(p.Identities))
	var key []byte
	for id := range p.Identities {
		self := e.OfIdentity(id)
		services := p.ServicesOf[p.Identities[id].Workloads[0]]
		timed := b.keepsTime(id)
		in, out := b.row(self, flow.Ingress, timed), b.row(self, flow.Egress, timed)
		key = binary.AppendVarint(key[:0], int64(p.Identities[id].Zone))
		if timed {
			key = append(key, 0xfe)
		}
		for _, s := range services {
			key = binary.AppendVarint(key, int64(s))
		}
		key = append(key, 0xff)
		for _, n := range in {
			key = binary.AppendVarint(key, int64(n))
		}
		for _, n := range out {
			key = binary.AppendVarint(key, int64(n))
		}
		i, known := at[string(key)]
		if !known {
			i = len(b.w.Subjects)
			at[string(key)] = i
			b.w.Subjects = append(b.w.Subjects, Subject{
				Zone: p.Identities[id].Zone, Services: services, KeepsTime: timed, Ingress: b.gather(in), Egress: b.gather(out),
			})
		}
		b.w.Subjects[i].Identities = append(b.w.Subjects[i].Identities, id)
	}
	b.name()
	b.sort()
}

// keepsTime reports whether somebody keeps time for all workloads of an identity.
func (b *builder) keepsTime(id int) bool {
	if b.o.KeepsTime == nil {
		return false
	}
	p := b.w.Policy
	return !slices.ContainsFunc(p.Identities[id].Workloads, func(i int) bool { return !b.o.KeepsTime(&p.Inventory.Workloads[i]) })
}

// row lists, by peer, which grant holds between an end and the peer.
func (b *builder) row(self verify.Peer, dir flow.Direction, timed bool) []int {
	e := b.w.Engine
	zone := e.Zone(self)
	out := make([]int, len(b.peers))
	for i, x := range b.peers {
		from, to := self, x
		if dir == flow.Ingress {
			from, to = x, self
		}
		key := setKey{e.Class(from, to), zone, dir, timed}
		n, known := b.sets[key]
		if !known {
			n = b.grant(from, to, key)
			b.sets[key] = n
		}
		out[i] = n
	}
	return out
}

// grant finds what passes at one end, and returns the index of its content.
func (b *builder) grant(from, to verify.Peer, key setKey) int {
	at := b.w.Engine.Leaving
	if key.dir == flow.Ingress {
		at = b.w.Engine.Arriving
	}
	set, _ := at(from, to, !b.w.ToCome)
	g := Grant{Set: set, Open: set.Ports(), Exact: true}
	if !set.Equal(space.Plain(set.Whole())) {
		b.clauses(&g, from, to, key.timed || b.w.observes(key.zone))
	}
	for i := range b.grants {
		if same(&b.grants[i], &g) {
			return i
		}
	}
	b.grants = append(b.grants, g)
	return len(b.grants) - 1
}

func same(a, b *Grant) bool {
	return a.Set.Equal(b.Set) && a.Open.Equal(b.Open) && slices.EqualFunc(a.Clauses, b.Clauses, func(x, y Clause) bool {
		return x.Deny == y.Deny && x.Cond == y.Cond && x.Rule == y.Rule && x.Traffic.Equal(y.Traffic)
	})
}

// clauses says a set with conditions in clauses.
func (b *builder) clauses(g *Grant, from, to verify.Peer, timed bool) {
	e := b.w.Engine
	whole := g.Set.Whole()
	rest := g.Set.Ports().Subtract(whole)
	if !whole.IsEmpty() {
		g.Clauses = append(g.Clauses, Clause{Traffic: whole})
	}
	var allows, denies space.Set
	for _, part := range e.Parts(from, to, !b.w.ToCome) {
		n := part.By.Rule()
		if n < 0 {
			continue
		}
		r := &b.w.Policy.Rules[n]
		t := part.Set.Ports().Intersect(rest)
		if t.IsEmpty() || !part.Permits && r.Cond == nil {
			continue
		}
		g.Clauses = append(g.Clauses, Clause{Deny: !part.Permits, Traffic: t, Cond: r.Cond, Rule: r.Ref})
		said, _ := e.Space().Of(t, r.Cond, !part.Permits)
		if part.Permits {
			allows = allows.Union(said)
		} else {
			denies = denies.Union(said)
		}
	}
	conditional := g.Set.Subtract(space.Plain(whole))
	if left := conditional.Subtract(allows); !left.IsEmpty() {
		g.Clauses = append(g.Clauses, Clause{Traffic: left.Ports()})
		allows = allows.Union(space.Plain(left.Ports()))
	}
	g.Exact = allows.Subtract(denies).Equal(conditional)
	g.Open = open(g.Clauses, timed)
}

// open is what the allows permit to those who see only ports. What holds at some
// times only is open where somebody else keeps time.
func open(clauses []Clause, kept bool) netset.Traffic {
	out := netset.None()
	for _, c := range clauses {
		timed := c.Cond != nil && (c.Cond.When != nil || !c.Cond.Expires.IsZero())
		if !c.Deny && (!timed || kept) {
			out = out.Union(c.Traffic)
		}
	}
	return out
}

// gather turns a row into grants, without what lets nothing pass.
func (b *builder) gather(row []int) []Grant {
	var out []Grant
	at := map[int]int{}
	for i, n := range row {
		if b.grants[n].Set.IsEmpty() {
			continue
		}
		k, known := at[n]
		if !known {
			k = len(out)
			at[n] = k
			out = append(out, b.grants[n])
		}
		out[k].Peers = append(out[k].Peers, b.peers[i])
	}
	return out
}

// name gives every subject its name.
func (b *builder) name() {
	p := b.w.Policy
	used := map[string]int{}
	for i := range b.w.Subjects {
		s := &b.w.Subjects[i]
		name := "zone-" + p.Zones[s.Zone].Name
		if len(s.Services) > 0 {
			var names []string
			for _, n := range s.Services {
				names = append(names, p.Services[n].Name)
			}
			name = strings.Join(names, "+")
		}
		used[name]++
		if s.Name = name; used[name] > 1 {
			s.Name = fmt.Sprintf("%s-%d", name, used[name])
		}
	}
}

func (b *builder) sort() {
	slices.SortFunc(b.w.Subjects, func(x, y Subject) int { return strings.Compare(x.Name, y.Name) })
	for i := range b.w.Subjects {
		for _, id := range b.w.Subjects[i].Identities {
			b.w.subjectOf[id] = i
		}
	}
}
