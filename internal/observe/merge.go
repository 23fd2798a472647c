package observe

import (
	"cmp"
	"slices"
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/netset"
)

// Window is how far apart in time the reports of one conversation may lie.
const Window = 30 * time.Second

// tuple is what both ends of a conversation have in common.
type tuple struct {
	src, dst         [16]byte
	srcPort, dstPort uint16
	proto            uint8
}

// report is what one end said, with names as numbers.
type report struct {
	at               int64 // ns
	end              uint32
	place            uint32
	rule, toComeRule uint32
	conv             uint8 // index into talk.convs
	dir              flow.Direction
	verdict, toCome  flow.Verdict
	reason           flow.Reason
}

// conv is one conversation: where it is counted and listed.
type conv struct {
	start int64
	id    uint64 // in the ring; 0 if not listed yet
	edge  *edge  // nil if not counted yet
}

// talk is everything that was reported about one tuple. Its reports are
// sorted, and its conversations follow from that sorted list alone: this is
// why the order of arrival does not matter.
type talk struct {
	key     tuple
	reports []report
	convs   []conv
	port    uint16
	class   netset.Protocol
	born    int64 // ns, of arrival
	touched int64

	// Where reports and convs begin, enough for most: one allocation a talk.
	firstReports [2]report
	firstConvs   [1]conv
}

func newTalk(key tuple, class netset.Protocol, port uint16, born int64) *talk {
	t := &talk{key: key, class: class, port: port, born: born}
	t.reports, t.convs = t.firstReports[:0], t.firstConvs[:0]
	return t
}

// waits reports whether only one side has spoken of the newest conversation.
func (t *talk) waits() bool {
	last, sides := uint8(len(t.convs)-1), 0
	for _, r := range t.reports {
		if r.conv == last {
			sides |= 1 << r.dir
		}
	}
	return sides != 3
}

// Bounds of a talk, so that its conversations fit a uint64 as a set.
const (
	maxConvs   = 32
	maxReports = 128
)

// table finds talks and lets the oldest go.
type table struct {
	byKey   map[tuple]*talk
	queue   []*talk // by birth
	max     int
	evicted uint64
}

func (a *Aggregate) report(f *flow.Flow) report {
	return report{
		at: f.Time.UnixNano(), end: a.ends.id(end{f.Host, f.Direction}), place: a.places.id(placeOf(f)),
		rule: a.rules.id(f.Rule), toComeRule: a.rules.id(f.ToComeRule),
		dir: f.Direction, verdict: f.Verdict, toCome: f.ToCome, reason: f.Reason,
	}
}

// talkOf returns the talk that a flow belongs to. One that was refused before
// it had a source port is like no other: its talk is temporary.
func (a *Aggregate) talkOf(f *flow.Flow, now time.Time) (t *talk, temporary bool) {
	class, arrived := netset.ProtocolOf(f.Protocol), now.UnixNano()
	key := tuple{f.Src.Unmap().As16(), f.Dst.Unmap().As16(), f.SrcPort, f.DstPort, f.Protocol}
	if !class.HasPorts() {
		key.srcPort, key.dstPort = f.SrcPort, 0
	}
	if class.HasPorts() && f.SrcPort == 0 {
		return newTalk(key, class, f.DstPort, arrived), true
	}
	t = a.merge.byKey[key]
	if t == nil {
		a.merge.makeRoom(arrived)
		t = newTalk(key, class, key.dstPort, arrived)
		a.merge.byKey[key] = t
		a.merge.queue = append(a.merge.queue, t)
	}
	t.touched = arrived
	return t, false
}

// makeRoom lets go of talks whose ends have had their time, and of the oldest
// if there are too many.
func (b *table) makeRoom(now int64) {
	for len(b.queue) > 0 {
		t := b.queue[0]
		full := len(b.byKey) >= b.max
		if !full && now-t.born < int64(2*Window) {
			return
		}
		b.queue[0] = nil
		b.queue = b.queue[1:]
		if !full && now-t.touched < int64(2*Window) {
			t.born = t.touched
			b.queue = append(b.queue, t)
			continue
		}
		if now-t.touched < int64(Window) && t.waits() {
			b.evicted++
		}
		delete(b.byKey, t.key)
	}
}

// compare orders reports by time; reports of one moment by everything else, so
// that no order of arrival shows.
func (a *Aggregate) compare(x, y report) int {
	if c := cmp.Compare(x.at, y.at); c != 0 {
		return c
	}
	return cmp.Or(
		cmp.Compare(x.dir, y.dir),
		cmp.Compare(x.verdict, y.verdict),
		cmp.Compare(x.toCome, y.toCome),
		cmp.Compare(x.reason, y.reason),
		cmp.Compare(a.ends.values[x.end].host, a.ends.values[y.end].host),
		compareRules(a.rules.values[x.rule], a.rules.values[y.rule]),
		compareRules(a.rules.values[x.toComeRule], a.rules.values[y.toComeRule]),
		comparePlaces(a.places.values[x.place], a.places.values[y.place]),
	)
}

func compareRules(x, y flow.Rule) int {
	return cmp.Or(cmp.Compare(x.Policy, y.Policy), cmp.Compare(x.Rule, y.Rule), cmp.Compare(x.File, y.File), cmp.Compare(x.Line, y.Line))
}

func comparePlaces(x, y place) int {
	return cmp.Or(cmp.Compare(x.from, y.from), cmp.Compare(x.to, y.to), cmp.Compare(x.fromZone, y.fromZone), cmp.Compare(x.toZone, y.toZone))
}

// insert puts a report in its place and returns the place.
func (t *talk) insert(r report, a *Aggregate) int {
	i := len(t.reports)
	for i > 0 && a.compare(t.reports[i-1], r) > 0 {
		i--
	}
	t.reports = slices.Insert(t.reports, i, r)
	return i
}

// settle works out again the conversations from report i on, and counts those
// that came out differently. f is the flow behind report i.
func (a *Aggregate) settle(t *talk, i int, f *flow.Flow) {
	var affected uint64
	for _, r := range t.reports[i+1:] {
		affected |= 1 << r.conv
	}
	n := 0 // conversations that began before i
	for _, r := range t.reports[:i] {
		n = max(n, int(r.conv)+1)
	}
	for j := i; j < len(t.reports); j++ {
		k := t.join(j, n)
		if k == n {
			n++
			if k == len(t.convs) {
				t.convs = append(t.convs, conv{})
			}
			t.convs[k].start = t.reports[j].at
		}
		t.reports[j].conv = uint8(k)
		affected |= 1 << k
	}
	for len(t.convs) > n {
		a.uncount(&t.convs[len(t.convs)-1], t)
		t.convs = t.convs[:len(t.convs)-1]
	}
	for k := range t.convs {
		if affected&(1<<k) != 0 {
			a.recount(t, k, f, int(t.reports[i].conv) == k)
		}
	}
}

// join says which of the first n conversations report j belongs to; n means a
// new one. Among those that began within Window before it:
//   - the end of a permission belongs to what the same end reported last;
//   - else to the first conversation of which this end has said nothing yet,
//     except that what the source's end dropped never reached the other;
//   - else a drop after a drop by the same end is the same attempt again.
func (t *talk) join(j, n int) int {
	r := t.reports[j]
	var mine, stopped, left, arrived uint64 // sets of conversations
	last, lastDropped := -1, false
	for i := range t.reports[:j] {
		p := &t.reports[i]
		if p.end == r.end {
			mine |= 1 << p.conv
			last, lastDropped = int(p.conv), p.verdict == flow.Dropped
		}
		if p.dir == flow.Ingress {
			arrived |= 1 << p.conv
		} else if p.stopped() {
			stopped |= 1 << p.conv
		} else {
			left |= 1 << p.conv
		}
	}
	stopped &^= left // what is dropped after that was on its way already
	live := func(k int) bool { return r.at-t.convs[k].start < int64(Window) }
	ends := r.reason == flow.Ended || r.reason == flow.Expired && !lastDropped
	if ends && last >= 0 && live(last) {
		return last
	}
	apart := mine
	if r.dir == flow.Ingress {
		apart |= stopped
	} else if r.stopped() {
		apart |= arrived
	}
	for k := range n {
		if apart&(1<<k) == 0 && live(k) {
			return k
		}
	}
	if r.verdict == flow.Dropped && lastDropped && live(last) {
		return last
	}
	return n
}

// stopped reports whether a report says that the first packet went no further.
func (r *report) stopped() bool { return r.verdict == flow.Dropped && r.reason != flow.Ended }

// prune forgets the older half of a talk that has grown too long. What it
// counted stays counted.
func (t *talk) prune() {
	if len(t.convs) < maxConvs && len(t.reports) < maxReports {
		return
	}
	half := max(1, len(t.convs)/2)
	t.reports = slices.DeleteFunc(t.reports, func(r report) bool { return int(r.conv) < half })
	for i := range t.reports {
		t.reports[i].conv -= uint8(half)
	}
	t.convs = slices.Delete(t.convs, 0, half)
}
