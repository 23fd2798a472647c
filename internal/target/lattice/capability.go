package lattice

import "firebreak/internal/target"

const auth = "https://docs.aws.amazon.com/vpc-lattice/latest/ug/auth-policies.html"

// Capability says what auth policies can express.
func (Target) Capability() target.Capability {
	return target.Capability{
		Peers: "principals", Ports: true, Deny: true, HTTP: true, Stateful: true,
		Notes: []target.Note{
			{Text: "Only callers in VPCs that are associated with the service network come through it; whoever reaches the workloads without it (the same VPC, peering) is not seen.", Source: "https://docs.aws.amazon.com/vpc-lattice/latest/ug/what-is-vpc-lattice.html"},
			{Text: "A service network joins VPCs of its own Region; callers in others are not let in, which render says.", Source: "https://github.com/aws/aws-application-networking-k8s/blob/main/docs/guides/ram-sharing.md"},
			{Text: "Auth policies are about HTTP and gRPC requests; resource configurations (databases, any other TCP) are not covered by them.", Source: auth},
			{Text: "The caller's own identity policies must allow vpc-lattice-svcs:Invoke as well; that they do is assumed.", Source: auth + "#auth-policies-evaluation-logic"},
			{Text: "Expiries are exact (aws:CurrentTime); windows that open again and again cannot be said.", Source: "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-currenttime"},
			{Text: "Hosts are not told apart, and a certificate of the caller is not seen: it signs its requests with AWS SigV4 instead.", Source: auth + "#auth-policies-condition-keys"},
			{Text: "'*' in a pattern of paths also spans slashes: within a segment it permits more than was meant.", Source: "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html"},
			{Text: "The workloads see Lattice's addresses and not the caller's; its security groups admit Lattice's prefix list.", Source: "https://docs.aws.amazon.com/vpc-lattice/latest/ug/security-groups.html"},
			{Text: "A change of a policy takes minutes to be in force everywhere.", Source: auth},
		},
	}
}
