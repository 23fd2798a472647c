package path

import (
	"time"

	"firebreak/internal/layer"
	"firebreak/internal/policy"
	"firebreak/internal/verify/space"
)

// holder returns what says whether the conditions of the layers' rules hold in
// the question's circumstances. Conditions too many to tell apart do not hold
// for those that allow, and hold for those that deny.
func holder(layers []*layer.Layer, q Question) func(*layer.Rule) bool {
	var conds []*policy.Condition
	for _, l := range layers {
		for i := range l.Tables {
			for _, tier := range l.Tables[i].Tiers {
				for k := range tier {
					if c := tier[k].Cond; c != nil {
						conds = append(conds, c)
					}
				}
			}
		}
	}
	s, err := space.New(conds, space.Horizon{From: q.In.At, To: q.In.At.Add(time.Second)})
	if err != nil {
		return func(r *layer.Rule) bool { return r.Effect == layer.Deny }
	}
	at := s.Locate(q.In)
	return func(r *layer.Rule) bool {
		set, _ := s.Of(r.Traffic, r.Cond, r.Effect == layer.Deny)
		return set.Contains(q.Protocol, q.Port, at)
	}
}
