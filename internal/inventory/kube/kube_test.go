package kube_test

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/diag"
	"firebreak/internal/inventory"
	"firebreak/internal/inventory/kube"
	"firebreak/internal/netset"
)

func read(files map[string]string) (*inventory.Snapshot, diag.List) {
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return kube.Read(fsys)
}

func names(s *inventory.Snapshot) []string {
	var out []string
	for _, w := range s.Workloads {
		out = append(out, w.Name)
	}
	return out
}

const deployment = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, labels: {ignored: "yes"}}
spec:
  template:
    metadata: {labels: {app: web}}
    spec:
      serviceAccountName: web-sa
      initContainers: [{name: i, ports: [{containerPort: 15000}]}]
      containers:
      - name: c
        ports: [{name: http, containerPort: 8080}, {containerPort: 53, protocol: UDP}]
`

func TestReadDeployment(t *testing.T) {
	snap, diags := read(map[string]string{
		"a.yaml": deployment,
		"ns.yml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {env: prod, team.example/name: x}}\n",
	})
	if len(diags) > 0 || len(snap.Workloads) != 1 {
		t.Fatalf("%v %v", names(snap), diags)
	}
	want := inventory.Workload{
		Name: "shop/web[Deployment]", Namespace: "shop",
		Labels: map[string]string{
			"app": "web", "k8s/namespace": "shop", "k8s/serviceaccount": "web-sa",
			"k8s/namespace.env": "prod", "k8s/namespace.team.example.name": "x",
		},
		Pod:       map[string]string{"app": "web"},
		Ports:     []inventory.Port{{Number: 53, Protocol: netset.UDP}, {Number: 15000}, {Name: "http", Number: 8080}},
		Principal: "system:serviceaccount:shop:web-sa",
		Source:    diag.Pos{File: "a.yaml", Line: 1, Col: 1},
	}
	if got := snap.Workloads[0]; !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
}

func TestEveryKindOfWorkloadIsRead(t *testing.T) {
	pod := "metadata: {labels: {app: x}}, spec: {containers: [{ports: [{containerPort: 1}]}]}"
	var text, want []string
	for _, kind := range []string{"DaemonSet", "Deployment", "Job", "ReplicaSet", "ReplicationController", "StatefulSet"} {
		text = append(text, "kind: "+kind+"\nmetadata: {name: x}\nspec: {template: {"+pod+"}}\n")
		want = append(want, "default/x["+kind+"]")
	}
	text = append(text,
		"kind: CronJob\nmetadata: {name: x}\nspec: {jobTemplate: {spec: {template: {"+pod+"}}}}\n",
		"kind: Pod\nmetadata: {name: x, labels: {app: x}}\nspec: {containers: [{ports: [{containerPort: 1}]}]}\n",
		"kind: ServiceAccount\nmetadata: {name: x}\n", "kind: ConfigMap\nmetadata: {name: x}\n")
	want = append(want, "default/x[CronJob]", "default/x[Pod]")
	slices.Sort(want)
	snap, diags := read(map[string]string{"all.yaml": strings.Join(text, "---\n")})
	if len(diags) > 0 || !slices.Equal(names(snap), want) {
		t.Errorf("got %v, want %v; %v", names(snap), want, diags)
	}
	for _, w := range snap.Workloads {
		if w.Labels["app"] != "x" || len(w.Ports) != 1 || w.Principal != "system:serviceaccount:default:default" {
			t.Errorf("%+v", w)
		}
	}
}

// What a cluster answers: pods, replica sets and jobs are owned, and lend
// their addresses to the outermost owner.
func TestOwnedPodsAreTheirOwner(t *testing.T) {
	pod := func(name, ip, node, labels, owner string) string {
		return "- kind: Pod\n  metadata: {name: " + name + ", namespace: shop, labels: {" + labels + "}, ownerReferences: [{kind: ReplicaSet, name: " + owner + ", controller: true}]}\n" +
			"  spec: {nodeName: " + node + "}\n  status: {phase: Running, podIP: " + ip + ", podIPs: [{ip: " + ip + "}, {ip: 'fd00::" + name[len(name)-1:] + "'}]}\n"
	}
	list := "kind: List\nitems:\n" +
		pod("web-1", "10.0.0.1", "n1", "app: web, pod-template-hash: h", "web-h") +
		pod("web-2", "10.0.0.2", "n2", "app: web, pod-template-hash: h", "web-h") +
		strings.Replace(pod("web-3", "10.0.0.3", "n1", "app: web", "web-h"), "Running", "Succeeded", 1) +
		pod("odd-4", "10.0.0.4", "n1", "app: other", "web-h") +
		pod("orphan-5", "10.0.0.5", "n1", "app: web", "gone") +
		"- kind: ReplicaSet\n  metadata: {name: web-h, namespace: shop, ownerReferences: [{kind: Deployment, name: web, controller: true}]}\n" +
		"  spec: {template: {metadata: {labels: {app: web, pod-template-hash: h}}}}\n"
	snap, diags := read(map[string]string{"d.yaml": deployment, "list.json": list})
	want := []string{"shop/odd-4[Pod]", "shop/orphan-5[Pod]", "shop/web[Deployment]"}
	if len(diags) > 0 || !slices.Equal(names(snap), want) {
		t.Fatalf("got %v, want %v; %v", names(snap), want, diags)
	}
	web := snap.Workloads[2]
	var addrs []string
	for _, a := range web.Addresses {
		addrs = append(addrs, a.String())
	}
	if !slices.Equal(addrs, []string{"10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2"}) || web.Host != "" {
		t.Errorf("web has %v on %q", addrs, web.Host)
	}
	if odd := snap.Workloads[0]; odd.Host != "n1" || odd.Labels["app"] != "other" {
		t.Errorf("odd is %+v", odd)
	}
}

func TestListsOfAKind(t *testing.T) {
	snap, diags := read(map[string]string{"p.json": `{"kind": "PodList", "apiVersion": "v1", "items": [{"metadata": {"name": "a"}}, {"metadata": {"name": "b"}}]}`})
	if len(diags) > 0 || !slices.Equal(names(snap), []string{"default/a[Pod]", "default/b[Pod]"}) {
		t.Errorf("%v %v", names(snap), diags)
	}
}

func TestServicesAreFrontends(t *testing.T) {
	snap, diags := read(map[string]string{"d.yaml": deployment, "s.yaml": `
kind: Service
metadata: {name: web, namespace: shop, labels: {istio.io/use-waypoint: wp}}
spec:
  type: LoadBalancer
  clusterIP: 10.96.0.1
  clusterIPs: [10.96.0.1, "fd00::1"]
  selector: {app: web}
  ports: [{name: a, port: 80, targetPort: 8080}, {name: b, port: 81, targetPort: http}, {name: c, port: 82, protocol: UDP, appProtocol: kubernetes.io/h2c}]
status: {loadBalancer: {ingress: [{ip: 192.0.2.1}]}}
---
kind: Service
metadata: {name: elsewhere, namespace: other}
spec: {clusterIP: None, selector: {app: web}, ports: [{port: 80}]}
---
kind: Service
metadata: {name: by-hand}
spec: {ports: [{port: 80}]}
`})
	if len(diags) > 0 || len(snap.Frontends) != 2 {
		t.Fatalf("%+v %v", snap.Frontends, diags)
	}
	other, web := snap.Frontends[0], snap.Frontends[1]
	ports := []inventory.FrontendPort{
		{Name: "a", Number: 80, Target: 8080}, {Name: "b", Number: 81, TargetName: "http"}, {Name: "c", Number: 82, Target: 82, Protocol: netset.UDP, Application: "kubernetes.io/h2c"},
	}
	addrs := []netip.Addr{netip.MustParseAddr("10.96.0.1"), netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("fd00::1")}
	if web.Name != "shop/web[Service]" || !reflect.DeepEqual(web.Ports, ports) || !slices.Equal(web.Addresses, addrs) ||
		!slices.Equal(web.Workloads, []string{"shop/web[Deployment]"}) || web.Rewrites != "both" || web.Headless ||
		web.Labels["istio.io/use-waypoint"] != "wp" {
		t.Errorf("web: %+v", web)
	}
	if len(other.Workloads) != 0 || len(other.Addresses) != 0 || other.Rewrites != "destination" || !other.Headless || other.Labels == nil {
		t.Errorf("elsewhere: %+v", other)
	}
}

func TestWhatIsWrongIsSaid(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"twice", deployment + "---\n" + deployment, "a.yaml:14:1: error duplicate-name: there are two descriptions of workload shop/web[Deployment]"},
		{"no name", "kind: Pod\nmetadata: {}\n", "error missing-field: Pod without metadata.name"},
		{"a label that is no string", "kind: Pod\nmetadata: {name: a, labels: {v: 1.10}}\n", "the value of label v must be a string"},
		{"an address that is none", "kind: Pod\nmetadata: {name: a}\nstatus: {podIP: x}\n", `error bad-address: default/a[Pod]: "x" is not an IP address`},
		{"a protocol that is none", "kind: Pod\nmetadata: {name: a}\nspec: {containers: [{ports: [{containerPort: 1, protocol: tpc}]}]}\n", "error bad-port"},
		{"a port out of range", "kind: Pod\nmetadata: {name: a}\nspec: {containers: [{ports: [{containerPort: 70000}]}]}\n", "a.yaml:3:46: error bad-port: default/a[Pod]: the containerPort \"70000\" is no number from 1 to 65535"},
		{"a port in words", "kind: Pod\nmetadata: {name: a}\nspec: {containers: [{ports: [{containerPort: \"80\"}]}]}\n", "error bad-port: default/a[Pod]: the containerPort \"80\""},
		{"no port", "kind: Pod\nmetadata: {name: a}\nspec: {containers: [{ports: [{name: http}]}]}\n", "error bad-port: default/a[Pod] has a port without containerPort"},
		{"a Service's port", "kind: Service\nmetadata: {name: a}\nspec: {selector: {a: b}, ports: [{port: 0}]}\n", "error bad-port: default/a[Service]: the port \"0\""},
		{"pods that nobody knows", "kind: Rollout\nmetadata: {name: a}\nspec: {template: {spec: {containers: [{image: x}]}}}\n", "warning unknown-workload-kind: a Rollout runs pods"},
		{"a list of itself", "&r {kind: List, items: [*r]}\n", "error bad-manifest: a List in a List"},
		{"not YAML", "kind: [\n", "error yaml-syntax"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, diags := read(map[string]string{"a.yaml": c.text})
			var got strings.Builder
			for _, d := range diags {
				got.WriteString(d.String() + "\n")
			}
			if !strings.Contains(got.String(), c.want) {
				t.Errorf("missing %q in:\n%s", c.want, got.String())
			}
		})
	}
}

// TestABadPortKeepsItsWorkload demands that the rest of what has a bad port is
// there: a selector that means it would otherwise seem to match nothing.
func TestABadPortKeepsItsWorkload(t *testing.T) {
	snap, diags := read(map[string]string{"a.yaml": "kind: Pod\nmetadata: {name: a, labels: {app: ad}}\nspec: {containers: [{ports: [{containerPort: 99999}, {name: ok, containerPort: 80}]}]}\n"})
	if len(diags) != 1 || len(snap.Workloads) != 1 || snap.Workloads[0].Labels["app"] != "ad" || len(snap.Workloads[0].Ports) != 1 || snap.Workloads[0].Ports[0].Number != 80 {
		t.Errorf("%+v\n%v", snap.Workloads, diags)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(deployment)
	f.Add("&r {kind: List, items: [*r, {kind: Pod, metadata: {name: a}}]}\n")
	f.Add("kind: Pod\nmetadata: &m {name: a, ownerReferences: [{kind: Pod, name: a, controller: true}]}\n")
	f.Fuzz(func(t *testing.T, text string) {
		snap, _ := read(map[string]string{"f.yaml": text})
		if snap == nil {
			t.Fatal("nil snapshot")
		}
	})
}
