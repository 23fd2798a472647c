package awssg_test

import (
	"testing"

	"firebreak/internal/layer"
	"firebreak/internal/prove"
	"firebreak/internal/scaffold"
	"firebreak/internal/target/awssg"
	"firebreak/internal/target/targettest"
)

func TestSuite(t *testing.T) {
	targettest.Describe(t, awssg.Target{})
	for _, name := range scaffold.Templates() {
		for _, toCome := range []bool{false, true} {
			e := targettest.Estate{Name: name.Name, Wanted: template(t, name.Name).wanted(toCome)}
			files := targettest.Render(t, awssg.Target{}, e)
			l := targettest.Lift(t, awssg.Target{}, e, files)
			targettest.Damage(t, awssg.Target{}, e, files)
			r, err := prove.Prove(prove.Intent{Policy: e.Wanted.Policy, ToCome: toCome}, []*layer.Layer{l}, prove.Options{At: noon})
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range r.Results {
				t.Log(name.Name, toCome, x.Point, x.Result, len(x.Over), len(x.Under), x.Reason)
				for _, o := range x.Over {
					t.Log("  over", o.From, "→", o.To, o.Traffic)
				}
				for _, o := range x.Under {
					t.Log("  under", o.From, "→", o.To, o.Traffic)
				}
			}
		}
	}
	targettest.Garbage(t, awssg.Target{}, targettest.Estate{Name: "three-tier-aws", Wanted: template(t, "three-tier-aws").wanted(false)})
}
