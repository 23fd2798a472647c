package prove_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"firebreak/internal/flow"
	"firebreak/internal/gen"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
	"firebreak/internal/prove"
)

// guard is a layer that lets everything pass but what its rules deny.
func guard(target string, rules ...layer.Rule) *layer.Layer {
	all := allow("everything", layer.Everything(), layer.Everything(), netset.All())
	l := &layer.Layer{Target: target, Points: []layer.Point{{Name: "net", Governs: layer.AnyWorkload()}}}
	for d := range flow.Ingress + 1 {
		l.Tables = append(l.Tables, layer.Table{Name: target, Direction: d, Governs: layer.AnyWorkload(), Tiers: [][]layer.Rule{rules, {all}}})
	}
	return l
}

// TestDriftSaysEachThingOnce: what passes several layers is one line, at the most
// specific rule, rather in a target of the estate's own; what is cut is one line
// too, at the rule that cuts it.
func TestDriftSaysEachThingOnce(t *testing.T) {
	in := prove.Intent{Policy: plainShop(t)}
	one := func(lines []prove.Line) string {
		s := ""
		for _, l := range lines {
			if l.CaughtBy == "" {
				s += fmt.Sprintf("%s > %s %s at %s %s %s%s\n", l.From, l.To, l.Traffic, l.Target, l.Point, l.Rule.Rule, l.Reason)
			}
		}
		return s
	}
	wide := func() *layer.Layer {
		l := shop(t)
		l.Tables[0].Tiers[0] = append(l.Tables[0].Tiers[0], allow("all", layer.Everything(), in192(), netset.All()), allow("more", selected(t, "app=web"), in192(), tcp(22)))
		l.Tables[0].Tiers[0][3].Subject = selected(t, "app=web")
		return l
	}
	deny := allow("no", selected(t, "app=db"), layer.Everything(), tcp(5432))
	deny.Effect = layer.Deny
	for name, c := range map[string]struct {
		layers          []*layer.Layer
		targets         []string
		beyond, missing string
	}{
		"noise":                       {layers: []*layer.Layer{shop(t), guard("nacl")}},
		"an unspecific layer beside":  {layers: []*layer.Layer{guard("nacl"), wide()}, beyond: "world 198.51.100.0/24 > web all at networkpolicy cluster all\n"},
		"the estate's own layer":      {layers: []*layer.Layer{guard("nacl"), wide()}, targets: []string{"nacl"}, beyond: "world 198.51.100.0/24 > web all at nacl net everything\n"},
		"cut by a rule":               {layers: []*layer.Layer{shop(t), guard("nacl", deny)}, missing: "orders > db TCP 5432 at nacl net no\n"},
		"caught by another, no drift": {layers: []*layer.Layer{wide(), shop(t)}},
		"cut by a default and by a rule": {layers: []*layer.Layer{func() *layer.Layer {
			l := shop(t)
			l.Tables[0].Tiers[0] = l.Tables[0].Tiers[0][:2]
			return l
		}(), guard("nacl", deny)}, targets: []string{"networkpolicy"}, missing: "orders > db TCP 5432 at networkpolicy cluster defaultrefused by nacl as well\n"},
	} {
		d, err := prove.Drift(in, c.layers, prove.Options{At: noon, Targets: c.targets})
		if err != nil || len(d.Unknown) > 0 || one(d.Beyond) != c.beyond || one(d.Missing) != c.missing {
			t.Errorf("%s: %v\nbeyond:\n%smissing:\n%sunknown: %d", name, err, one(d.Beyond), one(d.Missing), len(d.Unknown))
		}
	}
}

func in192() layer.Match { return in("198.51.100.0/24") }

// TestDriftLeavesNothingOut compares what is told about random faults with what
// each layer, and all of them, differ by.
func TestDriftLeavesNothingOut(t *testing.T) {
	differing := 0
	for n := range 40 {
		w, _ := wanted(t, gen.Options{Workloads: 12, Rules: 14, Seed: uint64(n)})
		r := rand.New(rand.NewPCG(20261122, uint64(n)))
		layers := []*layer.Layer{written(w, "a", true), written(w, "b", n%2 == 0)}
		layers[n%2].Optional = n%5 == 0
		for range 3 {
			l := layers[r.IntN(2)]
			mutate(r, l)
			if t := l.Tables[r.IntN(2)].Tiers[0]; r.IntN(3) == 0 && len(t) > 0 {
				t[0].Unknown, t[0].OneWay = "for a reason", r.IntN(2) == 0
			}
		}
		pairs, err := prove.DriftCovers(prove.Intent{Policy: w.Policy}, layers, prove.Options{At: noon, Targets: []string{"b"}})
		if err != nil {
			t.Errorf("seed %d: %v", n, err)
		}
		differing += pairs
	}
	if t.Logf("%d pairs differ", differing); differing < 1000 {
		t.Errorf("only %d pairs differ", differing)
	}
}
