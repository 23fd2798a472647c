package ask_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"firebreak/internal/ask"
	"firebreak/internal/gen"
	"firebreak/internal/lang"
	"firebreak/internal/load"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/verify"
	"firebreak/internal/verify/space"
)

var now = time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)

// generated makes a small estate.
func generated(t *testing.T, seed uint64) *load.Loaded {
	t.Helper()
	fsys, err := gen.Estate(gen.Options{Workloads: 60, Identities: 20, Rules: 60, Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	l, diags := load.FS(fsys, ".", nil)
	if l.Policy == nil {
		t.Fatal(diags)
	}
	return l
}

// changed is the policy with some of its rules gone, turned round, widened or
// moved; sometimes with nothing but another order of its policies, which is no
// difference outside the platform tier.
func changed(t *testing.T, l *load.Loaded, random *rand.Rand) *policy.Policy {
	t.Helper()
	tree := *l.Tree
	tree.Policies = nil
	for _, p := range l.Tree.Policies {
		q := *p
		q.Rules = nil
		for _, r := range p.Rules {
			x := *r
			switch random.IntN(40) {
			case 0:
				continue
			case 1:
				x.Ports = []lang.Port{{Traffic: netset.Of(netset.TCP, 9999, 9999)}}
			case 2:
				x.From, x.To = r.To, r.From
				x.Ports = nil
			case 3:
				x.Stage = lang.Observe
			}
			q.Rules = append(q.Rules, &x)
		}
		tree.Policies = append(tree.Policies, &q)
	}
	p, diags := policy.Resolve(&tree, l.Inventory)
	if p == nil {
		t.Fatal(diags)
	}
	return p
}

// The lines of a comparison say of every pair exactly what the Delta says, and
// there are none exactly if it says nothing.
func TestLinesAreTheDelta(t *testing.T) {
	lines, without := 0, 0
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			l := generated(t, seed)
			is := l.Policy
			if seed%4 != 0 {
				is = changed(t, l, random)
			}
			x, y, err := verify.NewPair(l.Policy, is, verify.Options{At: now})
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range []verify.Delta{verify.Diff(x, y), verify.DiffInForce(x, y)} {
				c := ask.Compare(&d, x, y)
				if len(c.Lines) == 0 != (len(d.Changes) == 0) {
					t.Fatalf("%d lines for %d changes", len(c.Lines), len(d.Changes))
				}
				lines += len(c.Lines)
				if len(c.Lines) == 0 {
					without++
				}
				for _, gained := range []bool{true, false} {
					same(t, &d, said(&d, &c, gained), meant(&d, gained))
				}
			}
		})
	}
	if lines == 0 || without == 0 {
		t.Errorf("%d lines, %d comparisons without any: nothing was tried", lines, without)
	}
}

// member is a workload, or a group outside.
type member struct {
	workload string
	group    int
}

func members(d *verify.Delta, groups []int) []member {
	var out []member
	for _, g := range groups {
		for _, w := range d.Groups[g].Workloads {
			out = append(out, member{w, -1})
		}
		if d.Groups[g].Workloads == nil {
			out = append(out, member{"", g})
		}
	}
	return out
}

func ofEnd(d *verify.Delta, c *ask.Comparison, i int) []member {
	e := &c.Ends[i]
	if e.Kind == "outside" {
		return members(d, e.Groups)
	}
	var out []member
	for _, w := range c.Workloads(i, e.Size()) {
		out = append(out, member{w, -1})
	}
	return out
}

type sets map[[2]member]space.Set

func (s sets) add(from, to []member, set space.Set) {
	for _, a := range from {
		for _, b := range to {
			if a != b {
				s[[2]member{a, b}] = s[[2]member{a, b}].Union(set)
			}
		}
	}
}

func meant(d *verify.Delta, gained bool) sets {
	out := sets{}
	for _, c := range d.Changes {
		moved := c.Lost
		if gained {
			moved = c.Gained
		}
		for _, m := range moved {
			out.add(members(d, []int{c.From}), members(d, []int{c.To}), m.Set)
		}
	}
	return out
}

func said(d *verify.Delta, c *ask.Comparison, gained bool) sets {
	out := sets{}
	for _, l := range c.Lines {
		if l.Gained != gained {
			continue
		}
		for _, i := range l.From {
			for _, j := range l.To {
				out.add(ofEnd(d, c, i), ofEnd(d, c, j), l.Set)
			}
		}
	}
	return out
}

func same(t *testing.T, d *verify.Delta, got, want sets) {
	t.Helper()
	for pair := range maps.Keys(want) {
		if !got[pair].Equal(want[pair]) {
			t.Fatalf("%v: %v, want %v", pair, got[pair], want[pair])
		}
	}
	for pair := range maps.Keys(got) {
		if _, there := want[pair]; !there {
			t.Fatalf("%v: %v, want nothing", pair, got[pair])
		}
	}
}
