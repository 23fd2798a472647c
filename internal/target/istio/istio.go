// Package istio is the target of Istio's service mesh: AuthorizationPolicy and
// PeerAuthentication, for workloads with sidecars and for those in ambient mode.
//
// The mesh decides at the responder's end only, and knows peers by the principal
// of their certificates, which is made of their namespace and service account.
// Files whose names begin with render write, files whose names begin with lift
// read; they share nothing.
package istio

import (
	"firebreak/internal/target"
)

// Target implements target.Target. The zero value is ready.
type Target struct{}

var _ target.Target = Target{}

// Name implements target.Target.
func (Target) Name() string { return "istio" }
