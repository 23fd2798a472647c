package verify_test

import (
	"testing"
	"time"

	"firebreak/internal/lang"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/semantics"
	"firebreak/internal/verify"
)

// A comparison is worth what it can find: each of these faults, planted in what
// one of the two evaluators reads, must be found within a few estates.

func eachRule(change func(*lang.Rule)) func(*lang.Dir) {
	return func(d *lang.Dir) {
		for _, p := range d.Policies {
			for _, r := range p.Rules {
				change(r)
			}
		}
	}
}

var faultsInTheText = map[string]func(*lang.Dir){
	"guardrails forgotten": func(d *lang.Dir) { d.Guardrails = nil },
	"exceptions forgotten": func(d *lang.Dir) { d.Exceptions = nil },
	"exceptions never expire": func(d *lang.Dir) {
		eachException(d, func(x *lang.Exception) { x.Expires = x.Expires.AddDate(9, 0, 0) })
	},
	"requests ignored": eachRule(func(r *lang.Rule) { r.HTTP = nil }),
	"mtls ignored":     eachRule(func(r *lang.Rule) { r.MTLS = false }),
	"windows ignored":  eachRule(func(r *lang.Rule) { r.When = nil }),
	"an hour too late": eachRule(func(r *lang.Rule) {
		if r.When != nil && r.When.Lo < r.When.Hi && r.When.Hi < 1380 {
			w := *r.When
			w.Lo, w.Hi = w.Lo+60, w.Hi+60
			r.When = &w
		}
	}),
	"stages ignored": eachRule(func(r *lang.Rule) { r.Stage = lang.Enforce }),
	"deny is allow":  eachRule(func(r *lang.Rule) { r.Effect = lang.Allow }),
	"pass is deny": eachRule(func(r *lang.Rule) {
		if r.Effect == lang.Pass {
			r.Effect = lang.Deny
		}
	}),
	"ends swapped":     eachRule(func(r *lang.Rule) { r.From, r.To = r.To, r.From }),
	"priorities fixed": func(d *lang.Dir) { eachPolicy(d, func(p *lang.Policy) { p.Priority = -p.Priority }) },
	"tiers joined":     func(d *lang.Dir) { eachPolicy(d, func(p *lang.Policy) { p.Tier = lang.Application }) },
	"zones allow": func(d *lang.Dir) {
		for _, z := range d.Zones {
			z.Default = lang.Allow
		}
	},
	"only guards the other end": func(d *lang.Dir) {
		for _, g := range d.Guardrails {
			g.GuardsFrom = !g.GuardsFrom
		}
	},
}

func eachException(d *lang.Dir, change func(*lang.Exception)) {
	for _, x := range d.Exceptions {
		change(x)
	}
}

func eachPolicy(d *lang.Dir, change func(*lang.Policy)) {
	for _, p := range d.Policies {
		change(p)
	}
}

var faultsInThePolicy = map[string]func(*policy.Rule){
	"conditions dropped": func(r *policy.Rule) { r.Cond = nil },
	"not forgotten": func(r *policy.Rule) {
		r.From.Not, r.To.Not = false, false
		for i := range r.Grants {
			r.Grants[i].To.Not = false
		}
	},
	"one port too many": func(r *policy.Rule) {
		for i := range r.Grants {
			if r.Grants[i].Traffic.Contains(netset.TCP, 80) {
				r.Grants[i].Traffic = r.Grants[i].Traffic.Union(netset.Of(netset.TCP, 81, 81))
			}
		}
	},
	"expiry a month late": func(r *policy.Rule) {
		if r.Cond != nil && !r.Cond.Expires.IsZero() {
			c := *r.Cond
			c.Expires = c.Expires.Add(31 * 24 * time.Hour)
			r.Cond = &c
		}
	},
	"first identity lost": func(r *policy.Rule) {
		if len(r.From.Identities) > 0 {
			r.From.Identities = r.From.Identities[1:]
		}
	},
}

func TestFaultsPlantedInEitherAreFound(t *testing.T) {
	for name, fault := range faultsInTheText {
		t.Run("the reference/"+name, func(t *testing.T) {
			found(t, func(d dice) string {
				dir, inv, p := draw(d)
				j := judge(t, dir, inv, p)
				fault(dir)
				j.slow = semantics.New(dir, inv)
				return j.questions(d, 300)
			})
		})
	}
	for name, fault := range faultsInThePolicy {
		t.Run("the engine/"+name, func(t *testing.T) {
			found(t, func(d dice) string {
				dir, inv, p := draw(d)
				for i := range p.Rules {
					fault(&p.Rules[i])
				}
				return judge(t, dir, inv, p).questions(d, 300)
			})
		})
	}
}

func found(t *testing.T, ask func(dice) string) {
	t.Helper()
	for seed := range uint64(300) {
		if ask(newDice(seed)) != "" {
			return
		}
	}
	t.Error("not found in 300 estates: the comparison does not see it")
}

// TestUpdateIsFresh goes through random policies with one engine and compares
// it after each with one made for that policy alone.
func TestUpdateIsFresh(t *testing.T) {
	for seed := range uint64(150) {
		d := newDice(seed)
		dir, inv, p := draw(d)
		e, err := verify.New(p, verify.Options{At: noon})
		if err != nil {
			t.Fatal(err)
		}
		for step := range 8 {
			dir, inv, p = d.edit(dir, inv, p)
			if err := e.Update(p); err != nil {
				t.Fatal(err)
			}
			fresh := judge(t, dir, inv, p)
			same := *fresh
			same.fast = e
			same.ends = renumber(fresh, e)
			if s := same.questions(d, 200); s != "" {
				t.Fatalf("seed %d step %d: %s", seed, step, s)
			}
			sameProofs(t, fresh.fast, e)
			if got, want := needless(e), needless(fresh.fast); got != want {
				t.Fatalf("seed %d step %d: needless %s, want %s", seed, step, got, want)
			}
		}
	}
}

// TestUpdatesDoNotPileUp: what many updates leave behind is bounded, and what
// is thrown away changes no answer and no peer's number.
func TestUpdatesDoNotPileUp(t *testing.T) {
	d := newDice(3)
	dir, inv, p := draw(d)
	e, err := verify.New(p, verify.Options{At: noon})
	if err != nil {
		t.Fatal(err)
	}
	before, shrunk := 0, 0
	for step := range 250 {
		nextDir, nextInv, q := d.edit(dir, inv, p)
		if len(nextDir.Policies) > 6 || len(nextInv.Workloads) > 10 {
			continue
		}
		dir, inv, p = nextDir, nextInv, q
		world := e.World()
		if err := e.Update(p); err != nil {
			t.Fatal(err)
		}
		if e.Classes() > 100_000 {
			t.Fatalf("step %d: %d classes of pairs among %d peers", step, e.Classes(), e.Peers())
		}
		if e.Classes() >= before {
			before = e.Classes()
			continue
		}
		before, shrunk = e.Classes(), shrunk+1
		if now := e.World(); now != world && now != verify.None && world != verify.None {
			t.Errorf("step %d: the world was peer %d and is %d", step, world, now)
		}
		fresh := judge(t, dir, inv, p)
		same := *fresh
		same.fast, same.ends = e, renumber(fresh, e)
		if s := same.questions(d, 300); s != "" {
			t.Fatalf("step %d: %s", step, s)
		}
		sameProofs(t, fresh.fast, e)
	}
	if shrunk == 0 {
		t.Error("nothing was ever thrown away")
	}
}
