package istio_test

import (
	"testing"

	"firebreak/internal/target/istio"
	"firebreak/internal/target/targettest"
	"firebreak/oracles/clusters"
)

func TestSuite(t *testing.T) {
	targettest.Describe(t, istio.Target{})
	tried := 0
	for seed := range uint64(30) {
		c := clusters.New(seed)
		r := c.Resolve(c.Policy(), false)
		if r == nil {
			continue
		}
		e := targettest.Estate{Name: r.Policy.Estate, Wanted: r.Wanted}
		if _, diags := (istio.Target{}).Render(r.Wanted); diags.HasErrors() {
			continue // pods that cannot be told apart
		}
		files := targettest.Render(t, istio.Target{}, e)
		targettest.Lift(t, istio.Target{}, e, files)
		targettest.Damage(t, istio.Target{}, e, files)
		tried++
	}
	if tried < 10 {
		t.Errorf("only %d estates", tried)
	}
}
