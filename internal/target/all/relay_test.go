package all_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/load"
	"firebreak/internal/netset"
	"firebreak/internal/plan"
	"firebreak/internal/prove"
	"firebreak/internal/target/all"
	"firebreak/internal/target/targettest"
	"firebreak/internal/verify"
)

const apartPolicy = `
kind: Estate
metadata: {name: apart}
spec: {networks: [10.0.0.0/8, "fd01::/16"], targets: [lattice], inventory: [{file: i.yaml}]}
---
kind: Zone
metadata: {name: all}
spec: {select: "app", stage: enforce, default: deny}
---
kind: Service
metadata: {name: web}
spec: {select: app=web, ports: [{name: https, port: 8443}]}
---
kind: Service
metadata: {name: api}
spec: {select: app=api, ports: [{name: https, port: 8443}, {name: metrics, port: 9000}, {name: https-admin, port: 7443}]}
---
kind: Service
metadata: {name: night}
spec: {select: app=night, ports: [{name: http, port: 8081}]}
---
kind: Service
metadata: {name: shop}
spec: {select: app=shop, ports: [{name: plain, port: 8082}]}
---
kind: Policy
metadata: {name: p, owner: o}
spec:
  stage: enforce
  rules:
  - {name: api, effect: allow, from: {service: web}, to: {service: api}, ports: [8443/TCP, 9000/TCP, 53/UDP], reason: r}
  - {name: near, effect: allow, from: {service: web}, to: {service: web}, ports: [8443/TCP], reason: r}
  - {name: admin, effect: allow, from: {select: app=norole}, to: {service: api}, ports: [7443/TCP], reason: r}
  - {name: night, effect: allow, from: {service: web}, to: {service: night}, ports: [8081/TCP], when: {hours: "22:00-06:00"}, reason: r}
  - {name: shop, effect: allow, from: {service: web}, to: {service: shop}, ports: [8082/TCP], http: [{methods: [GET]}], reason: r}
`

const apartInventory = `
kind: Network
metadata: {name: vpc-front}
spec: {cidrs: [10.1.0.0/16]}
---
kind: Network
metadata: {name: vpc-back}
spec: {cidrs: [10.2.0.0/16]}
---
kind: Workload
metadata: {name: web, labels: {app: web, net/vpc: vpc-front, aws/role: "arn:aws:iam::111122223333:role/web", cloud/region: eu-central-1}}
spec: {addresses: [10.1.0.1], host: h-web, ports: [{name: https, port: 8443}]}
---
kind: Workload
metadata: {name: norole, labels: {app: norole, net/vpc: vpc-front, cloud/region: eu-central-1}}
spec: {addresses: [10.1.0.2], host: h-norole}
---
kind: Workload
metadata: {name: api, labels: {app: api, net/vpc: vpc-back, aws/role: "arn:aws:iam::111122223333:role/api", cloud/region: eu-central-1}}
spec: {addresses: [10.2.0.1, "fd01::1"], host: h-api, ports: [{name: https, port: 8443}]}
---
kind: Workload
metadata: {name: night, labels: {app: night, net/vpc: vpc-back, aws/role: "arn:aws:iam::111122223333:role/night", cloud/region: eu-central-1}}
spec: {addresses: [10.2.0.2], host: h-night}
---
kind: Workload
metadata: {name: shop, labels: {app: shop, net/vpc: vpc-back, aws/role: "arn:aws:iam::111122223333:role/shop", cloud/region: eu-central-1}}
spec: {addresses: [10.2.0.3], host: h-shop}
---
kind: Frontend
metadata: {name: api-lattice}
spec: {to: {workloads: [api]}, ports: [{port: 443, targetPort: 8443}], rewrites: both}
`

// apart is an estate whose VPCs exchange no packets, everything in it in a
// cluster if kube is set, and everybody with a role if roles is.
func apart(t *testing.T, kube, roles bool, names ...string) (targettest.Estate, *load.Loaded) {
	t.Helper()
	l, diags := load.FS(fstest.MapFS{"p.yaml": {Data: []byte(apartPolicy)}, "i.yaml": {Data: []byte(apartInventory)}}, ".", nil)
	if l.Policy == nil {
		t.Fatal(diags)
	}
	for i := range l.Policy.Inventory.Workloads {
		w := &l.Policy.Inventory.Workloads[i]
		w.Labels["net/interface"] = "eni-" + w.Name
		if roles {
			w.Labels["aws/role"] = "arn:aws:iam::111122223333:role/" + w.Name
		}
		if kube {
			w.Labels["k8s/namespace"], w.Labels["k8s/serviceaccount"] = "shop", w.Name
			w.Pod = map[string]string{"app": w.Labels["app"]}
		}
	}
	e, err := verify.New(l.Policy, verify.Options{At: noon})
	if err != nil {
		t.Fatal(err)
	}
	names = append(names, "lattice")
	w := plan.Make(l.Tree, l.Policy, e, plan.Options{At: noon, Targets: names, KeepsTime: all.KeepsTime(names), Relays: all.Relays(names, l.Policy, false)})
	return targettest.Estate{Name: "apart", Wanted: w}, l
}

// TestWhatARelayLeadsPasses asks of what every target renders which packets of a
// relay it lets pass: with those whom the relay leads somewhere, at the ports that
// they call or are called at, and no others.
func TestWhatARelayLeadsPasses(t *testing.T) {
	for _, c := range []struct {
		target string
		kube   bool
		egress bool
		both   bool // it says of each end in which family it may talk
		list   bool // it knows the addresses of resource configurations, too, by a list
	}{{target: "nftables", egress: true, both: true}, {target: "ebpf", egress: true}, {target: "awssg", egress: true, both: true, list: true}, {target: "networkpolicy", kube: true, egress: true, both: true}, {target: "istio", kube: true, both: true}} {
		t.Run(c.target, func(t *testing.T) {
			e, l := apart(t, c.kube, false, c.target)
			x := all.Named(c.target)
			read := targettest.Lift(t, x, e, targettest.Render(t, x, e))
			four, six := "169.254.171.7", "fd00:ec2:80::7"
			for _, q := range []struct {
				in       bool
				workload string
				port     uint16
				relay    string
				passes   bool
				resource bool // it may be a resource configuration
			}{
				{true, "api", 8443, four, true, false},
				{true, "api", 8443, six, true, false},
				{true, "api", 8443, "169.254.172.7", false, false}, // nobody's address
				{true, "api", 9000, four, false, false},            // permitted, and no HTTP
				{true, "api", 7443, four, false, false},            // permitted to one who has no role
				{true, "api", 22, four, false, false},
				{true, "web", 8443, four, false, false}, // permitted within its VPC
				{true, "night", 8081, four, false, false},
				{true, "shop", 8082, four, true, false}, // some requests only
				{true, "shop", 8082, six, false, false}, // it has no such address
				{false, "web", 8443, four, true, false},
				{false, "web", 443, four, true, false}, // the listener that the inventory knows
				{false, "web", 8082, four, true, false},
				{false, "web", 9000, four, false, true},
				{false, "web", 8081, four, false, false},
				{false, "norole", 7443, four, false, true},
				{false, "api", 8443, four, false, false},
			} {
				if !q.in && !c.egress || q.workload == "shop" && q.relay == six && !c.both {
					continue
				}
				w := layer.Party{Workload: workload(l.Policy.Inventory, q.workload)}
				conv := layer.Conversation{From: w, To: layer.Party{Addr: netip.MustParseAddr(q.relay)}, Protocol: netset.TCP, Port: q.port}
				if q.in {
					conv.From, conv.To = conv.To, conv.From
				}
				v := read.Decide(conv, l.Policy.Networks)
				if passed := v.Lower == layer.Allow; passed != (q.passes || q.resource && c.list) || v.Lower != v.Upper {
					t.Errorf("%+v: %s to %s by %+v", q, v.Lower, v.Upper, v.Rule)
				}
			}
		})
	}
}

func workload(inv *inventory.Snapshot, name string) *inventory.Workload {
	return &inv.Workloads[slices.IndexFunc(inv.Workloads, func(w inventory.Workload) bool { return w.Name == name })]
}

// TestRelayedEstatesProve proves an estate whose VPCs exchange no packets: nothing
// is wrong or unknown at any layer, nor in all of them together.
func TestRelayedEstatesProve(t *testing.T) {
	for _, names := range [][]string{{"awssg", "nftables"}, {"nacl", "ebpf"}, {"awssg", "networkpolicy"}, {"istio"}} {
		kube := slices.Contains(names, "networkpolicy") || slices.Contains(names, "istio")
		t.Run(strings.Join(names, "-"), func(t *testing.T) {
			e, l := apart(t, kube, true, names...)
			var layers []*layer.Layer
			for _, name := range append(names, "lattice") {
				x := all.Named(name)
				layers = append(layers, targettest.Lift(t, x, e, targettest.Render(t, x, e)))
			}
			report, err := prove.Prove(intentOf(l, false), layers, prove.Options{At: noon})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range report.Results {
				t.Logf("%s %s: %s %s", r.Target, r.Point, r.Result, r.Reason)
				if !r.Result.Proven() {
					t.Errorf("%s %s is %s: %s\n  over %+v\n  under %+v\n  witness %+v", r.Target, r.Point, r.Result, r.Reason, first(r.Over), first(r.Under), r.Witness)
				}
			}
		})
	}
}
