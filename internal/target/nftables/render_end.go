package nftables

import (
	"slices"
	"strings"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/netset"
	"firebreak/internal/plan"
	"firebreak/internal/verify"
)

// end is what stands at one or more local addresses: subjects, of which the
// loosest holds where an address is shared. It says the same on every host.
type end struct {
	subjects []*plan.Subject
	name     string
	made     [2]bool
	open     [2]bool // by direction: everything passes, so it is not governed
	// By direction and family: the sets that its rules speak of, and the rules.
	// Those of a family are only on hosts where it has addresses of the family.
	peers       [2][2][]*peers
	text        [2][2]string
	first, last [2]string // the chain, and its last rule
}

// prefix of the names of chains and maps, by direction.
var word = [2]string{flow.Egress: "out", flow.Ingress: "in"}

// say works out what an end says in one direction.
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
		if x := r.w.Hidden(s, d, nil); x != nil && r.w.Observes(s) {
			e.open[d] = true
			r.left(s, d, x)
			return
		}
	}
	name := word[d] + "_" + e.name
	e.first[d] = newChain(name)
	says := r.verdicts(e, d)
	var text [2]strings.Builder
	for i := range says.of {
		a := &says.of[i]
		comment := strings.Join(a.rules, ", ")
		for f, set := range r.peersOf(says, i) {
			if set == nil {
				continue
			}
			e.peers[d][f] = append(e.peers[d][f], set)
			from := match("==", payload(headers[f], peerSide[d]), `"@`+set.name+`"`)
			for _, t := range trafficOf(a.open, f) {
				text[f].WriteString(rule(name, comment, t, from, accept))
			}
		}
	}
	led := r.ledThrough(e, d, name)
	for f := range text {
		e.text[d][f] = text[f].String() + led[f]
	}
	e.last[d] = rule(name, "nothing else "+[2]string{flow.Egress: "leaves ", flow.Ingress: "enters "}[d]+e.name, `{"counter":null}`, `{"drop":null}`)
}

// peerSide is the field that holds the peer's address.
var peerSide = [2]string{flow.Egress: "daddr", flow.Ingress: "saddr"}

// headers are the protocols of the families.
var headers = [2]string{"ip", "ip6"}

// verdicts are the different answers that an end has for stretches.
type verdicts struct {
	of    []answer
	index map[string]int
	at    map[verify.Peer]int // by peer: its answer; none: closed
	mixed [2]map[int][]int32  // by family and answer: stretches of several peers
}

// answer is what some peers may do, and by which rules.
type answer struct {
	key   string
	open  netset.Traffic
	rules []string
	peers []verify.Peer // ascending
}

const closed = -1

func (v *verdicts) intern(a answer) int {
	if a.open.IsEmpty() {
		return closed
	}
	a.key = strings.Join(a.rules, "\x00") + "\x00" + a.open.String()
	if i, known := v.index[a.key]; known {
		return i
	}
	v.index[a.key] = len(v.of)
	v.of = append(v.of, a)
	return len(v.of) - 1
}

// verdicts are sorted by the rules that give them, so that one that comes or
// goes leaves the others where they are.
func (r *renderer) verdicts(e *end, d flow.Direction) *verdicts {
	v := &verdicts{index: map[string]int{}, at: map[verify.Peer]int{}}
	loosest := map[verify.Peer]answer{}
	for _, s := range e.subjects {
		for i := range s.Grants(d) {
			g := &s.Grants(d)[i]
			refs := r.rulesOf(s, d, g)
			if len(e.subjects) == 1 {
				n := v.intern(answer{open: g.Open, rules: refs})
				for _, x := range g.Peers {
					v.at[x] = n
				}
				continue
			}
			for _, x := range g.Peers {
				was := loosest[x]
				loosest[x] = answer{open: was.open.Union(g.Open), rules: unite(was.rules, refs)}
			}
		}
	}
	for x, a := range loosest {
		v.at[x] = v.intern(a)
	}
	for f := range r.space {
		v.mixed[f] = map[int][]int32{}
		for _, i := range r.space[f].mixed {
			if n := v.about(r.space[f].stretches[i].peers); n != closed {
				v.mixed[f][n] = append(v.mixed[f][n], i)
			}
		}
	}
	for x, n := range v.at {
		if n != closed {
			v.of[n].peers = append(v.of[n].peers, x)
		}
	}
	v.sort()
	return v
}

func (v *verdicts) sort() {
	order := make([]int, len(v.of))
	for i := range order {
		order[i] = i
		slices.Sort(v.of[i].peers)
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(v.of[a].key, v.of[b].key) })
	var of []answer
	var mixed [2]map[int][]int32
	for f := range mixed {
		mixed[f] = map[int][]int32{}
		for to, from := range order {
			mixed[f][to] = v.mixed[f][from]
		}
	}
	for _, from := range order {
		of = append(of, v.of[from])
	}
	v.of, v.mixed = of, mixed
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

// about is the answer about several peers that may be at one address: what all
// of them may.
func (v *verdicts) about(several []verify.Peer) int {
	a := answer{open: netset.All()}
	for _, x := range several {
		n, named := v.at[x]
		if !named || n == closed {
			return closed
		}
		if !v.of[n].open.IsAll() {
			a = answer{open: a.open.Intersect(v.of[n].open), rules: unite(a.rules, v.of[n].rules)}
		}
	}
	return v.intern(a)
}

// left says of a subject whose zone observes that nothing is denied at its end,
// since that would shut out a workload that no address stands for.
func (r *renderer) left(s *plan.Subject, d flow.Direction, x *inventory.Workload) {
	word := [2]string{flow.Egress: "from", flow.Ingress: "to"}[d]
	r.diags.Warnf(r.w.Policy.Zones[s.Zone].Pos, "unenforced", "nftables: what is denied %s %s is not enforced, since its zone %s observes and rules would also shut out %s, which has no known address", word, s.Name, r.w.Policy.Zones[s.Zone].Name, x.Name).
		WithHelp("give the workload its addresses, or promote the zone to enforce")
}
