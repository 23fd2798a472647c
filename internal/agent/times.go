package agent

import (
	"context"
	"fmt"
	"time"

	"firebreak/internal/diag"
)

// clockSlack is by how much the clock must have been set for it to matter. Two
// readings that are not of one instant must stay below it.
const clockSlack = 100 * time.Millisecond

// retryTimes is when a rendering that failed because of the time is tried again.
const retryTimes = time.Minute

// clockSet reports whether the wall clock was set since it was last asked, and
// takes the new one over. The kernel's instants are those of the old one then.
func (a *agent) clockSet() bool {
	clock := a.sys.Now().UnixNano() - a.sys.Boot()
	if moved := time.Duration(clock - a.clock).Abs(); moved < clockSlack {
		return false
	}
	a.clock = clock
	return true
}

// alarm fires when what is in force ceases to be what the policy says; nil if
// it never does.
func (a *agent) alarm() <-chan time.Time {
	next := a.current.next
	if next.IsZero() {
		a.alarmAt, a.alarmC = time.Time{}, nil
	} else if !next.Equal(a.alarmAt) {
		a.alarmAt = next
		a.alarmC = a.sys.After(max(next.Sub(a.sys.Now()), time.Millisecond))
	}
	return a.alarmC
}

// keepTime renders anew when rules open, close or expire, and when the clock was
// set. It reads no file: time goes on also while those are broken.
func (a *agent) keepTime(ctx context.Context) {
	old := a.current
	if old.next.IsZero() {
		return
	}
	clock := a.clock
	set := a.clockSet()
	if !set && a.sys.Now().Before(old.next) {
		return
	}
	c := &candidate{cfg: old.cfg, loaded: old.loaded, described: old.described}
	diags := c.render(old.tree, old.addrs, old.numbers, a.sys.Now())
	why := (&Refused{diags}).Error()
	if why == "" {
		why = a.put(ctx, c, set)
	}
	if why != "" { // what is in force ends by itself where it must
		a.clock = clock // which is the kernel's still
		old.next = a.sys.Now().Add(retryTimes)
		a.refuse(why)
	} else if a.complaint == a.late {
		a.accepted(diags)
	}
	if set && why == "" {
		a.logf("the clock was set; what ends at a time was rendered anew")
	}
	a.late = why
}

// maxTold bounds how many warnings of one reading are logged.
const maxTold = 20

// unenforced picks out the warnings about what the kernel cannot enforce.
func unenforced(diags diag.List) diag.List {
	var out diag.List
	for _, d := range diags {
		if d.Code == "unenforced" {
			out = append(out, d)
		}
	}
	return out
}

// tell logs what of the policy in force is not enforced, once until it changes.
func (a *agent) tell(c *candidate) {
	text := fmt.Sprint(c.unenforced)
	if text == a.told {
		return
	}
	a.told = text
	for i, d := range c.unenforced {
		if i == maxTold {
			a.logf("and %d more that are not enforced as written", len(c.unenforced)-maxTold)
			break
		}
		a.logf("%s", d)
	}
}
