package prove_test

import (
	"testing"

	"firebreak/internal/layer"
	"firebreak/internal/prove"
)

// A layer of which nothing could be read but that there is something unknown
// about a workload is not proven, nor without drift.
func TestNothingButUnknown(t *testing.T) {
	p, _ := resolve(t, shopPolicy, shopInventory)
	l := &layer.Layer{
		Target:  "ebpf",
		Points:  []layer.Point{{Name: "h1", Governs: layer.Named("web-1")}},
		Unknown: []layer.Unknown{{Why: "the tables do not know web-1", Concerns: layer.Named("web-1")}},
	}
	in := prove.Intent{Policy: p}
	r, err := prove.Prove(in, []*layer.Layer{l}, prove.Options{At: noon, Live: true})
	if err != nil {
		t.Fatal(err)
	}
	if x := r.Results[0]; x.Result != prove.Unknown || x.Reason == "" {
		t.Errorf("%+v", x)
	}
	d, err := prove.Drift(in, []*layer.Layer{l}, prove.Options{At: noon, Live: true})
	if err != nil || len(d.Unknown) == 0 {
		t.Errorf("no drift: %+v, %v", d, err)
	}
}
