// Package terraform makes an inventory of a Terraform plan, state or
// configuration of AWS: the workloads and networks that package inventory/aws
// makes of AWS's answers, and those whose addresses AWS gives later: databases,
// functions, services of ECS, groups of EKS nodes.
//
// What exists is named by its id, so that it is one with what AWS answers; what
// does not yet, by its address in Terraform. The others are "rds/NAME",
// "lambda/NAME", "ecs/NAME" and "eks/CLUSTER/NAME".
package terraform

import (
	"io/fs"
	"path"
	"strings"

	"firebreak/internal/diag"
	"firebreak/internal/inventory"
	"firebreak/internal/inventory/aws"
	answers "firebreak/internal/live/aws"
	"firebreak/internal/live/terraform"
)

// Read reads a plan or a state, or, if the name is ".", everything of
// Terraform's in the folder. The snapshot holds what could be read and is never
// nil; use it only if the list has no errors.
func Read(fsys fs.FS, name, cluster string) (*inventory.Snapshot, diag.List) {
	var set *terraform.Set
	var diags diag.List
	if name == "." {
		set, diags = readFolder(fsys)
	} else {
		set, diags = terraform.ReadFile(fsys, path.Clean(name))
	}
	snap, more := From(set, cluster)
	diags = append(diags, more...)
	diags.Sort()
	return snap, diags
}

func readFolder(fsys fs.FS) (*terraform.Set, diag.List) {
	var names []string
	var diags diag.List
	err := fs.WalkDir(fsys, ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			diags.Errorf(diag.Pos{File: name}, "unreadable-file", "%v", err)
			return nil
		case e.IsDir() && name != "." && path.Base(name)[0] == '.':
			return fs.SkipDir
		case !e.IsDir():
			for _, s := range terraform.Suffixes() {
				if strings.HasSuffix(name, s) {
					names = append(names, name)
					break
				}
			}
		}
		return nil
	})
	if err != nil {
		diags.Errorf(diag.Pos{}, "unreadable-file", "%v", err)
	}
	set, more := terraform.Read(fsys, names)
	return set, append(diags, more...)
}

// From makes an inventory of a set. Pod identities of other clusters than the
// named one are left out; an empty name leaves out none.
func From(set *terraform.Set, cluster string) (*inventory.Snapshot, diag.List) {
	t := &teller{set: set, a: &answers.Answers{}}
	t.networks()
	t.roles()
	t.instances()
	t.interfaces()
	t.identities()
	base, diags := aws.From(t.a, cluster)
	for i := range base.Networks { // who else peers with a VPC, Terraform need not know
		base.Networks[i].Complete = false
	}
	more, joined := inventory.Join(base, &inventory.Snapshot{Workloads: t.managed(base)})
	return more, append(diags, joined...)
}

// teller tells what Terraform says as AWS would.
type teller struct {
	set *terraform.Set
	a   *answers.Answers
}

// id is the name of a resource: its id, or its address until it has one.
func id(r *terraform.Resource) string {
	if r.ID != "" {
		return r.ID
	}
	return r.Address
}

// arn is a resource's ARN, or its address until it has one.
func arn(r *terraform.Resource) string {
	if s, ok := r.Attribute("arn").String(); ok && s != "" {
		return s
	}
	return r.Address
}

// named is the id of what an argument names; empty where it is not known.
func (t *teller) named(v terraform.Value) string {
	if v.Kind == terraform.Reference {
		if r, attr, ok := t.set.Resolve(v.Ref); ok {
			if attr == "arn" {
				return arn(r)
			}
			return id(r)
		}
		return ""
	}
	return t.text(v)
}

// text is the text of an argument; empty where it is not known.
func (t *teller) text(v terraform.Value) string {
	s, _ := t.set.Known(v).String()
	return s
}

func (t *teller) tags(r *terraform.Resource) []answers.Tag {
	v := r.Attribute("tags")
	if all := r.Attribute("tags_all"); len(all.Fields) > len(v.Fields) {
		v = all // with those that the provider adds
	}
	var out []answers.Tag
	for key, x := range v.Fields {
		if s := t.text(x); s != "" {
			out = append(out, answers.Tag{Key: key, Value: s})
		}
	}
	return out
}

// account is in the ARN of what exists.
func account(r *terraform.Resource) string {
	if s := r.Attribute("owner_id"); s.Set() {
		owner, _ := s.String()
		return owner
	}
	s, _ := r.Attribute("arn").String()
	if parts := strings.SplitN(s, ":", 6); len(parts) == 6 {
		return parts[4]
	}
	return ""
}

func (t *teller) networks() {
	for _, r := range t.set.Of("aws_vpc", "aws_default_vpc") {
		v := answers.Vpc{VpcId: id(r), OwnerId: account(r), CidrBlock: t.text(r.Attribute("cidr_block")), Tags: t.tags(r), Pos: r.Pos}
		v.Ipv6CidrBlockAssociationSet = []answers.VpcIpv6Cidr{{Ipv6CidrBlock: t.text(r.Attribute("ipv6_cidr_block"))}}
		for _, more := range t.set.Of("aws_vpc_ipv4_cidr_block_association") {
			if t.set.Same(more.Attribute("vpc_id"), r) {
				v.CidrBlockAssociationSet = append(v.CidrBlockAssociationSet, answers.VpcCidr{CidrBlock: t.text(more.Attribute("cidr_block"))})
			}
		}
		t.a.Vpcs = append(t.a.Vpcs, v)
	}
	for _, r := range t.set.Of("aws_subnet", "aws_default_subnet") {
		s := answers.Subnet{SubnetId: id(r), VpcId: t.named(r.Attribute("vpc_id")), OwnerId: account(r), SubnetArn: t.text(r.Attribute("arn")),
			CidrBlock: t.text(r.Attribute("cidr_block")), AvailabilityZone: t.text(r.Attribute("availability_zone")), Tags: t.tags(r), Pos: r.Pos}
		s.Ipv6CidrBlockAssociationSet = []answers.VpcIpv6Cidr{{Ipv6CidrBlock: t.text(r.Attribute("ipv6_cidr_block"))}}
		t.a.Subnets = append(t.a.Subnets, s)
	}
	for _, r := range t.set.Of("aws_vpc_peering_connection") {
		p := answers.VpcPeeringConnection{VpcPeeringConnectionId: id(r), Pos: r.Pos}
		p.RequesterVpcInfo.VpcId, p.AccepterVpcInfo.VpcId = t.named(r.Attribute("vpc_id")), t.named(r.Attribute("peer_vpc_id"))
		if t.accepted(r) {
			p.Status.Code = "active"
		}
		t.a.Peerings = append(t.a.Peerings, p)
	}
	for _, r := range t.set.Of("aws_ec2_transit_gateway_vpc_attachment") {
		t.a.Attachments = append(t.a.Attachments, answers.TransitGatewayVpcAttachment{TransitGatewayId: t.named(r.Attribute("transit_gateway_id")),
			VpcId: t.named(r.Attribute("vpc_id")), State: "available", Pos: r.Pos})
	}
}

// accepted reports whether a peering carries packets: its state says so, or, of
// what is planned, somebody accepts it.
func (t *teller) accepted(r *terraform.Resource) bool {
	if s := t.text(r.Attribute("accept_status")); s != "" {
		return s == "active"
	}
	for _, a := range append(t.set.Of("aws_vpc_peering_connection_accepter"), r) {
		auto, known := a.Attribute("auto_accept").True()
		if known && auto && (a == r || t.set.Same(a.Attribute("vpc_peering_connection_id"), r)) {
			return true
		}
	}
	return false
}

func (t *teller) roles() {
	for _, r := range t.set.Of("aws_iam_instance_profile") {
		role := ""
		for _, x := range t.set.Of("aws_iam_role") {
			if t.set.Same(r.Attribute("role"), x) {
				role = arn(x)
			}
		}
		p := answers.InstanceProfile{InstanceProfileName: t.text(r.Attribute("name")), Arn: arn(r), Pos: r.Pos}
		if role != "" {
			p.Roles = []answers.Role{{Arn: role}}
		}
		t.a.InstanceProfiles = append(t.a.InstanceProfiles, p)
	}
}

// profile is the ARN of the instance profile that an argument names.
func (t *teller) profile(v terraform.Value) *answers.InstanceProfileRef {
	for _, r := range t.set.Of("aws_iam_instance_profile") {
		if v.Set() && t.set.Same(v, r) {
			return &answers.InstanceProfileRef{Arn: arn(r)}
		}
	}
	return nil
}

func (t *teller) identities() {
	for _, r := range t.set.Of("aws_eks_pod_identity_association") {
		p := answers.PodIdentityAssociation{ClusterName: t.clusterName(r.Attribute("cluster_name")), Namespace: t.text(r.Attribute("namespace")),
			ServiceAccount: t.text(r.Attribute("service_account")), RoleArn: t.role(r.Attribute("role_arn")), Pos: r.Pos}
		t.a.PodIdentities = append(t.a.PodIdentities, p)
	}
}

func (t *teller) clusterName(v terraform.Value) string {
	if v.Kind == terraform.Reference {
		if r, _, ok := t.set.Resolve(v.Ref); ok {
			return t.text(r.Attribute("name"))
		}
	}
	return t.text(v)
}

// role is the ARN of the role that an argument names.
func (t *teller) role(v terraform.Value) string {
	if v.Kind == terraform.Reference {
		if r, _, ok := t.set.Resolve(v.Ref); ok {
			return arn(r)
		}
	}
	s := t.text(v)
	if strings.HasPrefix(s, "arn:") {
		return s
	}
	for _, r := range t.set.Of("aws_iam_role") {
		if s != "" && t.set.Same(v, r) {
			return arn(r)
		}
	}
	return s
}
