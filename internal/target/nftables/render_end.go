package nftables

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"firebreak/internal/flow"
	"firebreak/internal/netset"
	"firebreak/internal/plan"
	"firebreak/internal/verify"
)

// object is a JSON object; encoding/json writes its keys in order.
type object = map[string]any

// end is what stands at one or more local addresses: subjects, of which the
// loosest holds where an address is shared. Its commands are the same on every
// host.
type end struct {
	subjects []*plan.Subject
	name     string
	made     [2]bool
	open     [2]bool // by direction: everything passes, so it is not governed
	sets     [2][]json.RawMessage
	rules    [2][]json.RawMessage
	chains   [2][]json.RawMessage
}

// prefix of the names of chains and maps, by direction.
var word = [2]string{flow.Egress: "out", flow.Ingress: "in"}

// say makes an end's commands for one direction.
func (r *renderer) say(e *end, d flow.Direction) {
	if e.made[d] {
		return
	}
	e.made[d] = true
	for _, s := range e.subjects {
		if r.w.Everything(s, d) {
			e.open[d] = true
			return
		}
	}
	says := r.verdicts(e, d)
	name := word[d] + "_" + e.name
	chains := map[int]string{}
	e.chain(d, name)
	for f, field := range []string{"ip", "ip6"} {
		elements := r.elements(says, f, func(v int) any {
			if chains[v] == "" {
				chains[v] = fmt.Sprintf("%s_%d", name, len(chains)+1)
				e.grantChain(d, chains[v], says.of[v])
			}
			return object{"goto": object{"target": chains[v]}}
		})
		if len(elements) == 0 {
			continue
		}
		key := [2]string{"ipv4_addr", "ipv6_addr"}[f]
		peers := fmt.Sprintf("%s%s_%s", word[d], [2]string{"4", "6"}[f], e.name)
		e.sets[d] = append(e.sets[d], add("map", object{"name": peers, "type": key, "map": "verdict", "flags": []string{"interval"}, "elem": elements}))
		side := [2]string{flow.Egress: "daddr", flow.Ingress: "saddr"}[d]
		e.rule(d, name, "", object{"vmap": object{"key": payload(field, side), "data": "@" + peers}})
	}
	comment := "nothing else " + [2]string{flow.Egress: "leaves ", flow.Ingress: "enters "}[d] + e.name
	e.rule(d, name, comment, object{"counter": nil}, object{"drop": nil})
}

// verdicts are the different answers that an end has for stretches.
type verdicts struct {
	of    []answer
	index map[string]int
	at    map[verify.Peer]int // by peer: its answer; none: closed
}

// answer is what some peers may do, and by which rules.
type answer struct {
	open  netset.Traffic
	rules []string
}

const (
	closed    = -1
	exempt    = -2 // built in
	unlimited = -3
)

func (v *verdicts) intern(a answer) int {
	if a.open.IsEmpty() {
		return closed
	}
	if a.open.IsAll() {
		return unlimited
	}
	key := a.open.String() + "\x00" + strings.Join(a.rules, "\x00")
	if i, known := v.index[key]; known {
		return i
	}
	v.index[key] = len(v.of)
	v.of = append(v.of, a)
	return len(v.of) - 1
}

func (r *renderer) verdicts(e *end, d flow.Direction) *verdicts {
	v := &verdicts{index: map[string]int{}, at: map[verify.Peer]int{}}
	if len(e.subjects) == 1 {
		for i := range e.subjects[0].Grants(d) {
			g := &e.subjects[0].Grants(d)[i]
			n := v.intern(answer{g.Open, r.rulesOf(e.subjects[0], d, g)})
			for _, x := range g.Peers {
				v.at[x] = n
			}
		}
		return v
	}
	loosest := map[verify.Peer]answer{}
	for _, s := range e.subjects {
		for i := range s.Grants(d) {
			g := &s.Grants(d)[i]
			refs := r.rulesOf(s, d, g)
			for _, x := range g.Peers {
				was := loosest[x]
				loosest[x] = answer{was.open.Union(g.Open), unite(was.rules, refs)}
			}
		}
	}
	for x, a := range loosest {
		v.at[x] = v.intern(a)
	}
	return v
}

func unite(a, b []string) []string {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

// rulesOf names the rules by which a grant is open, as its first peer shows.
func (r *renderer) rulesOf(s *plan.Subject, d flow.Direction, g *plan.Grant) []string {
	if g.Open.IsEmpty() || len(g.Peers) == 0 {
		return nil
	}
	from, to := r.w.Engine.OfIdentity(s.Identities[0]), g.Peers[0]
	if d == flow.Ingress {
		from, to = to, from
	}
	var out []string
	for _, p := range r.w.Engine.Parts(from, to, !r.w.ToCome) {
		if p.Permits && !p.Set.Ports().Intersect(g.Open).IsEmpty() {
			ref := r.w.Engine.Ref(p.By)
			ref.File = ""
			out = append(out, ref.String())
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// about is the answer about a stretch.
func (v *verdicts) about(s *stretch) int {
	if s.builtin {
		return exempt
	}
	if len(s.peers) == 1 {
		if n, named := v.at[s.peers[0]]; named {
			return n
		}
		return closed
	}
	a := answer{open: netset.All()}
	for _, x := range s.peers {
		n, named := v.at[x]
		switch {
		case !named || n == closed:
			return closed
		case n >= 0:
			a = answer{a.open.Intersect(v.of[n].open), unite(a.rules, v.of[n].rules)}
		}
	}
	return v.intern(a)
}

// elements are those of the map of one family: neighbours with one answer are
// one run.
func (r *renderer) elements(says *verdicts, family int, leads func(int) any) []any {
	var out []any
	space := r.space[family]
	for i := 0; i < len(space); {
		v := says.about(&space[i])
		j := i
		for j+1 < len(space) && same(v, says.about(&space[j+1])) {
			j++
		}
		switch {
		case v >= 0:
			out = append(out, []any{addresses(space[i].lo, space[j].hi), leads(v)})
		case v != closed:
			out = append(out, []any{addresses(space[i].lo, space[j].hi), object{"accept": nil}})
		}
		i = j + 1
	}
	return out
}

func same(a, b int) bool { return a == b || a < closed && b < closed }
