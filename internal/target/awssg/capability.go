// Package awssg renders policy to AWS security groups, as Terraform, and reads
// security groups from Terraform and from AWS' own answers.
//
// Rendering and reading share no code, not even constants of the format: a
// renderer must not certify itself.
package awssg

import "firebreak/internal/target"

// Target is AWS security groups.
type Target struct{}

// Name returns "awssg".
func (Target) Name() string { return "awssg" }

const (
	rulesPage  = "https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html"
	groupsPage = "https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html"
	trackPage  = "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html"
	permission = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html"
	peering    = "https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-security-groups.html"
	limitsPage = "https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html"
)

// Capability returns what security groups can express.
func (Target) Capability() target.Capability {
	return target.Capability{
		Peers: "groups", Ports: true, ICMP: true, Stateful: true, Egress: true,
		Notes: []target.Note{
			{Text: "Rules only allow; an interface is let everything that any of its groups allows.", Source: rulesPage},
			{Text: "A rule that names a group means the private addresses of the interfaces that are in it, in the same VPC or one that it is peered with.", Source: peering},
			{Text: "Of protocols other than TCP, UDP and ICMP no ports can be told apart.", Source: permission},
			{Text: "Traffic to and from the VPC's resolver, DHCP, the metadata services and the time service is not filtered.", Source: groupsPage},
			{Text: "A connection that is tracked goes on when the rule that let it in is removed.", Source: trackPage},
			{Text: "An interface that is made without a group gets the VPC's default group.", Source: "https://docs.aws.amazon.com/vpc/latest/userguide/default-security-group.html"},
		},
	}
}
