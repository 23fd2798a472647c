package terraform

import (
	"cmp"
	"slices"
	"strings"

	"firebreak/internal/inventory"
	"firebreak/internal/label"
	answers "firebreak/internal/live/aws"
	"firebreak/internal/live/terraform"
	"firebreak/internal/netset"
)

func (t *teller) instances() {
	for _, r := range t.set.Of("aws_instance") {
		x := answers.Instance{InstanceId: id(r), PrivateIpAddress: t.text(r.Attribute("private_ip")), PrivateDnsName: t.text(r.Attribute("private_dns")),
			SubnetId: t.named(r.Attribute("subnet_id")), OwnerId: account(r), Tags: t.tags(r), Pos: r.Pos}
		x.Placement.AvailabilityZone = t.text(r.Attribute("availability_zone"))
		x.State.Name = t.text(r.Attribute("instance_state"))
		x.IamInstanceProfile = t.profile(r.Attribute("iam_instance_profile"))
		n := answers.NetworkInterface{SubnetId: x.SubnetId}
		for _, ip := range r.Attribute("secondary_private_ips").Items() {
			n.PrivateIpAddresses = append(n.PrivateIpAddresses, answers.PrivateIpAddress{PrivateIpAddress: t.text(ip)})
		}
		for _, ip := range r.Attribute("ipv6_addresses").Items() {
			n.Ipv6Addresses = append(n.Ipv6Addresses, answers.Ipv6Address{Ipv6Address: t.text(ip)})
		}
		x.NetworkInterfaces = []answers.NetworkInterface{n}
		x.VpcId = t.vpcOf(x.SubnetId)
		t.a.Instances = append(t.a.Instances, x)
	}
}

// vpcOf is the VPC of a subnet, as far as that is known.
func (t *teller) vpcOf(subnet string) string {
	for i := range t.a.Subnets {
		if t.a.Subnets[i].SubnetId == subnet && subnet != "" {
			return t.a.Subnets[i].VpcId
		}
	}
	return ""
}

func (t *teller) interfaces() {
	for _, r := range t.set.Of("aws_network_interface") {
		n := answers.NetworkInterface{NetworkInterfaceId: id(r), SubnetId: t.named(r.Attribute("subnet_id")), OwnerId: account(r),
			PrivateIpAddress: t.text(r.Attribute("private_ip")), PrivateDnsName: t.text(r.Attribute("private_dns_name")), TagSet: t.tags(r), Pos: r.Pos}
		for _, ip := range r.Attribute("private_ips").Items() {
			n.PrivateIpAddresses = append(n.PrivateIpAddresses, answers.PrivateIpAddress{PrivateIpAddress: t.text(ip), Primary: n.PrivateIpAddress == "" && len(n.PrivateIpAddresses) == 0})
		}
		for _, ip := range r.Attribute("ipv6_addresses").Items() {
			n.Ipv6Addresses = append(n.Ipv6Addresses, answers.Ipv6Address{Ipv6Address: t.text(ip)})
		}
		for _, p := range r.Attribute("ipv4_prefixes").Items() {
			n.Ipv4Prefixes = append(n.Ipv4Prefixes, answers.Ipv4Prefix{Ipv4Prefix: t.text(p)})
		}
		n.VpcId = t.vpcOf(n.SubnetId)
		if host := t.attachedTo(r); host != "" {
			n.Attachment = &answers.Attachment{InstanceId: host}
		}
		t.a.NetworkInterfaces = append(t.a.NetworkInterfaces, n)
	}
}

// attachedTo is the instance that an interface is attached to, by any of the
// three ways in which Terraform says so.
func (t *teller) attachedTo(r *terraform.Resource) string {
	for _, a := range r.Attribute("attachment").Items() {
		if host := t.named(a.Field("instance")); host != "" {
			return host
		}
	}
	for _, a := range t.set.Of("aws_network_interface_attachment") {
		if t.set.Same(a.Attribute("network_interface_id"), r) {
			return t.named(a.Attribute("instance_id"))
		}
	}
	for _, i := range t.set.Of("aws_instance") {
		for _, name := range []string{"network_interface", "primary_network_interface"} {
			for _, n := range i.Attribute(name).Items() {
				if t.set.Same(n.Field("network_interface_id"), r) {
					return id(i)
				}
			}
		}
	}
	return ""
}

// managed are workloads whose addresses AWS gives and takes as it likes.
func (t *teller) managed(base *inventory.Snapshot) []inventory.Workload {
	var out []inventory.Workload
	add := func(r *terraform.Resource, kind, name string, subnets terraform.Value, role string, port terraform.Value) {
		if name == "" {
			name = r.Address
		}
		w := inventory.Workload{Name: kind + "/" + name, Labels: map[string]string{"cloud/provider": "aws"}, Source: r.Pos}
		for _, tag := range t.tags(r) {
			if !label.IsBuiltin(tag.Key) {
				w.Labels[tag.Key] = tag.Value
			}
		}
		put(w.Labels, "cloud/account", account(r))
		put(w.Labels, "aws/role", role)
		t.where(w.Labels, subnets, base)
		if n, ok := t.set.Known(port).Int(); ok && n > 0 && n < 1<<16 {
			w.Ports = []inventory.Port{{Number: uint16(n), Protocol: netset.TCP}}
		}
		out = append(out, w)
	}
	for _, r := range t.set.Of("aws_db_instance", "aws_rds_cluster") {
		name := cmp.Or(t.text(r.Attribute("identifier")), t.text(r.Attribute("cluster_identifier")))
		add(r, "rds", name, t.subnetGroup(r.Attribute("db_subnet_group_name")), "", port(r))
	}
	for _, r := range t.set.Of("aws_lambda_function") {
		add(r, "lambda", t.text(r.Attribute("function_name")), r.Attribute("vpc_config").Field("subnet_ids"), t.role(r.Attribute("role")), terraform.Value{})
	}
	for _, r := range t.set.Of("aws_ecs_service") {
		role := ""
		for _, d := range t.set.Of("aws_ecs_task_definition") {
			if t.set.Same(r.Attribute("task_definition"), d) {
				role = t.role(d.Attribute("task_role_arn"))
			}
		}
		add(r, "ecs", t.text(r.Attribute("name")), r.Attribute("network_configuration").Field("subnets"), role, terraform.Value{})
	}
	for _, r := range t.set.Of("aws_eks_node_group") {
		name := t.clusterName(r.Attribute("cluster_name")) + "/" + t.text(r.Attribute("node_group_name"))
		add(r, "eks", strings.TrimPrefix(name, "/"), r.Attribute("subnet_ids"), t.role(r.Attribute("node_role_arn")), terraform.Value{})
	}
	return out
}

// port is where a database listens: as given, else where its engine does.
// https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html
func port(r *terraform.Resource) terraform.Value {
	if p := r.Attribute("port"); p.Set() {
		return p
	}
	engine, _ := r.Attribute("engine").String()
	for _, e := range [][2]string{{"aurora-postgresql", "5432"}, {"postgres", "5432"}, {"aurora-mysql", "3306"}, {"mysql", "3306"}, {"mariadb", "3306"}, {"oracle", "1521"}, {"sqlserver", "1433"}} {
		if strings.HasPrefix(engine, e[0]) {
			return terraform.Value{Kind: terraform.Number, Text: e[1]}
		}
	}
	return terraform.Value{}
}

func (t *teller) subnetGroup(v terraform.Value) terraform.Value {
	for _, g := range t.set.Of("aws_db_subnet_group") {
		if v.Set() && t.set.Same(v, g) {
			return g.Attribute("subnet_ids")
		}
	}
	return terraform.Value{}
}

// where sets the labels of place: the VPC of the subnets, and the subnet if it is
// one.
func (t *teller) where(labels map[string]string, subnets terraform.Value, base *inventory.Snapshot) {
	var names, vpcs []string
	for _, s := range subnets.Items() {
		if name := t.named(s); name != "" {
			names = append(names, name)
		}
	}
	for i := range base.Networks {
		if n := &base.Networks[i]; slices.Contains(names, n.Name) {
			vpcs = append(vpcs, n.Within)
			put(labels, "cloud/region", n.Labels["cloud/region"])
		}
	}
	if vpcs = slices.Compact(vpcs); len(vpcs) == 1 {
		put(labels, "net/vpc", vpcs[0])
	}
	if len(names) == 1 {
		put(labels, "net/subnet", names[0])
	}
}

func put(labels map[string]string, key, value string) {
	if value != "" {
		labels[key] = value
	}
}
