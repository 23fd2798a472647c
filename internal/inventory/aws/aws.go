// Package aws makes an inventory of answers of AWS: instances and interfaces as
// workloads, VPCs and subnets as networks, pod identities.
//
// A workload is named by the id of its instance or, if its interface is attached
// to none, of the interface. Its labels are its tags and
//
//	cloud/provider  aws
//	cloud/account   the account
//	cloud/region    the region
//	net/vpc         the VPC
//	net/subnet      the subnet; absent where it is in several
//	aws/role        the ARN of its role
//	aws/group.NAME  the id of the security group NAME, if one of its interfaces is in it
//	aws/interface   the type of an interface that no instance has, if it has a particular one
//
// Tags cannot set these. The interface of a load balancer, a NAT gateway or the
// like is a workload, too: it has an address in the estate.
package aws

import (
	"io/fs"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"firebreak/internal/diag"
	"firebreak/internal/inventory"
	"firebreak/internal/label"
	answers "firebreak/internal/live/aws"
)

// Read reads the answers in a folder and below it. The snapshot holds what could
// be read and is never nil; use it only if the list has no errors.
func Read(fsys fs.FS, cluster string) (*inventory.Snapshot, diag.List) {
	var names []string
	var diags diag.List
	err := fs.WalkDir(fsys, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			diags.Errorf(diag.Pos{File: name}, "unreadable-file", "%v", err)
		} else if !e.IsDir() {
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		diags.Errorf(diag.Pos{}, "unreadable-file", "%v", err)
	}
	a, more := answers.Read(fsys, names)
	diags = append(diags, more...)
	if !diags.HasErrors() {
		diags = append(diags, Unasked(a)...)
	}
	snap, joined := From(a, cluster)
	diags = append(diags, joined...)
	diags.Sort()
	return snap, diags
}

// From makes an inventory of answers. Pod identities of other clusters than the
// named one are left out; an empty name leaves out none.
func From(a *answers.Answers, cluster string) (*inventory.Snapshot, diag.List) {
	c := &collector{a: a, part: &inventory.Snapshot{}, profiles: map[string]string{}, regions: map[string]string{}}
	c.groups = groupKeys(a)
	for i := range a.InstanceProfiles {
		if p := &a.InstanceProfiles[i]; len(p.Roles) == 1 {
			c.profiles[p.Arn] = p.Roles[0].Arn
		}
	}
	c.networks()
	c.instances()
	c.interfaces()
	for i := range a.PodIdentities {
		if p := &a.PodIdentities[i]; (cluster == "" || p.ClusterName == cluster) && p.RoleArn != "" {
			c.part.Identities = append(c.part.Identities, inventory.Identity{Cluster: p.ClusterName, Namespace: p.Namespace, ServiceAccount: p.ServiceAccount, Role: p.RoleArn, Source: p.Pos})
		}
	}
	return inventory.Join(c.part)
}

// Unasked warns of the calls that show workloads and are not among the answers,
// unless these are about other things than EC2.
func Unasked(a *answers.Answers) (diags diag.List) {
	ec2 := !a.Any()
	for _, call := range []string{"instances", "network-interfaces", "security-groups", "network-acls", "subnets", "vpcs"} {
		ec2 = ec2 || !a.Missing("describe-"+call)
	}
	for _, call := range []string{"describe-instances", "describe-network-interfaces"} {
		if ec2 && a.Missing(call) {
			diags.Warnf(diag.Pos{File: "."}, "aws-answer", "there is no answer to %s, so workloads may be missing", call).
				WithHelp("aws ec2 %s --output json > %s.json", call, call)
		}
	}
	return diags
}

type collector struct {
	a        *answers.Answers
	part     *inventory.Snapshot
	profiles map[string]string // the role of an instance profile, by ARN
	regions  map[string]string // by VPC and by subnet
	groups   map[string]string // the label keys of security groups, by id
}

// tags are labels; what inventories attest cannot be set by a tag.
func tags(list []answers.Tag) map[string]string {
	out := map[string]string{"cloud/provider": "aws"}
	for _, t := range list {
		if !label.IsBuiltin(t.Key) {
			out[t.Key] = t.Value
		}
	}
	return out
}

func put(labels map[string]string, key, value string) {
	if value != "" {
		labels[key] = value
	}
}

// region is that of an availability zone: "eu-west-1a", "us-west-2-lax-1a".
func region(zone string) string {
	parts := strings.SplitN(zone, "-", 4)
	if len(parts) < 3 {
		return ""
	}
	return parts[0] + "-" + parts[1] + "-" + strings.TrimRight(parts[2], "abcdefghijklmnopqrstuvwxyz")
}

// regionOfARN is the fourth part of an ARN.
func regionOfARN(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return ""
	}
	return parts[3]
}

func (c *collector) instances() {
	attached := map[string][]*answers.NetworkInterface{}
	for i := range c.a.NetworkInterfaces {
		if n := &c.a.NetworkInterfaces[i]; n.Attachment != nil && n.Attachment.InstanceId != "" {
			attached[n.Attachment.InstanceId] = append(attached[n.Attachment.InstanceId], n)
		}
	}
	for i := range c.a.Instances {
		x := &c.a.Instances[i]
		if x.InstanceId == "" || x.State.Name == "terminated" || x.State.Name == "shutting-down" {
			continue // its addresses are given back
		}
		w := inventory.Workload{Name: x.InstanceId, Host: x.InstanceId, Labels: tags(x.Tags), Source: x.Pos}
		m := inventory.Machine{Name: x.InstanceId, Host: x.PrivateDnsName, Source: x.Pos}
		subnets := map[string]bool{x.SubnetId: true}
		c.address(&w, &m, x.PrivateIpAddress, true)
		c.address(&w, &m, x.Ipv6Address, true)
		c.memberOf(w.Labels, x.SecurityGroups)
		for k := range x.NetworkInterfaces {
			subnets[x.NetworkInterfaces[k].SubnetId] = true
			c.interfaceOf(&w, &m, &x.NetworkInterfaces[k])
		}
		for _, n := range attached[x.InstanceId] {
			subnets[n.SubnetId] = true
			c.interfaceOf(&w, &m, n)
		}
		put(w.Labels, "cloud/account", x.OwnerId)
		put(w.Labels, "net/vpc", x.VpcId)
		delete(subnets, "")
		if len(subnets) == 1 {
			put(w.Labels, "net/subnet", slices.Collect(maps.Keys(subnets))[0])
		}
		put(w.Labels, "cloud/region", region(x.Placement.AvailabilityZone))
		if w.Labels["cloud/region"] == "" {
			put(w.Labels, "cloud/region", c.regions[x.SubnetId])
		}
		if x.IamInstanceProfile != nil {
			m.Role = c.profiles[x.IamInstanceProfile.Arn]
			put(w.Labels, "aws/role", m.Role)
		}
		m.Labels = w.Labels
		c.part.Workloads, c.part.Machines = append(c.part.Workloads, tidy(w)), append(c.part.Machines, m)
	}
}

// interfaces adds those that are attached to no instance that is known.
func (c *collector) interfaces() {
	known := map[string]bool{}
	for i := range c.part.Workloads {
		known[c.part.Workloads[i].Name] = true
	}
	for i := range c.a.NetworkInterfaces {
		n := &c.a.NetworkInterfaces[i]
		if n.NetworkInterfaceId == "" || n.Attachment != nil && known[n.Attachment.InstanceId] {
			continue
		}
		w := inventory.Workload{Name: n.NetworkInterfaceId, Labels: tags(n.TagSet), Source: n.Pos}
		m := inventory.Machine{Name: n.NetworkInterfaceId, Host: n.PrivateDnsName, Source: n.Pos}
		if n.Attachment != nil {
			w.Host = n.Attachment.InstanceId
		}
		c.interfaceOf(&w, &m, n)
		put(w.Labels, "cloud/account", n.OwnerId)
		put(w.Labels, "net/vpc", n.VpcId)
		put(w.Labels, "net/subnet", n.SubnetId)
		put(w.Labels, "cloud/region", c.regions[n.SubnetId])
		if n.InterfaceType != "interface" {
			put(w.Labels, "aws/interface", n.InterfaceType)
		}
		m.Labels = w.Labels
		c.part.Workloads, c.part.Machines = append(c.part.Workloads, tidy(w)), append(c.part.Machines, m)
	}
}

func (c *collector) interfaceOf(w *inventory.Workload, m *inventory.Machine, n *answers.NetworkInterface) {
	c.memberOf(w.Labels, n.Groups)
	c.address(w, m, n.PrivateIpAddress, true)
	for _, p := range n.PrivateIpAddresses {
		c.address(w, m, p.PrivateIpAddress, p.Primary || p.PrivateIpAddress == n.PrivateIpAddress)
	}
	for _, p := range n.Ipv6Addresses {
		c.address(w, m, p.Ipv6Address, true)
	}
	for _, p := range n.Ipv4Prefixes {
		lend(m, p.Ipv4Prefix)
	}
	for _, p := range n.Ipv6Prefixes {
		lend(m, p.Ipv6Prefix)
	}
}

func lend(m *inventory.Machine, text string) {
	if p, err := netip.ParsePrefix(text); err == nil {
		m.Lent = append(m.Lent, p.Masked())
	}
}

func (c *collector) address(w *inventory.Workload, m *inventory.Machine, text string, own bool) {
	a, err := netip.ParseAddr(text)
	if err != nil {
		return // none, or not known yet
	}
	w.Addresses = append(w.Addresses, a)
	if own {
		m.Own = append(m.Own, a)
	} else {
		m.Lent = append(m.Lent, netip.PrefixFrom(a, a.BitLen()))
	}
}

func tidy(w inventory.Workload) inventory.Workload {
	slices.SortFunc(w.Addresses, netip.Addr.Compare)
	w.Addresses = slices.Compact(w.Addresses)
	return w
}
