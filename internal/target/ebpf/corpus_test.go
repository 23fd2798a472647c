package ebpf

import (
	"os"
	"testing"
	"time"

	"firebreak/internal/corpus"
	"firebreak/internal/datapath/layout"
	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/policy"
)

// TestCorpus asks the tables what every judge is asked. One host runs all
// workloads, so that both ends of a conversation judge it.
func TestCorpus(t *testing.T) {
	cases, err := corpus.Load(os.DirFS("../../../testdata/corpus"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			inv, _ := inventory.Join(c.Inv, &inventory.Snapshot{Workloads: []inventory.Workload{{Name: HostWorkload("unassigned"), Zone: "unassigned"}}})
			p, diags := policy.Resolve(c.Dir, inv)
			if p == nil {
				t.Fatal(diags)
			}
			h := Host{Zone: "unassigned"}
			for i, w := range p.Inventory.Workloads {
				h.Cgroups = append(h.Cgroups, Cgroup{ID: uint64(i + 1), Workload: w.Name})
			}
			n := &Numbers{}
			kernels := map[time.Time]kernel{} // by the time that the tables are of
			for _, f := range c.Flows {
				if why := c.Beyond(f, corpus.HTTP, corpus.MTLS, corpus.Name, corpus.Frontend); why != "" {
					t.Logf("line %d: the tables do not answer: they know nothing of %s", f.Line, why)
					continue
				}
				k, rendered := kernels[f.In.At]
				if !rendered {
					tables, diags := Render(p, h, f.In.At, n)
					if tables == nil {
						t.Fatal(diags)
					}
					k = kernel{tables, newMatcher(tables.Addresses)}
					kernels[f.In.At] = k
				}
				rules := Rules(p, n)
				inForce, toCome, inForceRule, toComeRule := k.judge(f, rules)
				if inForce != f.InForce || toCome != f.ToCome {
					t.Errorf("line %d: %s and %s, want %s and %s", f.Line, inForce, toCome, f.InForce, f.ToCome)
				}
				if f.InForceRule != "" && ruleName(inForceRule) != f.InForceRule || f.ToComeRule != "" && ruleName(toComeRule) != f.ToComeRule {
					t.Errorf("line %d: by %s and %s, want %s and %s", f.Line, inForceRule, toComeRule, f.InForceRule, f.ToComeRule)
				}
			}
		})
	}
}

func ruleName(r flow.Rule) string {
	if r.Policy == "" {
		return r.Rule
	}
	return r.Policy + "/" + r.Rule
}

// judge asks both ends, as far as they are workloads: the stricter holds, and
// of two that agree, the one that a rule decided is named.
func (k kernel) judge(f corpus.Flow, rules map[uint32]flow.Rule) (inForce, toCome flow.Verdict, inForceRule, toComeRule flow.Rule) {
	from, _ := k.matcher.find(f.From)
	to, _ := k.matcher.find(f.To)
	for _, b := range []layout.Address{from, to} {
		if b.Peer == layout.BuiltinPeer {
			return flow.Forwarded, flow.Forwarded, rules[b.Rule], rules[b.Rule]
		}
	}
	class := k.class(f.Protocol, f.Port)
	var values []layout.PolicyValue
	for _, end := range []struct {
		local, peer uint32
		d           flow.Direction
	}{{from.Local, to.Peer, flow.Egress}, {to.Local, from.Peer, flow.Ingress}} {
		if v, ok := k.decide(end.local, end.peer, end.d, class); ok && end.local != 0 {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return flow.Unjudged, flow.Unjudged, flow.Rule{}, flow.Rule{}
	}
	passes, inForceRule := stricter(values, rules, func(v layout.PolicyValue) (bool, uint32) { return v.AllowInForce, v.InForceRule })
	will, toComeRule := stricter(values, rules, func(v layout.PolicyValue) (bool, uint32) { return v.AllowToCome, v.ToComeRule })
	inForce, toCome = flow.Dropped, flow.Dropped
	if will {
		toCome = flow.Forwarded
	}
	if passes && will {
		inForce = flow.Forwarded
	} else if passes {
		inForce = flow.Audited
	}
	return inForce, toCome, inForceRule, toComeRule
}

func stricter(values []layout.PolicyValue, rules map[uint32]flow.Rule, of func(layout.PolicyValue) (bool, uint32)) (bool, flow.Rule) {
	for _, v := range values {
		if allow, rule := of(v); !allow {
			return false, rules[rule]
		}
	}
	for _, v := range values {
		if _, rule := of(v); rules[rule].Policy != "" {
			return true, rules[rule]
		}
	}
	_, rule := of(values[0])
	return true, rules[rule]
}
