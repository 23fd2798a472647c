package aws

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Place is an account and a region; one of the two may be empty, if it is not
// known.
type Place struct{ Account, Region string }

// Places are those of which the answers about networks and services speak, by
// account, then by region. They are told by the owners, ARNs and availability
// zones of what was answered; roles are of no region, and other accounts' things
// that are merely referred to do not count. Nil if nothing tells.
func (a *Answers) Places() []Place {
	p := places{known: map[Place]bool{}, regionOf: map[string]string{}}
	for i := range a.Subnets {
		s := &a.Subnets[i]
		region := cmp.Or(regionOf(s.SubnetArn), regionOfZone(s.AvailabilityZone))
		p.in(s.SubnetId, region)
		p.in(s.VpcId, region)
		p.add(s.OwnerId, region)
	}
	for i := range a.SecurityGroups {
		g := &a.SecurityGroups[i]
		region := cmp.Or(regionOf(g.SecurityGroupArn), p.regionOf[g.VpcId])
		p.in(g.VpcId, region)
		p.add(g.OwnerId, region)
	}
	for i := range a.SecurityGroupRules {
		p.add(a.SecurityGroupRules[i].GroupOwnerId, regionOf(a.SecurityGroupRules[i].SecurityGroupRuleArn))
	}
	for i := range a.Instances {
		p.add(a.Instances[i].OwnerId, regionOfZone(a.Instances[i].Placement.AvailabilityZone))
	}
	for i := range a.NetworkInterfaces {
		p.add(a.NetworkInterfaces[i].OwnerId, cmp.Or(p.regionOf[a.NetworkInterfaces[i].SubnetId], p.regionOf[a.NetworkInterfaces[i].VpcId]))
	}
	for i := range a.Vpcs {
		p.add(a.Vpcs[i].OwnerId, p.regionOf[a.Vpcs[i].VpcId])
	}
	for i := range a.NetworkAcls {
		p.add(a.NetworkAcls[i].OwnerId, p.regionOf[a.NetworkAcls[i].VpcId])
	}
	for i := range a.RouteTables {
		p.add(a.RouteTables[i].OwnerId, p.regionOf[a.RouteTables[i].VpcId])
	}
	for i := range a.Services {
		p.arn(a.Services[i].Arn)
	}
	for i := range a.ServiceNetworks {
		p.arn(a.ServiceNetworks[i].Arn)
	}
	for i := range a.VpcAssociations {
		p.arn(a.VpcAssociations[i].Arn)
	}
	for i := range a.TargetGroups {
		p.arn(a.TargetGroups[i].Arn)
	}
	return p.list()
}

type places struct {
	known    map[Place]bool
	regionOf map[string]string // by subnet and by VPC
}

// in notes where a thing is, if both are known.
func (p *places) in(id, region string) {
	if id != "" && region != "" {
		p.regionOf[id] = region
	}
}

func (p *places) add(account, region string) {
	if !isAccount(account) {
		account = "" // AWS's own
	}
	if account+region != "" {
		p.known[Place{account, region}] = true
	}
}

func (p *places) arn(arn string) {
	if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 {
		p.add(parts[4], parts[3])
	}
}

// list leaves out what says less than another place does.
func (p *places) list() []Place {
	account, region := map[string]bool{}, map[string]bool{}
	for x := range p.known {
		if x.Account != "" && x.Region != "" {
			account[x.Account], region[x.Region] = true, true
		}
	}
	maps.DeleteFunc(p.known, func(x Place, _ bool) bool {
		return x.Region == "" && account[x.Account] || x.Account == "" && region[x.Region]
	})
	return slices.SortedFunc(maps.Keys(p.known), func(a, b Place) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Region, b.Region))
	})
}

// isAccount reports whether an owner is an account and not "amazon" or "AWS".
// https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-identifiers.html
func isAccount(s string) bool {
	return len(s) == 12 && strings.Trim(s, "0123456789") == ""
}

// regionOf is the fourth part of an ARN.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
func regionOf(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return ""
	}
	return parts[3]
}

// regionOfZone is that of an availability zone, or of a local zone: a zone's name
// begins with its region's, which ends with a number.
// https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-availability-zones.html
func regionOfZone(zone string) string {
	parts := strings.Split(zone, "-")
	for i, p := range parts {
		if digits := strings.TrimRight(p, "abcdefghijklmnopqrstuvwxyz"); digits != "" && strings.Trim(digits, "0123456789") == "" {
			return strings.Join(append(parts[:i:i], digits), "-")
		}
	}
	return ""
}
