package corpus_test

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/corpus"
	"firebreak/internal/flow"
	"firebreak/internal/policy"
	"firebreak/internal/semantics"
)

// The reference evaluator is the first judge.
func TestSemanticsJudgesTheCorpus(t *testing.T) {
	cases, err := corpus.Load(os.DirFS("../../testdata/corpus"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			if p, diags := policy.Resolve(c.Dir, c.Inv); p == nil {
				t.Fatalf("the policy does not resolve: %v", diags)
			}
			e := semantics.New(c.Dir, c.Inv)
			for _, f := range c.Flows {
				d := e.Decide(e.Address(f.From), e.Address(f.To), f.Protocol, f.Port, flow.Circumstances{})
				if d.InForce != f.InForce || d.ToCome != f.ToCome || !names(d.InForceRule, f.InForceRule) || !names(d.ToComeRule, f.ToComeRule) {
					t.Errorf("flows:%d: %s → %s %s %d is %s by %s and %s by %s; want %s by %s and %s by %s", f.Line, f.From, f.To, f.Protocol, f.Port,
						d.InForce, d.InForceRule, d.ToCome, d.ToComeRule, f.InForce, f.InForceRule, f.ToCome, f.ToComeRule)
				}
			}
		})
	}
}

func names(r flow.Rule, want string) bool {
	r.File = ""
	return want == "" || r.String() == want
}

func TestLoadRefusesWhatIsWrong(t *testing.T) {
	const head = "-- policy.yaml --\nkind: Estate\nmetadata: {name: e}\nspec: {}\n-- inventory.yaml --\n"
	for flows, want := range map[string]string{
		"":                                   "no flows",
		"10.0.0.1 10.0.0.2 80/TCP forwarded": "4 words",
		"10.0.0 10.0.0.2 80/TCP forwarded dropped":    "flows:1",
		"10.0.0.1 10.0.0.2 80 forwarded dropped":      `"80" is not a port`,
		"10.0.0.1 10.0.0.2 80/ICMP forwarded dropped": `"80/ICMP" is not a port`,
		"10.0.0.1 10.0.0.2 80/TCP passed dropped":     "passed",
	} {
		_, err := corpus.Load(fstest.MapFS{"c.txtar": {Data: []byte(head + "-- flows --\n" + flows + "\n")}})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "c.txtar") {
			t.Errorf("%q: %v, want %q", flows, err, want)
		}
	}
	if _, err := corpus.Load(fstest.MapFS{}); err == nil {
		t.Error("an empty corpus was accepted")
	}
}
