package prove

import (
	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/policy"
)

func prove(Intent, []*layer.Layer, Options) (*Report, error) { return &Report{}, nil }

func drift(Intent, []*layer.Layer, Options) (*Difference, error) { return &Difference{}, nil }

func reach(*inventory.Snapshot, *policy.Policy, []*layer.Layer, Options) (*Reachability, error) {
	return &Reachability{}, nil
}

func compare([]*layer.Layer, Intent, Options) (*Equivalence, error) { return &Equivalence{}, nil }
