package inventory_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/inventory"
	"firebreak/internal/inventory/aws"
	"firebreak/internal/inventory/file"
	"firebreak/internal/inventory/kube"
	"firebreak/internal/inventory/terraform"
)

const (
	instances = `{"Reservations": [{"OwnerId": "111122223333", "Instances": [
 {"InstanceId": "i-0aaaaaaaaaaaaaaa1", "PrivateIpAddress": "10.0.1.5", "PrivateDnsName": "ip-10-0-1-5.eu-west-1.compute.internal", "SubnetId": "subnet-0a000001",
  "VpcId": "vpc-0a000001", "State": {"Name": "running"}, "Placement": {"AvailabilityZone": "eu-west-1a"}, "IamInstanceProfile": {"Arn": "arn:aws:iam::111122223333:instance-profile/node"},
  "Tags": [{"Key": "app", "Value": "node"}, {"Key": "cloud/account", "Value": "forged"}],
  "NetworkInterfaces": [{"NetworkInterfaceId": "eni-0a000001", "SubnetId": "subnet-0a000001", "PrivateIpAddress": "10.0.1.5",
   "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.1.5", "Primary": true}, {"PrivateIpAddress": "10.0.1.20", "Primary": false}], "Ipv4Prefixes": [{"Ipv4Prefix": "10.0.1.32/28"}]}]},
 {"InstanceId": "i-0aaaaaaaaaaaaaaa2", "PrivateIpAddress": "10.0.1.6", "SubnetId": "subnet-0a000001", "VpcId": "vpc-0a000001", "State": {"Name": "stopped"}, "Tags": [{"Key": "app", "Value": "legacy"}]},
 {"InstanceId": "i-0aaaaaaaaaaaaaaa3", "State": {"Name": "terminated"}}]}]}`
	interfaces = `{"NetworkInterfaces": [
 {"NetworkInterfaceId": "eni-0a000001", "SubnetId": "subnet-0a000001", "VpcId": "vpc-0a000001", "PrivateIpAddress": "10.0.1.5", "Attachment": {"InstanceId": "i-0aaaaaaaaaaaaaaa1"}},
 {"NetworkInterfaceId": "eni-0a000009", "SubnetId": "subnet-0a000001", "VpcId": "vpc-0a000001", "OwnerId": "111122223333", "PrivateIpAddress": "10.0.1.9", "TagSet": [{"Key": "app", "Value": "db"}]}]}`
	subnets  = `{"Subnets": [{"SubnetId": "subnet-0a000001", "VpcId": "vpc-0a000001", "CidrBlock": "10.0.1.0/24", "AvailabilityZone": "eu-west-1a", "OwnerId": "111122223333"}]}`
	vpcs     = `{"Vpcs": [{"VpcId": "vpc-0a000001", "CidrBlock": "10.0.0.0/16", "OwnerId": "111122223333"}, {"VpcId": "vpc-0a000002", "CidrBlock": "10.2.0.0/16"}, {"VpcId": "vpc-0a000003", "CidrBlock": "10.3.0.0/16"}]}`
	peerings = `{"VpcPeeringConnections": [{"VpcPeeringConnectionId": "pcx-1", "Status": {"Code": "active"}, "AccepterVpcInfo": {"VpcId": "vpc-0a000001"}, "RequesterVpcInfo": {"VpcId": "vpc-0a000002"}},
 {"VpcPeeringConnectionId": "pcx-2", "Status": {"Code": "pending-acceptance"}, "AccepterVpcInfo": {"VpcId": "vpc-0a000001"}, "RequesterVpcInfo": {"VpcId": "vpc-0a000003"}}]}`
	profiles = `{"InstanceProfiles": [{"Arn": "arn:aws:iam::111122223333:instance-profile/node", "InstanceProfileName": "node", "Roles": [{"RoleName": "node", "Arn": "arn:aws:iam::111122223333:role/node"}]}]}`

	node      = "kind: Node\nmetadata: {name: n1}\nspec: {providerID: aws:///eu-west-1a/i-0aaaaaaaaaaaaaaa1}\nstatus: {addresses: [{type: InternalIP, address: 10.0.1.5}]}\n---\n"
	account   = "kind: ServiceAccount\nmetadata: {name: pay, namespace: shop, annotations: {eks.amazonaws.com/role-arn: \"arn:aws:iam::111122223333:role/pay\"}}\n---\n"
	pod       = "kind: Pod\nmetadata: {name: pay, namespace: shop, labels: {app: pay}}\nspec: {serviceAccountName: pay, nodeName: n1}\nstatus: {podIP: %s}\n---\n"
	hostPod   = "kind: Pod\nmetadata: {name: agent, namespace: kube-system}\nspec: {hostNetwork: true, nodeName: n1}\n---\n"
	identity  = `{"associations": [{"clusterName": "shop", "namespace": "shop", "serviceAccount": "pay", "associationId": "a-1"}]}`
	described = `{"association": {"clusterName": "shop", "namespace": "shop", "serviceAccount": "pay", "associationId": "a-1", "roleArn": "arn:aws:iam::111122223333:role/%s"}}`

	state = `{"values": {"root_module": {"resources": [
 {"address": "aws_instance.legacy", "mode": "managed", "type": "aws_instance", "name": "legacy", "values": {"id": "i-0aaaaaaaaaaaaaaa2", "arn": "arn:aws:ec2:eu-west-1:111122223333:instance/i-0aaaaaaaaaaaaaaa2", "private_ip": "10.0.1.6", "subnet_id": "subnet-0a000001", "tags": {"app": "%s"}}},
 {"address": "aws_subnet.a", "mode": "managed", "type": "aws_subnet", "name": "a", "values": {"id": "subnet-0a000001", "vpc_id": "vpc-0a000001", "cidr_block": "10.0.1.0/24"}},
 {"address": "aws_db_instance.db", "mode": "managed", "type": "aws_db_instance", "name": "db", "values": {"identifier": "orders", "engine": "postgres", "db_subnet_group_name": "g", "tags": {}}},
 {"address": "aws_db_subnet_group.g", "mode": "managed", "type": "aws_db_subnet_group", "name": "g", "values": {"id": "g", "name": "g", "subnet_ids": ["subnet-0a000001"]}},
 {"address": "aws_eks_pod_identity_association.p", "mode": "managed", "type": "aws_eks_pod_identity_association", "name": "p", "values": {"cluster_name": "shop", "namespace": "shop", "service_account": "pay", "role_arn": "arn:aws:iam::111122223333:role/pay"}}]}}}`
)

func cloud(more map[string]string) *inventory.Snapshot {
	files := map[string]string{"describe-instances.json": instances, "describe-network-interfaces.json": interfaces, "describe-subnets.json": subnets,
		"describe-vpcs.json": vpcs, "describe-vpc-peering-connections.json": peerings, "list-instance-profiles.json": profiles}
	maps.Copy(files, more)
	snap, diags := aws.Read(folder(files), "")
	if len(diags) > 0 {
		panic(diags.HasErrors())
	}
	return snap
}

func folder(files map[string]string) fstest.MapFS {
	out := fstest.MapFS{}
	for name, text := range files {
		out[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}

func cluster(text ...string) *inventory.Snapshot {
	snap, diags := kube.ReadCluster(folder(map[string]string{"a.yaml": strings.Join(text, "")}), "shop")
	if len(diags) > 0 {
		panic(diags[0])
	}
	return snap
}

func hosts(text string) *inventory.Snapshot {
	snap, diags := file.Read(folder(map[string]string{"a.yaml": text}), "a.yaml")
	if len(diags) > 0 {
		panic(diags[0])
	}
	return snap
}

func planned(app string) *inventory.Snapshot {
	snap, diags := terraform.Read(folder(map[string]string{"s.json": fmt.Sprintf(state, app)}), "s.json", "")
	if len(diags) > 0 {
		panic(diags[0])
	}
	return snap
}

// TestOneWorkloadNotThree joins what a cloud, a cluster, Terraform and a file
// say of the same things.
func TestOneWorkloadNotThree(t *testing.T) {
	const awsAlone = "eni-0a000009 i-0aaaaaaaaaaaaaaa1 i-0aaaaaaaaaaaaaaa2"
	for name, c := range map[string]struct {
		parts  []*inventory.Snapshot
		names  string
		labels string // "workload label=value"; several by ";"
		diags  string
	}{
		"a cloud alone": {[]*inventory.Snapshot{cloud(nil)}, awsAlone,
			"i-0aaaaaaaaaaaaaaa1 aws/role=arn:aws:iam::111122223333:role/node; i-0aaaaaaaaaaaaaaa1 cloud/account=111122223333; i-0aaaaaaaaaaaaaaa1 cloud/region=eu-west-1; i-0aaaaaaaaaaaaaaa1 net/subnet=subnet-0a000001; eni-0a000009 app=db", ""},
		"a pod at an address of its node's interface": {[]*inventory.Snapshot{cluster(node, account, fmt.Sprintf(pod, "10.0.1.20")), cloud(nil)},
			awsAlone + " shop/pay[Pod]",
			"shop/pay[Pod] aws/role=arn:aws:iam::111122223333:role/pay; shop/pay[Pod] net/vpc=vpc-0a000001; shop/pay[Pod] cloud/account=111122223333; shop/pay[Pod] addresses=10.0.1.20; i-0aaaaaaaaaaaaaaa1 addresses=10.0.1.5; i-0aaaaaaaaaaaaaaa1 k8s/node=n1; shop/pay[Pod] k8s/cluster=shop", ""},
		"a pod in a prefix of the interface, without the node": {[]*inventory.Snapshot{cluster(fmt.Sprintf(pod, "10.0.1.33")), cloud(nil)},
			awsAlone + " shop/pay[Pod]", "shop/pay[Pod] net/subnet=subnet-0a000001; shop/pay[Pod] aws/role=", ""},
		"a pod in the node's network": {[]*inventory.Snapshot{cluster(node, hostPod, fmt.Sprintf(pod, "10.0.1.20")), cloud(nil)},
			"eni-0a000009 i-0aaaaaaaaaaaaaaa2 kube-system/agent[Pod] shop/pay[Pod]",
			"kube-system/agent[Pod] addresses=10.0.1.5; kube-system/agent[Pod] aws/role=arn:aws:iam::111122223333:role/node; shop/pay[Pod] aws/role=", ""},
		"a pod identity": {[]*inventory.Snapshot{cluster(fmt.Sprintf(pod, "10.0.1.20")), cloud(map[string]string{"list-pod-identity-associations.shop.json": identity, "describe-pod-identity-association.a-1.json": fmt.Sprintf(described, "pay")})},
			awsAlone + " shop/pay[Pod]", "shop/pay[Pod] aws/role=arn:aws:iam::111122223333:role/pay", ""},
		"two roles of one account": {[]*inventory.Snapshot{cluster(account, fmt.Sprintf(pod, "10.0.1.20")), cloud(map[string]string{"list-pod-identity-associations.shop.json": identity, "describe-pod-identity-association.a-1.json": fmt.Sprintf(described, "other")})},
			awsAlone + " shop/pay[Pod]", "", "sources-disagree"},
		"Terraform and AWS": {[]*inventory.Snapshot{cloud(nil), planned("legacy"), cluster(fmt.Sprintf(pod, "10.0.1.20"))},
			awsAlone + " rds/orders shop/pay[Pod]", "rds/orders net/vpc=vpc-0a000001; rds/orders net/subnet=subnet-0a000001; shop/pay[Pod] aws/role=arn:aws:iam::111122223333:role/pay", ""},
		"Terraform and AWS disagree": {[]*inventory.Snapshot{cloud(nil), planned("new")}, awsAlone + " rds/orders", "", "sources-disagree"},
		"a file, by address": {[]*inventory.Snapshot{hosts("kind: Workload\nmetadata: {name: old, labels: {tier: app}}\nspec: {addresses: [10.0.1.6], host: rack-7}\n"), cloud(nil)},
			"eni-0a000009 i-0aaaaaaaaaaaaaaa1 old", "old app=legacy; old tier=app; old net/vpc=vpc-0a000001", ""},
		"a file, by host": {[]*inventory.Snapshot{cloud(nil), hosts("kind: Workload\nmetadata: {name: old}\nspec: {host: i-0aaaaaaaaaaaaaaa2}\n")},
			"eni-0a000009 i-0aaaaaaaaaaaaaaa1 old", "old app=legacy; old addresses=10.0.1.6", ""},
		"a file that disagrees": {[]*inventory.Snapshot{cloud(nil), hosts("kind: Workload\nmetadata: {name: old, labels: {app: new}}\nspec: {addresses: [10.0.1.6]}\n")},
			"eni-0a000009 i-0aaaaaaaaaaaaaaa1 old", "", "sources-disagree"},
	} {
		t.Run(name, func(t *testing.T) {
			before := fmt.Sprint(c.parts)
			snap, diags := inventory.Join(c.parts...)
			var names, codes []string
			for _, w := range snap.Workloads {
				names = append(names, w.Name)
			}
			for _, d := range diags {
				codes = append(codes, d.Code)
			}
			if strings.Join(names, " ") != c.names || strings.Join(codes, " ") != c.diags {
				t.Errorf("%v, %v; want %s, %s", names, diags, c.names, c.diags)
			}
			for _, want := range strings.Split(c.labels, "; ") {
				if name, rest, ok := strings.Cut(want, " "); ok {
					key, value, _ := strings.Cut(rest, "=")
					if got := labelOf(snap, name, key); got != value {
						t.Errorf("%s has %s=%q, want %q", name, key, got, value)
					}
				}
			}
			again, more := inventory.Join(snap)
			if len(more) > 0 && c.diags == "" || fmt.Sprint(again.Workloads) != fmt.Sprint(snap.Workloads) {
				t.Errorf("joined again it is %v, %v", again.Workloads, more)
			}
			if fmt.Sprint(c.parts) != before {
				t.Error("Join changed its input")
			}
		})
	}
}

func labelOf(s *inventory.Snapshot, name, key string) string {
	i := slices.IndexFunc(s.Workloads, func(w inventory.Workload) bool { return w.Name == name })
	if i < 0 {
		return "(no workload)"
	}
	if key == "addresses" {
		return strings.Trim(fmt.Sprint(s.Workloads[i].Addresses), "[]")
	}
	return s.Workloads[i].Labels[key]
}

// A VPC has no other peers only if both questions about peers were asked.
func TestPeersThatNobodyAskedFor(t *testing.T) {
	const attachments = "describe-transit-gateway-vpc-attachments.json"
	for _, row := range []struct {
		attachments string
		complete    bool
	}{{"", false}, {`{"TransitGatewayVpcAttachments": []}`, true}, {`{"TransitGatewayVpcAttachments": [], "NextToken": "more"}`, false}} {
		files := map[string]string{attachments: row.attachments}
		if row.attachments == "" {
			files = nil
		}
		all := map[string]string{"describe-vpcs.json": vpcs, "describe-subnets.json": subnets, "describe-vpc-peering-connections.json": peerings}
		maps.Copy(all, files)
		said, _ := aws.Read(folder(all), "") // a page that is missing is an error, and told
		snap, _ := inventory.Join(said, planned("legacy"))
		for _, n := range snap.Networks {
			if n.Complete != (row.complete && n.Within == "") {
				t.Errorf("%q: %s has no other peers: %v", row.attachments, n.Name, n.Complete)
			}
		}
	}
}

func TestNetworksAndTheirPeers(t *testing.T) {
	snap, diags := inventory.Join(cloud(nil), planned("legacy"), hosts("kind: Network\nmetadata: {name: vpc-0a000001, labels: {team: net}}\nspec: {cidrs: [10.0.0.0/16, 100.64.0.0/16]}\n"))
	if len(diags) > 0 {
		t.Error(diags)
	}
	var got []string
	for _, n := range snap.Networks {
		got = append(got, fmt.Sprint(n.Name, " ", n.Within, n.CIDRs, n.Peers))
	}
	want := []string{"subnet-0a000001 vpc-0a000001[10.0.1.0/24] []", "vpc-0a000001 [10.0.0.0/16 100.64.0.0/16] [vpc-0a000002]", "vpc-0a000002 [10.2.0.0/16] [vpc-0a000001]", "vpc-0a000003 [10.3.0.0/16] []"}
	if !slices.Equal(got, want) {
		t.Errorf("networks\n%q, want\n%q", got, want)
	}
	if snap.Networks[1].Labels["team"] != "net" || snap.Networks[1].Labels["cloud/provider"] != "aws" {
		t.Errorf("labels %v", snap.Networks[1].Labels)
	}
}
