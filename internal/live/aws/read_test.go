package aws_test

import (
	"io/fs"
	"maps"
	"slices"
	"testing"
	"testing/fstest"

	"firebreak/internal/diag"
	"firebreak/internal/live/aws"
)

func read(files map[string]string) (*aws.Answers, diag.List) {
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return aws.Read(fsys, slices.Sorted(maps.Keys(files)))
}

const groups = `{"SecurityGroups": [{"GroupId": "sg-0a", "OwnerId": "111122223333", "VpcId": "vpc-0a", "GroupName": "web",
  "IpPermissions": [
    {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}], "UserIdGroupPairs": [{"GroupId": "sg-0b", "UserId": "111122223333"}]},
    {"IpProtocol": "-1", "Wonder": 1}],
  "IpPermissionsEgress": [], "Tags": [{"Key": "firebreak:estate", "Value": "shop"}]}]}`

func TestReadAnswers(t *testing.T) {
	a, diags := read(map[string]string{
		"describe-security-groups.json":                   groups,
		"describe-vpcs.1.json":                            `{"Vpcs": [{"VpcId": "vpc-0a", "CidrBlock": "10.0.0.0/16"}], "NextToken": "x"}`,
		"describe-vpcs.2.json":                            `{"Vpcs": [{"VpcId": "vpc-0b"}]}`,
		"describe-subnets.1.json":                         `{"Subnets": [], "NextToken": "x"}`,
		"describe-route-tables.1.json":                    `{"RouteTables": [{"RouteTableId": "rtb-1", "Routes": [{"GatewayId": "igw-1", "OdbNetworkArn": "x"}]}], "NextToken": "x"}`,
		"describe-route-tables.3.json":                    `{"RouteTables": []}`,
		"describe-network-acls.json":                      `{"NetworkAcls": [`,
		"describe-instances.json":                         `{"Reservations": [{"OwnerId": "111122223333", "Instances": [{"InstanceId": "i-1", "State": {"Name": "running", "Code": 16}}]}]}`,
		"get-auth-policy.svc-0a.json":                     `{"policy": "{\"Statement\":[]}", "state": "Active"}`,
		"get-auth-policy.json":                            `{}`,
		"list-services.json":                              `{"items": [{"id": "svc-0a", "name": "pay"}, {"id": "svc-0b", "name": "x"}]}`,
		"get-service.svc-0a.json":                         `{"id": "svc-0a", "name": "pay", "authType": "AWS_IAM"}`,
		"describe-managed-prefix-lists.json":              `{"PrefixLists": [{"PrefixListId": "pl-1", "MaxEntries": 5}, {"PrefixListId": "pl-2"}]}`,
		"get-managed-prefix-list-entries.pl-1.1.json":     `{"Entries": [{"Cidr": "10.0.0.0/8"}], "NextToken": "x"}`,
		"get-managed-prefix-list-entries.pl-1.2.json":     `{"Entries": [{"Cidr": "10.1.0.0/16"}]}`,
		"describe-network-interfaces.json":                "{\"NetworkInterfaces\":\n {\"a\": 1}}",
		"get-role-policy.app.invoke.json":                 `{"RoleName": "app", "PolicyName": "invoke", "PolicyDocument": {"Statement": [], "Version": "x\"y"}}`,
		"list-role-policies.app.json":                     `{"PolicyNames": ["invoke"]}`,
		"list-service-network-vpc-associations.json":      `{"items": [{"id": "snva-1", "vpcId": "vpc-0a", "status": "ACTIVE"}]}`,
		"get-service-network-vpc-association.snva-1.json": `{"id": "snva-1", "vpcId": "vpc-0a", "status": "ACTIVE", "securityGroupIds": ["sg-0a"]}`,
		"notes.json": `[`,
	})
	var got []string
	for _, d := range diags {
		got = append(got, d.Code+" "+d.Pos.String())
	}
	want := []string{"json-syntax describe-network-acls.json:1:18", "aws-answer describe-network-interfaces.json:2:2", "aws-answer describe-route-tables.1.json:1:1",
		"aws-answer describe-subnets.1.json:1:1", "aws-answer get-auth-policy.json:1:1"}
	if !slices.Equal(got, want) {
		t.Errorf("diagnostics\n%q, want\n%q", got, want)
	}
	for q, missing := range map[string]bool{"describe-security-groups": false, "describe-vpcs": false, "describe-subnets": true, "describe-network-acls": true,
		"describe-route-tables": true, "describe-network-interfaces": true, "get-auth-policy.svc-0a": false, "get-auth-policy.svc-0b": true,
		"list-roles": true, "get-managed-prefix-list-entries.pl-1": false, "get-managed-prefix-list-entries.pl-2": true} {
		if a.Missing(q) != missing {
			t.Errorf("Missing(%s) is %v", q, !missing)
		}
	}
	p := a.SecurityGroups[0].IpPermissions
	if *p[0].FromPort != 443 || p[0].UserIdGroupPairs[0].GroupId != "sg-0b" || p[0].Pos.Line != 3 || len(p[0].Unread) != 0 || p[1].FromPort != nil || !slices.Equal(p[1].Unread, aws.Unread{"Wonder"}) {
		t.Errorf("permissions %+v", p)
	}
	if aws.TagOf(a.SecurityGroups[0].Tags, "firebreak:estate") != "shop" || len(a.Vpcs) != 2 || a.Instances[0].OwnerId != "111122223333" || a.Instances[0].State.Name != "running" {
		t.Errorf("%+v", a)
	}
	if !slices.Equal(a.RouteTables[0].Routes[0].Unread, aws.Unread{"OdbNetworkArn"}) {
		t.Errorf("route %+v", a.RouteTables[0].Routes)
	}
	if len(a.Services) != 2 || a.Services[0].AuthType != "AWS_IAM" || a.AuthPolicies[0].Resource != "svc-0a" || a.AuthPolicies[0].Policy != `{"Statement":[]}` {
		t.Errorf("services %+v %+v", a.Services, a.AuthPolicies)
	}
	if len(a.PrefixLists[0].Entries) != 2 || !a.PrefixLists[0].Complete || a.PrefixLists[1].Complete || *a.PrefixLists[0].MaxEntries != 5 {
		t.Errorf("prefix lists %+v", a.PrefixLists)
	}
	if len(a.VpcAssociations) != 1 || !a.VpcAssociations[0].GroupsKnown || a.VpcAssociations[0].SecurityGroupIds[0] != "sg-0a" {
		t.Errorf("associations %+v", a.VpcAssociations)
	}
	if len(a.Roles) != 1 || a.Roles[0].Policies[0].Document != `{"Statement":[],"Version":"x\"y"}` || !a.Roles[0].PoliciesKnown || a.Roles[0].AttachedKnown {
		t.Errorf("roles %+v", a.Roles)
	}
}

func TestNothingIsMissingNothing(t *testing.T) {
	a, diags := read(nil)
	if len(diags) > 0 || a.Any() || !a.Missing("describe-vpcs") || !(*aws.Answers)(nil).Missing("describe-vpcs") {
		t.Errorf("%+v %v", a, diags)
	}
}

func FuzzRead(f *testing.F) {
	f.Add("describe-security-groups.json", groups)
	f.Add("get-role-policy.a.b.json", `{"RoleName":"a","PolicyDocument":"%7B%7D"}`)
	f.Add("list-roles.2.json", `{"Roles":[{"RoleName":"a"}],"Marker":"x"}`)
	f.Fuzz(func(t *testing.T, name, text string) {
		a, diags := aws.Read(fstest.MapFS{"f": {Data: []byte(text)}}, nil)
		if a == nil || len(diags) > 0 {
			t.Fatal("nothing was read")
		}
		if fsys := (fstest.MapFS{name: {Data: []byte(text)}}); name != "" {
			aws.Read(fsys, []string{name})
		}
	})
}

// forbidden is a folder whose files nobody may read.
type forbidden struct{}

func (forbidden) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
}

// TestForbidden reads a file that nobody may read: it is not there, and no JSON
// is blamed.
func TestForbidden(t *testing.T) {
	a, diags := aws.Read(forbidden{}, []string{"describe-vpcs.json"})
	if len(diags) != 1 || diags[0].Code != "unreadable-file" || !a.Missing("describe-vpcs") {
		t.Errorf("%v", diags)
	}
}
