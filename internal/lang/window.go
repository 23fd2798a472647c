package lang

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

const wholeDay = 24 * 60 // minutes

const windowHelp = `write it like {hours: "06:00-22:00", days: [mon, fri], timeZone: Europe/Berlin}`

// window reads a rule's when. It is nil, with a diagnostic, if it was none.
func (r *reader) window(n *yaml.Node) *Window {
	w := &Window{Hi: wholeDay, Days: 1<<7 - 1, Location: time.UTC, Pos: r.pos(n)}
	var text []string
	before, limited := len(r.list), false
	read := r.object(n, "when",
		may("hours", func(n *yaml.Node) { limited = true; r.hours(n, w) }),
		may("days", func(n *yaml.Node) { limited = true; r.days(n, w) }),
		may("timeZone", func(n *yaml.Node) { r.timeZone(n, w) }))
	if read && !limited && len(r.list) == before {
		r.errorf(n, "bad-window", "when says neither hours nor days, so the window is always open").
			WithHelp("%s, or leave when out", windowHelp)
	}
	if !read || r.list[before:].HasErrors() {
		return nil
	}
	if w.Lo != 0 || w.Hi != wholeDay {
		text = append(text, fmt.Sprintf("%02d:%02d-%02d:%02d", w.Lo/60, w.Lo%60, w.Hi/60, w.Hi%60))
	}
	if w.Days != 1<<7-1 {
		var days []string
		for i := range 7 { // from Monday on
			if day := (i + 1) % 7; w.Days&(1<<day) != 0 {
				days = append(days, weekdays[day])
			}
		}
		text = append(text, strings.Join(days, ","))
	}
	w.Text = strings.Join(append(text, w.Location.String()), " ")
	return w
}

// hours reads HH:MM-HH:MM, the second of which is no longer meant.
func (r *reader) hours(n *yaml.Node, w *Window) {
	s, ok := r.text(n, "hours")
	if !ok {
		return
	}
	from, to, _ := strings.Cut(s, "-")
	lo, okLo := minutes(from)
	hi, okHi := minutes(to)
	switch {
	case !okLo || !okHi || lo == wholeDay:
		r.errorf(n, "bad-window", "%q is no span of hours", shorten(s)).
			WithHelp(`hours are like "06:00-22:00" or, across midnight, "22:00-06:00"; 24:00 is the end of a day`)
	case lo == hi:
		r.errorf(n, "bad-window", "the window %q never opens: its end is where it begins", s).
			WithHelp(`the end is not part of it; a whole day is "00:00-24:00", or no hours at all`)
	default:
		w.Lo, w.Hi = lo, hi
	}
}

// minutes reads HH:MM, up to 24:00, as minutes since midnight.
func minutes(s string) (int, bool) {
	s = strings.TrimSpace(s)
	if len(s) != 5 || s[2] != ':' || strings.Trim(s[:2]+s[3:], "0123456789") != "" {
		return 0, false
	}
	h, m := int(s[0]-'0')*10+int(s[1]-'0'), int(s[3]-'0')*10+int(s[4]-'0')
	return h*60 + m, m < 60 && h*60+m <= wholeDay
}

func (r *reader) days(n *yaml.Node, w *Window) {
	w.Days = 0
	if v := n; v.Kind == yaml.ScalarNode {
		if list := dayList(v.Value); list != "" {
			r.errorf(n, "bad-window", "days must be a list, not %q", shorten(v.Value)).WithHelp("write [%s]", list)
			return
		}
	}
	r.words(n, "days", "a day", func(n *yaml.Node, s string) {
		i := slices.Index(weekdays, s)
		if i < 0 {
			short := strings.ToLower(s[:min(len(s), 3)])
			help := "one of: mon, tue, wed, thu, fri, sat, sun"
			if list := dayList(s); list != "" {
				help = "write " + list
			} else if slices.Contains(weekdays, short) {
				help = fmt.Sprintf("did you mean %q?", short)
			}
			r.errorf(n, "bad-window", "%q is no day", shorten(s)).WithHelp("%s", help)
			return
		}
		w.Days |= 1 << i
	})
}

// dayList returns the days of what people write for several, such as "mon-fri"
// or "weekend", divided by commas; "" if it is nothing like that.
func dayList(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	switch s {
	case "weekdays", "workdays":
		s = "mon-fri"
	case "weekend", "weekends":
		s = "sat-sun"
	}
	day := func(s string) int {
		s = strings.TrimSpace(s)
		return slices.Index(weekdays, s[:min(len(s), 3)])
	}
	if from, to, isRange := strings.Cut(s, "-"); isRange {
		i, last := day(from), day(to)
		if i < 0 || last < 0 {
			return ""
		}
		out := weekdays[i]
		for i != last {
			i = (i + 1) % 7
			out += ", " + weekdays[i]
		}
		return out
	}
	var out []string
	for _, word := range strings.FieldsFunc(s, func(c rune) bool { return c == ',' || c == ' ' }) {
		i := day(word)
		if i < 0 {
			return ""
		}
		out = append(out, weekdays[i])
	}
	if len(out) < 2 {
		return ""
	}
	return strings.Join(out, ", ")
}

func (r *reader) timeZone(n *yaml.Node, w *Window) {
	s, ok := r.text(n, "timeZone")
	if !ok {
		return
	}
	where, err := r.cache.zones.load(s)
	if err == nil {
		w.Location = where
		return
	}
	d := r.errorf(n, "bad-time-zone", "there is no time zone %q", shorten(s))
	if strings.EqualFold(s, "local") {
		d.WithHelp("it would be another one on each machine; name it, like Europe/Berlin")
	} else if region := regions[strings.ToUpper(s)]; region != "" {
		d.WithHelp("a time zone is a region, whose clock may change in the year; write %s, or another one with that time", region)
	} else if near := r.cache.zones.nearest(s); near != "" {
		d.WithHelp("did you mean %q?", near)
	} else {
		d.WithHelp("a time zone is named as in the IANA database: UTC, Europe/Berlin, America/New_York")
	}
}
