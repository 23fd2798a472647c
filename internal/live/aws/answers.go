// Package aws reads answers of the AWS command line: what `aws ec2
// describe-security-groups --output json` and the like print, one answer a file,
// <verb>[.<id>][.<page>].json. It says what the answers say, and which questions
// nobody asked; what they mean, their readers know.
package aws

// Answers is what a folder holds, pages joined. Lists are in the order of the
// files' names and of the answers. Field names are those of the API.
type Answers struct {
	SecurityGroups       []SecurityGroup
	SecurityGroupRules   []SecurityGroupRule
	NetworkInterfaces    []NetworkInterface
	Instances            []Instance
	Vpcs                 []Vpc
	Subnets              []Subnet
	NetworkAcls          []NetworkAcl
	RouteTables          []RouteTable
	Peerings             []VpcPeeringConnection
	Attachments          []TransitGatewayVpcAttachment
	GatewayAttachments   []TransitGatewayAttachment
	PrefixLists          []PrefixList
	Services             []Service
	ServiceNetworks      []ServiceNetwork
	ServiceAssociations  []ServiceAssociation
	VpcAssociations      []VpcAssociation
	ResourceAssociations []ResourceAssociation
	Listeners            []Listener
	TargetGroups         []TargetGroup
	AuthPolicies         []AuthPolicy
	Roles                []Role
	InstanceProfiles     []InstanceProfile
	PodIdentities        []PodIdentityAssociation

	answered map[string]bool // verb, or "verb.id"
	broken   map[string]bool
	any      bool
}

// Any reports whether the folder has any answer of AWS at all.
func (a *Answers) Any() bool { return a != nil && a.any }

// Open reports whether VPCs may exchange packets with others than the answers
// name: some way between them was not asked for.
func (a *Answers) Open() bool {
	return a.Any() && (a.Missing("describe-vpc-peering-connections") || a.Missing("describe-transit-gateway-vpc-attachments"))
}

// Missing reports whether nothing can be said from the answers to a question:
// nobody asked it, or an answer (a page of it) is cut off or no JSON. A question
// about one thing is the verb, a dot and the thing's id, as in the file's name:
// Missing("get-auth-policy.svc-0a1b").
func (a *Answers) Missing(question string) bool {
	return a == nil || !a.answered[question] || a.broken[question]
}

// Accounts are those that surely were asked, by number: nobody is shown instances
// and default groups of others, as these cannot be shared
// (docs.aws.amazon.com/vpc/latest/userguide/security-group-sharing.html).
func (a *Answers) Accounts() map[string]bool {
	out := map[string]bool{}
	for i := range a.Instances {
		out[a.Instances[i].OwnerId] = true
	}
	for i := range a.SecurityGroups {
		if g := &a.SecurityGroups[i]; g.GroupName == "default" {
			out[g.OwnerId] = true
		}
	}
	delete(out, "")
	return out
}
