package nacl_test

import (
	"strings"
	"testing"

	"firebreak/internal/layer"
	"firebreak/internal/prove"
	"firebreak/internal/scaffold"
	"firebreak/internal/target/nacl"
	"firebreak/internal/target/targettest"
)

func TestSuite(t *testing.T) {
	targettest.Describe(t, nacl.Target{})
	for _, name := range scaffold.Templates() {
		for _, toCome := range []bool{false, true} {
			e := targettest.Estate{Name: name.Name, Wanted: template(t, name.Name).wanted(toCome)}
			files := targettest.Render(t, nacl.Target{}, e)
			l := targettest.Lift(t, nacl.Target{}, e, files)
			targettest.Damage(t, nacl.Target{}, e, files)
			r, err := prove.Prove(prove.Intent{Policy: e.Wanted.Policy, ToCome: toCome}, []*layer.Layer{l}, prove.Options{At: noon})
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range r.Results {
				for _, line := range x.Under {
					// Where a name leads, no entry says for sure.
					if !strings.HasSuffix(line.Reason, "cannot follow names") {
						t.Errorf("%s: %s cuts off %+v", name.Name, x.Point, line)
					}
				}
			}
		}
	}
	targettest.Garbage(t, nacl.Target{}, targettest.Estate{Name: "three-tier-aws", Wanted: template(t, "three-tier-aws").wanted(false)})
}
