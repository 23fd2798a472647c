package aws_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/inventory/aws"
)

func folder(files map[string]string) fstest.MapFS {
	out := fstest.MapFS{}
	for name, text := range files {
		out[name+".json"] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}

// TestWorkloads reads one answer to each of the two calls.
func TestWorkloads(t *testing.T) {
	const subnets = `{"Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24", "AvailabilityZone": "us-west-2-lax-1a"}, {"SubnetId": "subnet-2", "VpcId": "vpc-1", "CidrBlock": "10.0.2.0/24", "SubnetArn": "arn:aws:ec2:eu-west-1:1:subnet/subnet-2"}]}`
	for name, c := range map[string]struct {
		instance, eni string // one each; empty for none
		want          string
	}{
		"an instance":        {`{"InstanceId": "i-1", "PrivateIpAddress": "10.0.1.4", "SubnetId": "subnet-1", "VpcId": "vpc-1", "State": {"Name": "running"}}`, "", "i-1 [10.0.1.4] cloud/account=1 cloud/provider=aws cloud/region=us-west-2 net/subnet=subnet-1 net/vpc=vpc-1"},
		"of two families":    {`{"InstanceId": "i-1", "PrivateIpAddress": "10.0.1.4", "Ipv6Address": "fd00::4", "NetworkInterfaces": [{"Ipv6Addresses": [{"Ipv6Address": "fd00::4"}]}]}`, "", "i-1 [10.0.1.4 fd00::4] cloud/account=1 cloud/provider=aws"},
		"in two subnets":     {`{"InstanceId": "i-1", "SubnetId": "subnet-1", "VpcId": "vpc-1", "NetworkInterfaces": [{"SubnetId": "subnet-2", "PrivateIpAddress": "10.0.2.4"}]}`, "", "i-1 [10.0.2.4] cloud/account=1 cloud/provider=aws cloud/region=us-west-2 net/vpc=vpc-1"},
		"stopped":            {`{"InstanceId": "i-1", "PrivateIpAddress": "10.0.1.4", "State": {"Name": "stopped"}}`, "", "i-1 [10.0.1.4] cloud/account=1 cloud/provider=aws"},
		"terminated":         {`{"InstanceId": "i-1", "PrivateIpAddress": "10.0.1.4", "State": {"Name": "terminated"}}`, "", ""},
		"without an id":      {`{"PrivateIpAddress": "10.0.1.4"}`, "", ""},
		"a forged tag":       {`{"InstanceId": "i-1", "Tags": [{"Key": "net/vpc", "Value": "vpc-9"}, {"Key": "aws/role", "Value": "admin"}, {"Key": "k8s/namespace", "Value": "pay"}, {"Key": "app", "Value": "web"}]}`, "", "i-1 [] app=web cloud/account=1 cloud/provider=aws"},
		"no address":         {`{"InstanceId": "i-1", "PrivateIpAddress": "none"}`, "", "i-1 [] cloud/account=1 cloud/provider=aws"},
		"its interface":      {`{"InstanceId": "i-1", "SubnetId": "subnet-1"}`, `{"NetworkInterfaceId": "eni-1", "Attachment": {"InstanceId": "i-1"}, "SubnetId": "subnet-1", "PrivateIpAddress": "10.0.1.5", "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.1.6"}]}`, "i-1 [10.0.1.5 10.0.1.6] cloud/account=1 cloud/provider=aws cloud/region=us-west-2 net/subnet=subnet-1"},
		"another interface":  {"", `{"NetworkInterfaceId": "eni-1", "OwnerId": "2", "SubnetId": "subnet-2", "VpcId": "vpc-1", "PrivateIpAddress": "10.0.2.5", "TagSet": [{"Key": "app", "Value": "lb"}]}`, "eni-1 [10.0.2.5] app=lb cloud/account=2 cloud/provider=aws cloud/region=eu-west-1 net/subnet=subnet-2 net/vpc=vpc-1"},
		"of an unknown one":  {"", `{"NetworkInterfaceId": "eni-1", "Attachment": {"InstanceId": "i-9"}, "PrivateIpAddress": "10.0.2.5"}`, "eni-1 [10.0.2.5] cloud/provider=aws"},
		"a role":             {`{"InstanceId": "i-1", "IamInstanceProfile": {"Arn": "arn:p"}}`, "", "i-1 [] aws/role=arn:r cloud/account=1 cloud/provider=aws"},
		"in groups":          {`{"InstanceId": "i-1", "SecurityGroups": [{"GroupId": "sg-1", "GroupName": "web"}], "NetworkInterfaces": [{"Groups": [{"GroupId": "sg-1", "GroupName": "web"}, {"GroupId": "sg-2", "GroupName": "db clients (all)"}]}]}`, `{"NetworkInterfaceId": "eni-1", "Attachment": {"InstanceId": "i-1"}, "Groups": [{"GroupId": "sg-3", "GroupName": "ssh"}]}`, "i-1 [] aws/group.db-clients-all=sg-2 aws/group.ssh=sg-3 aws/group.web=sg-1 cloud/account=1 cloud/provider=aws"},
		"two names, one key": {`{"InstanceId": "i-1", "SecurityGroups": [{"GroupId": "sg-1", "GroupName": "a b"}, {"GroupId": "sg-2", "GroupName": "a:b"}, {"GroupId": "sg-3", "GroupName": "()"}, {"GroupId": "sg-4"}]}`, "", "i-1 [] aws/group.sg-1=sg-1 aws/group.sg-2=sg-2 aws/group.sg-3=sg-3 aws/group.sg-4=sg-4 cloud/account=1 cloud/provider=aws"},
		"one name, two VPCs": {`{"InstanceId": "i-1", "NetworkInterfaces": [{"Groups": [{"GroupId": "sg-1", "GroupName": "default"}]}, {"Groups": [{"GroupId": "sg-2", "GroupName": "default"}]}]}`, "", "i-1 [] aws/group.default=sg-1 aws/group.sg-2=sg-2 cloud/account=1 cloud/provider=aws"},
		"a long name":        {fmt.Sprintf(`{"InstanceId": "i-1", "SecurityGroups": [{"GroupId": "sg-1", "GroupName": %q}]}`, strings.Repeat("long-", 30)), "", "i-1 [] aws/group." + strings.TrimRight(strings.Repeat("long-", 12)[:57], "-") + "=sg-1 cloud/account=1 cloud/provider=aws"},
		"a forged group":     {`{"InstanceId": "i-1", "Tags": [{"Key": "aws/group.admin", "Value": "sg-1"}]}`, "", "i-1 [] cloud/account=1 cloud/provider=aws"},
		"a NAT gateway":      {"", `{"NetworkInterfaceId": "eni-1", "InterfaceType": "nat_gateway"}`, "eni-1 [] aws/interface=nat_gateway cloud/provider=aws"},
		"a plain interface":  {"", `{"NetworkInterfaceId": "eni-1", "InterfaceType": "interface"}`, "eni-1 [] cloud/provider=aws"},
		"an unknown role":    {`{"InstanceId": "i-1", "IamInstanceProfile": {"Arn": "arn:q"}}`, "", "i-1 [] cloud/account=1 cloud/provider=aws"},
	} {
		t.Run(name, func(t *testing.T) {
			snap, diags := aws.Read(folder(map[string]string{
				"describe-instances":          fmt.Sprintf(`{"Reservations": [{"OwnerId": "1", "Instances": [%s]}]}`, c.instance),
				"describe-network-interfaces": fmt.Sprintf(`{"NetworkInterfaces": [%s]}`, c.eni),
				"describe-subnets":            subnets,
				"list-instance-profiles":      `{"InstanceProfiles": [{"Arn": "arn:p", "Roles": [{"Arn": "arn:r"}]}, {"Arn": "arn:q", "Roles": []}]}`,
			}), "")
			var got []string
			for _, w := range snap.Workloads {
				line := fmt.Sprint(w.Name, " ", w.Addresses)
				for _, k := range slices.Sorted(maps.Keys(w.Labels)) {
					line += " " + k + "=" + w.Labels[k]
				}
				got = append(got, line)
			}
			if strings.Join(got, "\n") != c.want || len(diags) > 0 {
				t.Errorf("%q, %v; want %q", got, diags, c.want)
			}
		})
	}
}

// TestPeers: what is joined by an active peering or a transit gateway can meet.
func TestPeers(t *testing.T) {
	peering := func(a, b, state string) string {
		return fmt.Sprintf(`{"AccepterVpcInfo": {"VpcId": %q}, "RequesterVpcInfo": {"VpcId": %q}, "Status": {"Code": %q}}`, a, b, state)
	}
	attachment := func(gateway, vpc, state string) string {
		return fmt.Sprintf(`{"TransitGatewayId": %q, "VpcId": %q, "State": %q}`, gateway, vpc, state)
	}
	for name, c := range map[string]struct {
		peerings, attachments []string
		want                  string // the peers of vpc-1
	}{
		"nothing":            {},
		"active":             {[]string{peering("vpc-1", "vpc-2", "active")}, nil, "vpc-2"},
		"the other way":      {[]string{peering("vpc-2", "vpc-1", "active")}, nil, "vpc-2"},
		"not accepted":       {[]string{peering("vpc-1", "vpc-2", "pending-acceptance")}, nil, ""},
		"deleted":            {[]string{peering("vpc-1", "vpc-2", "deleted")}, nil, ""},
		"of others":          {[]string{peering("vpc-3", "vpc-2", "active")}, nil, ""},
		"not through others": {[]string{peering("vpc-1", "vpc-2", "active"), peering("vpc-2", "vpc-3", "active")}, nil, "vpc-2"},
		"a gateway":          {nil, []string{attachment("tgw-1", "vpc-1", "available"), attachment("tgw-1", "vpc-3", "available"), attachment("tgw-1", "vpc-2", "modifying")}, "vpc-2 vpc-3"},
		"another gateway":    {nil, []string{attachment("tgw-1", "vpc-1", "available"), attachment("tgw-2", "vpc-3", "available")}, ""},
		"being deleted":      {nil, []string{attachment("tgw-1", "vpc-1", "available"), attachment("tgw-1", "vpc-3", "deleting")}, ""},
		"both":               {[]string{peering("vpc-1", "vpc-2", "active")}, []string{attachment("tgw-1", "vpc-1", "available"), attachment("tgw-1", "vpc-2", "available")}, "vpc-2"},
	} {
		t.Run(name, func(t *testing.T) {
			snap, diags := aws.Read(folder(map[string]string{
				"describe-instances": `{"Reservations": []}`, "describe-network-interfaces": `{"NetworkInterfaces": []}`,
				"describe-vpcs":                            `{"Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.1.0.0/16", "CidrBlockAssociationSet": [{"CidrBlock": "100.64.0.0/16", "CidrBlockState": {"State": "associated"}}, {"CidrBlock": "100.65.0.0/16", "CidrBlockState": {"State": "disassociated"}}]}, {"VpcId": "vpc-2", "CidrBlock": "10.2.0.0/16"}, {"VpcId": "vpc-3", "CidrBlock": "10.3.0.0/16"}]}`,
				"describe-vpc-peering-connections":         `{"VpcPeeringConnections": [` + strings.Join(c.peerings, ",") + `]}`,
				"describe-transit-gateway-vpc-attachments": `{"TransitGatewayVpcAttachments": [` + strings.Join(c.attachments, ",") + `]}`,
			}), "")
			if len(diags) > 0 || len(snap.Networks) != 3 {
				t.Fatalf("%v %v", snap.Networks, diags)
			}
			if n := snap.Networks[0]; strings.Join(n.Peers, " ") != c.want || fmt.Sprint(n.CIDRs) != "[10.1.0.0/16 100.64.0.0/16]" {
				t.Errorf("%v, want %s", n, c.want)
			}
		})
	}
}

// TestWhoIsNotShown: to whom somebody else's transit gateway or VPC is shared, others
// who are there are not shown.
func TestWhoIsNotShown(t *testing.T) {
	const (
		vpcs = `{"Vpcs": [{"VpcId": "vpc-1", "OwnerId": "1", "CidrBlock": "10.1.0.0/16"}, {"VpcId": "vpc-2", "OwnerId": "1", "CidrBlock": "10.2.0.0/16"}, {"VpcId": "vpc-8", "OwnerId": "8", "CidrBlock": "10.8.0.0/16"}]}`
		mine = `{"Reservations": [{"OwnerId": "1", "Instances": [{"InstanceId": "i-1"}]}]}`
		one  = `{"TransitGatewayVpcAttachments": [{"TransitGatewayId": "tgw-1", "VpcId": "vpc-1", "VpcOwnerId": "1", "State": "available"}]}`
	)
	attached := func(owner, kind string) string {
		return fmt.Sprintf(`{"TransitGatewayId": "tgw-1", "TransitGatewayOwnerId": %q, "ResourceType": %q, "State": "available"}`, owner, kind)
	}
	for _, c := range []struct {
		about, attachments string
		gateways           []string // nil: nobody asked
		want               string   // whose peers are all known
		source             string
	}{
		{"no gateway", `{"TransitGatewayVpcAttachments": []}`, nil, "vpc-1 vpc-2", "userguide/vpc-sharing-permissions.html"},
		{"a gateway of nobody knows whom", one, nil, "vpc-2", "tgw/transit-gateway-share.html"},
		{"one of those who asked", one, []string{attached("1", "vpc")}, "vpc-1 vpc-2", "tgw/transit-gateway-share.html"},
		{"one of another account", one, []string{attached("9", "vpc")}, "vpc-2", "tgw/transit-gateway-share.html"},
		{"one that is peered with another", one, []string{attached("1", "vpc"), attached("1", "peering")}, "vpc-2", "tgw/tgw-peering.html"},
		{"whatever comes first", one, []string{attached("1", "peering"), attached("1", "vpc")}, "vpc-2", "tgw/tgw-peering.html"},
		{"one with a VPN", one, []string{attached("1", "vpn"), attached("1", "vpc")}, "vpc-1 vpc-2", "tgw/tgw-vpn-attachments.html"},
		{"of another gateway", one, []string{}, "vpc-2", "tgw/transit-gateway-share.html"},
	} {
		files := map[string]string{"describe-vpcs": vpcs, "describe-instances": mine, "describe-network-interfaces": `{"NetworkInterfaces": []}`,
			"describe-vpc-peering-connections": `{"VpcPeeringConnections": []}`, "describe-transit-gateway-vpc-attachments": c.attachments}
		if c.gateways != nil {
			files["describe-transit-gateway-attachments"] = `{"TransitGatewayAttachments": [` + strings.Join(c.gateways, ",") + `]}`
		}
		snap, diags := aws.Read(folder(files), "")
		var got []string
		for _, n := range snap.Networks {
			if n.Complete {
				got = append(got, n.Name)
			}
		}
		if strings.Join(got, " ") != c.want || diags.HasErrors() {
			t.Errorf("%s: %s, want %s (docs.aws.amazon.com/vpc/latest/%s) %v", c.about, got, c.want, c.source, diags)
		}
	}
}

// TestWhatIsMissing: without the calls that say who is there, a user is told.
func TestWhatIsMissing(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"nothing":   {map[string]string{}, "aws-answer aws-answer"},
		"one call":  {map[string]string{"describe-instances": `{"Reservations": []}`}, "aws-answer"},
		"both":      {map[string]string{"describe-instances": `{"Reservations": []}`, "describe-network-interfaces": `{"NetworkInterfaces": []}`}, ""},
		"truncated": {map[string]string{"describe-instances": `{"Reservations": [`, "describe-network-interfaces": `{"NetworkInterfaces": []}`}, "json-syntax"},
	} {
		t.Run(name, func(t *testing.T) {
			snap, diags := aws.Read(folder(c.files), "")
			var codes []string
			for _, d := range diags {
				codes = append(codes, d.Code)
			}
			if strings.Join(codes, " ") != c.want || snap == nil {
				t.Errorf("%v, want %s", diags, c.want)
			}
		})
	}
}

// TestOtherClusters: pod identities of other clusters than the named one do not
// count.
func TestOtherClusters(t *testing.T) {
	files := map[string]string{
		"describe-instances": `{"Reservations": []}`, "describe-network-interfaces": `{"NetworkInterfaces": []}`,
		"describe-pod-identity-association.a": `{"association": {"clusterName": "shop", "namespace": "n", "serviceAccount": "s", "associationId": "a", "roleArn": "arn:r"}}`,
	}
	for cluster, want := range map[string]int{"": 1, "shop": 1, "other": 0} {
		if snap, diags := aws.Read(folder(files), cluster); len(snap.Identities) != want || len(diags) > 0 {
			t.Errorf("%q: %v %v, want %d", cluster, snap.Identities, diags, want)
		}
	}
}
