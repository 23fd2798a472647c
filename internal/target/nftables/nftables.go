// Package nftables is the firewall of Linux hosts: one table of ours on each,
// replaced in one transaction, in nft's own JSON. The bytes that are loaded are
// the bytes that are read back and proven.
package nftables

import (
	"firebreak/internal/diag"
	"firebreak/internal/layer"
	"firebreak/internal/plan"
	"firebreak/internal/target"
)

// Target is the firewall of Linux hosts. The zero value is ready to use, and
// safe for concurrent use.
type Target struct{}

// Name returns "nftables".
func (Target) Name() string { return "nftables" }

// Render returns HOST/firebreak.nft.json for every host on which workloads with
// addresses run; `nft -j -f` loads it. Workloads whose host is not known are
// not governed, and a warning says so.
func (Target) Render(w *plan.Wanted) ([]target.File, diag.List) { return render(w) }

// Lift reads every *.nft.json: what Render wrote and what `nft -j list ruleset`
// says. The file is named for the host, HOST.nft.json, or, if it is called
// firebreak.nft.json, its folder is.
func (Target) Lift(s *target.Source) (*layer.Layer, diag.List) { return lift(s) }
