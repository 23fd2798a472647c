package prove_test

import (
	"firebreak/internal/inventory"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"firebreak/internal/flow"
	"firebreak/internal/gen"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
	"firebreak/internal/plan"
	"firebreak/internal/policy"
	"firebreak/internal/prove"
	"firebreak/internal/verify"
)

// slow judges a layer against the intent conversation by conversation.
type slow struct {
	w     *plan.Wanted
	l     *layer.Layer
	conds []*policy.Condition
}

// case is a conversation between two parties.
type conversation struct {
	from, to layer.Party
	proto    netset.Protocol
	port     uint16
	in       flow.Circumstances
}

// passes reports whether a layer that governs every workload lets a conversation
// pass at both ends.
func (s *slow) passes(t *testing.T, c conversation) bool {
	e := s.w.Engine
	v := s.l.Decide(layer.Conversation{From: c.from, To: c.to, Protocol: c.proto, Port: c.port, Holds: func(r *layer.Rule) bool {
		set, ok := e.Space().Of(r.Traffic, r.Cond, r.Effect == layer.Deny)
		if !ok {
			t.Fatal("a condition that the policy does not have")
		}
		return set.Contains(c.proto, c.port, e.Locate(c.in))
	}}, s.w.Policy.Networks)
	return v.Upper != layer.Deny
}

func (s *slow) peer(p layer.Party) verify.Peer {
	if p.Workload != nil {
		i, _ := slices.BinarySearchFunc(s.w.Policy.Inventory.Workloads, p.Workload.Name, func(w workload, name string) int { return strings.Compare(w.Name, name) })
		return s.w.Engine.OfWorkload(i)
	}
	if p.External != "" {
		return s.w.Engine.OfName(p.External)
	}
	x, _ := s.w.Engine.OfAddress(p.Addr)
	return x
}

func (s *slow) meant(c conversation) bool {
	e := s.w.Engine
	return e.Decide(s.peer(c.from), s.peer(c.to), c.proto, c.port, e.Locate(c.in)).ToCome == flow.Forwarded
}

// differs finds a conversation for which the layer and the intent differ.
func (s *slow) differs(t *testing.T) *conversation {
	e := s.w.Engine
	var who []layer.Party
	for i := range s.w.Policy.Inventory.Workloads {
		who = append(who, layer.Party{Workload: &s.w.Policy.Inventory.Workloads[i]})
	}
	for _, r := range e.Regions(nil) {
		if e.OfPrefix(r) != verify.None {
			if x, _ := e.OfAddress(r.Addr()); x == e.OfPrefix(r) {
				who = append(who, layer.Party{Addr: r.Addr()})
			}
		}
	}
	for _, x := range s.w.Policy.Externals {
		if len(x.FQDNs) > 0 {
			who = append(who, layer.Party{External: x.Name})
		}
	}
	circumstances := []flow.Circumstances{{At: noon}, {At: noon, MTLS: true}, {At: noon, MTLS: true, HTTP: &flow.Request{Method: "GET", Path: "/"}}}
	for _, c := range s.conds {
		for _, h := range c.HTTP {
			r := &flow.Request{Method: "GET", Path: "/x"}
			if len(h.Methods) > 0 {
				r.Method = h.Methods[0]
			}
			if len(h.Paths) > 0 {
				r.Path = strings.ReplaceAll(h.Paths[0], "*", "x")
			}
			circumstances = append(circumstances, flow.Circumstances{At: noon, MTLS: true, HTTP: r})
		}
	}
	ports := map[netset.Protocol][]uint16{netset.ICMP: {0}}
	for _, r := range s.w.Policy.Rules {
		for _, g := range r.Grants {
			for p, run := range g.Traffic.Runs() {
				ports[p] = append(ports[p], run.Lo, run.Hi, run.Hi+1)
			}
		}
	}
	for a := range who {
		for b := range who {
			if a == b || who[a].Workload == nil && who[b].Workload == nil {
				continue
			}
			for proto, list := range ports {
				slices.Sort(list)
				for _, port := range slices.Compact(list) {
					for _, in := range circumstances {
						c := conversation{who[a], who[b], proto, port, in}
						named := c.from.External+c.to.External != "" // more than meant is judged by address
						if passes := s.passes(t, c); passes != s.meant(c) && !(named && passes) {
							return &c
						}
					}
				}
			}
		}
	}
	return nil
}

// mutate changes one thing about a layer, and says what.
func mutate(r *rand.Rand, l *layer.Layer) string {
	t := &l.Tables[r.IntN(len(l.Tables))]
	if len(t.Tiers[0]) == 0 {
		return ""
	}
	i := r.IntN(len(t.Tiers[0]))
	x := &t.Tiers[0][i]
	switch r.IntN(8) {
	case 0:
		x.Traffic = x.Traffic.Union(netset.Of(netset.TCP, 0, 65535))
		return "widened"
	case 1:
		t.Tiers[0] = slices.Delete(t.Tiers[0], i, i+1)
		return "dropped"
	case 2:
		x.Peer = layer.Everything()
		return "any peer"
	case 3:
		if x.Cond == nil {
			return ""
		}
		x.Cond = nil
		return "no condition"
	case 4:
		x.Subject = layer.Everything()
		return "any subject"
	case 5:
		t.Default = layer.Allow
		return "allowed by default"
	case 6:
		x.Subject, x.Peer = x.Peer, x.Subject
		return "turned around"
	default:
		x.Effect = layer.Deny - x.Effect + layer.Allow
		return "reversed"
	}
}

// TestPlantedFaultsAreFound writes random estates down exactly, which must prove
// exact, and then changes one thing after the other, which must be seen if and
// only if the slow judge sees it; every witness is asked of the slow judge.
func TestPlantedFaultsAreFound(t *testing.T) {
	const seed, estates, mutants = 20261122, 12, 24
	planted, found, same := 0, 0, 0
	for n := range estates {
		w, _ := wanted(t, gen.Options{Workloads: 14, Rules: 14, Seed: uint64(n)})
		r := rand.New(rand.NewPCG(seed, uint64(n)))
		for k := range mutants {
			l := written(w, "t", true)
			what := ""
			if k > 0 {
				if what = mutate(r, l); what == "" {
					continue
				}
			}
			s := &slow{w: w, l: l}
			for i := range w.Policy.Rules {
				if c := w.Policy.Rules[i].Cond; c != nil && !slices.Contains(s.conds, c) {
					s.conds = append(s.conds, c)
				}
			}
			report, err := prove.Prove(prove.Intent{Policy: w.Policy, ToCome: true}, []*layer.Layer{l}, prove.Options{At: noon})
			if err != nil {
				t.Fatal(err)
			}
			got := report.Together
			bad := s.differs(t)
			switch {
			case bad != nil && got.Result.Proven():
				t.Errorf("estate %d, mutant %d (%s): %+v was not found", n, k, what, *bad)
			case bad == nil && !got.Result.Proven():
				if c, ok := asked(t, w, got.Witness); !ok || s.passes(t, c) == s.meant(c) {
					t.Errorf("estate %d, mutant %d (%s): %s, %s, witness %+v", n, k, what, got.Result, got.Reason, got.Witness)
				}
				found++
			case bad != nil:
				found++
				if c, ok := asked(t, w, got.Witness); ok && s.passes(t, c) == s.meant(c) {
					t.Errorf("estate %d, mutant %d (%s): the witness %+v is none", n, k, what, got.Witness)
				}
			default:
				same++
			}
			if k > 0 {
				planted++
			}
		}
	}
	t.Logf("%d planted, %d found, %d change nothing, seed %d", planted, found, same, seed)
	if found < planted/2 {
		t.Error("too few of them change anything")
	}
}

// asked turns a witness back into a conversation.
func asked(t *testing.T, w *plan.Wanted, x *prove.Witness) (conversation, bool) {
	t.Helper()
	if x == nil {
		return conversation{}, false
	}
	var c conversation
	for i, name := range []string{x.From, x.To} {
		var p layer.Party
		if k := slices.IndexFunc(w.Policy.Inventory.Workloads, func(y workload) bool { return y.Name == name }); k >= 0 {
			p.Workload = &w.Policy.Inventory.Workloads[k]
		} else if external, ok := strings.CutPrefix(name, "external "); ok {
			p.External = external
		} else if a, err := netip.ParseAddr(name); err == nil {
			p.Addr = a
		} else {
			return c, false
		}
		if i == 0 {
			c.from = p
		} else {
			c.to = p
		}
	}
	port, proto, ported := strings.Cut(x.Port, "/")
	if !ported {
		proto = port
	}
	c.proto, _ = netset.ParseProtocol(proto)
	if ported {
		n, err := strconv.Atoi(port)
		if err != nil {
			t.Fatal(err)
		}
		c.port = uint16(n)
	}
	c.in = flow.Circumstances{At: x.At, MTLS: x.MTLS}
	if method, path, http := strings.Cut(x.HTTP, " "); http {
		c.in.HTTP = &flow.Request{Method: method, Path: path, Host: x.Host, Headers: x.Head}
	}
	return c, true
}

type workload = inventory.Workload
