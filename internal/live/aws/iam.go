package aws

import "firebreak/internal/diag"

// Role is a role of IAM, of list-roles and get-role.<name>.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_Role.html
type Role struct {
	RoleName, RoleId, Arn, Path string

	Tags []Tag
	// Policies are the inline policies that get-role-policy.<role>.<policy> tells.
	// Named are the names of list-role-policies.<role>, Attached those of
	// list-attached-role-policies.<role>; PoliciesKnown and AttachedKnown say that
	// these were asked.
	Policies      []RolePolicy
	Named         []string
	PoliciesKnown bool
	Attached      []AttachedPolicy
	AttachedKnown bool
	Boundary      string // the ARN of the permissions boundary; empty if there is none
	Pos           diag.Pos
}

// RolePolicy is the answer of get-role-policy. Document is the text of its JSON,
// with the percent signs taken out where the API has put them in.
type RolePolicy struct {
	RoleName, PolicyName, Document string

	Pos diag.Pos
}

// AttachedPolicy is an element of list-attached-role-policies. Document is the
// text that get-policy-version.<policy name> tells; empty if that was not
// asked.
type AttachedPolicy struct {
	PolicyName, PolicyArn, Document string

	Pos diag.Pos
}

// InstanceProfile is an element of list-instance-profiles, or the answer of
// get-instance-profile.<name>.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_InstanceProfile.html
type InstanceProfile struct {
	InstanceProfileName, InstanceProfileId, Arn string

	Roles []Role
	Pos   diag.Pos
}

// PodIdentityAssociation is an element of list-pod-identity-associations.<cluster>,
// with the role that describe-pod-identity-association.<id> tells.
// https://docs.aws.amazon.com/eks/latest/APIReference/API_PodIdentityAssociation.html
type PodIdentityAssociation struct {
	ClusterName, Namespace, ServiceAccount, RoleArn, AssociationArn, AssociationId string

	Pos diag.Pos
}
