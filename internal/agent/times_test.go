package agent

import (
	"strings"
	"testing"
	"time"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/flow"
)

// timedPolicy lets web reach the database from 11:00 to 12:00.
var timedPolicy = strings.Replace(policyText, "    ports: [postgres]\n", "    ports: [postgres]\n    when: {hours: \"11:00-12:00\"}\n", 1)

// opened returns whether some entry of web's permits what the named rule does,
// and until when.
func (r *trial) opened() (bool, time.Time) {
	r.kernel.mu.Lock()
	defer r.kernel.mu.Unlock()
	for k, v := range r.kernel.tables.Policy {
		if k.Direction == flow.Egress && k.Local == r.kernel.tables.Cgroups[0].Local && k.Class >= layout.FirstClass && v.AllowInForce {
			return true, time.Unix(0, v.InForceUntil).UTC()
		}
	}
	return false, time.Time{}
}

func TestWindowsOpenAndCloseOnTime(t *testing.T) {
	r := newTrial(t)
	r.write("policy/policy.yaml", timedPolicy)
	r.start() // at 10:30
	if open, _ := r.opened(); open {
		t.Error("open before its time")
	}
	r.time.pass(29 * time.Minute)
	r.time.pass(time.Minute)
	r.until("the opening", func() bool { return r.status().Revision == 2 })
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	if open, until := r.opened(); !open || !until.Equal(noon) {
		t.Errorf("open %v until %s, want until noon", open, until)
	}
	// Nobody can read this, and it closes all the same.
	r.write("policy/policy.yaml", timedPolicy[:len(timedPolicy)-30])
	r.until("the complaint", func() bool { return r.status().Error != "" })
	r.time.pass(time.Hour)
	r.until("the closing", func() bool { return r.status().Revision == 3 })
	if open, _ := r.opened(); open {
		t.Error("open after its time")
	}
	if s := r.status(); s.Error == "" {
		t.Error("the time has mended the files")
	}
}

func TestASetClockIsNoticed(t *testing.T) {
	r := newTrial(t)
	r.write("policy/policy.yaml", timedPolicy)
	r.start()
	r.time.set(time.Hour) // 11:30, and no alarm rings
	r.until("the opening", func() bool { return r.status().Revision == 2 })
	if open, _ := r.opened(); !open {
		t.Error("closed at its time")
	}
	r.kernel.mu.Lock()
	before := r.kernel.tables.Clock
	r.kernel.mu.Unlock()
	r.time.set(-10 * time.Minute) // still open, but its end is further away
	r.until("another clock", func() bool {
		r.kernel.mu.Lock()
		defer r.kernel.mu.Unlock()
		return before-r.kernel.tables.Clock == int64(10*time.Minute)
	})
	r.untilLogged("the clock was set")
}

func TestWhatIsNotEnforcedIsToldOnce(t *testing.T) {
	r := newTrial(t)
	withHTTP := strings.Replace(policyText, "    ports: [postgres]\n", "    ports: [postgres]\n    http: [{methods: [GET]}]\n", 1)
	r.write("policy/policy.yaml", withHTTP)
	r.start()
	r.untilLogged("unenforced: rule orders/web-to-db")
	if s := r.status(); s.Unenforced != 1 {
		t.Errorf("%d unenforced", s.Unenforced)
	}
	r.write("policy/policy.yaml", strings.Replace(withHTTP, "it stores orders", "it keeps orders", 1))
	r.until("the new text", func() bool {
		all := r.catalogs()
		return strings.Contains(all[len(all)-1].Rules[0].Text, "keeps")
	})
	if n := strings.Count(r.log.String(), "unenforced: rule"); n != 1 {
		t.Errorf("told %d times", n)
	}
	r.write("policy/policy.yaml", policyText)
	r.until("all enforced", func() bool { return r.status().Unenforced == 0 })
}
