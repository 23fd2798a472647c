// Package clusters makes random clusters for judges: pods in namespaces and
// machines beside them, policies over them, and NetworkPolicies as anybody could
// have written them. Few words, so that everything meets everything.
package clusters

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing/fstest"
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
	"firebreak/internal/plan"
	"firebreak/internal/policy"
	"firebreak/internal/verify"
)

// Noon is the present of all clusters: a Monday.
var Noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// Cluster is pods and machines, and how namespaces are labelled.
type Cluster struct {
	Inventory *inventory.Snapshot
	Networks  []netip.Prefix
	Spaces    map[string]map[string]string // labels by namespace
	dice      *rand.Rand
}

func pick[T any](d *rand.Rand, from ...T) T { return from[d.IntN(len(from))] }

// New makes the cluster of a seed. Some pods carry a label that their inventory
// has mended.
func New(seed uint64) *Cluster {
	d := rand.New(rand.NewPCG(seed, 7))
	c := &Cluster{dice: d, Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}, Inventory: &inventory.Snapshot{}}
	c.Spaces = map[string]map[string]string{"shop": {"team": "a"}, "data": {"team": "b", "tier": "web"}, "ops": {}}
	for _, labels := range c.Spaces {
		if d.IntN(3) == 0 {
			labels["env"] = pick(d, "prod", "dev")
		}
	}
	for i := range 4 + d.IntN(6) {
		c.Inventory.Workloads = append(c.Inventory.Workloads, c.pod(i))
	}
	for i := range 2 {
		c.Inventory.Workloads = append(c.Inventory.Workloads, inventory.Workload{
			Name: fmt.Sprint("vm-", i), Labels: map[string]string{"tier": pick(d, "web", "data"), "role": "vm"},
			Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 9, 0, byte(i + 1)})},
		})
	}
	slices.SortFunc(c.Inventory.Workloads, func(a, b inventory.Workload) int { return strings.Compare(a.Name, b.Name) })
	return c
}

func (c *Cluster) pod(i int) inventory.Workload {
	d := c.dice
	space := pick(d, "shop", "shop", "data", "ops")
	pod := map[string]string{}
	for _, l := range [][]string{{"tier", "", "web", "data", "x"}, {"env", "", "prod", "dev"}, {"app", "a", "b", "c"}} {
		if v := pick(d, l[1:]...); v != "" {
			pod[l[0]] = v
		}
	}
	w := inventory.Workload{
		Name: fmt.Sprintf("%s/p%d[Deployment]", space, i), Namespace: space, Pod: pod,
		Labels:    map[string]string{"k8s/namespace": space, "k8s/serviceaccount": pick(d, "default", "web")},
		Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 1, byte(d.IntN(2)), byte(i + 1)})},
		Ports:     []inventory.Port{{Name: "http", Number: pick[uint16](d, 80, 8080), Protocol: netset.TCP}},
	}
	for k, v := range pod {
		w.Labels[k] = v
	}
	for k, v := range c.Spaces[space] {
		w.Labels["k8s/namespace."+k] = v
	}
	w.Labels["k8s/namespace.always"] = "there"
	if d.IntN(12) == 0 {
		w.Labels["role"] = "made"
	}
	return w
}

// Policy makes a random policy for the cluster, as text.
func (c *Cluster) Policy() string {
	d := c.dice
	var b strings.Builder
	stage := func() string { return pick(d, "observe", "enforce", "enforce") }
	fmt.Fprintf(&b, "kind: Estate\nmetadata: {name: e}\nspec: {networks: [10.0.0.0/8, \"fd00::/8\"]}\n")
	fmt.Fprintf(&b, "---\nkind: Zone\nmetadata: {name: web}\nspec: {select: tier=web, stage: %s, default: %s}\n", stage(), pick(d, "deny", "deny", "allow"))
	fmt.Fprintf(&b, "---\nkind: Zone\nmetadata: {name: data}\nspec: {select: %q, stage: %s, default: %s}\n", pick(d, "tier=data", "tier in (data,x)"), stage(), pick(d, "deny", "deny", "allow"))
	if d.IntN(2) == 0 {
		fmt.Fprintf(&b, "---\nkind: Zone\nmetadata: {name: unassigned}\nspec: {stage: %s}\n", stage())
	}
	b.WriteString("---\nkind: Service\nmetadata: {name: s}\nspec: {select: app=a, ports: [{name: http, port: 80}, {name: alt, port: 8080}]}\n")
	b.WriteString("---\nkind: Service\nmetadata: {name: u}\nspec: {select: \"app=b,k8s/namespace\", ports: [{name: http, port: 53, protocol: UDP}]}\n")
	fmt.Fprintf(&b, "---\nkind: External\nmetadata: {name: x, owner: o}\nspec: {cidrs: [%s], reason: r}\n", pick(d, "203.0.113.0/24", "0.0.0.0/0", "126.0.0.0/7, 169.254.0.0/16", `"::/0"`))
	b.WriteString("---\nkind: External\nmetadata: {name: y, owner: o}\nspec: {cidrs: [203.0.113.128/25, \"2001:db8::/32\"], reason: r}\n")
	b.WriteString("---\nkind: External\nmetadata: {name: n, owner: o}\nspec: {fqdns: [api.example.com], reason: r}\n")
	for i := range 1 + d.IntN(3) {
		tier := pick(d, "application", "application", "baseline")
		fmt.Fprintf(&b, "---\nkind: Policy\nmetadata: {name: p%d, owner: o}\nspec:\n  tier: %s\n  stage: enforce\n  rules:\n", i, tier)
		for j := range 1 + d.IntN(5) {
			c.rule(&b, j)
		}
	}
	if d.IntN(3) == 0 {
		fmt.Fprintf(&b, "---\nkind: Guardrail\nmetadata: {name: g}\nspec: {stage: enforce, never: {from: {%s}, to: {%s}}}\n", c.end(), c.end())
	}
	return b.String()
}

func (c *Cluster) rule(b *strings.Builder, j int) {
	d := c.dice
	from, to := c.end(), c.end()
	ports := pick(d, "", "", ", ports: [80/TCP]", ", ports: [8080/TCP, 53/UDP]", ", ports: [443/TCP, 1000-2000/SCTP]", ", ports: [icmp, 80/TCP]", ", ports: [8000-8100/TCP]")
	more := pick(d, "", "", "", ", stage: observe", ", http: [{methods: [GET], paths: [/a/*]}]", ", require: mtls", `, when: {hours: "22:00-06:00"}`)
	effect := pick(d, "allow", "allow", "allow", "deny")
	if strings.Contains(more, "mtls") {
		effect = "allow"
	}
	if (strings.Contains(more, "http") || strings.Contains(more, "mtls")) && (strings.Contains(ports, "icmp") || strings.Contains(ports, "UDP") || strings.Contains(ports, "SCTP") || ports == "") {
		ports = ", ports: [80/TCP]"
	}
	fmt.Fprintf(b, "  - {name: r%d, effect: %s, from: {%s}, to: {%s}%s%s, reason: r}\n", j, effect, from, to, ports, more)
}

func (c *Cluster) end() string {
	return pick(c.dice, "any: true", "zone: web", "zone: data", "zone: unassigned", "service: s", "service: u", "service: s", "external: x", "external: y", "external: n",
		"select: env=prod", "select: env!=prod", `select: "tier=web,!env"`, "select: k8s/namespace=shop", "select: k8s/namespace", `select: "k8s/namespace in (shop,data),app!=c"`,
		"select: k8s/namespace.team=a", "select: k8s/serviceaccount=web", "select: role=made", "select: role=vm", "select: app")
}

// Resolved is a policy that was found right, with everything that is computed
// of it.
type Resolved struct {
	Tree   *lang.Dir
	Policy *policy.Policy
	Engine *verify.Engine
	Wanted *plan.Wanted
}

// Resolve returns nil if the text is refused for this cluster: not every random
// policy has a meaning.
func (c *Cluster) Resolve(text string, toCome bool) *Resolved {
	tree, diags := lang.Parse(fstest.MapFS{"policy.yaml": {Data: []byte(text)}})
	if diags.HasErrors() {
		panic(fmt.Sprint("a random policy is no policy: ", diags, "\n", text))
	}
	p, _ := policy.Resolve(tree, c.Inventory)
	if p == nil {
		return nil
	}
	e, err := verify.New(p, verify.Options{At: Noon})
	if err != nil {
		return nil
	}
	return &Resolved{tree, p, e, plan.Make(tree, p, e, plan.Options{ToCome: toCome, At: Noon})}
}

// Parties lists every workload, and addresses of all kinds.
func (c *Cluster) Parties() []layer.Party {
	var out []layer.Party
	for i := range c.Inventory.Workloads {
		out = append(out, layer.Party{Workload: &c.Inventory.Workloads[i]})
	}
	for _, a := range []string{"10.200.0.1", "203.0.113.5", "203.0.113.200", "126.1.1.1", "8.8.8.8", "2001:db8::1", "2606::1", "fd00::99"} {
		out = append(out, layer.Party{Addr: netip.MustParseAddr(a)})
	}
	return out
}

// Probe is traffic to ask about.
type Probe struct {
	Protocol netset.Protocol
	Port     uint16
}

// Probes lists traffic at and beside the edges of what random policies name.
func Probes() []Probe {
	var out []Probe
	for _, p := range []uint16{1, 53, 79, 80, 81, 443, 999, 1000, 2000, 2001, 7999, 8000, 8050, 8080, 8100, 8101, 65535} {
		for _, proto := range []netset.Protocol{netset.TCP, netset.UDP, netset.SCTP} {
			out = append(out, Probe{proto, p})
		}
	}
	return out
}

// LeftOpen reports whether all ends that refuse a conversation are in zones that
// observe: what a platform cannot deny there without shutting out others is left
// open, and said.
func (r *Resolved) LeftOpen(from, to layer.Party, proto netset.Protocol, port uint16) bool {
	x, y := r.peer(from), r.peer(to)
	return (!IsPod(from) || r.granted(x, y, flow.Egress, proto, port) || r.observes(x)) && (!IsPod(to) || r.granted(y, x, flow.Ingress, proto, port) || r.observes(y))
}

func (r *Resolved) observes(x verify.Peer) bool {
	return r.Wanted.Observes(r.Wanted.SubjectOf(r.Engine.Identity(x)))
}

// Permits reports what is wanted at both ends that are pods, by those who see
// neither requests nor certificates nor times.
func (r *Resolved) Permits(from, to layer.Party, proto netset.Protocol, port uint16) bool {
	x, y := r.peer(from), r.peer(to)
	return (!IsPod(from) || r.granted(x, y, flow.Egress, proto, port)) && (!IsPod(to) || r.granted(y, x, flow.Ingress, proto, port))
}

// HostDenies reports whether an end that is a machine beside the cluster does not
// let a conversation pass, whatever NetworkPolicies say.
func (r *Resolved) HostDenies(from, to layer.Party, proto netset.Protocol, port uint16) bool {
	isHost := func(p layer.Party) bool { return p.Workload != nil && !IsPod(p) }
	x, y := r.peer(from), r.peer(to)
	return isHost(from) && !r.granted(x, y, flow.Egress, proto, port) || isHost(to) && !r.granted(y, x, flow.Ingress, proto, port)
}

func (r *Resolved) granted(end, peer verify.Peer, dir flow.Direction, proto netset.Protocol, port uint16) bool {
	for _, g := range r.Wanted.SubjectOf(r.Engine.Identity(end)).Grants(dir) {
		if slices.Contains(g.Peers, peer) {
			return g.Open.Contains(proto, port)
		}
	}
	return false
}

func (r *Resolved) peer(p layer.Party) verify.Peer {
	if p.Workload == nil {
		x, _ := r.Engine.OfAddress(p.Addr)
		return x
	}
	i := slices.IndexFunc(r.Policy.Inventory.Workloads, func(w inventory.Workload) bool { return w.Name == p.Workload.Name })
	return r.Engine.OfWorkload(i)
}

// IsPod reports whether a party is a pod.
func IsPod(p layer.Party) bool {
	if p.Workload == nil {
		return false
	}
	_, ok := p.Workload.Labels["k8s/namespace"]
	return ok
}
