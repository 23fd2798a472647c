package nftables

import (
	"firebreak/internal/diag"
	"firebreak/internal/layer"
	"firebreak/internal/target"
)

func lift(s *target.Source) (*layer.Layer, diag.List) { return &layer.Layer{Target: "nftables"}, nil }
