package prove

import (
	"fmt"

	"firebreak/internal/layer"
	"firebreak/internal/verify/space"
)

// DriftCovers checks that a drift says everything that differs between two ends
// once: what differs for all layers together, and what does for one of them. It
// returns how many pairs differ.
func DriftCovers(in Intent, layers []*layer.Layer, o Options) (pairs int, err error) {
	c, err := newComparison(in, layers, o)
	if err != nil {
		return 0, err
	}
	f := newFaults(c)
	c.pairs.each(nil, c.differs, func(i, j int, sig int32) {
		var told [under + 1]space.Set
		pairs++
		for _, x := range f.of(i, j, sig) {
			if x.kind != perhaps && x.kind != caughtOver && !told[x.kind].Intersect(x.set).IsEmpty() {
				err = fmt.Errorf("%d to %d: %s is told twice", i, j, told[x.kind].Intersect(x.set))
			}
			if x.kind != perhaps && x.kind != caughtOver && x.target == "" {
				err = fmt.Errorf("%d to %d: nobody is blamed for %s", i, j, x.set)
			}
			told[x.kind] = told[x.kind].Union(x.set)
		}
		d := c.of(sig)
		for _, list := range append([][]piece{d.together}, d.layers...) {
			for _, p := range list {
				of := told[p.kind]
				if p.kind == over || p.kind == unenforcedOver {
					of = told[over].Union(told[unenforcedOver]).Union(told[perhaps])
				}
				if p.kind == perhaps {
					of = of.Union(told[over]).Union(told[unenforcedOver]).Union(told[under])
				}
				if p.kind != shut && p.kind != acceptedOver && !p.set.Subtract(of).IsEmpty() {
					err = fmt.Errorf("%d to %d: %s of kind %d is not told", i, j, p.set.Subtract(of), p.kind)
				}
			}
		}
	})
	return pairs, err
}
