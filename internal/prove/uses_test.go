package prove_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"firebreak/internal/gen"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/prove"
)

func plainShop(t *testing.T) *policy.Policy {
	p, _ := resolve(t, shopPolicy, shopInventory)
	return p
}

// TestDriftIsWhatDiffers: another order and other words are no drift; a rule too
// many and one too few are.
func TestDriftIsWhatDiffers(t *testing.T) {
	p := plainShop(t)
	l := shop(t)
	slices.Reverse(l.Tables[0].Tiers[0])
	l.Tables[1].Tiers[0] = append(l.Tables[1].Tiers[0], l.Tables[1].Tiers[0][0])
	d, err := prove.Drift(prove.Intent{Policy: p}, []*layer.Layer{l}, prove.Options{At: noon})
	if err != nil || len(d.Beyond)+len(d.Missing)+len(d.Unknown) > 0 {
		t.Errorf("noise is drift: %+v %v", d, err)
	}
	l.Tables[0].Tiers[0] = append(l.Tables[0].Tiers[0][1:], allow("more", selected(t, "app=web"), in("198.51.100.0/24"), tcp(22)))
	d, err = prove.Drift(prove.Intent{Policy: p}, []*layer.Layer{l}, prove.Options{At: noon})
	if err != nil || len(d.Beyond) != 1 || len(d.Missing) != 1 || len(d.Unknown) != 0 {
		t.Fatalf("%+v %v", d, err)
	}
	if x := d.Beyond[0]; x.From != "world 198.51.100.0/24" || x.To != "web" || x.Traffic != "TCP 22" || x.Target != "networkpolicy" || x.Point != "cluster" {
		t.Errorf("beyond %+v", x)
	}
	if x := d.Missing[0]; x.From != "orders" || x.To != "db" || x.Traffic != "TCP 5432" {
		t.Errorf("missing %+v", x)
	}
}

// TestCompareSaysWhatAPolicyChanges in both directions.
func TestCompareSaysWhatAPolicyChanges(t *testing.T) {
	p := plainShop(t)
	l := shop(t)
	e, err := prove.Compare([]*layer.Layer{l}, prove.Intent{Policy: p}, prove.Options{At: noon})
	if err != nil || !e.Same() {
		t.Errorf("%+v %v", e, err)
	}
	for i := range l.Tables {
		for k := range l.Tables[i].Tiers[0] {
			if r := &l.Tables[i].Tiers[0][k]; r.Traffic.Equal(tcp(8080)) {
				r.Traffic = tcp(8081)
			}
		}
	}
	e, err = prove.Compare([]*layer.Layer{l}, prove.Intent{Policy: p}, prove.Options{At: noon})
	if err != nil || len(e.Gained) != 1 || e.Gained[0].Traffic != "TCP 8080" || len(e.Lost) != 1 || e.Lost[0].Traffic != "TCP 8081" {
		t.Errorf("%+v %v", e, err)
	}
}

// TestReachAgreesWithTheReference asks for every edge of random layers.
func TestReachAgreesWithTheReference(t *testing.T) {
	asked := 0
	for n := range 6 {
		w, _ := wanted(t, gen.Options{Workloads: 14, Rules: 14, Seed: uint64(n)})
		l := written(w, "t", false)
		r := rand.New(rand.NewPCG(20261122, uint64(n)))
		mutate(r, l)
		l.Tables[0].Tiers[0][0].Unknown = "for a reason"
		got, err := prove.Reach(w.Policy.Inventory, w.Policy, []*layer.Layer{l}, prove.Options{At: noon})
		if err != nil {
			t.Fatal(err)
		}
		at := map[[2]int]*prove.Reached{}
		endOf := map[int]int{}
		for i := range got.Edges {
			at[[2]int{got.Edges[i].From, got.Edges[i].To}] = &got.Edges[i]
		}
		for i, e := range got.Ends {
			for _, x := range e.Workloads {
				endOf[x] = i
			}
		}
		inv := w.Policy.Inventory
		for a := range inv.Workloads {
			for b := range inv.Workloads {
				if apart, _ := inv.Routes().Apart(inv.Workloads[a].Labels["net/vpc"], inv.Workloads[b].Labels["net/vpc"]); a == b || apart {
					continue // where no packets go there is nothing to ask a layer
				}
				for _, port := range []uint16{22, 80, 443, 5432, 8080, 9000} {
					v := l.Decide(layer.Conversation{From: layer.Party{Workload: &inv.Workloads[a]}, To: layer.Party{Workload: &inv.Workloads[b]}, Protocol: netset.TCP, Port: port,
						Holds: func(*layer.Rule) bool { return true }}, w.Policy.Networks)
					edge := at[[2]int{endOf[a], endOf[b]}]
					lower := edge != nil && edge.Lower.Ports().Contains(netset.TCP, port)
					upper := edge != nil && edge.Upper.Ports().Contains(netset.TCP, port)
					if asked++; lower != (v.Lower != layer.Deny) || upper != (v.Upper != layer.Deny) {
						t.Fatalf("seed %d: %s to %s, port %d: %v to %v, want %s to %s", n, inv.Workloads[a].Name, inv.Workloads[b].Name, port, lower, upper, v.Lower, v.Upper)
					}
					if edge != nil && !edge.Lower.Equal(edge.Upper) && edge.Reason == "" {
						t.Fatal("an edge is unknown for no reason")
					}
				}
			}
		}
	}
	t.Logf("%d conversations", asked)
}

// TestWhatNobodyGovernsIsNamed: a workload that no layer governs is unenforced
// together.
func TestWhatNobodyGovernsIsNamed(t *testing.T) {
	p := plainShop(t)
	l := shop(t)
	web := selected(t, "app in (web,orders)")
	l.Points[0].Governs, l.Tables[0].Governs, l.Tables[1].Governs = web, web, web
	report, err := prove.Prove(prove.Intent{Policy: p}, []*layer.Layer{l}, prove.Options{At: noon})
	if err != nil {
		t.Fatal(err)
	}
	if r := report.Together; r.Result != prove.Unenforced || r.Reason != "no layer governs db" {
		t.Errorf("%s: %s", r.Result, r.Reason)
	}
	if r := report.Results[0]; r.Result != prove.Exact {
		t.Errorf("what the layer governs is %s: %s", r.Result, r.Reason)
	}
}
