package cli

import "testing"

func TestSpareMemoryIsForVerbsThatEndSoon(t *testing.T) {
	for _, c := range []struct {
		args  []string
		spare bool
	}{
		{nil, false}, {[]string{"--version"}, false}, {[]string{"prove", "p", "out"}, true}, {[]string{"-q", "render", "p"}, true},
		{[]string{"agent", "--config", "render"}, false}, {[]string{"reach", "--live", "prove"}, false}, {[]string{"serve"}, false},
	} {
		if got := SpareMemory(c.args) > 0; got != c.spare {
			t.Errorf("%v: %v", c.args, got)
		}
	}
	known := map[string]bool{}
	for _, v := range verbs() {
		known[v.Name()] = true
	}
	for _, v := range spareVerbs {
		if !known[v] {
			t.Errorf("%s is no verb", v)
		}
	}
}
