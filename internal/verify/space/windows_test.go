package space

import (
	"testing"
	"time"

	"firebreak/internal/netset"
	"firebreak/internal/policy"
)

// TestWindowsLeft demands that the difference of windows is called by what is
// left, where days and time zone are the same, and only there.
func TestWindowsLeft(t *testing.T) {
	const days = 0b0111110
	window := func(lo, hi int, days uint8, in *time.Location) *policy.Condition {
		return &policy.Condition{When: &policy.Window{Lo: lo * 60, Hi: hi * 60, Days: days, Location: in}}
	}
	conds := map[string]*policy.Condition{
		"8-20": window(8, 20, days, berlin(t)), "8-18": window(8, 18, days, berlin(t)), "10-20": window(10, 20, days, berlin(t)),
		"10-18": window(10, 18, days, berlin(t)), "22-6": window(22, 6, days, berlin(t)),
		"utc": window(8, 18, days, time.UTC), "monday": window(8, 18, 0b10, berlin(t)),
	}
	var all []*policy.Condition
	for _, c := range conds {
		all = append(all, c)
	}
	from := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	s, err := New(all, Horizon{from, from.AddDate(1, 0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	of := func(name string) Set {
		set, ok := s.Of(netset.Of(netset.TCP, 22, 22), conds[name], false)
		if !ok {
			t.Fatal("no condition ", name)
		}
		return set
	}
	const every = " mon,tue,wed,thu,fri Europe/Berlin"
	for _, c := range []struct{ of, without, want string }{
		{"8-20", "8-18", "TCP 22 18:00-20:00" + every},
		{"8-20", "10-20", "TCP 22 08:00-10:00" + every},
		{"8-20", "10-18", "TCP 22 (08:00-10:00" + every + " or 18:00-20:00" + every + ")"},
		{"8-18", "10-20", "TCP 22 08:00-10:00" + every},
		{"8-20", "22-6", "TCP 22 08:00-20:00" + every},
		{"8-20", "8-20", "none"},
	} {
		if got := of(c.of).Subtract(of(c.without)).String(); got != c.want {
			t.Errorf("%s without %s is %s, want %s", c.of, c.without, got, c.want)
		}
	}
	for _, other := range []string{"utc", "monday"} {
		if got := of("8-20").Subtract(of(other)).String(); got == "TCP 22 18:00-20:00"+every {
			t.Errorf("without %s: %s", other, got)
		}
	}
}
