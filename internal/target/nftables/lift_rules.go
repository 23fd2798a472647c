package nftables

import (
	"encoding/binary"
	"slices"
	"strings"

	"firebreak/internal/flow"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
)

func (r *resolver) matchOf(c *said) layer.Match {
	var m layer.Match
	if len(c.kinds)+len(c.workloads) > 0 {
		m = append(m, layer.Term{Workloads: r.l.namesOf(c.kinds, c.workloads)})
	}
	if len(c.prefixes) > 0 {
		m = append(m, layer.Term{Address: true, Prefixes: c.prefixes})
	}
	return m
}

// sortByName gives workloads their places among all names.
func (l *lifter) sortByName() {
	inv := l.src.Inventory.Workloads
	l.byName, l.ranks = make([]int, len(inv)), make([]int32, len(inv))
	for w := range inv {
		l.byName[w] = w
	}
	slices.SortFunc(l.byName, func(a, b int) int { return strings.Compare(inv[a].Name, inv[b].Name) })
	for rank, w := range l.byName {
		l.ranks[w] = int32(rank)
	}
}

// namesOf are the names of all workloads of some kinds, and of some more,
// sorted; the same slice for the same.
func (l *lifter) namesOf(kinds []int32, more []int) []string {
	slices.Sort(kinds)
	var key []byte
	for _, k := range kinds {
		key = binary.AppendUvarint(key, uint64(k)<<1)
	}
	for _, w := range more {
		key = binary.AppendUvarint(key, uint64(w)<<1+1)
	}
	if known := l.names[string(key)]; known != nil {
		return known
	}
	var ranks []int32
	for _, k := range kinds {
		ranks = append(ranks, l.kinds[k].ranks...)
	}
	for _, w := range more {
		ranks = append(ranks, l.ranks[w])
	}
	slices.Sort(ranks)
	names := make([]string, len(ranks))
	for i, r := range ranks {
		names[i] = l.src.Inventory.Workloads[l.byName[r]].Name
	}
	names = slices.Compact(names)
	l.names[string(key)] = names
	return names
}

// write adds the rules about some peers, from that tier on, and reports whether
// all passes.
func (r *resolver) write(tier int, peer layer.Match, said map[string][]piece) bool {
	if len(said) == 1 {
		for _, pieces := range said {
			r.inOrder(tier, peer, pieces)
		}
	} else if len(said) > 1 {
		r.mixed(tier, peer, said)
	}
	return r.passes(said)
}

func (r *resolver) put(tier int, rule layer.Rule) {
	for len(r.out) <= tier {
		r.out = append(r.out, nil)
	}
	r.out[tier] = append(r.out[tier], rule)
}

func effect(allow bool) layer.Effect {
	if allow {
		return layer.Allow
	}
	return layer.Deny
}

// inOrder writes pieces so that each is asked before those behind it, as far as
// they overlap.
func (r *resolver) inOrder(tier int, peer layer.Match, pieces []piece) {
	fresh := true
	for _, p := range pieces {
		if p.unknown != "" && !fresh {
			tier++
		}
		r.put(tier, layer.Rule{Ref: refOf(p.rule), Effect: effect(p.allow), Subject: layer.Everything(), Peer: peer, Traffic: p.traffic, Unknown: p.unknown})
		if fresh = false; p.unknown != "" {
			tier++
			fresh = true
		}
	}
}

// mixed writes what peers are told by different pairs of addresses: what all
// agree on is known.
func (r *resolver) mixed(tier int, peer layer.Match, said map[string][]piece) {
	surely, perhaps := everything, netset.None()
	why, ref := "", flow.Rule{}
	for _, pieces := range said {
		lower, upper := bounds(pieces)
		surely, perhaps = surely.Intersect(lower), perhaps.Union(upper)
		for _, p := range pieces {
			if p.unknown > why {
				why = p.unknown
			}
			if p.allow && (ref.Rule == "" || p.rule != nil && p.rule.ref.Line < ref.Line) {
				ref = refOf(p.rule)
			}
		}
	}
	if why == "" {
		why = "its addresses are not treated alike, and which one a conversation is with is not known"
	}
	rule := layer.Rule{Ref: ref, Effect: layer.Allow, Subject: layer.Everything(), Peer: peer, Traffic: surely}
	if !surely.IsEmpty() {
		r.put(tier, rule)
	}
	if rule.Traffic = perhaps.Subtract(surely); !rule.Traffic.IsEmpty() {
		rule.Unknown = why
		r.put(tier+1, rule)
	}
	if rule.Traffic = everything.Subtract(surely); !rule.Traffic.IsEmpty() {
		rule.Ref, rule.Unknown, rule.Effect = flow.Rule{Rule: "policy"}, "", layer.Deny
		r.put(tier+2, rule)
	}
}

// bounds are what pieces surely permit, and what they may permit.
func bounds(pieces []piece) (lower, upper netset.Traffic) {
	lower, upper = netset.None(), netset.None()
	denied, doubted := netset.None(), netset.None() // surely, perhaps
	for _, p := range pieces {
		switch {
		case p.allow && p.unknown == "":
			lower = lower.Union(p.traffic.Subtract(doubted))
			upper = upper.Union(p.traffic.Subtract(denied))
		case p.allow:
			upper = upper.Union(p.traffic.Subtract(denied))
		case p.unknown == "":
			denied = denied.Union(p.traffic)
		default:
			doubted = doubted.Union(p.traffic)
		}
	}
	return lower, upper
}
