// Package lattice is the target AWS VPC Lattice: service networks that join
// VPCs which exchange no packets, services behind them, and auth policies that
// say which callers may make which requests.
package lattice

import (
	"firebreak/internal/diag"
	"firebreak/internal/layer"
	"firebreak/internal/plan"
	"firebreak/internal/target"
)

// Target is AWS VPC Lattice. The zero value is ready to use.
type Target struct{}

var _ target.Target = Target{}

// Name returns "lattice".
func (Target) Name() string { return "lattice" }

// Render writes Terraform: in a folder with the estate's name, the services that
// callers in other VPCs may reach, and the auth policies.
func (Target) Render(w *plan.Wanted) ([]target.File, diag.List) { return render(w) }

// Lift reads Terraform (configuration, plan, state) and the answers of AWS.
func (Target) Lift(s *target.Source) (*layer.Layer, diag.List) { return lift(s) }
