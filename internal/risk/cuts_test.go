package risk

import (
	"cmp"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

func TestCutsByHand(t *testing.T) {
	g := threeTiers()
	got := g.Cuts(5)
	before := (8 + 9 + 6) / 42.
	k := func(rule string) Keeper {
		for _, k := range g.Keepers {
			if k.Rule.Rule == rule || k.Zone == rule {
				return k
			}
		}
		t.Fatalf("no keeper %s", rule)
		return Keeper{}
	}
	want := Cuts{
		Rules: []Cut{
			{k("web-to-app"), before, (0 + 9 + 2) / 42.}, // lonely keeps the two web
			{k("peers"), before, (8 + 3 + 6) / 42.},
		},
		Defaults: []Cut{{k("app"), before, (8 + 9 + 0) / 42.}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}
}

// plainCuts removes one keeper after the other and walks.
func plainCuts(g *Graph) Cuts {
	total := func(without int32) int64 {
		sum := int64(0)
		for _, n := range walk(g, func(l Link) bool { return !slices.Contains(g.Passes[l.Pass].Sole, without) }) {
			sum += int64(n)
		}
		return sum
	}
	n := int64(g.workloads())
	before := total(-1)
	var out Cuts
	for k, keeper := range g.Keepers {
		after := total(int32(k))
		cut := Cut{keeper, share(before, n*(n-1)), share(after, n*(n-1))}
		switch {
		case after == before:
		case keeper.Zone == "":
			out.Rules = append(out.Rules, cut)
		default:
			out.Defaults = append(out.Defaults, cut)
		}
	}
	for _, list := range []*[]Cut{&out.Rules, &out.Defaults} {
		slices.SortStableFunc(*list, func(a, b Cut) int { return cmp.Compare(a.Now, b.Now) })
		*list = (*list)[:min(len(*list), 3)]
	}
	return out
}

func TestCutsAgreeWithWalking(t *testing.T) {
	some := 0
	for seed := range uint64(3000) {
		g := random(rand.New(rand.NewPCG(seed, 2)))
		got, want := g.Cuts(3), plainCuts(g)
		if len(want.Rules) > 0 {
			some++
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: got\n%+v, want\n%+v", seed, got, want)
		}
	}
	if some < 500 {
		t.Errorf("only %d graphs had a rule to cut", some)
	}
}

// TestCutsSayWhatTheySkipped demands that running out of work is no silent no.
func TestCutsSayWhatTheySkipped(t *testing.T) {
	g := threeTiers()
	if got := g.cuts(5, 0); got.Skipped != 3 || got.Rules != nil || got.Defaults != nil {
		t.Errorf("%+v", got)
	}
}
