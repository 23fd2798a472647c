package nftables

import (
	"net/netip"
	"slices"

	"firebreak/internal/flow"
	"firebreak/internal/netset"
)

// maxSteps bounds how many rules are looked at for one address and chain: a
// kernel's rules cannot loop, those in a file could.
const maxSteps = 200000

// walker follows the first packet of every conversation of one local address
// through one base chain.
type walker struct {
	table     *table
	local     netip.Addr
	family    int
	peers     *area // with which it has conversations
	direction flow.Direction
	hook      string
	reply     bool  // instead of first packets, replies
	neighbors *area // the host's own addresses, which it reaches through lo
	out       []entry
	rewrites  []*statements // rules that rewrite addresses or leave connections untracked
	asked     []localTest
	steps     int
	broken    string // why it was given up
	hostBound bool   // it mattered which addresses the host has
	lifter    *lifter
}

// localTest is that it mattered whether the local address is in an area, and was.
type localTest struct {
	area *area
	in   bool
}

// isLocal reports whether an area holds the local address. All that a walk does
// with that address is to ask so, which is why walks that are told the same come
// to the same.
func (x *walker) isLocal(a *area) bool {
	in := a.has(x.local)
	x.asked = append(x.asked, localTest{a, in})
	return in
}

// base walks along a base chain and returns its entries, of which the last ones
// speak of everything.
func (x *walker) base(c *chain) []entry {
	all := cond{peer: x.peers, traffic: netset.All(), sport: netset.All()}
	if c.doubt != "" {
		x.out = append(x.out, entry{all.peer, all.traffic, true, c.doubt, nil})
	}
	policy := func(d cond) { x.emit(d, !c.drop, nil) }
	if !x.run(c, 0, all, policy) {
		policy(all)
	}
	if x.broken != "" {
		return []entry{{all.peer, all.traffic, true, x.broken, nil}, {all.peer, all.traffic, false, "", nil}}
	}
	// what an address says to itself is nobody's business
	return slices.DeleteFunc(x.out, func(e entry) bool {
		return len(e.peer.spans) == 1 && e.peer.spans[0].lo == e.peer.spans[0].hi && x.isLocal(e.peer)
	})
}

// run walks along a chain from its i-th rule on. after is what becomes of what
// leaves the chain before its end. It reports whether nothing is left to
// decide; if not, the rest goes on behind the chain.
func (x *walker) run(c *chain, i int, in cond, after func(cond)) (done bool) {
	for ; i < len(c.rules); i++ {
		if x.steps++; x.steps > maxSteps && x.broken == "" {
			x.broken = "the rules of " + x.table.family + " " + x.table.name + " are too involved, or lead in a circle"
		}
		if x.broken != "" {
			return true
		}
		if x.rule(c, i, in, after) {
			return true
		}
	}
	return false
}

// rule applies one rule.
func (x *walker) rule(c *chain, i int, in cond, after func(cond)) (done bool) {
	r := c.rules[i]
	rest := func(d cond) {
		if !x.run(c, i+1, d, after) {
			after(d)
		}
	}
	conds, from := x.matches(r, in)
	for k, s := range r.expr[from:] {
		at := &r.expr[from+k]
		o, _ := s.(map[string]any)
		if len(o) != 1 {
			o = map[string]any{"a statement that is not one object": nil}
		}
		for kind, body := range o {
			switch {
			case kind == "match" && len(conds) > 0:
				conds = x.narrow(conds, body, at)
			case kind == "match":
			case kind == "vmap":
				return x.vmap(r, conds, in, body, at, rest, after)
			case verdictWords[kind]:
				return x.verdicts(r, conds, in, kind, body, rest, after)
			case harmless[kind] && !changesPackets(kind, body):
			case rewriting[kind] || harmless[kind]:
				x.rewrites = append(x.rewrites, r)
				if kind != "notrack" && kind != "mangle" {
					return x.verdicts(r, conds, in, "accept", nil, rest, after)
				}
			default:
				conds = each(conds, func(d cond) cond { return d.maybe("what " + kind + " does is not known to this reader") })
			}
		}
		if len(conds) == 0 {
			return false
		}
	}
	return x.strangers(r, conds)
}

// strangers are rules without a verdict that we know, but with something that we
// do not know: it may accept or drop.
func (x *walker) strangers(r *statements, conds []cond) bool {
	for _, s := range r.expr {
		o, _ := s.(map[string]any)
		for kind := range o {
			if kind == "match" || harmless[kind] || rewriting[kind] || partial[kind] {
				continue
			}
			for _, d := range conds {
				x.emit(d, true, r)
				x.emit(d, false, r)
			}
			return false
		}
	}
	return false
}

// verdictWords are the statements that decide or lead elsewhere.
var verdictWords = map[string]bool{"accept": true, "drop": true, "reject": true, "jump": true, "goto": true, "return": true, "continue": true, "queue": true}

// harmless are statements that change nothing about what passes: they count,
// tell, mark (marks that are matched are never known), or put established
// connections on a short path (nft(8), STATEMENTS).
var harmless = map[string]bool{"counter": true, "log": true, "mangle": true, "set": true, "map": true, "flow": true, "comment": true, "last": true, "dup": true}

// changesPackets reports whether a statement sets something of the packet itself,
// and not a mark on it.
func changesPackets(kind string, body any) bool {
	o, _ := body.(map[string]any)
	key, _ := o["key"].(map[string]any)
	return kind == "mangle" && key["payload"] != nil
}

// partial let only a part of what meets them go on.
var partial = map[string]bool{"limit": true, "quota": true, "ct count": true, "meter": true}

// rewriting are statements after which a conversation is with somebody else, or
// is no longer followed.
var rewriting = map[string]bool{"snat": true, "dnat": true, "masquerade": true, "redirect": true, "tproxy": true, "fwd": true, "notrack": true}

func each(conds []cond, f func(cond) cond) []cond {
	out := make([]cond, len(conds))
	for i, c := range conds {
		out[i] = f(c)
	}
	return out
}

func (x *walker) verdicts(r *statements, conds []cond, in cond, kind string, body any, rest, after func(cond)) bool {
	done := false
	for _, d := range conds {
		done = x.verdict(r, d, d.same(&in), kind, body, rest, after) || done
	}
	return done
}

// verdict applies one. whole says that everything that the rule was asked about
// meets it; then true means that nothing is left to decide.
func (x *walker) verdict(r *statements, d cond, whole bool, kind string, body any, rest, after func(cond)) (done bool) {
	switch kind {
	case "accept", "drop", "reject":
		x.emit(d, kind == "accept", r)
		return whole
	case "queue":
		x.emit(d.maybe("a program decides (queue)"), true, r)
		x.emit(d, false, r)
		return whole
	case "return":
		after(d)
		return whole
	case "continue":
		return false
	}
	o, _ := body.(map[string]any)
	name, _ := o["target"].(string)
	to := x.table.chain(name)
	if to == nil {
		x.broken = "the chain " + name + " is not there"
		return true
	}
	if kind == "goto" {
		if !x.enter(to, d, after) {
			after(d)
		}
		return whole
	}
	return x.enter(to, d, rest) && whole
}

// emit notes an answer, unless it is about what no policy speaks of.
func (x *walker) emit(d cond, allow bool, r *statements) {
	if d.link || d.isDHCP() {
		return
	}
	if !d.sport.IsAll() {
		d = d.maybe("source ports of conversations are not known")
	}
	x.out = append(x.out, entry{d.peer, d.traffic, allow, d.unknown, r})
}
