package istio

import "firebreak/internal/target"

const (
	policyPage    = "https://istio.io/latest/docs/reference/config/security/authorization-policy/"
	conceptsPage  = "https://istio.io/latest/docs/concepts/security/"
	peerPage      = "https://istio.io/latest/docs/reference/config/security/peer_authentication/"
	ambientPage   = "https://istio.io/latest/docs/ambient/usage/l4-policy/"
	waypointPage  = "https://istio.io/latest/docs/ambient/usage/waypoint/"
	normalPage    = "https://istio.io/latest/docs/reference/config/security/normalization/"
	practicesPage = "https://istio.io/latest/docs/ops/best-practices/security/"
	portsPage     = "https://istio.io/latest/docs/ops/deployment/application-requirements/"
	protocolPage  = "https://istio.io/latest/docs/ops/configuration/traffic-management/protocol-selection/"
)

// Capability implements target.Target.
func (Target) Capability() target.Capability {
	return target.Capability{
		Peers: "principals", Ports: true, Deny: true, HTTP: true, MTLS: true, Stateful: true,
		Judge: "Istio's own validation and translation to Envoy's RBAC filters",
		Notes: []target.Note{
			{Text: "The mesh decides at the responder's end; what a workload may begin is for other layers.", Source: conceptsPage},
			{Text: "Only TCP goes through the mesh: of UDP, SCTP and ICMP it says nothing.", Source: protocolPage},
			{Text: "A peer in the mesh is known by its namespace and service account: workloads that share an account cannot be told apart.", Source: policyPage},
			{Text: "A peer outside the mesh has no principal; it is let in by its address, and the port must accept plaintext.", Source: peerPage},
			{Text: "Workloads are selected by labels with one value each; ports are listed one by one.", Source: policyPage},
			{Text: "A pattern with a star inside a segment of a path cannot be said: it is widened to the whole segment, with a warning.", Source: policyPage},
			{Text: "Ambiguous paths are rewritten before anyone sees them only with the normalization DECODE_AND_MERGE_SLASHES.", Source: normalPage},
			{Text: "A DENY with attributes of HTTP also denies what is no HTTP on its ports.", Source: policyPage},
			{Text: "In ambient mode HTTP is judged by a waypoint before a Service; without one an ALLOW with attributes of HTTP never matches.", Source: ambientPage},
			{Text: "Peers with sidecars and peers outside the mesh go around waypoints.", Source: waypointPage},
			{Text: "The ports 15020, 15021 and 15090 of a workload with a sidecar are the sidecar's own, and open.", Source: portsPage},
		},
	}
}
