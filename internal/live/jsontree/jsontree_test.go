package jsontree

import (
	"strings"
	"testing"
)

func TestParseKeepsPlaces(t *testing.T) {
	const text = "{\n \"a\": [1, true,\n  {\"b\": \"x\\\"y\"}], \"c\": null, \"d\": {}, \"e\": []}"
	n, _, err := Parse("f", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	b := n.Field("a").Items()[2].Field("b")
	if b.String() != `x"y` || b.Pos.Line != 3 || b.Pos.Col != 9 || n.Field("a").Pos.Line != 2 || n.Field("a").Pos.Col != 7 {
		t.Errorf("b is %+v, a at %s", b, n.Field("a").Pos)
	}
	if got, want := Encode(n), `{"a":[1,true,{"b":"x\"y"}],"c":null,"d":{},"e":[]}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestWhatIsNoJSON(t *testing.T) {
	for text, c := range map[string]struct {
		want string
		line int
	}{
		"{\"a\":\n [1":             {"cut off", 2},
		"":                         {"cut off", 1},
		"{}\n{}":                   {"behind the end", 2},
		"{\n\"a\" 1}":              {"invalid character", 2},
		strings.Repeat("[", 10000): {"deep", 1},
	} {
		if _, at, err := Parse("f", []byte(text)); err == nil || !strings.Contains(err.Error(), c.want) || at.Line != c.line {
			t.Errorf("%.20q: %v at %s, want %s on line %d", text, err, at, c.want, c.line)
		}
	}
}
