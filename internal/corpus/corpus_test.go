package corpus_test

import (
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"firebreak/internal/corpus"
	"firebreak/internal/flow"
	"firebreak/internal/policy"
	"firebreak/internal/semantics"
	"firebreak/internal/verify"
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
				d := e.Decide(e.Address(f.From), responder(e, f), f.Protocol, f.Port, f.In)
				if d.InForce != f.InForce || d.ToCome != f.ToCome || !names(d.InForceRule, f.InForceRule) || !names(d.ToComeRule, f.ToComeRule) {
					t.Errorf("flows:%d: %s → %s %s %d is %s by %s and %s by %s; want %s by %s and %s by %s", f.Line, f.From, f.To, f.Protocol, f.Port,
						d.InForce, d.InForceRule, d.ToCome, d.ToComeRule, f.InForce, f.InForceRule, f.ToCome, f.ToComeRule)
				}
			}
		})
	}
}

// responder is the destination as the reference evaluator knows it.
func responder(e *semantics.Evaluator, f corpus.Flow) semantics.Party {
	if f.External != "" {
		return semantics.Party{Externals: []string{f.External}}
	}
	return e.Address(f.To)
}

// The symbolic engine knows one end or another, and no frontends.
func TestVerifyJudgesTheCorpus(t *testing.T) {
	cases, err := corpus.Load(os.DirFS("../../testdata/corpus"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			p, _ := policy.Resolve(c.Dir, c.Inv)
			e, err := verify.New(p, verify.Options{At: earliest(c)})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range c.Flows {
				if why := c.Beyond(f, corpus.Frontend); why != "" {
					t.Logf("flows:%d: the engine does not answer: it is blind to %s", f.Line, why)
					continue
				}
				from, builtin := peers(p, e, f.From)
				to, alsoBuiltin := peers(p, e, f.To)
				if f.External != "" {
					to, alsoBuiltin = []verify.Peer{e.OfName(f.External)}, false
				}
				if builtin || alsoBuiltin {
					continue // nobody asks an engine about what is exempt
				}
				inForce, toCome, by, toComeBy := flow.Unjudged, flow.Unjudged, "", ""
				for _, a := range from {
					for _, b := range to {
						d := e.Decide(a, b, f.Protocol, f.Port, e.Locate(f.In))
						inForce, toCome = flow.Stricter(inForce, d.InForce), flow.Stricter(toCome, d.ToCome)
						by, toComeBy = short(e.Ref(d.InForceBy)), short(e.Ref(d.ToComeBy))
					}
				}
				one := len(from)*len(to) == 1
				if inForce != f.InForce || toCome != f.ToCome || one && f.InForceRule != "" && (by != f.InForceRule || toComeBy != f.ToComeRule) {
					t.Errorf("flows:%d: %s by %s and %s by %s; want %s by %s and %s by %s", f.Line, inForce, by, toCome, toComeBy, f.InForce, f.InForceRule, f.ToCome, f.ToComeRule)
				}
			}
		})
	}
}

// earliest is the first time that a case speaks of: an engine knows nothing of
// what was before it.
func earliest(c corpus.Case) time.Time {
	at := corpus.Noon
	for _, f := range c.Flows {
		if f.In.At.Before(at) {
			at = f.In.At
		}
	}
	return at
}

// peers are what an address may be to the engine.
func peers(p *policy.Policy, e *verify.Engine, a netip.Addr) (out []verify.Peer, builtin bool) {
	for i, w := range p.Inventory.Workloads {
		if slices.Contains(w.Addresses, a) {
			out = append(out, e.OfWorkload(i))
		}
	}
	if out != nil || !a.IsValid() {
		return out, false
	}
	peer, name := e.OfAddress(a)
	return []verify.Peer{peer}, name != ""
}

func short(r flow.Rule) string {
	r.File = ""
	return r.String()
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
		"10.0.0 10.0.0.2 80/TCP forwarded dropped":               "flows:1",
		"10.0.0.1 10.0.0.2 80 forwarded dropped":                 `"80" is not a port`,
		"10.0.0.1 10.0.0.2 80/ICMP forwarded dropped":            `"80/ICMP" is not a port`,
		"10.0.0.1 10.0.0.2 80/TCP passed dropped":                "passed",
		"10.0.0.1 10.0.0.2 80/TCP forwarded dropped a/b at:noon": "at:noon",
		"10.0.0.1 10.0.0.2 80/TCP forwarded dropped http:GET":    "want http:METHOD:/path",
		"10.0.0.1 10.0.0.2 80/TCP forwarded dropped host:x":      "need http",
		"10.0.0.1 10.0.0.2 80/TCP forwarded dropped mtls:yes":    "want mtls:no",
		"10.0.0.1 10.0.0.2 80/TCP forwarded dropped colour:red":  "want at, http",
		"10.0.0.1 10.0.0.2 80/TCP forwarded dropped at:1 a/b":    "at:1",
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
