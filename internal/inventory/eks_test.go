package inventory_test

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"firebreak/internal/inventory"
	"firebreak/internal/inventory/aws"
	"firebreak/internal/inventory/kube"
	"firebreak/internal/inventory/terraform"
)

// TestAClusterOfEKS joins what kubectl, AWS and a Terraform state say of one
// cluster: two nodes with two interfaces each, whose further addresses pods have,
// roles by annotation and by pod identity, and pods in the nodes' network.
func TestAClusterOfEKS(t *testing.T) {
	at := func(dir string) fs.FS { return os.DirFS("testdata/eks/" + dir) }
	a, d1 := kube.ReadCluster(at("kube"), "shop")
	b, d2 := aws.Read(at("aws"), "shop")
	c, d3 := terraform.Read(at("terraform"), ".", "shop")
	for _, parts := range [][]*inventory.Snapshot{{a, b, c}, {c, b, a}, {b, a, c}} {
		snap, d4 := inventory.Join(parts...)
		for _, d := range append(append(append(d1, d2...), d3...), d4...) {
			t.Error(d)
		}
		const place = "cloud/account=111122223333 cloud/provider=aws cloud/region=eu-west-1 net/vpc=vpc-0a000001"
		const role = "aws/role=arn:aws:iam::111122223333:role/"
		want := map[string]string{
			"shop/web[Deployment]":              "10.0.1.21 10.0.1.31 " + place + " net/subnet=subnet-0a000001 k8s/cluster=shop k8s/namespace=shop k8s/namespace.env=prod k8s/serviceaccount=web app=web aws/role=",
			"shop/orders[Deployment]":           "10.0.1.22 10.0.2.21 " + place + " net/subnet= k8s/serviceaccount=orders app=orders " + role + "orders",
			"shop/reports[Pod]":                 "10.0.2.31 " + place + " net/subnet=subnet-0a000002 k8s/serviceaccount=reports " + role + "reports",
			"shop/migrate[Pod]":                 "k8s/serviceaccount=web", // it has ended, and its address is another's
			"kube-system/kube-proxy[DaemonSet]": "10.0.1.10 10.0.2.10 " + place + " net/subnet= k8s/hostnetwork=true",
			"i-0a10000000000001":                "10.0.1.30 " + place + " k8s/node=ip-10-0-1-10.eu-west-1.compute.internal k8s/namespace= " + role + "eks-workers",
			"i-0a10000000000002":                "10.0.2.30 " + place + " k8s/node=ip-10-0-2-10.eu-west-1.compute.internal net/subnet=subnet-0a000002",
			"eni-0b00000000000001":              "10.0.2.200 " + place + " net/subnet=subnet-0a000002 k8s/node=",
		}
		seen := map[string]string{}
		for _, w := range snap.Workloads {
			expected, ok := want[w.Name]
			if !ok {
				t.Errorf("there is also %s %v %v", w.Name, w.Addresses, w.Labels)
			}
			delete(want, w.Name)
			addresses := 0
			for _, x := range strings.Fields(expected) {
				if key, value, labelled := strings.Cut(x, "="); labelled {
					if w.Labels[key] != value {
						t.Errorf("%s has %s=%q, not %q", w.Name, key, w.Labels[key], value)
					}
				} else if addresses++; !strings.Contains(fmt.Sprint(w.Addresses, " "), x) {
					t.Errorf("%s has not the address %s, but %v", w.Name, x, w.Addresses)
				}
			}
			if len(w.Addresses) != addresses {
				t.Errorf("%s has the addresses %v, not %d", w.Name, w.Addresses, addresses)
			}
			for _, x := range w.Addresses {
				if other := seen[x.String()]; other != "" {
					t.Errorf("%s is the address of %s and of %s", x, other, w.Name)
				}
				seen[x.String()] = w.Name
			}
		}
		for name := range want {
			t.Errorf("there is no %s", name)
		}
	}
}
