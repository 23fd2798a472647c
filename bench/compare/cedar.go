package main

import (
	"fmt"
	"iter"
	"strings"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
)

// cedarPolicies writes every rule as a policy whose ends are in its scope,
// which is the fastest form.
func cedarPolicies(e *estate) ([]*cedar.Policy, error) {
	var b strings.Builder
	for _, x := range e.rules {
		effect := "permit"
		if !x.allow {
			effect = "forbid"
		}
		fmt.Fprintf(&b, "%s(principal %s, action == Action::\"connect\", resource %s) when { context.port == %d };\n", effect, cedarEnd(x.from, x.fromZone), cedarEnd(x.to, x.toZone), x.port)
	}
	list, err := cedar.NewPolicyListFromBytes("p.cedar", []byte(b.String()))
	if err != nil {
		return nil, fmt.Errorf("cedar: %w", err)
	}
	return list, nil
}

func cedarEnd(i int, zone bool) string {
	if zone {
		return fmt.Sprintf("in Zone::%q", zoneName(i))
	}
	return fmt.Sprintf("== Service::%q", serviceName(i))
}

// cedarEntities says which zone each service is in.
func cedarEntities() types.EntityMap {
	out := types.EntityMap{}
	for s := range services {
		id := types.NewEntityUID("Service", types.String(serviceName(s)))
		parent := types.NewEntityUID("Zone", types.String(zoneName(zoneOf(s))))
		out[id] = types.Entity{UID: id, Parents: types.NewEntityUIDSet(parent)}
		out[parent] = types.Entity{UID: parent}
	}
	return out
}

func cedarRequests(e *estate) []cedar.Request {
	var out []cedar.Request
	for _, q := range e.questions {
		out = append(out, cedar.Request{
			Principal: types.NewEntityUID("Service", types.String(serviceName(q.from))),
			Action:    types.NewEntityUID("Action", "connect"),
			Resource:  types.NewEntityUID("Service", types.String(serviceName(q.to))),
			Context:   types.NewRecord(types.RecordMap{"port": types.Long(q.port)}),
		})
	}
	return out
}

// byCedar asks over all policies, as the library is used.
func byCedar(e *estate) (*judge, error) {
	list, err := cedarPolicies(e)
	if err != nil {
		return nil, err
	}
	set := cedar.NewPolicySet()
	for i, p := range list {
		set.Add(cedar.PolicyID(fmt.Sprint("r", i)), p)
	}
	entities, requests := cedarEntities(), cedarRequests(e)
	return &judge{
		name: "cedar-go", about: "one policy for each rule, all of them evaluated",
		ask: func(i int) bool {
			decision, _ := cedar.Authorize(set, entities, requests[i])
			return decision == cedar.Allow
		},
	}, nil
}

// slice is the policies that can speak of one destination.
type slice []numbered

type numbered struct {
	id     cedar.PolicyID
	policy *cedar.Policy
}

// All yields them to the library.
func (s slice) All() iter.Seq2[cedar.PolicyID, *cedar.Policy] {
	return func(yield func(cedar.PolicyID, *cedar.Policy) bool) {
		for _, n := range s {
			if !yield(n.id, n.policy) {
				return
			}
		}
	}
}

// byCedarSliced gives the library only the policies about the destination:
// what a careful user would build around it.
func byCedarSliced(e *estate) (*judge, error) {
	list, err := cedarPolicies(e)
	if err != nil {
		return nil, err
	}
	slices := make([]slice, services)
	for i, x := range e.rules {
		for _, s := range members(x.to, x.toZone) {
			slices[s] = append(slices[s], numbered{cedar.PolicyID(fmt.Sprint("r", i)), list[i]})
		}
	}
	entities, requests := cedarEntities(), cedarRequests(e)
	return &judge{
		name: "cedar-go, sliced", about: "only the policies about the destination, found by an index of ours around the library",
		ask: func(i int) bool {
			decision, _ := cedar.Authorize(slices[e.questions[i].to], entities, requests[i])
			return decision == cedar.Allow
		},
	}, nil
}
