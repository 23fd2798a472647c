package aws

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"firebreak/internal/diag"
	"firebreak/internal/live/jsontree"
)

// reading is what is known while files are read: answers about one thing are put
// to the thing when all are there.
type reading struct {
	a        *Answers
	pages    map[string]*pages
	entries  map[string][]PrefixListEntry
	targets  map[string][]Target
	groups   map[string][]string // of VPC associations, by id
	inline   map[string][]RolePolicy
	named    map[string][]string // inline policies, by role
	attached map[string][]AttachedPolicy
	versions map[string]string // documents of managed policies, by what the file names
}

func newReading(a *Answers) *reading {
	return &reading{a: a, pages: map[string]*pages{}, entries: map[string][]PrefixListEntry{}, targets: map[string][]Target{},
		groups: map[string][]string{}, inline: map[string][]RolePolicy{}, named: map[string][]string{},
		attached: map[string][]AttachedPolicy{}, versions: map[string]string{}}
}

// take takes in one file.
func (r *reading) take(q query, n *jsontree.Node) error {
	if n.Kind != jsontree.Object {
		return wrongType(n, "an object")
	}
	if verbs()[q.verb] && q.id == "" {
		return errors.New("the file's name does not say what it is about")
	}
	a := r.a
	switch q.verb {
	case "describe-security-groups":
		return list(n, "SecurityGroups", &a.SecurityGroups)
	case "describe-security-group-rules":
		return list(n, "SecurityGroupRules", &a.SecurityGroupRules)
	case "describe-network-interfaces":
		return list(n, "NetworkInterfaces", &a.NetworkInterfaces)
	case "describe-instances":
		return r.instances(n)
	case "describe-vpcs":
		return list(n, "Vpcs", &a.Vpcs)
	case "describe-subnets":
		return list(n, "Subnets", &a.Subnets)
	case "describe-network-acls":
		return list(n, "NetworkAcls", &a.NetworkAcls)
	case "describe-route-tables":
		return list(n, "RouteTables", &a.RouteTables)
	case "describe-vpc-peering-connections":
		return list(n, "VpcPeeringConnections", &a.Peerings)
	case "describe-transit-gateway-vpc-attachments":
		return list(n, "TransitGatewayVpcAttachments", &a.Attachments)
	case "describe-transit-gateway-attachments":
		return list(n, "TransitGatewayAttachments", &a.GatewayAttachments)
	case "describe-managed-prefix-lists":
		return list(n, "PrefixLists", &a.PrefixLists)
	case "get-managed-prefix-list-entries":
		return about(n, "Entries", q.id, r.entries)
	}
	if strings.HasPrefix(q.verb, "list-ro") || strings.HasPrefix(q.verb, "get-ro") || strings.Contains(q.verb, "polic") && q.verb != "get-auth-policy" {
		return r.takeIAM(q, n)
	}
	return r.takeLattice(q, n)
}

func (r *reading) instances(n *jsontree.Node) error {
	var all []struct {
		OwnerId   string
		Instances []Instance
	}
	if err := list(n, "Reservations", &all); err != nil {
		return err
	}
	for _, res := range all {
		for _, i := range res.Instances {
			i.OwnerId = res.OwnerId
			r.a.Instances = append(r.a.Instances, i)
		}
	}
	return nil
}

func (r *reading) takeLattice(q query, n *jsontree.Node) error {
	a := r.a
	switch q.verb {
	case "list-services":
		return list(n, "items", &a.Services)
	case "get-service":
		return one(n, &a.Services)
	case "list-service-networks":
		return list(n, "items", &a.ServiceNetworks)
	case "get-service-network":
		return one(n, &a.ServiceNetworks)
	case "list-service-network-service-associations":
		return list(n, "items", &a.ServiceAssociations)
	case "list-service-network-vpc-associations":
		return list(n, "items", &a.VpcAssociations)
	case "get-service-network-vpc-association":
		var v VpcAssociation
		if err := fill(n, &v); err != nil {
			return err
		}
		r.groups[v.Id] = append([]string{}, v.SecurityGroupIds...)
		a.VpcAssociations = append(a.VpcAssociations, v)
	case "list-service-network-resource-associations":
		return list(n, "items", &a.ResourceAssociations)
	case "list-listeners":
		before := len(a.Listeners)
		err := list(n, "items", &a.Listeners)
		for i := before; i < len(a.Listeners); i++ {
			a.Listeners[i].Service = q.id
		}
		return err
	case "list-target-groups":
		return list(n, "items", &a.TargetGroups)
	case "list-targets":
		return about(n, "items", q.id, r.targets)
	case "get-auth-policy":
		p := AuthPolicy{Resource: q.id}
		if err := fill(n, &p); err != nil {
			return err
		}
		p.Resource = q.id
		a.AuthPolicies = append(a.AuthPolicies, p)
	case "list-pod-identity-associations":
		return list(n, "associations", &a.PodIdentities)
	case "describe-pod-identity-association":
		return one(n.Field("association"), &a.PodIdentities)
	case "list-instance-profiles":
		return list(n, "InstanceProfiles", &a.InstanceProfiles)
	case "get-instance-profile":
		return one(n.Field("InstanceProfile"), &a.InstanceProfiles)
	}
	return nil
}

func (r *reading) takeIAM(q query, n *jsontree.Node) error {
	switch q.verb {
	case "list-roles":
		before := len(r.a.Roles)
		err := list(n, "Roles", &r.a.Roles)
		for i := before; i < len(r.a.Roles); i++ {
			r.a.Roles[i].Boundary = n.Field("Roles").List[i-before].Field("PermissionsBoundary").Field("PermissionsBoundaryArn").String()
		}
		return err
	case "get-role":
		err := one(n.Field("Role"), &r.a.Roles)
		if err == nil {
			r.a.Roles[len(r.a.Roles)-1].Boundary = n.Field("Role").Field("PermissionsBoundary").Field("PermissionsBoundaryArn").String()
		}
		return err
	case "list-role-policies":
		return about(n, "PolicyNames", q.id, r.named)
	case "get-role-policy":
		p := RolePolicy{RoleName: n.Field("RoleName").String(), PolicyName: n.Field("PolicyName").String(), Document: document(n.Field("PolicyDocument")), Pos: n.Pos}
		if p.RoleName == "" || p.Document == "" {
			return errors.New("it has no RoleName and PolicyDocument")
		}
		r.inline[p.RoleName] = append(r.inline[p.RoleName], p)
	case "list-attached-role-policies":
		return about(n, "AttachedPolicies", q.id, r.attached)
	case "get-policy-version":
		r.versions[q.id] = document(n.Field("PolicyVersion").Field("Document"))
	}
	return nil
}

// list appends the elements of a field.
func list[T any](n *jsontree.Node, field string, to *[]T) error {
	f := n.Field(field)
	if f == nil {
		return errors.New("it has no " + field)
	}
	var more []T
	if err := fill(f, &more); err != nil {
		return err
	}
	*to = append(*to, more...)
	return nil
}

// about is list for what the file's name says it is about.
func about[T any](n *jsontree.Node, field, id string, to map[string][]T) error {
	all := to[id]
	if all == nil {
		all = []T{}
	}
	err := list(n, field, &all)
	to[id] = all
	return err
}

func one[T any](n *jsontree.Node, to *[]T) error {
	if n == nil {
		return errors.New("it has not the field that it is about")
	}
	var v T
	if err := fill(n, &v); err != nil {
		return err
	}
	*to = append(*to, v)
	return nil
}

// attach puts answers about one thing to the thing, and makes one of what a list
// and a closer look say of it.
func (r *reading) attach() {
	a := r.a
	a.Services = richest(a.Services, func(s *Service) (string, int) { return s.Id, len(s.AuthType) })
	a.ServiceNetworks = richest(a.ServiceNetworks, func(s *ServiceNetwork) (string, int) { return s.Id, len(s.AuthType) })
	a.VpcAssociations = richest(a.VpcAssociations, func(v *VpcAssociation) (string, int) { return v.Id, len(v.SecurityGroupIds) })
	a.PodIdentities = richest(a.PodIdentities, func(p *PodIdentityAssociation) (string, int) { return p.AssociationId, len(p.RoleArn) })
	a.Roles = richest(a.Roles, func(x *Role) (string, int) { return x.RoleName, 2*len(x.Tags) + len(x.Boundary) })
	a.InstanceProfiles = richest(a.InstanceProfiles, func(p *InstanceProfile) (string, int) { return p.Arn, 0 })
	for i := range a.VpcAssociations {
		v := &a.VpcAssociations[i]
		if groups, ok := r.groups[v.Id]; ok {
			v.SecurityGroupIds, v.GroupsKnown = groups, true
		}
	}
	for i := range a.PrefixLists {
		p := &a.PrefixLists[i]
		p.Entries, p.Complete = r.entries[p.PrefixListId], r.entries[p.PrefixListId] != nil && !a.Missing("get-managed-prefix-list-entries."+p.PrefixListId)
		delete(r.entries, p.PrefixListId)
	}
	for _, id := range slices.Sorted(maps.Keys(r.entries)) {
		a.PrefixLists = append(a.PrefixLists, PrefixList{PrefixListId: id, Entries: r.entries[id], Complete: !a.Missing("get-managed-prefix-list-entries." + id)})
	}
	for i := range a.TargetGroups {
		t := &a.TargetGroups[i]
		t.Targets, t.TargetsKnown = r.targets[t.Id], r.targets[t.Id] != nil && !a.Missing("list-targets."+t.Id)
	}
	r.attachRoles()
}

func (r *reading) attachRoles() {
	names := map[string]bool{}
	for i := range r.a.Roles {
		names[r.a.Roles[i].RoleName] = true
	}
	more := map[string]diag.Pos{}
	for role, list := range r.inline {
		more[role] = list[0].Pos
	}
	for _, role := range slices.Sorted(maps.Keys(more)) {
		if !names[role] {
			r.a.Roles = append(r.a.Roles, Role{RoleName: role, Pos: more[role]})
		}
	}
	for i := range r.a.Roles {
		x := &r.a.Roles[i]
		x.Policies, x.Named, x.Attached = r.inline[x.RoleName], r.named[x.RoleName], r.attached[x.RoleName]
		x.PoliciesKnown, x.AttachedKnown = !r.a.Missing("list-role-policies."+x.RoleName), !r.a.Missing("list-attached-role-policies."+x.RoleName)
		for k := range x.Attached {
			p := &x.Attached[k]
			p.Document = r.versions[p.PolicyName]
		}
	}
}

// richest leaves one of each id, the one that says most, in the place of the
// first. Those without an id stay.
func richest[T any](all []T, of func(*T) (id string, says int)) []T {
	at := map[string]int{}
	var out []T
	for i := range all {
		id, says := of(&all[i])
		k, known := at[id]
		if !known || id == "" {
			at[id] = len(out)
			out = append(out, all[i])
			continue
		}
		if _, old := of(&out[k]); says > old {
			out[k] = all[i]
		}
	}
	return out
}
