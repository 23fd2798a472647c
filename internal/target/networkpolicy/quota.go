package networkpolicy

import "firebreak/internal/target"

// mostBytes is how large an object may be that the API server's etcd takes:
// https://etcd.io/docs/v3.6/dev-guide/limit/ (1.5 MiB a request, of which we
// leave a part to what the server adds).
const mostBytes = 1 << 20

// Quotas lists the one limit that there is: NetworkPolicies have no numbers of
// their own.
func (Target) Quotas() []target.Quota {
	return []target.Quota{{Name: "bytes of a NetworkPolicy", Limit: mostBytes, Source: "https://etcd.io/docs/v3.6/dev-guide/limit/"}}
}
