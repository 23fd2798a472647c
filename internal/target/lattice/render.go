package lattice

import (
	"firebreak/internal/diag"
	"firebreak/internal/plan"
	"firebreak/internal/target"
)

func render(w *plan.Wanted) ([]target.File, diag.List) { return nil, nil }
