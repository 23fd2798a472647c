package nftables

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"firebreak/internal/layer"
	"firebreak/internal/plan"
	"firebreak/internal/prove"
)

// proof is what prove says of a layer alone.
type proof struct {
	proven bool
	text   string // every result, with what is over and under
}

func proofOf(t testing.TB, w *plan.Wanted, l *layer.Layer) proof {
	t.Helper()
	r, err := prove.Prove(prove.Intent{Policy: w.Policy}, []*layer.Layer{l}, prove.Options{At: now})
	if err != nil {
		t.Fatal(err)
	}
	results := slices.Clone(r.Results)
	if r.Together != nil {
		results = append(results, *r.Together)
	}
	out := proof{proven: true}
	var b strings.Builder
	for _, x := range results {
		out.proven = out.proven && x.Result.Proven()
		fmt.Fprintln(&b, x.Point, x.Result, x.Reason)
		for _, o := range x.Over {
			fmt.Fprintln(&b, "  over", o.From, o.To, o.Traffic)
		}
		for _, u := range x.Under {
			fmt.Fprintln(&b, "  under", u.From, u.To, u.Traffic)
		}
	}
	out.text = b.String()
	return out
}

// catches reports whether a proof tells what is not proven from what was.
func (p proof) catches(original proof) bool {
	return !p.proven && p.text != original.text
}
