package file_test

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/diag"
	"firebreak/internal/inventory"
	"firebreak/internal/inventory/file"
	"firebreak/internal/netset"
)

func read(t *testing.T, text string) (*inventory.Snapshot, diag.List) {
	t.Helper()
	return file.Read(fstest.MapFS{"inv.yaml": {Data: []byte(text)}}, "inv.yaml")
}

func TestReadTakesEveryField(t *testing.T) {
	snap, diags := read(t, `
kind: Workload
metadata: {name: web-1, namespace: shop, labels: {app: web, tier: front}}
spec:
  addresses: ["10.0.0.2", "fd00::2", "::ffff:10.0.0.1"]
  ports: [{name: http, port: 8080}, {port: 53, protocol: UDP}]
  principal: spiffe://shop/web
  host: h1
---
kind: Frontend
metadata: {name: web-lb}
spec:
  addresses: [10.0.0.9]
  ports: [{port: 80, targetPort: http}, {port: 81, targetPort: 8081}, {port: 82}]
  to: {workloads: [web-1]}
  rewrites: both
`)
	if len(diags) > 0 {
		t.Fatalf("diagnostics: %v", diags)
	}
	want := inventory.Workload{
		Name: "web-1", Namespace: "shop", Labels: map[string]string{"app": "web", "tier": "front"},
		Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("fd00::2")},
		Ports:     []inventory.Port{{Number: 53, Protocol: netset.UDP}, {Name: "http", Number: 8080}},
		Principal: "spiffe://shop/web", Host: "h1",
		Source: diag.Pos{File: "inv.yaml", Line: 2, Col: 1},
	}
	if got := snap.Workloads[0]; !reflect.DeepEqual(got, want) {
		t.Errorf("workload\n got %+v\nwant %+v", got, want)
	}
	f := snap.Frontends[0]
	wantPorts := []inventory.FrontendPort{
		{Number: 80, TargetName: "http"}, {Number: 81, Target: 8081}, {Number: 82, Target: 82},
	}
	if !reflect.DeepEqual(f.Ports, wantPorts) || f.Rewrites != "both" || f.Workloads[0] != "web-1" {
		t.Errorf("frontend %+v", f)
	}
}

func TestReadReportsEverythingWithItsPlace(t *testing.T) {
	_, diags := read(t, `kind: Workload
metadata: {name: a, lables: {app: web}}
spec: {addresses: [10.0.0.300], ports: [{name: http, port: 0}, {port: 1, protocol: ICMP}]}
---
kind: Worklod
metadata: {name: b}
---
kind: Workload
metadata: {labels: {v: 1.10, "bad key": x}}
---
kind: Workload
metadata: {name: a}
---
kind: Frontend
metadata: {name: f}
spec: {rewrites: sideways}
---
- a list
`)
	var got strings.Builder
	for _, d := range diags {
		got.WriteString(d.String() + "\n")
	}
	for _, want := range []string{
		`inv.yaml:2:21: error unknown-field: metadata has no field "lables"` + "\n    help: did you mean \"labels\"?",
		`inv.yaml:3:20: error bad-address: "10.0.0.300" is not an IP address`,
		`inv.yaml:3:60: error bad-port: "0" is not a port number`,
		`error bad-port: protocol "ICMP" has no ports here`,
		`inv.yaml:5:7: error unknown-kind: an inventory has no kind "Worklod"` + "\n    help: did you mean Workload?",
		`inv.yaml:8:1: error missing-field: metadata.name is missing`,
		`error bad-label: the value of label v must be a string`,
		`error bad-label: "bad key" is no label key`,
		`inv.yaml:11:1: error duplicate-name: there are two descriptions of workload a`,
		`error bad-value: rewrites is "sideways"`,
		`error bad-value: frontend f needs exactly one of to.service and to.workloads`,
		`inv.yaml:18:1: error bad-value: an inventory document must be a mapping`,
	} {
		if !strings.Contains(got.String(), want) {
			t.Errorf("missing: %s", want)
		}
	}
	if t.Failed() {
		t.Logf("got:\n%s", got.String())
	}
}

func TestReadOfWhatIsNotThere(t *testing.T) {
	snap, diags := file.Read(fstest.MapFS{}, "gone.yaml")
	if snap == nil || !diags.HasErrors() || diags[0].Code != "unreadable-file" {
		t.Errorf("got %v, %v", snap, diags)
	}
	_, diags = read(t, "kind: [\n")
	if len(diags) != 1 || diags[0].Code != "yaml-syntax" || diags[0].Pos.Line == 0 {
		t.Errorf("syntax error: %v", diags)
	}
}

func FuzzRead(f *testing.F) {
	f.Add("kind: Workload\nmetadata: {name: a}\nspec: {ports: [{port: 1}]}\n")
	f.Add("kind: Frontend\nmetadata: &a {name: *a}\n---\n- 1\n")
	f.Fuzz(func(t *testing.T, text string) {
		snap, diags := file.Read(fstest.MapFS{"f": {Data: []byte(text)}}, "f")
		if snap == nil {
			t.Fatal("nil snapshot")
		}
		for _, w := range snap.Workloads {
			if w.Name == "" {
				t.Error("workload without a name")
			}
		}
		_ = diags
	})
}

// TestOneDocumentDoesNotHideAnother mixes documents of the plain shape with
// some that only the library reads, and one that nobody can read.
func TestOneDocumentDoesNotHideAnother(t *testing.T) {
	snap, diags := read(t, `# of the plain shape
---
kind: Workload
metadata:
  name: a
  labels: {app: web}
---
kind: Workload
metadata: [
---
kind: Workload # not plain
metadata: {name: b, labels: {app: web, v: 2}}
---
kind: Workload
metadata: {name: c, labels: {v: 2}}
`)
	var got []string
	for _, d := range diags {
		got = append(got, fmt.Sprintf("%d %s", d.Pos.Line, d.Code))
	}
	if want := "9 yaml-syntax 12 bad-label 15 bad-label"; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
	if len(snap.Workloads) != 3 || snap.Workloads[1].Source.Line != 11 || snap.Workloads[2].Source.Line != 14 {
		t.Errorf("workloads %+v", snap.Workloads)
	}
}

func TestNetworks(t *testing.T) {
	snap, diags := read(t, "kind: Network\nmetadata: {name: subnet-a, labels: {cloud/provider: aws}}\nspec: {cidrs: [10.0.2.0/24, \"fd00::/64\"], within: vpc-a}\n---\nkind: Network\nmetadata: {name: vpc-a}\nspec: {peers: [z, b]}\n")
	if len(diags) > 0 || len(snap.Networks) != 2 || snap.Networks[0].Within != "vpc-a" || len(snap.Networks[0].CIDRs) != 2 || fmt.Sprint(snap.Networks[1].Peers) != "[b z]" {
		t.Errorf("%+v %v", snap.Networks, diags)
	}
	_, diags = read(t, "kind: Network\nmetadata: {name: a}\nspec: {cidrs: [10.0.2.1/24, x], within: b, peers: [a], zone: c}\n")
	var codes []string
	for _, d := range diags {
		codes = append(codes, fmt.Sprintf("%d:%d %s", d.Pos.Line, d.Pos.Col, d.Code))
	}
	if got, want := strings.Join(codes, ", "), "1:1 bad-value, 1:1 bad-value, 3:16 bad-cidr, 3:29 bad-cidr, 3:56 unknown-field"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
