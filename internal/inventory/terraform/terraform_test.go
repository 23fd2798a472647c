package terraform_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/inventory/terraform"
)

const base = `
resource "aws_vpc" "v" { cidr_block = "10.0.0.0/16" }
resource "aws_subnet" "a" {
  vpc_id            = aws_vpc.v.id
  cidr_block        = "10.0.1.0/24"
  availability_zone = "eu-west-1a"
}
resource "aws_subnet" "b" {
  vpc_id            = aws_vpc.v.id
  cidr_block        = "10.0.2.0/24"
  availability_zone = "eu-west-1b"
}
resource "aws_iam_role" "r" {
  name = "web"
}
resource "aws_iam_instance_profile" "p" {
  name = "p"
  role = aws_iam_role.r.name
}
resource "aws_db_subnet_group" "g" {
  name       = "g"
  subnet_ids = [aws_subnet.a.id, aws_subnet.b.id]
}
`

// TestWorkloads reads what a configuration says of one workload, before it
// exists: it is named by its address, and so are its subnet and its VPC.
func TestWorkloads(t *testing.T) {
	const at = " cloud/provider=aws cloud/region=eu-west-1 net/subnet=aws_subnet.a net/vpc=aws_vpc.v"
	for name, c := range map[string]struct{ text, want string }{
		"an instance": {`resource "aws_instance" "i" {
			subnet_id            = aws_subnet.a.id
			private_ip           = "10.0.1.4"
			availability_zone    = "eu-west-1a"
			iam_instance_profile = aws_iam_instance_profile.p.name
			tags                 = { app = "web", "net/vpc" = "forged" }
		}`, "aws_instance.i [10.0.1.4] [] app=web aws/role=aws_iam_role.r" + at},
		"several": {`resource "aws_instance" "i" {
			count     = 2
			subnet_id = aws_subnet.a.id
		}`, "aws_instance.i[0] [] []" + at + "; aws_instance.i[1] [] []" + at},
		"its interface": {`resource "aws_instance" "i" {
			subnet_id = aws_subnet.a.id
		}
		resource "aws_network_interface" "n" {
			subnet_id   = aws_subnet.a.id
			private_ips = ["10.0.1.7", "10.0.1.8"]
			attachment {
				instance     = aws_instance.i.id
				device_index = 1
			}
		}`, "aws_instance.i [10.0.1.7 10.0.1.8] []" + at},
		"attached apart": {`resource "aws_instance" "i" {
			subnet_id = aws_subnet.a.id
		}
		resource "aws_network_interface" "n" {
			subnet_id   = aws_subnet.b.id
			private_ips = ["10.0.2.7"]
		}
		resource "aws_network_interface_attachment" "a" {
			instance_id          = aws_instance.i.id
			network_interface_id = aws_network_interface.n.id
			device_index         = 1
		}`, "aws_instance.i [10.0.2.7] [] cloud/provider=aws cloud/region=eu-west-1 net/vpc=aws_vpc.v"},
		"an interface alone": {`resource "aws_network_interface" "n" {
			subnet_id   = aws_subnet.a.id
			private_ips = ["10.0.1.7"]
		}`, "aws_network_interface.n [10.0.1.7] []" + at},
		"a database": {`resource "aws_db_instance" "d" {
			identifier           = "orders"
			engine               = "postgres"
			db_subnet_group_name = aws_db_subnet_group.g.name
		}`, "rds/orders [] [5432] cloud/provider=aws cloud/region=eu-west-1 net/vpc=aws_vpc.v"},
		"with a port": {`resource "aws_db_instance" "d" {
			identifier = "orders"
			engine     = "mysql"
			port       = 3307
		}`, "rds/orders [] [3307] cloud/provider=aws"},
		"a cluster": {`resource "aws_rds_cluster" "d" {
			cluster_identifier = "orders"
			engine             = "aurora-mysql"
		}`, "rds/orders [] [3306] cloud/provider=aws"},
		"a function": {`resource "aws_lambda_function" "f" {
			function_name = "bill"
			role          = aws_iam_role.r.arn
			vpc_config {
				subnet_ids         = [aws_subnet.a.id]
				security_group_ids = []
			}
		}`, "lambda/bill [] [] aws/role=aws_iam_role.r" + at},
		"a service of ECS": {`resource "aws_ecs_task_definition" "t" {
			family        = "pay"
			task_role_arn = aws_iam_role.r.arn
		}
		resource "aws_ecs_service" "s" {
			name            = "pay"
			task_definition = aws_ecs_task_definition.t.arn
			network_configuration {
				subnets = [aws_subnet.a.id]
			}
		}`, "ecs/pay [] [] aws/role=aws_iam_role.r" + at},
		"nodes of EKS": {`resource "aws_eks_cluster" "c" {
			name = "shop"
		}
		resource "aws_eks_node_group" "g" {
			cluster_name    = aws_eks_cluster.c.name
			node_group_name = "workers"
			node_role_arn   = aws_iam_role.r.arn
			subnet_ids      = [aws_subnet.a.id]
		}`, "eks/shop/workers [] [] aws/role=aws_iam_role.r" + at},
	} {
		t.Run(name, func(t *testing.T) {
			snap, diags := terraform.Read(fstest.MapFS{"main.tf": {Data: []byte(base + c.text)}}, ".", "")
			var got []string
			for _, w := range snap.Workloads {
				var ports []uint16
				for _, p := range w.Ports {
					ports = append(ports, p.Number)
				}
				line := fmt.Sprint(w.Name, " ", w.Addresses, " ", ports)
				for _, k := range slices.Sorted(maps.Keys(w.Labels)) {
					line += " " + k + "=" + w.Labels[k]
				}
				got = append(got, line)
			}
			if strings.Join(got, "; ") != c.want || len(diags) > 0 {
				t.Errorf("%q, %v; want %q", got, diags, c.want)
			}
		})
	}
}

// TestPeers: a peering that somebody accepts, or a transit gateway, joins VPCs.
func TestPeers(t *testing.T) {
	const vpcs = "resource \"aws_vpc\" \"v\" {\n cidr_block = \"10.0.0.0/16\"\n}\nresource \"aws_vpc\" \"w\" {\n cidr_block = \"10.1.0.0/16\"\n}\n"
	const ends = " vpc_id = aws_vpc.v.id\n peer_vpc_id = aws_vpc.w.id\n"
	for name, c := range map[string]struct{ text, want string }{
		"nothing":        {"", ""},
		"not accepted":   {"resource \"aws_vpc_peering_connection\" \"p\" {\n" + ends + "}\n", ""},
		"auto":           {"resource \"aws_vpc_peering_connection\" \"p\" {\n auto_accept = true\n" + ends + "}\n", "aws_vpc.w"},
		"not auto":       {"resource \"aws_vpc_peering_connection\" \"p\" {\n auto_accept = false\n" + ends + "}\n", ""},
		"an accepter":    {"resource \"aws_vpc_peering_connection\" \"p\" {\n" + ends + "}\nresource \"aws_vpc_peering_connection_accepter\" \"a\" {\n vpc_peering_connection_id = aws_vpc_peering_connection.p.id\n auto_accept = true\n}\n", "aws_vpc.w"},
		"a gateway":      {"resource \"aws_ec2_transit_gateway\" \"t\" {}\nresource \"aws_ec2_transit_gateway_vpc_attachment\" \"a\" {\n transit_gateway_id = aws_ec2_transit_gateway.t.id\n vpc_id = aws_vpc.v.id\n subnet_ids = []\n}\nresource \"aws_ec2_transit_gateway_vpc_attachment\" \"b\" {\n transit_gateway_id = aws_ec2_transit_gateway.t.id\n vpc_id = aws_vpc.w.id\n subnet_ids = []\n}\n", "aws_vpc.w"},
		"two of a count": {"resource \"aws_vpc_peering_connection\" \"p\" {\n count = 1\n auto_accept = true\n" + ends + "}\n", "aws_vpc.w"},
	} {
		t.Run(name, func(t *testing.T) {
			snap, diags := terraform.Read(fstest.MapFS{"main.tf": {Data: []byte(vpcs + c.text)}}, ".", "")
			if len(diags) > 0 || len(snap.Networks) != 2 {
				t.Fatalf("%v %v", snap.Networks, diags)
			}
			if got := strings.Join(snap.Networks[0].Peers, " "); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// TestFiles: a plan or a state is named, or everything of a folder is read.
func TestFiles(t *testing.T) {
	const state = `{"values": {"root_module": {"resources": [{"address": "aws_instance.i", "mode": "managed", "type": "aws_instance", "name": "i", "values": {"id": "i-1", "private_ip": "10.0.0.4", "tags": {"app": "web"}}}]}}}`
	files := fstest.MapFS{"a/x.tfstate.json": {Data: []byte(state)}, ".terraform/y.tf": {Data: []byte("resource \"aws_instance\" \"hidden\" {}\n")}, "a/notes.json": {Data: []byte("[")}}
	for name, want := range map[string]string{"a/x.tfstate.json": "i-1", ".": "i-1", "./a/x.tfstate.json": "i-1"} {
		snap, diags := terraform.Read(files, name, "")
		var got []string
		for _, w := range snap.Workloads {
			got = append(got, w.Name)
		}
		for _, d := range diags {
			got = append(got, d.Code)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", name, got, want)
		}
	}
}

// TestOthersMayPeer: Terraform need not know all peers of a VPC.
func TestOthersMayPeer(t *testing.T) {
	snap, _ := terraform.Read(fstest.MapFS{"main.tf": {Data: []byte(base)}}, ".", "")
	for _, n := range snap.Networks {
		if n.Complete {
			t.Errorf("all peers of %s are known", n.Name)
		}
	}
}
