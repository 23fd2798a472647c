package networkpolicy_test

import (
	"testing"

	"firebreak/internal/target/networkpolicy"
	"firebreak/internal/target/targettest"
	"firebreak/oracles/clusters"
)

func TestSuite(t *testing.T) {
	targettest.Describe(t, networkpolicy.Target{})
	tried := 0
	for seed := range uint64(30) {
		c := clusters.New(seed)
		r := c.Resolve(c.Policy(), false)
		if r == nil {
			continue
		}
		e := targettest.Estate{Name: r.Policy.Estate, Wanted: r.Wanted}
		if _, diags := (networkpolicy.Target{}).Render(r.Wanted); diags.HasErrors() {
			continue // pods that cannot be told apart
		}
		files := targettest.Render(t, networkpolicy.Target{}, e)
		targettest.Lift(t, networkpolicy.Target{}, e, files)
		targettest.Damage(t, networkpolicy.Target{}, e, files)
		tried++
	}
	if tried < 10 {
		t.Errorf("only %d estates", tried)
	}
}
