package netset

import (
	"testing"

	"pgregory.net/rapid"
)

func TestText(t *testing.T) {
	tcp := Of(TCP, 80, 80).Union(Of(TCP, 8000, 8080))
	for _, c := range []struct {
		set  Traffic
		want string
	}{
		{All(), "all"},
		{None(), "none"},
		{tcp, "TCP 80,8000-8080"},
		{tcp.Union(Of(UDP, 53, 53)).Union(Of(ICMP, 0, 0)), "TCP 80,8000-8080; UDP 53; ICMP"},
		{Of(TCP, 0, 65535), "TCP 0-65535"},
		{All().Subtract(Of(TCP, 0, 65535)), "UDP 0-65535; SCTP 0-65535; ICMP; OTHER"},
		{Of(Other, 0, 0), "OTHER"},
		{Of(TCP, 65535, 65535).Union(Of(UDP, 0, 0)), "TCP 65535; UDP 0"},
	} {
		if got := c.set.String(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
		if back, err := Parse(c.want); err != nil || !back.Equal(c.set) {
			t.Errorf("Parse(%q) = %s, %v", c.want, back, err)
		}
	}
}

func TestParseTakesAnyOrder(t *testing.T) {
	for text, want := range map[string]string{
		"UDP 53;TCP 443,80":      "TCP 80,443; UDP 53",
		"tcp 80 , 81":            "TCP 80-81",
		"TCP 80; TCP 81-90":      "TCP 80-90",
		"TCP 5-9,1-6":            "TCP 1-9",
		" all ":                  "all",
		"ICMP; OTHER":            "ICMP; OTHER",
		"TCP 00080":              "TCP 80",
		"TCP 0-65535; UDP 1-2,3": "TCP 0-65535; UDP 1-3",
	} {
		if got, err := Parse(text); err != nil || got.String() != want {
			t.Errorf("Parse(%q) = %s, %v; want %s", text, got, err, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{"", "TCP", "TCP ", "TCP 80-", "TCP -80", "TCP 80,", "TCP 65536", "TCP 9-8", "TCP a", "ICMP 8", "ESP", ";", "TCP 80;", "all; TCP 80", "none; ICMP", "TCP +80", "TCP 1 2"} {
		if got, err := Parse(text); err == nil {
			t.Errorf("Parse(%q) = %s, want an error", text, got)
		}
	}
}

func TestTextIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set, _ := drawn(t, "set")
		if back, err := Parse(set.String()); err != nil || !back.Equal(set) {
			t.Fatalf("%s is read as %s, %v", set, back, err)
		}
	})
}

func FuzzTraffic(f *testing.F) {
	for _, s := range []string{"all", "none", "TCP 80,8000-8080; UDP 53; ICMP", "SCTP 0-65535; OTHER", "TCP 65535; UDP 0", "TCP 9-8", "tcp 1;;", "ICMP 1", "TCP 80\x00"} {
		f.Add(s, "UDP 53")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		x, errX := Parse(a)
		y, errY := Parse(b)
		if errX != nil || errY != nil {
			return
		}
		if back, err := Parse(x.String()); err != nil || !back.Equal(x) || back.String() != x.String() {
			t.Fatalf("%q is written %q and read as %s, %v", a, x, back, err)
		}
		if !x.Union(y).Subtract(y).Union(x.Intersect(y)).Equal(x) {
			t.Fatalf("%s and %s do not add up", x, y)
		}
		if !All().Subtract(x).Union(x).IsAll() || !All().Subtract(x).Intersect(x).IsEmpty() {
			t.Fatalf("%s and its complement do not add up", x)
		}
	})
}
