package label

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func parse(t testing.TB, text string) Selector {
	t.Helper()
	s, err := Parse(text)
	if err != nil {
		t.Fatalf("Parse(%q): %v", text, err)
	}
	return s
}

// The labels that the tests below select from. nil is a workload without any.
var workloads = map[string]map[string]string{
	"none":  nil,
	"empty": {"env": ""},
	"prod":  {"env": "prod", "tier": "data"},
	"test":  {"env": "test", "tier": "data"},
	"in":    {"in": "notin"},
}

// What Kubernetes' own selectors choose from the workloads above.
var meanings = []struct{ text, want string }{
	{"", "empty in none prod test"},
	{"  ", "empty in none prod test"},
	{"env=prod", "prod"},
	{"env==prod", "prod"},
	{" env = prod ", "prod"},
	{"env=", "empty"},
	{"env=,tier", ""},
	{"env!=prod", "empty in none test"},
	{"env!=", "in none prod test"},
	{"env in (prod)", "prod"},
	{"env in (prod,test)", "prod test"},
	{"env in ( test , prod )", "prod test"},
	{"env in (prod,)", "empty prod"},
	{"env in (,)", "empty"},
	{"env in ()", "empty"},
	{"env notin ()", "in none prod test"},
	{"env notin (prod,test)", "empty in none"},
	{"env notin(prod)", "empty in none test"},
	{"env", "empty prod test"},
	{"!env", "in none"},
	{"! env", "in none"},
	{"env,tier=data", "prod test"},
	{"env!=prod,env", "empty test"},
	{"env=prod,env=test", ""},
	{"env,!env", ""},
	{"in", "in"},
	{"in=notin", "in"},
	{"in in (in,notin)", "in"},
	{"!in,!env", "none"},
	{"\tenv\n=\rprod", "prod"},
}

func TestMeaning(t *testing.T) {
	for _, c := range meanings {
		s := parse(t, c.text)
		var got []string
		for name, labels := range workloads {
			if s.Matches(labels) {
				got = append(got, name)
			}
		}
		slices.Sort(got)
		if g := strings.Join(got, " "); g != c.want {
			t.Errorf("%q matches %q, want %q", c.text, g, c.want)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, text := range []string{
		",", "a,", ",a", "a,,b", "=", "=a", "a=b=c", "a b", "a!b", "a=!b", "!a=b", "!", "!!a", "a in", "a in b", "a in (", "a in (b", "a in (b c)", "a in (b))",
		"a>1", "a<1", "a in (b),", "(a)", "a=b)", "-a", "a-", "a/b/c=d", "/a", "a/", "A.b/c", "a..b/c", "a=-b", "a=b_", "a=b/c", "ä=b", "a=ä",
		strings.Repeat("a", 64), "a=" + strings.Repeat("b", 64), strings.Repeat("a", 254) + "/b", strings.Repeat("a,", maxSelector),
	} {
		if s, err := Parse(text); err == nil {
			t.Errorf("Parse(%.40q) = %q, want an error", text, s)
		} else if len(err.Error()) > 400 {
			t.Errorf("Parse(%.40q): the message is %d bytes long", text, len(err.Error()))
		}
	}
}

func TestBuiltinLabelsTakePlatformNames(t *testing.T) {
	s := parse(t, "spiffe/id=spiffe://shop/ns/web/sa/front,aws/role in (arn:aws:iam::1:role/a-b)")
	if !s.Matches(map[string]string{"spiffe/id": "spiffe://shop/ns/web/sa/front", "aws/role": "arn:aws:iam::1:role/a-b"}) {
		t.Error("the names do not match")
	}
	if _, err := Parse("spiffe/id=" + strings.Repeat("x", maxBuiltinValue+1)); err == nil {
		t.Error("a value without bounds is taken")
	}
	if IsBuiltin("spiffe") || IsBuiltin("myaws/x") || !IsBuiltin("k8s/namespace") {
		t.Error("which labels are built in goes by the whole prefix")
	}
}

func TestCanonicalText(t *testing.T) {
	for text, want := range map[string]string{
		"":                           "",
		"b==c, a != d":               "a!=d,b=c",
		"z,!y,x in (c,a,b,a)":        "x in (a,b,c),!y,z",
		"x notin (b)":                "x!=b",
		"x in (b)":                   "x=b",
		"x in (,a)":                  "x in (,a)",
		"a=b,a=b":                    "a=b",
		"a,a!=b":                     "a!=b,a",
		"app.kubernetes.io/name=Web": "app.kubernetes.io/name=Web",
	} {
		if got := parse(t, text).String(); got != want {
			t.Errorf("%q is written %q, want %q", text, got, want)
		}
	}
}

func TestMatchesAbsence(t *testing.T) {
	for text, want := range map[string]bool{
		"": false, "a": false, "a=b": false, "a in (b,c)": false,
		"a!=b": true, "a notin (b)": true, "!a": true, "x=y,a!=b": true,
		"a!=b,a": false, "a,!a": false, "a=c,a!=b": false, "a!=b,a,c!=d": true,
	} {
		if got := parse(t, text).MatchesAbsence(); got != want {
			t.Errorf("MatchesAbsence of %q = %v, want %v", text, got, want)
		}
	}
}

func TestKeys(t *testing.T) {
	s := parse(t, "b=c,a!=d,b!=e,!c")
	if got := s.Keys(); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("keys %v", got)
	}
	if !(Selector{}).IsZero() || s.IsZero() || len((Selector{}).Keys()) != 0 {
		t.Error("the zero selector has no requirements, others have")
	}
	r := s.Requirements()
	r[0].Key = "changed"
	if s.Requirements()[0].Key != "a" {
		t.Error("a change of the copy reached the selector")
	}
}

// TestAgainstBruteForce writes every requirement by hand for every label map
// over two keys and two values.
func TestAgainstBruteForce(t *testing.T) {
	values := []string{"", "x", "y"}
	rapid.Check(t, func(t *rapid.T) {
		labels := map[string]string{}
		for _, k := range []string{"a", "b"} {
			if rapid.Bool().Draw(t, "has "+k) {
				labels[k] = rapid.SampledFrom(values).Draw(t, "value of "+k)
			}
		}
		want, words := true, []string{}
		for range rapid.IntRange(0, 4).Draw(t, "requirements") {
			k := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "key")
			v, w := rapid.SampledFrom(values).Draw(t, "v"), rapid.SampledFrom(values).Draw(t, "w")
			actual, has := labels[k]
			var word string
			var met bool
			switch rapid.IntRange(0, 5).Draw(t, "operator") {
			case 0:
				word, met = k+"="+v, has && actual == v
			case 1:
				word, met = k+"!="+v, !(has && actual == v)
			case 2:
				word, met = k+" in ("+v+","+w+")", has && (actual == v || actual == w)
			case 3:
				word, met = k+" notin ("+v+","+w+")", !has || actual != v && actual != w
			case 4:
				word, met = k, has
			default:
				word, met = "!"+k, !has
			}
			words, want = append(words, word), want && met
		}
		text := strings.Join(words, ",")
		s, err := Parse(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if got := s.Matches(labels); got != want {
			t.Fatalf("%q matches %v: %v, want %v", text, labels, got, want)
		}
		back, err := Parse(s.String())
		if err != nil || back.String() != s.String() || back.Matches(labels) != want {
			t.Fatalf("%q is written %q and read as %q, %v", text, s, back, err)
		}
	})
}

func FuzzSelector(f *testing.F) {
	for _, c := range meanings {
		f.Add(c.text, "env", "prod")
	}
	f.Add("a in (b,,c),!d", "a", "")
	f.Add("spiffe/id=spiffe://x/y", "spiffe/id", "spiffe://x/y")
	f.Add("===", "!", "(")
	f.Fuzz(func(t *testing.T, text, key, value string) {
		s, err := Parse(text)
		if err != nil {
			return
		}
		back, err := Parse(s.String())
		if err != nil || back.String() != s.String() {
			t.Fatalf("%q is written %q and read as %q, %v", text, s, back, err)
		}
		for _, labels := range []map[string]string{nil, {key: value}, {key: ""}} {
			if s.Matches(labels) != back.Matches(labels) {
				t.Fatalf("%q and %q differ on %v", text, s, labels)
			}
		}
		// A label that the selector does not mention never matters.
		if !slices.Contains(s.Keys(), key) && s.Matches(nil) != s.Matches(map[string]string{key: value}) {
			t.Fatalf("%q cares about %q", text, key)
		}
	})
}
