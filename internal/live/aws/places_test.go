package aws_test

import (
	"slices"
	"testing"
	"testing/fstest"

	"firebreak/internal/live/aws"
)

// TestPlaces says of which accounts and regions answers speak, by whatever tells.
func TestPlaces(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  []aws.Place
	}{
		"nothing tells": {map[string]string{"describe-vpcs.json": `{"Vpcs": [{"VpcId": "vpc-1"}]}`}, nil},
		"an owner only": {map[string]string{"describe-vpcs.json": `{"Vpcs": [{"VpcId": "vpc-1", "OwnerId": "111122223333"}]}`}, []aws.Place{{Account: "111122223333"}}},
		"a zone": {map[string]string{
			"describe-vpcs.json":    `{"Vpcs": [{"VpcId": "vpc-1", "OwnerId": "111122223333"}]}`,
			"describe-subnets.json": `{"Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "AvailabilityZone": "us-gov-west-1a", "OwnerId": "111122223333"}]}`,
		}, []aws.Place{{"111122223333", "us-gov-west-1"}}},
		"a local zone": {map[string]string{"describe-subnets.json": `{"Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "AvailabilityZone": "us-west-2-lax-1a"}]}`}, []aws.Place{{"", "us-west-2"}}},
		"several": {map[string]string{
			"describe-security-groups.json":    `{"SecurityGroups": [{"GroupId": "sg-1", "OwnerId": "222233334444", "SecurityGroupArn": "arn:aws:ec2:eu-west-1:222233334444:security-group/sg-1"}]}`,
			"describe-network-interfaces.json": `{"NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "OwnerId": "111122223333"}, {"NetworkInterfaceId": "eni-2", "OwnerId": "amazon-aws"}]}`,
			"list-services.json":               `{"items": [{"id": "svc-1", "arn": "arn:aws:vpc-lattice:eu-central-1:222233334444:service/svc-1"}]}`,
		}, []aws.Place{{"111122223333", ""}, {"222233334444", "eu-central-1"}, {"222233334444", "eu-west-1"}}},
	} {
		fsys, names := fstest.MapFS{}, []string{}
		for file, text := range c.files {
			fsys[file] = &fstest.MapFile{Data: []byte(text)}
			names = append(names, file)
		}
		a, diags := aws.Read(fsys, names)
		if got := a.Places(); len(diags) > 0 || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v; %v", name, got, c.want, diags)
		}
	}
}
