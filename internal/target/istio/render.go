package istio

import (
	"firebreak/internal/diag"
	"firebreak/internal/plan"
	"firebreak/internal/target"
)

// Render implements target.Target.
func (Target) Render(w *plan.Wanted) ([]target.File, diag.List) { return nil, nil }
