package space

import (
	"testing"
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
)

// TestDaysOnWhichTheClockIsChanged follows windows minute by minute through
// the nights in which clocks in Berlin are put back and forward.
func TestDaysOnWhichTheClockIsChanged(t *testing.T) {
	zone := berlin(t)
	windows := map[string]*policy.Window{
		"in the hour that comes twice or never": {Lo: 2*60 + 15, Hi: 2*60 + 45, Days: 127, Location: zone},
		"across midnight":                       {Lo: 22 * 60, Hi: 2*60 + 30, Days: 1 << time.Saturday, Location: zone},
		"from within the hour":                  {Lo: 2*60 + 30, Hi: 24 * 60, Days: 1 << time.Sunday, Location: zone},
		"all Sunday":                            {Lo: 0, Hi: 24 * 60, Days: 1 << time.Sunday, Location: zone},
		"all but Sunday":                        {Lo: 0, Hi: 24 * 60, Days: 127 &^ (1 << time.Sunday), Location: zone},
		"elsewhere":                             {Lo: 23 * 60, Hi: 60, Days: 127, Location: time.FixedZone("", -(3*3600 + 1800))},
	}
	for _, day := range []time.Time{time.Date(2026, 10, 25, 0, 0, 0, 0, zone), time.Date(2027, 3, 28, 0, 0, 0, 0, zone)} {
		for name, w := range windows {
			c := &policy.Condition{When: w}
			// The second horizon begins within the change.
			for _, from := range []time.Time{day.AddDate(0, 0, -2), day.Add(2*time.Hour + 20*time.Minute)} {
				s, err := New([]*policy.Condition{c}, Horizon{from, day.AddDate(0, 0, 3)})
				if err != nil {
					t.Fatal(err)
				}
				set, _ := s.Of(netset.All(), c, false)
				for at := from; at.Before(day.AddDate(0, 0, 3)); at = at.Add(time.Minute) {
					got := set.Contains(netset.TCP, 1, s.Locate(flow.Circumstances{At: at}))
					if want := bruteWindow(w, at); got != want {
						t.Fatalf("%s: %v at %s, want %v", name, got, at, want)
					}
				}
			}
		}
	}
}

func TestMidnight(t *testing.T) {
	c := &policy.Condition{When: &policy.Window{Lo: 22 * 60, Hi: 6 * 60, Days: 1 << time.Friday, Location: time.UTC}}
	friday := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	s, err := New([]*policy.Condition{c}, Horizon{friday.AddDate(0, 0, -7), friday.AddDate(0, 0, 7)})
	if err != nil {
		t.Fatal(err)
	}
	set, _ := s.Of(netset.All(), c, false)
	for hours, want := range map[time.Duration]bool{
		21*time.Hour + 59*time.Minute: false, 22 * time.Hour: true, 24 * time.Hour: true,
		30*time.Hour - 1: true, 30 * time.Hour: false, 46 * time.Hour: false, 1 * time.Hour: false,
	} {
		at := friday.Add(hours)
		if got := set.Contains(netset.TCP, 1, s.Locate(flow.Circumstances{At: at})); got != want {
			t.Errorf("%v at %s, want %v", got, at, want)
		}
		if got := !set.At(at).IsEmpty(); got != want {
			t.Errorf("at %s alone: %v, want %v", at, got, want)
		}
	}
}

// TestHorizon: what never differs within the horizon is no condition.
func TestHorizon(t *testing.T) {
	from := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	late := &policy.Condition{Expires: from.Add(time.Hour)}
	open := &policy.Condition{When: &policy.Window{Lo: 0, Hi: 1440, Days: 127}}
	for to, plain := range map[time.Time]bool{from: true, from.Add(-time.Hour): true, from.Add(time.Hour): true, from.Add(time.Hour + 1): false} {
		s, err := New([]*policy.Condition{late, open}, Horizon{from, to})
		if err != nil {
			t.Fatal(err)
		}
		set, _ := s.Of(netset.All(), late, false)
		if set.Equal(Plain(netset.All())) != plain {
			t.Errorf("up to %s: %s", to, set)
		}
		if always, _ := s.Of(netset.All(), open, false); !always.Equal(Plain(netset.All())) {
			t.Errorf("a window that is always open is %s", always)
		}
		if !set.Contains(netset.TCP, 1, s.Locate(flow.Circumstances{At: from.AddDate(-1, 0, 0)})) {
			t.Error("what was before the horizon does not count as its beginning")
		}
	}
}
