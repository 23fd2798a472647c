package lattice_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/live"
	"firebreak/internal/netset"
	"firebreak/internal/plan"
	"firebreak/internal/policy"
	"firebreak/internal/prove"
	"firebreak/internal/target"
	"firebreak/internal/target/lattice"
	"firebreak/internal/verify"
)

var noon = time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)

// estate is a policy, an inventory, and what follows from them.
type estate struct {
	text   string
	inv    *inventory.Snapshot
	policy *policy.Policy
	wanted *plan.Wanted
}

func resolve(text string, inv *inventory.Snapshot) (*estate, error) {
	tree, diags := lang.Parse(fstest.MapFS{"policy.yaml": {Data: []byte(text)}})
	if diags.HasErrors() {
		return nil, fmt.Errorf("%v", diags)
	}
	p, diags := policy.Resolve(tree, inv)
	if diags.HasErrors() {
		return nil, fmt.Errorf("%v", diags)
	}
	e, err := verify.New(p, verify.Options{At: noon})
	if err != nil {
		return nil, err
	}
	return &estate{text, inv, p, plan.Make(tree, p, e, plan.Options{At: noon})}, nil
}

func (e *estate) source(files []target.File) *target.Source {
	fsys := fstest.MapFS{}
	for _, f := range files {
		fsys[f.Path] = &fstest.MapFile{Data: f.Data}
	}
	return &target.Source{Folder: live.Open(fsys), Inventory: e.inv, Networks: e.policy.Networks, Estate: e.policy.Estate, Alone: true}
}

// proofs lifts files and compares what they say with the policy.
func (e *estate) proofs(t *testing.T, files []target.File) *prove.Report {
	t.Helper()
	l, _ := lattice.Target{}.Lift(e.source(files))
	report, err := prove.Prove(prove.Intent{Policy: e.policy}, layers(l), prove.Options{At: noon, Lines: 500})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// world is an inventory to make policies over: services a to f in four VPCs, of
// which two are peered.
func world(d *rand.Rand) *inventory.Snapshot {
	inv := &inventory.Snapshot{}
	peers := map[int][]string{1: {"vpc-2"}, 2: {"vpc-1"}}
	joined := d.IntN(2) == 0
	for v := range 4 {
		n := inventory.Network{Name: fmt.Sprint("vpc-", v), CIDRs: []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("10.%d.0.0/16", v))}, Peers: peers[v], Complete: true, Labels: map[string]string{"cloud/provider": "aws", "cloud/account": "111122223333"}}
		if joined {
			n.Labels["net/service-network"] = "sn-0123456789abcdef0"
		}
		inv.Networks = append(inv.Networks, n)
	}
	for i, app := range strings.Split("abcdef", "") {
		v := d.IntN(4)
		for k := range 1 + d.IntN(2) {
			port := []inventory.Port{{Name: "http", Number: 8080, Protocol: netset.TCP}, {Name: "https-api", Number: 8443, Protocol: netset.TCP}, {Name: "postgres", Number: 5432, Protocol: netset.TCP}}[:1+d.IntN(3)]
			inv.Workloads = append(inv.Workloads, inventory.Workload{
				Name: fmt.Sprint(app, k), Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, byte(v), byte(i), byte(k + 1)})}, Ports: port,
				Labels: map[string]string{"app": app, "net/vpc": fmt.Sprint("vpc-", v), "cloud/provider": "aws", "aws/role": "arn:aws:iam::111122223333:role/" + app},
			})
		}
	}
	return inv
}

// rules writes a random policy over that inventory.
func rules(d *rand.Rand) string {
	var b strings.Builder
	b.WriteString("kind: Estate\nmetadata: {name: shop}\nspec: {networks: [10.0.0.0/8]}\n---\nkind: Zone\nmetadata: {name: all}\nspec: {select: app, stage: enforce, default: deny}\n")
	for _, app := range strings.Split("abcdef", "") {
		fmt.Fprintf(&b, "---\nkind: Service\nmetadata: {name: %s}\nspec: {select: app=%s}\n", app, app)
	}
	b.WriteString("---\nkind: Policy\nmetadata: {name: p}\nspec:\n  stage: enforce\n  rules:\n")
	apps := "abcdef"
	requests := []string{"{methods: [GET]}", "{methods: [POST, PUT], paths: [/api/*]}", "{paths: [/a/b, /c]}", "{paths: [/api/v1/*]}", "{headers: {x-team: [red, blue]}}", "{methods: [DELETE], paths: [/api/admin], headers: {x-team: true}}"}
	for i := range 3 + d.IntN(6) {
		effect := "allow"
		if d.IntN(4) == 0 {
			effect = "deny"
		}
		from, to := string(apps[d.IntN(6)]), string(apps[d.IntN(6)])
		fmt.Fprintf(&b, "  - {name: r%d, effect: %s, from: {service: %s}, to: {service: %s}", i, effect, from, to)
		if d.IntN(4) > 0 {
			fmt.Fprintf(&b, ", ports: [%s]", []string{"8080/TCP", "8443/TCP", "8000-9000/TCP", "5432/TCP"}[d.IntN(4)])
		}
		if d.IntN(2) == 0 {
			list := []string{requests[d.IntN(len(requests))]}
			if d.IntN(3) == 0 {
				list = append(list, requests[d.IntN(len(requests))])
			}
			fmt.Fprintf(&b, ", http: [%s]", strings.Join(list, ", "))
		}
		b.WriteString("}\n")
	}
	if d.IntN(3) == 0 {
		fmt.Fprintf(&b, "---\nkind: Exception\nmetadata: {name: x, owner: o}\nspec: {from: {service: a}, to: {service: %s}, ports: [8080/TCP], ticket: T-1, approver: me, expires: 2026-09-01T00:00:00Z}\n", string(apps[1+d.IntN(5)]))
	}
	return b.String()
}

func random(seed uint64) (*estate, error) {
	d := rand.New(rand.NewPCG(seed, 7))
	inv := world(d)
	return resolve(rules(d), inv)
}

func TestRandomEstatesAreExact(t *testing.T) {
	words := map[prove.Word]int{}
	rendered := 0
	for seed := range uint64(120) {
		e, err := random(seed)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		files, diags := lattice.Target{}.Render(e.wanted)
		if diags.HasErrors() {
			t.Fatalf("seed %d: %v", seed, diags)
		}
		if len(files) == 0 {
			continue
		}
		rendered++
		report := e.proofs(t, files)
		for _, r := range report.Results {
			words[r.Result]++
			if !r.Result.Proven() || len(r.Over)+len(r.Under) > 0 {
				t.Errorf("seed %d: %s is %s: %s over %v under %v\n%s", seed, r.Point, r.Result, r.Reason, r.Over, r.Under, e.text)
				for _, f := range files {
					t.Log(f.Path + "\n" + string(f.Data))
				}
				return
			}
		}
	}
	t.Logf("%d random estates rendered; results %v", rendered, words)
	if rendered < 60 {
		t.Errorf("only %d estates had anything to render", rendered)
	}
}
