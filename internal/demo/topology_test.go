package demo

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	threetier "firebreak/examples/three-tier"
	"firebreak/internal/demo/actor"
	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/inventory/file"
	"firebreak/internal/lang"
	"firebreak/internal/policy"
)

func TestTheShopIsTheInventorys(t *testing.T) {
	inv, diags := file.Read(threetier.Files, "inventory.yaml")
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	found := map[string]bool{}
	for _, p := range players() {
		if p.Service == "" {
			continue
		}
		found[p.Name] = true
		i := slices.IndexFunc(inv.Workloads, func(w inventory.Workload) bool { return w.Name == p.Name })
		if i < 0 {
			t.Errorf("%s is not in the inventory", p.Name)
			continue
		}
		w := inv.Workloads[i]
		want := []netip.Addr{p.Own.V4, p.Own.V6}
		if !slices.Equal(w.Addresses, want) || w.Labels["app"] != p.Service || w.Host != p.Host {
			t.Errorf("%s: the inventory has %v, %s, %s; the shop %v, %s, %s", p.Name, w.Addresses, w.Labels["app"], w.Host, want, p.Service, p.Host)
		}
	}
	if len(found) != len(inv.Workloads) {
		t.Errorf("the shop plays %d of the inventory's %d workloads", len(found), len(inv.Workloads))
	}
}

func TestThePolicyIsSound(t *testing.T) {
	inv, _ := file.Read(threetier.Files, "inventory.yaml")
	dir, diags := lang.Parse(threetier.Files)
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	if _, diags := policy.Resolve(dir, inv); len(diags) > 0 {
		t.Error(diags)
	}
}

func TestAttacksAreTheContracts(t *testing.T) {
	list := attacks()
	names := map[string]bool{}
	for i, a := range list {
		if names[a.Name] {
			t.Errorf("%s is there twice", a.Name)
		}
		names[a.Name] = true
		if i > 0 && list[i-1].Target == a.Target && list[i-1].Kind == a.Kind {
			t.Errorf("%s follows %s: their drops would not be told apart", a.Name, list[i-1].Name)
		}
	}
	has := func(to, traffic string, family actor.Family) bool {
		return slices.ContainsFunc(list, func(a attack) bool {
			return a.To == to && strings.HasPrefix(a.Traffic, traffic) && a.Family == family
		})
	}
	for _, f := range actor.Families {
		out := stranger.Of(f).String()
		for _, want := range []struct{ to, traffic string }{
			{"orders", "TCP 9000"}, {"orders-db", "TCP 5432"}, {"orders", "TCP 21,"}, {"orders-db", "TCP 21,"},
			{out, "TCP 443"}, {out, "UDP 53"}, {out, "ICMP"},
		} {
			if !has(want.to, want.traffic, f) {
				t.Errorf("no attack on %s by %s in %s", want.to, want.traffic, f)
			}
		}
	}
}

// An attack on something that is permitted would succeed, and rightly.
func TestNoAttackTriesWhatIsPermitted(t *testing.T) {
	for _, a := range attacks() {
		if (a.To == "orders" || a.To == "payments") && slices.Contains(a.Numbers, webPort) {
			t.Errorf("%s tries the port that storefronts may use", a.Name)
		}
	}
}

func sight(mark uint16) actor.Sight { return actor.Sight{Kind: actor.Line, Family: 4, Mark: mark} }

func TestLedgerCountsAnAttemptOnceWhoeverSawIt(t *testing.T) {
	name := attacks()[0].Name
	begun := func(mark uint16, phase string) actor.Report {
		return actor.Report{Attempt: &actor.Attempt{Attack: name, Phase: phase, Sight: sight(mark)}}
	}
	over := func(mark uint16, phase string, reached bool) actor.Report {
		r := begun(mark, phase)
		r.Attempt.Over, r.Attempt.Reached, r.Attempt.Answered = true, reached, reached
		return r
	}
	seen := func(mark uint16) actor.Report { s := sight(mark); return actor.Report{Sight: &s} }
	for name, c := range map[string]struct {
		said                          []actor.Report
		attempts, reached, open, hits int
		strays                        int
	}{
		"seen by both":            {said: []actor.Report{begun(1, "enforce"), seen(1), over(1, "enforce", true)}, attempts: 1, reached: 1},
		"by the attacker":         {said: []actor.Report{begun(1, "enforce"), over(1, "enforce", true)}, attempts: 1, reached: 1},
		"by the victim":           {said: []actor.Report{begun(1, "enforce"), over(1, "enforce", false), seen(1)}, attempts: 1, reached: 1},
		"by the victim, early":    {said: []actor.Report{seen(1), begun(1, "enforce"), over(1, "enforce", false)}, attempts: 1, reached: 1},
		"by nobody":               {said: []actor.Report{begun(1, "enforce"), over(1, "enforce", false)}, attempts: 1},
		"before enforcement":      {said: []actor.Report{begun(1, "open"), over(1, "open", true)}, open: 1, hits: 1},
		"a port that comes again": {said: []actor.Report{begun(1, "open"), seen(1), over(1, "open", true), begun(1, "enforce"), over(1, "enforce", false)}, attempts: 1, open: 1, hits: 1},
		"of no attempt":           {said: []actor.Report{seen(7)}, strays: 1},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLedger()
			for _, r := range c.said {
				l.note(r)
			}
			a := l.attacks()[0]
			if a.Attempts != c.attempts || a.Reached != c.reached || a.AttemptsOpen != c.open || a.ReachedOpen != c.hits || l.strays() != c.strays {
				t.Errorf("got %+v, %d strays; want %+v", a, l.strays(), c)
			}
		})
	}
}

func TestFirstDropIsTheAttacksOwn(t *testing.T) {
	var a attack
	for _, x := range attacks() {
		if x.To == "orders-db" && x.Family == 6 && x.Tries == 5 {
			a = x
		}
	}
	began := time.Unix(1000, 0)
	w := newWatcher("")
	add := func(after time.Duration, change func(*flow.Flow)) {
		f := flow.Flow{Time: began.Add(after), From: taken, Dst: a.Target, DstPort: dbPort, Protocol: 6, Verdict: flow.Dropped}
		change(&f)
		w.take(&update{Flows: []conversation{{Flow: f}}}, f.Time.Add(2*time.Millisecond))
	}
	add(-time.Second, func(*flow.Flow) {}) // of an earlier attack
	add(1*time.Millisecond, func(f *flow.Flow) { f.DstPort = 22 })
	add(2*time.Millisecond, func(f *flow.Flow) { f.Protocol = 17 })
	add(3*time.Millisecond, func(f *flow.Flow) { f.Verdict = flow.Forwarded })
	add(4*time.Millisecond, func(f *flow.Flow) { f.From = "storefront-2" })
	add(5*time.Millisecond, func(f *flow.Flow) { f.Dst = ordersDB1.V4 })
	if got := w.firstDrop(a, began); got != -1 {
		t.Errorf("somebody else's drop was taken: %v", got)
	}
	add(6*time.Millisecond, func(*flow.Flow) {})
	add(7*time.Millisecond, func(*flow.Flow) {})
	if got := w.firstDrop(a, began); got != 8 {
		t.Errorf("first drop after %v ms, want 8", got)
	}
	if got := w.firstDrop(a, time.Time{}); got != -1 {
		t.Errorf("an attack that has not begun: %v", got)
	}
}

func TestPercentiles(t *testing.T) {
	s := actor.Samples{Failed: 2}
	for i := range 100 {
		s.Micros = append(s.Micros, int64(100-i))
	}
	if got, want := percentiles(s), (Percentiles{51, 100, 102, 2}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := percentiles(actor.Samples{}); got != (Percentiles{}) {
		t.Errorf("of nothing: %+v", got)
	}
}

func TestGrouped(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000"} {
		if got := grouped(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestHeldNamesWhatDidNot(t *testing.T) {
	good := func() *Report { return &Report{Attacks: []Attack{{Name: "a", ReachedOpen: 1}}} }
	if why := good().Held(); why != "" {
		t.Errorf("a good run: %s", why)
	}
	for want, spoil := range map[string]func(*Report){
		"not open":           func(r *Report) { r.Attacks[0].ReachedOpen = 0 },
		"no drop":            func(r *Report) { r.Attacks[0].FirstDropMs = -1 },
		"while enforced":     func(r *Report) { r.Attacks[0].Reached = 1 },
		"permitted requests": func(r *Report) { r.Latency.Permitted.Failed = 1 },
		"events were lost":   func(r *Report) { r.Flows.Lost = 1 },
	} {
		r := good()
		spoil(r)
		if why := r.Held(); !strings.Contains(why, want) {
			t.Errorf("got %q, want one with %q", why, want)
		}
	}
}
