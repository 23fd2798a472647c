package layer

import (
	"net/netip"
	"slices"
	"strings"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/netset"
)

// Party is one end of a conversation: a workload, or else an address that no
// workload has, or else, if External is set, what its domain names lead to.
type Party struct {
	Workload *inventory.Workload
	Addr     netip.Addr
	External string
}

// Tri is an answer that may be missing. The zero value is No.
type Tri uint8

// The answers.
const (
	No Tri = iota
	Maybe
	Yes
)

// Matches reports whether m matches a party in an estate with those networks.
func (m Match) Matches(p Party, networks []netip.Prefix) Tri {
	best := No
	for i := range m {
		best = max(best, m[i].matches(p, networks))
	}
	return best
}

func (t *Term) matches(p Party, networks []netip.Prefix) Tri {
	w := p.Workload
	onlyWorkloads := t.Workload || t.Workloads != nil || t.Select != nil || t.Principals != nil
	switch {
	case w == nil && onlyWorkloads, w != nil && (t.Address || t.Names != nil):
		return No
	case t.Names != nil && !slices.Contains(t.Names, p.External):
		return No
	case t.Workloads != nil && !slices.Contains(t.Workloads, w.Name):
		return No
	case t.Select != nil && !t.Select.Matches(w.Labels):
		return No
	case t.Principals != nil && !named(t.Principals, w.Principals()):
		return No
	}
	answer := Yes
	switch {
	case t.Prefixes == nil, p.External != "" && whole(t):
	case p.External != "":
		answer = Maybe // wherever the name leads to
	default:
		answer = t.holds(p, networks)
	}
	if answer == No {
		return No
	}
	return min(answer, Yes-t.Not.Matches(p, networks))
}

// whole reports whether a term's prefixes hold all addresses of a family.
func whole(t *Term) bool {
	return len(t.Except) == 0 && slices.ContainsFunc(t.Prefixes, func(p netip.Prefix) bool { return p.Bits() == 0 })
}

// holds says whether a party's addresses are in the prefixes.
func (t *Term) holds(p Party, networks []netip.Prefix) Tri {
	if p.Workload == nil {
		return t.holdsAddress(p.Addr)
	}
	if len(p.Workload.Addresses) == 0 {
		return t.holdsNetworks(networks)
	}
	first := t.holdsAddress(p.Workload.Addresses[0])
	for _, a := range p.Workload.Addresses[1:] {
		if t.holdsAddress(a) != first {
			return Maybe
		}
	}
	return first
}

func (t *Term) holdsAddress(a netip.Addr) Tri {
	in := func(p netip.Prefix) bool { return p.Contains(a) }
	if slices.ContainsFunc(t.Prefixes, in) && !slices.ContainsFunc(t.Except, in) {
		return Yes
	}
	return No
}

// holdsNetworks is about a workload of which only the estate's networks are
// known. Where the estate has none, it could be anywhere.
func (t *Term) holdsNetworks(networks []netip.Prefix) Tri {
	if len(networks) == 0 {
		if len(t.Except) == 0 && slices.ContainsFunc(t.Prefixes, func(p netip.Prefix) bool { return p.Bits() == 0 }) {
			return Yes
		}
		return Maybe
	}
	all, none := true, true
	for _, n := range networks {
		covered := slices.ContainsFunc(t.Prefixes, func(p netip.Prefix) bool { return p.Bits() <= n.Bits() && p.Overlaps(n) })
		touched := slices.ContainsFunc(t.Prefixes, func(p netip.Prefix) bool { return p.Overlaps(n) })
		cut := slices.ContainsFunc(t.Except, func(p netip.Prefix) bool { return p.Overlaps(n) })
		gone := slices.ContainsFunc(t.Except, func(p netip.Prefix) bool { return p.Bits() <= n.Bits() && p.Overlaps(n) })
		all = all && covered && !cut
		none = none && (!touched || gone)
	}
	switch {
	case all:
		return Yes
	case none:
		return No
	}
	return Maybe
}

func named(patterns, names []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return Glob(p, n) })
	})
}

// Glob reports whether a pattern matches a text: '*' stands for any run of
// characters, also an empty one; everything else for itself.
func Glob(pattern, text string) bool {
	pieces := strings.Split(pattern, "*")
	if len(pieces) == 1 {
		return pattern == text
	}
	rest, ok := strings.CutPrefix(text, pieces[0])
	if !ok {
		return false
	}
	for _, p := range pieces[1 : len(pieces)-1] {
		i := strings.Index(rest, p)
		if i < 0 {
			return false
		}
		rest = rest[i+len(p):]
	}
	return strings.HasSuffix(rest, pieces[len(pieces)-1])
}

// Conversation is what a layer is asked about.
type Conversation struct {
	From, To Party
	Protocol netset.Protocol
	Port     uint16 // ignored for protocols without ports
	// Holds says whether a condition of one of the layer's rules holds.
	Holds func(r *Rule) bool
}

// Verdict is what a table or a whole layer says. Lower is what it says if
// everything unknown is as strict as it can be, Upper if it is as lax; Rule is
// what decided Upper, nil for a default.
type Verdict struct {
	Lower, Upper Effect
	Rule         *Rule
	Table        *Table // that decided Upper
}

// Decide asks a layer about one conversation, plainly: it is the slow and
// obvious judge of everything that is faster. A layer abstains if all its
// tables do.
func (l *Layer) Decide(c Conversation, networks []netip.Prefix) Verdict {
	v := Verdict{Lower: Abstain, Upper: Abstain}
	for i := range l.Tables {
		t := &l.Tables[i]
		one := t.Decide(c, networks)
		v.Lower = both(v.Lower, one.Lower)
		if u := both(v.Upper, one.Upper); u != v.Upper || v.Table == nil && one.Upper != Abstain {
			v.Upper, v.Rule, v.Table = u, one.Rule, t
		}
	}
	return v
}

// both is what two tables say together: a conversation must pass each.
func both(a, b Effect) Effect { return min(a, b) }

// Decide asks one table.
func (t *Table) Decide(c Conversation, networks []netip.Prefix) Verdict {
	lower, _ := t.decide(c, networks, false)
	upper, rule := t.decide(c, networks, true)
	return Verdict{lower, upper, rule, t}
}

func (t *Table) decide(c Conversation, networks []netip.Prefix, lax bool) (Effect, *Rule) {
	end, peer := c.From, c.To
	if t.Direction == flow.Ingress {
		end, peer = peer, end
	}
	switch t.Governs.Matches(end, networks) {
	case No:
		return Abstain, nil
	case Maybe:
		if lax {
			return Abstain, nil
		}
	}
	for _, tier := range t.Tiers {
		var found *Rule
		for i := range tier {
			r := &tier[i]
			if r.speaks(c, end, peer, networks, lax) && (found == nil || r.Effect < found.Effect) {
				found = r
			}
		}
		if found != nil {
			return found.Effect, found
		}
	}
	return t.Default, nil
}

// speaks reports whether a rule speaks of a conversation. Where that is not
// known, a lax reading lets allows speak and denies not, a strict one the other
// way about.
func (r *Rule) speaks(c Conversation, end, peer Party, networks []netip.Prefix, lax bool) bool {
	if !r.Traffic.Contains(c.Protocol, c.Port) {
		return false
	}
	sure := min(r.Subject.Matches(end, networks), r.Peer.Matches(peer, networks))
	if sure == No || r.Cond != nil && !c.Holds(r) {
		return false
	}
	if sure == Yes && r.Unknown == "" {
		return true
	}
	return lax == (r.Effect != Deny)
}
