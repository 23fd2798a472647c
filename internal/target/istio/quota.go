package istio

import "firebreak/internal/target"

// maxPorts is how many ports a rule lists at most. The platform has no number
// for it; the limit is ours, so that an object can be read by a person and stays
// far below what the API server stores (etcd's 1.5 MiB).
const maxPorts = 1000

// Quotas implements target.Target.
func (Target) Quotas() []target.Quota {
	return []target.Quota{
		{Name: "ports in a rule", Limit: maxPorts, Hard: true, Source: "https://etcd.io/docs/latest/dev-guide/limit/"},
		{Name: "service accounts in a source", Limit: 16, Hard: true, Source: policyPage},
	}
}
