// Package nacl renders guardrails to AWS network ACLs, as Terraform, and reads
// network ACLs from Terraform and from AWS' own answers.
//
// Network ACLs stand at the edge of subnets and know addresses only. They are a
// coarse layer here: what a guardrail forbids between whole subnets, or between
// a subnet and outside, is denied where nothing permitted is cut off by it, and
// everything else is left open.
//
// Rendering and reading share no code, not even constants of the format.
package nacl

import "firebreak/internal/target"

// Target is AWS network ACLs.
type Target struct{}

// Name returns "nacl".
func (Target) Name() string { return "nacl" }

const (
	rulesPage  = "https://docs.aws.amazon.com/vpc/latest/userguide/nacl-rules.html"
	aclPage    = "https://docs.aws.amazon.com/vpc/latest/userguide/vpc-network-acls.html"
	portsPage  = "https://docs.aws.amazon.com/vpc/latest/userguide/nacl-ephemeral-ports.html"
	limitsPage = "https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html"
)

// Capability returns what network ACLs can express.
func (Target) Capability() target.Capability {
	return target.Capability{
		Peers: "addresses", Ports: true, ICMP: true, Deny: true, Egress: true,
		Notes: []target.Note{
			{Text: "Entries are asked by number; the first that matches decides, and what none matches is denied.", Source: rulesPage},
			{Text: "Nothing is remembered: replies pass only if an entry lets them, at the ephemeral ports that the client chose.", Source: portsPage},
			{Text: "Machines are taken to choose from 32768-65535, as Linux and Windows do; all others from 1024-65535.", Source: portsPage},
			{Text: "What stays in a subnet is not filtered.", Source: aclPage},
			{Text: "Traffic to and from the VPC's resolver, DHCP, the metadata services, the time service and the router is not filtered.", Source: aclPage},
			{Text: "Only guardrails between whole subnets, and between a subnet and outside, are rendered; all other traffic is left to other targets.", Source: aclPage},
			{Text: "What only passes through a subnet (to a NAT gateway, a load balancer, a firewall endpoint in it) is filtered there too.", Source: aclPage},
			{Text: "Ports can be told apart of TCP and UDP only.", Source: rulesPage},
		},
	}
}
