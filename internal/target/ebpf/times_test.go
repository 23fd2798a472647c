package ebpf

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/flow"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
)

func berlin(t *testing.T) *time.Location {
	t.Helper()
	l, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestWindowsHoldByTheLocalClock(t *testing.T) {
	weekdays := uint8(0b0111110)
	for _, c := range []struct {
		lo, hi int
		days   uint8
		at     string // in Berlin
		want   bool
	}{
		{360, 1320, weekdays, "2026-11-23T06:00:00+01:00", true},
		{360, 1320, weekdays, "2026-11-23T05:59:59+01:00", false},
		{360, 1320, weekdays, "2026-11-23T22:00:00+01:00", false},
		{360, 1320, weekdays, "2026-11-22T12:00:00+01:00", false},  // a Sunday
		{1320, 360, 0b0100000, "2026-11-28T05:59:00+01:00", true},  // Saturday morning belongs to Friday
		{1320, 360, 0b0100000, "2026-11-27T05:59:00+01:00", false}, // Friday morning to Thursday
		{0, 1440, 0b0000010, "2026-11-23T23:59:59+01:00", true},    // until the end of Monday
		{120, 180, everyDay, "2026-10-25T02:30:00+02:00", true},    // the hour that comes twice,
		{120, 180, everyDay, "2026-10-25T02:30:00+01:00", true},    // both times
		{120, 180, everyDay, "2026-03-29T03:00:00+02:00", false},   // the hour that never comes
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		w := &policy.Window{Lo: c.lo, Hi: c.hi, Days: c.days, Location: berlin(t)}
		if got := windowOpen(w, at); got != c.want {
			t.Errorf("%d-%d on %07b at %s: open %v", c.lo, c.hi, c.days, c.at, got)
		}
	}
}

// TestWindowChangesAreAllFound goes through weeks minute by minute, those in
// which the clock is set among them.
func TestWindowChangesAreAllFound(t *testing.T) {
	for _, from := range []time.Time{
		time.Date(2026, 10, 23, 23, 17, 0, 0, time.UTC), time.Date(2026, 3, 27, 1, 1, 0, 0, time.UTC),
	} {
		for _, w := range []policy.Window{
			{Lo: 360, Hi: 1320, Days: 0b0111110}, {Lo: 1320, Hi: 150, Days: 0b1000001}, {Lo: 150, Hi: 170, Days: everyDay},
			{Lo: 0, Hi: 1440, Days: 0b1}, {Lo: 1410, Hi: 15, Days: everyDay},
		} {
			w.Location = berlin(t)
			end := from.Add(4 * 24 * time.Hour)
			next := windowChange(&w, from, end)
			was := windowOpen(&w, from)
			for at := from.Add(time.Minute); !at.After(end); at = at.Add(time.Minute) {
				is := windowOpen(&w, at)
				if (is != was) != at.Equal(next) {
					t.Fatalf("%+v: at %s open %v, before %v; the next change was to be at %s", w, at, is, was, next)
				}
				if is != was {
					next, was = windowChange(&w, at, end), is
				}
			}
			if !next.IsZero() {
				t.Errorf("%+v: a change at %s that is none", w, next)
			}
		}
	}
}

func during(r policy.Rule, lo, hi int) policy.Rule {
	r.Cond = &policy.Condition{When: &policy.Window{Lo: lo, Hi: hi, Days: everyDay, Location: time.UTC}}
	return r
}

func expiring(r policy.Rule, at time.Time) policy.Rule {
	r.Tier, r.Cond = policy.Exceptions, &policy.Condition{Expires: at}
	return r
}

func TestWhatEndsHasItsInstant(t *testing.T) {
	hour := func(h int) int64 { return monday.Truncate(24 * time.Hour).Add(time.Duration(h) * time.Hour).UnixNano() }
	web := netset.Of(netset.TCP, 80, 80)
	allow := rule(1, one(1), one(2), web)
	deny := allow
	deny.Effect = policy.Deny
	far := monday.AddDate(1, 0, 0)
	for name, c := range map[string]struct {
		rules []policy.Rule
		allow bool
		until int64
	}{
		"always":                                              {[]policy.Rule{allow}, true, 0},
		"while its window is open":                            {[]policy.Rule{during(allow, 540, 1020)}, true, hour(17)},
		"not before it opens":                                 {[]policy.Rule{during(allow, 660, 1020)}, false, 0},
		"until a deny begins":                                 {[]policy.Rule{allow, during(deny, 720, 780)}, true, hour(12)},
		"not while a deny is there":                           {[]policy.Rule{allow, during(deny, 600, 780)}, false, 0},
		"whatever a second allow does":                        {[]policy.Rule{allow, during(allow, 540, 1020)}, true, 0},
		"from one window into the next":                       {[]policy.Rule{during(allow, 540, 720), during(allow, 720, 840)}, true, hour(14)},
		"around the clock by two windows, as far as is known": {[]policy.Rule{during(allow, 360, 1080), during(allow, 1080, 360)}, true, horizonOf(monday).UnixNano()},
		"until an exception expires":                          {[]policy.Rule{expiring(allow, far)}, true, far.UnixNano()},
		"an expired exception is none":                        {[]policy.Rule{expiring(allow, monday)}, false, 0},
		"an exception under a deny that begins":               {[]policy.Rule{expiring(allow, far), during(deny, 720, 780)}, true, 0},
	} {
		p := estate(3)
		p.Rules = c.rules
		if c.rules[0].Tier == policy.Exceptions && len(c.rules) == 2 { // decided before the application tier, but not for ever
			c.until = horizonOf(monday).UnixNano()
		}
		tables, diags := Render(p, hostOf(1), monday, &Numbers{})
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		k := kernel{tables, newMatcher(tables.Addresses)}
		to, _ := k.matcher.find(p.Inventory.Workloads[2].Addresses[0])
		v, _ := k.decide(tables.Cgroups[0].Local, to.Peer, flow.Egress, k.class(netset.TCP, 80))
		if v.AllowToCome != c.allow || v.ToComeUntil != c.until || v.AllowInForce != c.allow || v.InForceUntil != c.until {
			t.Errorf("%s: %v until %s, want %v until %s", name, v.AllowToCome, time.Unix(0, v.ToComeUntil).UTC(), c.allow, time.Unix(0, c.until).UTC())
		}
	}
}

// TestASharedAddressEndsWithItsStrictestOwner and, of the ends here, with the
// loosest.
func TestASharedAddressEndsWithItsStrictestOwner(t *testing.T) {
	p := estate(4)
	shared := netip.MustParseAddr("10.0.7.7")
	for _, w := range []int{2, 3} {
		p.Inventory.Workloads[w].Addresses = []netip.Addr{shared}
	}
	all := netset.All()
	p.Rules = []policy.Rule{during(rule(1, one(1), one(2), all), 0, 900), during(rule(2, one(1), one(3), all), 0, 720)}
	look := func(h Host, own bool) layout.PolicyValue {
		tables, diags := Render(p, h, monday, &Numbers{})
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		k := kernel{tables, newMatcher(tables.Addresses)}
		at, _ := k.matcher.find(shared)
		from, _ := k.matcher.find(p.Inventory.Workloads[1].Addresses[0])
		local, peer, d := tables.Cgroups[0].Local, at.Peer, flow.Egress
		if own {
			local, peer, d = at.Local, from.Peer, flow.Ingress
		}
		v, _ := k.decide(local, peer, d, k.class(netset.TCP, 80))
		return v
	}
	noon, three := monday.Truncate(24*time.Hour).Add(12*time.Hour).UnixNano(), monday.Truncate(24*time.Hour).Add(15*time.Hour).UnixNano()
	if v := look(hostOf(1), false); !v.AllowInForce || v.InForceUntil != noon {
		t.Errorf("towards it: %+v, want until %d", v, noon)
	}
	if v := look(hostOf(2, 3), true); !v.AllowInForce || v.InForceUntil != three {
		t.Errorf("from here: %+v, want until %d", v, three)
	}
}

func requests(r policy.Rule) policy.Rule {
	r.Cond = &policy.Condition{HTTP: []policy.HTTP{{Methods: []string{"POST"}}}}
	return r
}

func TestWhatTheKernelCannotSeeIsReported(t *testing.T) {
	names := policy.External{Name: "psp", FQDNs: []string{"api.psp.example"}}
	web := netset.Of(netset.TCP, 80, 80)
	allow := rule(1, one(1), one(2), web)
	deny := allow
	deny.Effect = policy.Deny
	proven := allow
	proven.Cond = &policy.Condition{MTLS: true}
	out, notIn := rule(1, one(1), policy.Peers{Externals: []int{0}}, web), rule(1, one(1), policy.Peers{Not: true, Externals: []int{0}}, web)
	notIn.Effect = policy.Deny
	pass := requests(allow)
	pass.Tier, pass.Effect = policy.Platform, policy.Pass
	wall := deny
	wall.Tier, wall.Priority = policy.Platform, 9
	both := requests(allow)
	both.Cond.MTLS = true
	elsewhere := requests(rule(1, one(2), one(2), web))
	for name, c := range map[string]struct {
		rules []policy.Rule
		allow bool
		want  []string // in the one warning; nil for none
	}{
		"an allow of requests opens its ports": {[]policy.Rule{requests(allow)}, true, []string{"p/r1", "http", "all on its ports pass"}},
		"a deny of requests denies nothing":    {[]policy.Rule{requests(deny), allow}, true, []string{"p/r1", "http", "denies nothing"}},
		"a deny of all is exact":               {[]policy.Rule{deny, allow}, false, nil},
		"a pass of requests is followed":       {[]policy.Rule{pass, wall, allow}, true, []string{"p/r1", "http"}},
		"a pass into nothing":                  {[]policy.Rule{pass, wall}, false, []string{"p/r1", "http"}},
		"proof is not asked for":               {[]policy.Rule{proven}, true, []string{"p/r1", "require"}},
		"both are told at once":                {[]policy.Rule{both}, true, []string{"http", "require"}},
		"names open nothing":                   {[]policy.Rule{out}, false, []string{"fqdns of external psp", "opens nothing"}},
		"what is not a name":                   {[]policy.Rule{notIn}, false, []string{"fqdns of external psp", "denies them too"}},
		"of another host":                      {[]policy.Rule{elsewhere}, false, nil},
	} {
		p := estate(3)
		p.Externals = []policy.External{names}
		p.Rules = c.rules
		tables, diags := Render(p, hostOf(1), monday, &Numbers{})
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		k := kernel{tables, newMatcher(tables.Addresses)}
		to, _ := k.matcher.find(p.Inventory.Workloads[2].Addresses[0])
		if v, _ := k.decide(tables.Cgroups[0].Local, to.Peer, flow.Egress, k.class(netset.TCP, 80)); v.AllowInForce != c.allow {
			t.Errorf("%s: allowed %v", name, v.AllowInForce)
		}
		if (len(diags) == 1) != (c.want != nil) || len(diags) > 1 {
			t.Errorf("%s: reported is %v", name, diags)
			continue
		}
		for _, want := range c.want {
			if diags[0].Code != "unenforced" || !strings.Contains(diags[0].Message, want) {
				t.Errorf("%s: no %q in %s", name, want, diags[0])
			}
		}
	}
}

func TestNextIsWhenSomethingChanges(t *testing.T) {
	p := estate(3)
	if at := Next(p, monday); !at.IsZero() {
		t.Errorf("nothing changes, at %s", at)
	}
	allow := rule(1, one(1), one(2), netset.All())
	p.Rules = []policy.Rule{expiring(allow, monday.Add(3*time.Hour)), expiring(allow, monday), during(allow, 0, 700)}
	for _, want := range []time.Time{
		monday.Add(70 * time.Minute), monday.Add(3 * time.Hour), monday.Truncate(24 * time.Hour).Add(24 * time.Hour),
	} {
		if got := Next(p, want.Add(-time.Nanosecond)); !got.Equal(want) {
			t.Errorf("next is %s, want %s", got, want)
		}
	}
}
