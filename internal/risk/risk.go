// Package risk says how far an attacker gets: the blast radius of a workload
// that was taken, the cheapest ways from one thing to another, and the rules
// whose removal would shorten them most. It sees a Graph and nothing else, so
// that it does not matter who worked out what is permitted.
//
// An attacker who holds a workload can begin whatever the policy lets it begin,
// and takes what it reaches: reaching is counted as taking. Replies carry no
// attack.
package risk

import (
	"firebreak/internal/flow"
	"firebreak/internal/netset"
)

// Graph is who may begin a conversation with whom. It is read only and safe
// for concurrent use once made.
type Graph struct {
	Nodes   []Node
	Links   [][]Link // by node: where it may begin something; at most one link to a node, to itself included
	Passes  []Pass   // what links are made of; many links share one
	Keepers []Keeper // what keeps links open
}

// Node stands for workloads that no rule can tell apart, or for something
// outside the estate.
type Node struct {
	Name       string   // of what is outside: "world", an External's name
	Zone       string   // empty outside
	Workloads  []string // their names, sorted; empty exactly for what is outside
	Restricted bool     // in a zone whose sensitivity is restricted
}

// Outside reports whether the node is no workload. An attack may begin or end
// there, but never goes through.
func (n *Node) Outside() bool { return len(n.Workloads) == 0 }

// Link leads to a node. A link from a node to itself means that its workloads
// may talk to each other.
type Link struct {
	To   int32 // index into Graph.Nodes
	Pass int32 // index into Graph.Passes
}

// Pass is what may pass over a link and why.
type Pass struct {
	Traffic netset.Traffic // ports that some circumstances permit; not empty, unless Unknown
	Text    string         // for people, with conditions; if empty, Traffic says it all
	// Opens are the keepers that let something pass, most important first, and
	// Sole those of them without which, one at a time, nothing would pass any
	// more. Both are indices into Graph.Keepers.
	Opens, Sole []int32
	Unknown     bool // whether anything passes is not known; it counts as if it did
}

// text is what people read.
func (p *Pass) text() string {
	if p.Text != "" {
		return p.Text
	}
	return p.Traffic.String()
}

// Keeper is an allow rule, or the default of a zone.
type Keeper struct {
	Rule flow.Rule
	Zone string // whose default it is; empty for a rule
	// Observes is of a default that lets pass only because its zone does not
	// enforce yet.
	Observes bool
}

// workloads is how many there are in all.
func (g *Graph) workloads() int {
	n := 0
	for i := range g.Nodes {
		n += len(g.Nodes[i].Workloads)
	}
	return n
}

// weights returns, by node, how many workloads it stands for.
func (g *Graph) weights() []int64 {
	out := make([]int64, len(g.Nodes))
	for i := range g.Nodes {
		out[i] = int64(len(g.Nodes[i].Workloads))
	}
	return out
}
