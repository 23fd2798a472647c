package space

import (
	"strings"
	"testing"
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/netset"
	"firebreak/internal/policy"

	"pgregory.net/rapid"
)

var (
	someMethods  = []string{"GET", "POST", "DELETE", "BREW"}
	someSegments = []string{"a", "ab", "b", "*", "a*", "*b", "a*b", "*a*", "{x}", "{id}", "v1.0", ".a", "%41", "%2", "*.*", ""}
	someForeign  = []string{"/", "/", "*", "?", "a", "b", "ab", "v1.0", "{x}", "%2"}
	somePieces   = []string{"a", "b", "ab", "/", "/", "/", ".", "..", "%2e", "%2E", "%2f", "%2F", "%61", "%41", "%7e", "%5C", "%30", "%3", "\\", "%", "2", "e", "v1.0", "x", "//", "F", "é"}
	someHosts    = []string{"api.example", "*.example", "*.api.example", "b", "*.b", "a.b", "example", ".b"}
	manyHosts    = append([]string{"", "x", "y.example", "y.api.example", "z.y.api.example", ".example", "aexample", "x.b", "c"}, someHosts...)
	someHeaders  = []string{"x-a", "x-b", "x-c"}
	someValues   = []string{"", "1", "2", "x"}
	somePorts    = []uint16{0, 1, 79, 80, 81, 443, 65535}
)

func berlin(t testing.TB) *time.Location {
	l, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no time zones here: ", err)
	}
	return l
}

// drawer draws what the tests compare.
type drawer struct {
	*rapid.T
	zone    *time.Location
	horizon Horizon
}

func newDrawer(t *rapid.T, zone *time.Location) *drawer {
	// A fortnight around a change of the clock.
	from := rapid.SampledFrom([]time.Time{
		time.Date(2026, 10, 20, 11, 30, 0, 0, time.UTC),
		time.Date(2027, 3, 20, 0, 0, 0, 0, time.UTC),
		time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC),
	}).Draw(t, "from")
	return &drawer{t, zone, Horizon{from, from.AddDate(0, 0, 14)}}
}

func some[E any](d *drawer, from []E, least, most int, label string) []E {
	return rapid.SliceOfN(rapid.SampledFrom(from), least, most).Draw(d.T, label)
}

func (d *drawer) one(from []string, label string) string {
	return rapid.SampledFrom(from).Draw(d.T, label)
}

func (d *drawer) maybe(label string) bool { return rapid.Bool().Draw(d.T, label) }

func (d *drawer) rarely(label string) bool {
	return rapid.IntRange(0, 3).Draw(d.T, label) == 0
}

func (d *drawer) pattern() string {
	if d.rarely("foreign") {
		return "~" + strings.Join(some(d, someForeign, 1, 5, "foreign pieces"), "")
	}
	return "/" + strings.Join(some(d, someSegments, 1, 3, "segments"), "/")
}

func (d *drawer) request() policy.HTTP {
	var h policy.HTTP
	if d.maybe("methods?") {
		h.Methods = some(d, someMethods[:3], 1, 2, "methods")
	}
	if d.maybe("paths?") {
		for range rapid.IntRange(1, 3).Draw(d.T, "paths") {
			h.Paths = append(h.Paths, d.pattern())
		}
	}
	if d.rarely("hosts?") {
		h.Hosts = some(d, someHosts, 1, 2, "hosts")
	}
	if d.rarely("headers?") {
		for _, n := range some(d, someHeaders, 1, 2, "headers") {
			x := policy.Header{Name: n}
			if d.maybe("values?") {
				x.Values = some(d, someValues[:3], 1, 2, "values")
			}
			h.Headers = append(h.Headers, x)
		}
	}
	return h
}

func (d *drawer) window() *policy.Window {
	w := &policy.Window{Location: time.UTC, Days: uint8(rapid.IntRange(1, 127).Draw(d.T, "days"))}
	if d.maybe("berlin") {
		w.Location = d.zone
	}
	minutes := []int{0, 60, 119, 120, 150, 180, 360, 1320, 1439, 1440}
	for w.Lo == w.Hi {
		w.Lo = rapid.SampledFrom(minutes).Draw(d.T, "lo")
		w.Hi = rapid.SampledFrom(minutes).Draw(d.T, "hi")
	}
	return w
}

func (d *drawer) instant(label string) time.Time {
	span := int64(d.horizon.To.Sub(d.horizon.From) / time.Minute)
	return d.horizon.From.Add(time.Duration(rapid.Int64Range(0, span-1).Draw(d.T, label)) * time.Minute)
}

func (d *drawer) condition() *policy.Condition {
	c := &policy.Condition{MTLS: d.rarely("mtls")}
	if !d.rarely("no http") {
		for range rapid.IntRange(1, 3).Draw(d.T, "alternatives") {
			c.HTTP = append(c.HTTP, d.request())
		}
	}
	if d.rarely("when") {
		c.When = d.window()
	}
	if d.rarely("expires") {
		c.Expires = d.instant("expires")
	}
	if d.rarely("says what it means") {
		c.Ambiguous = rapid.SampledFrom([]policy.Ambiguous{policy.Meant, policy.NotMeant}).Draw(d.T, "ambiguous")
	}
	return c
}

func (d *drawer) conditions(most int) []*policy.Condition {
	out := []*policy.Condition{nil}
	for range rapid.IntRange(1, most).Draw(d.T, "conditions") {
		out = append(out, d.condition())
	}
	return out
}

// path draws a path that some pattern may well meet, one that just misses, or
// anything.
func (d *drawer) path(conds []*policy.Condition) string {
	var patterns []string
	for _, c := range conds {
		if c != nil {
			for _, h := range c.HTTP {
				patterns = append(patterns, h.Paths...)
			}
		}
	}
	if len(patterns) == 0 || d.rarely("any path") {
		return "/" + strings.Join(some(d, somePieces, 0, 6, "pieces"), "")
	}
	var out strings.Builder
	pattern := strings.TrimPrefix(rapid.SampledFrom(patterns).Draw(d.T, "pattern"), "~")
	for i, s := range strings.Split(pattern, "/") {
		if i > 0 {
			out.WriteByte('/')
		}
		if strings.HasPrefix(s, "{") {
			s = "*"
		}
		for _, b := range []byte(s) {
			switch b {
			case '*':
				out.WriteString(strings.Join(some(d, somePieces, 0, 3, "star"), ""))
			case '?':
				out.WriteString(d.one(somePieces, "one"))
			default:
				out.WriteByte(b)
			}
		}
	}
	if d.rarely("miss") {
		out.WriteString(d.one(somePieces, "behind"))
	}
	return out.String()
}

func (d *drawer) place(conds []*policy.Condition) place {
	x := place{
		p:    netset.Protocol(rapid.IntRange(0, int(netset.NumProtocols)-1).Draw(d.T, "class")),
		port: rapid.SampledFrom(somePorts).Draw(d.T, "port"),
		at:   flow.Circumstances{At: d.instant("at"), MTLS: d.maybe("proven")},
	}
	if !d.rarely("no request") {
		r := &flow.Request{Method: d.one(someMethods, "method"), Path: d.path(conds), Host: d.one(manyHosts, "host")}
		for _, n := range some(d, someHeaders, 0, 2, "sent") {
			if r.Headers == nil {
				r.Headers = map[string]string{}
			}
			r.Headers[n] = d.one(someValues, "value")
		}
		x.at.HTTP = r
	}
	return x
}

func (d *drawer) traffic() netset.Traffic {
	if d.rarely("all traffic") {
		return netset.All()
	}
	p := netset.Protocol(rapid.IntRange(0, int(netset.NumProtocols)-1).Draw(d.T, "of class"))
	return netset.Of(p, rapid.SampledFrom(somePorts).Draw(d.T, "lo"), rapid.SampledFrom(somePorts).Draw(d.T, "hi"))
}

// set draws a set and its model, made by the same operations.
func (d *drawer) set(s *Space, conds []*policy.Condition) (Set, model) {
	set, m := Set{}, model(func(place) bool { return false })
	for range rapid.IntRange(1, 5).Draw(d.T, "operations") {
		t, c, deny := d.traffic(), rapid.SampledFrom(conds).Draw(d.T, "condition"), d.maybe("deny")
		more, ok := s.Of(t, c, deny)
		if !ok {
			d.Fatal("a condition of the space is unknown to it")
		}
		old := m
		speaks := func(x place) bool { return t.Contains(x.p, x.port) && brute(c, x.at, deny) }
		switch rapid.IntRange(0, 5).Draw(d.T, "operation") {
		case 0:
			set, m = set.Intersect(more), func(x place) bool { return old(x) && speaks(x) }
		case 1, 2:
			set, m = set.Subtract(more), func(x place) bool { return old(x) && !speaks(x) }
		default:
			set, m = set.Union(more), func(x place) bool { return old(x) || speaks(x) }
		}
	}
	return set, m
}
