package risk

import (
	"fmt"
	"slices"

	"firebreak/internal/policy"
	"firebreak/internal/verify"
)

// maker makes a Graph: see FromEngine.
type maker struct {
	e       *verify.Engine
	inForce bool
	g       *Graph
	node    []int32 // by peer; -1 for what does not exist
	keepers map[keeperOf]int32
	byClass map[passOf]int32 // index into Passes; -1: nothing passes
}

// passOf tells apart what may be different about pairs: which rules speak of
// them, and whose defaults decide the rest.
type passOf struct{ class, from, to int }

// keeperOf is a rule by its index, or the default of a zone.
type keeperOf struct{ rule, zone int }

// FromEngine makes the graph of a policy, the one in force or the one to come.
// A link is there if something may pass in some circumstances, from now to the
// engine's horizon, or if nobody knows whether it may: then it is Unknown. The
// second result gives the node of every peer, -1 for peers that do not exist.
func FromEngine(e *verify.Engine, inForce bool) (*Graph, []int32) {
	m := &maker{e: e, inForce: inForce, g: &Graph{}, keepers: map[keeperOf]int32{}, byClass: map[passOf]int32{}}
	for i := range e.Policy().Rules {
		if e.Policy().Rules[i].Effect == policy.Allow {
			m.keeper(keeperOf{i, -1}) // so that they are in the order of the policy
		}
	}
	var peers []verify.Peer
	m.node = make([]int32, e.Peers())
	for x := range m.node {
		m.node[x] = -1
		if e.Exists(verify.Peer(x)) {
			m.node[x] = int32(len(peers))
			peers = append(peers, verify.Peer(x))
			m.g.Nodes = append(m.g.Nodes, m.describe(verify.Peer(x)))
		}
	}
	m.g.Links = make([][]Link, len(peers))
	for i, from := range peers {
		var links []Link
		for j, to := range peers {
			if pass := m.pass(from, to); pass >= 0 {
				links = append(links, Link{To: int32(j), Pass: pass})
			}
		}
		m.g.Links[i] = slices.Clip(links)
	}
	m.hidden(peers)
	return m.g, m.node
}

// restricted is the sensitivity of zones that hold what matters most.
const restricted = "restricted"

func (m *maker) describe(x verify.Peer) Node {
	p := m.e.Policy()
	n := Node{Name: m.e.Name(x)}
	if id := m.e.Identity(x); id >= 0 {
		z := &p.Zones[m.e.Zone(x)]
		n.Zone, n.Restricted = z.Name, z.Sensitivity == restricted
		for _, w := range p.Identities[id].Workloads {
			n.Workloads = append(n.Workloads, p.Inventory.Workloads[w].Name)
		}
	}
	return n
}

// pass returns what may pass; -1 if nothing may, or if it is no question: of
// one workload with itself, and where no end is a workload.
func (m *maker) pass(from, to verify.Peer) int32 {
	if m.e.Identity(from) < 0 && m.e.Identity(to) < 0 || from == to && m.e.Weight(from) < 2 {
		return -1
	}
	key := passOf{m.e.Class(from, to), m.e.Zone(from), m.e.Zone(to)}
	at, known := m.byClass[key]
	if !known {
		at = m.work(from, to)
		m.byClass[key] = at
	}
	return at
}

// work finds out what passes, by what, and without what it would not.
func (m *maker) work(from, to verify.Peer) int32 {
	set, _ := m.e.Permitted(from, to, m.inForce)
	if set.IsEmpty() {
		return -1
	}
	p := Pass{Traffic: set.Ports()}
	if !set.Whole().Equal(p.Traffic) {
		p.Text = set.String()
	}
	byDefault, rules := false, []int(nil)
	for _, part := range m.e.Parts(from, to, m.inForce) {
		switch {
		case !part.Permits:
		case part.By.Rule() >= 0:
			rules = append(rules, part.By.Rule())
		default:
			byDefault = true
		}
	}
	slices.Sort(rules)
	for _, r := range rules {
		p.Opens = append(p.Opens, m.keeper(keeperOf{r, -1}))
	}
	// A rule that is the only one to let anything pass is needed, unless what
	// would decide without it lets something pass as well.
	if len(rules) == 1 && !byDefault && m.e.Without(from, to, m.inForce, rules[0]).IsEmpty() {
		p.Sole = p.Opens
	}
	if byDefault {
		both := m.defaults(from, to)
		p.Opens = append(p.Opens, both...)
		if rules == nil {
			p.Sole = both
		}
	}
	m.g.Passes = append(m.g.Passes, p)
	return int32(len(m.g.Passes) - 1)
}

// defaults are those of both ends; what both let pass goes if either does.
func (m *maker) defaults(from, to verify.Peer) []int32 {
	var out []int32
	for _, x := range []verify.Peer{from, to} {
		if z := m.e.Zone(x); z >= 0 {
			if k := m.keeper(keeperOf{-1, z}); !slices.Contains(out, k) {
				out = append(out, k)
			}
		}
	}
	return out
}

func (m *maker) keeper(k keeperOf) int32 {
	at, known := m.keepers[k]
	if known {
		return at
	}
	at = int32(len(m.g.Keepers))
	m.keepers[k] = at
	m.g.Keepers = append(m.g.Keepers, m.say(k))
	return at
}

func (m *maker) say(k keeperOf) Keeper {
	p := m.e.Policy()
	if k.rule >= 0 {
		return Keeper{Rule: p.Rules[k.rule].Ref}
	}
	z := &p.Zones[k.zone]
	out := Keeper{Zone: z.Name, Observes: m.inForce && z.Stage != policy.Enforce && !z.DefaultAllow}
	out.Rule.Rule, out.Rule.File, out.Rule.Line = "default-allow", z.Pos.File, z.Pos.Line
	return out
}

// String names a rule as its kind does, a default as what to do about it.
func (k Keeper) String() string {
	switch {
	case k.Zone == "":
		return k.Rule.String()
	case k.Observes:
		return fmt.Sprintf("the stage of zone %s (%s:%d)", k.Zone, k.Rule.File, k.Rule.Line)
	default:
		return fmt.Sprintf("the default of zone %s (%s:%d)", k.Zone, k.Rule.File, k.Rule.Line)
	}
}
