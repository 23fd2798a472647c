package ask_test

import (
	"os"
	"testing"

	"firebreak/internal/ask"
	"firebreak/internal/corpus"
	"firebreak/internal/flow"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/semantics"
	"firebreak/internal/verify"
)

// A frontend is among those that leave something open if the reference
// evaluator cannot answer for somebody who may enter it.
func TestHiddenAsTheReferenceSays(t *testing.T) {
	cases, err := corpus.Load(os.DirFS("../../testdata/corpus"))
	if err != nil {
		t.Fatal(err)
	}
	open, shut := 0, 0
	for _, c := range cases {
		p, diags := policy.Resolve(c.Dir, c.Inv)
		if p == nil {
			t.Fatal(diags)
		}
		e, err := verify.New(p, verify.Options{At: now})
		if err != nil {
			t.Fatal(err)
		}
		hidden := map[string]bool{}
		for _, h := range ask.HiddenBy(e, false, func(int) bool { return true }) {
			hidden[h.Frontend+" "+h.Traffic.String()] = true
		}
		slow := semantics.New(c.Dir, c.Inv)
		for i := range c.Inv.Frontends {
			f := &c.Inv.Frontends[i]
			to, _ := slow.Frontend(f.Name)
			for _, port := range f.Ports {
				unknown := false
				for w := range c.Inv.Workloads {
					from, _ := slow.Workload(c.Inv.Workloads[w].Name)
					d := slow.Decide(from, to, port.Protocol, port.Number, flow.Circumstances{At: now, MTLS: true})
					unknown = unknown || d.ToCome == flow.Unjudged && d.Why != ""
				}
				key := f.Name + " " + netset.Of(port.Protocol, port.Number, port.Number).String()
				if unknown && !hidden[key] {
					t.Errorf("%s: %s is not listed", c.Name, key)
				}
				if unknown {
					open++
				} else {
					shut++
				}
			}
		}
	}
	if open == 0 || shut == 0 {
		t.Errorf("%d ports leave something open, %d do not: nothing was tried", open, shut)
	}
}
