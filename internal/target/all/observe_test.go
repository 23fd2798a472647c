package all_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/layer"
	"firebreak/internal/load"
	"firebreak/internal/plan"
	"firebreak/internal/policy"
	"firebreak/internal/prove"
	"firebreak/internal/target/all"
	"firebreak/internal/target/targettest"
	"firebreak/internal/verify"
)

// watching puts every zone of a policy into a stage.
func watching(l *load.Loaded, stage policy.Stage) {
	for i := range l.Policy.Zones {
		l.Policy.Zones[i].Stage = stage
	}
}

// TestZonesThatObserveCutNothing renders templates and examples with every zone in
// a stage before enforce, while rules and guardrails stay in force: all that is
// rendered is proven, and nothing that was meant stays shut.
func TestZonesThatObserveCutNothing(t *testing.T) {
	for _, stage := range []policy.Stage{policy.Observe, policy.Alert} {
		for _, dir := range directories(t) {
			t.Run(stage.String()+" "+dir.name, func(t *testing.T) {
				l, diags := load.Dir(dir.path, nil)
				if l.Policy == nil {
					t.Fatal(diags)
				}
				rendered := cutsNothing(t, l, stage, nil)
				if rendered == 0 && dir.name == "kubernetes" {
					t.Error("no guardrail in force is rendered anywhere")
				}
			})
		}
	}
}

// cutsNothing renders, reads back and proves for every target, with all zones in
// the stage, and returns how many files came out. Counts of results by target are
// added to counts; if it is nil, nothing may be unknown either.
func cutsNothing(t *testing.T, l *load.Loaded, stage policy.Stage, counts map[string]int) int {
	t.Helper()
	watching(l, stage)
	var names []string
	for _, x := range all.Targets() {
		names = append(names, x.Name())
	}
	e, err := verify.New(l.Policy, verify.Options{At: noon})
	if err != nil {
		t.Fatal(err)
	}
	w := plan.Make(l.Tree, l.Policy, e, plan.Options{At: noon, Targets: names, KeepsTime: all.KeepsTime(names), Relays: all.Relays(names, l.Policy, false)})
	var layers []*layer.Layer
	files := 0
	for _, x := range all.Targets() {
		est := targettest.Estate{Name: x.Name(), Wanted: w}
		made := targettest.Render(t, x, est)
		files += len(made)
		layers = append(layers, targettest.Lift(t, x, est, made))
	}
	in := intentOf(l, false)
	in.Resolve = nil // the text has other stages
	report, err := prove.Prove(in, layers, prove.Options{At: noon})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range report.Results {
		if counts != nil && r.Result != prove.NotApplicable {
			counts[r.Target+" "+string(r.Result)]++
		}
		// Of names, those who know addresses say that they cannot follow them.
		under := slices.DeleteFunc(slices.Clone(r.Under), func(x prove.Line) bool { return strings.HasSuffix(x.Reason, "cannot follow names") })
		if len(under) > 0 || r.Result == prove.Wrong || counts == nil && r.Result == prove.Unknown {
			t.Errorf("%s %s is %s: %s\n  over %+v\n  under %+v", r.Target, r.Point, r.Result, r.Reason, first(r.Over), first(under))
		}
	}
	return files
}

// TestObservedRandomEstates does the same with random policies: denies in force of
// ports, requests and times, allows before them, and peers that platforms know in
// different ways, or not at all.
func TestObservedRandomEstates(t *testing.T) {
	seeds := uint64(60)
	if testing.Short() {
		seeds = 10
	}
	counts := map[string]int{}
	files := 0
	for seed := range seeds {
		text, inv := observed(seed)
		l, diags := load.FS(fstest.MapFS{"p.yaml": {Data: []byte(text)}, "i.yaml": {Data: []byte(inv)}}, ".", nil)
		if diags.HasErrors() && strings.Contains(fmt.Sprint(diags), "contradictory-guardrails") {
			continue
		}
		if l.Policy == nil {
			t.Fatalf("seed %d: %v\n%s", seed, diags, text)
		}
		for i := range l.Policy.Inventory.Workloads { // as manifests would have it
			w := &l.Policy.Inventory.Workloads[i]
			if w.Labels["k8s/namespace"] != "" {
				w.Pod = map[string]string{"app": w.Labels["app"], "env": w.Labels["env"]}
			}
		}
		before := t.Failed()
		files += cutsNothing(t, l, policy.Observe, counts)
		if t.Failed() && !before {
			t.Fatalf("seed %d:\n%s\n%s", seed, text, inv)
		}
	}
	var list []string
	for k, n := range counts {
		list = append(list, fmt.Sprintf("%s %d", k, n))
	}
	slices.Sort(list)
	t.Logf("%d policies, %d files: %s", seeds, files, strings.Join(list, ", "))
	for _, x := range all.Targets() {
		if counts[x.Name()+" exact"]+counts[x.Name()+" exact-today"]+counts[x.Name()+" approximate"] == 0 {
			t.Errorf("%s never enforces a guardrail where zones observe", x.Name())
		}
	}
}

// observed is a random policy with rules in force, and an inventory.
func observed(seed uint64) (text, inventory string) {
	d := rand.New(rand.NewPCG(seed, 9))
	pick := func(words ...string) string { return words[d.IntN(len(words))] }
	var b, inv strings.Builder
	b.WriteString("kind: Estate\nmetadata: {name: e}\nspec: {inventory: [{file: i.yaml}], networks: [10.0.0.0/8, \"fd00::/16\"]}\n")
	for _, z := range []string{"web", "api", "db"} {
		fmt.Fprintf(&b, "---\nkind: Zone\nmetadata: {name: %s}\nspec: {select: app=%s, stage: observe, default: deny}\n", z, z)
		fmt.Fprintf(&b, "---\nkind: Service\nmetadata: {name: s%s}\nspec: {select: \"app=%s,env=prod\", ports: [{name: http-main, port: 8080}]}\n", z, z)
	}
	b.WriteString("---\nkind: External\nmetadata: {name: inet}\nspec: {cidrs: [0.0.0.0/0, \"::/0\"], reason: x}\n")
	b.WriteString("---\nkind: External\nmetadata: {name: office}\nspec: {cidrs: [203.0.113.0/24, \"2001:db8::/32\"], reason: x}\n")
	end := func() string {
		return pick("{service: sweb}", "{service: sapi}", "{zone: db}", "{zone: api}", "{select: env=dev}", "{select: \"env!=prod\"}", "{external: inet}", "{external: office}", "{any: true}")
	}
	ours := func() string { return pick("{service: sweb}", "{service: sapi}", "{zone: db}", "{select: env=dev}") }
	ports := func() string {
		return pick("", "", "", ", ports: [8080/TCP]", ", ports: [443/TCP, 53/UDP]", ", ports: [ICMP]", ", ports: [8000-8010/TCP]")
	}
	for i := range 1 + d.IntN(2) {
		fmt.Fprintf(&b, "---\nkind: Guardrail\nmetadata: {name: g%d}\nspec:\n  stage: %s\n  %s\n", i, pick("enforce", "enforce", "enforce", "observe"),
			pick(fmt.Sprintf("never: {from: %s, to: %s%s}", end(), ours(), ports()), fmt.Sprintf("never: {from: %s, to: %s%s}", ours(), end(), ports()),
				fmt.Sprintf("only: {to: %s, from: [%s]%s}", ours(), end(), ports()), fmt.Sprintf("only: {from: {external: inet}, to: [%s]}", ours())))
	}
	for i := range d.IntN(3) {
		cond := pick("", "", ", http: [{methods: [GET], paths: [/a/*]}]", ", when: {hours: \"08:00-10:00\"}", ", when: {hours: \"18:00-20:00\"}", ", require: mtls")
		effect, p := pick("allow", "deny", "deny"), ports()
		if strings.Contains(cond, "http") {
			p = ", ports: [8080/TCP]"
		}
		if strings.Contains(cond, "mtls") {
			effect = "allow"
		}
		fmt.Fprintf(&b, "---\nkind: Policy\nmetadata: {name: p%d, owner: o}\nspec:\n  tier: %s\n  stage: %s\n  rules:\n  - {name: r, effect: %s, from: %s, to: %s%s%s, reason: r}\n", i,
			pick("application", "baseline", "application"), pick("enforce", "enforce", "observe"), effect, end(), ours(), p, cond)
	}
	// Of whom no address is known, and of what depends on the time, proofs say that it
	// is shut when it only may be.
	timed := strings.Contains(b.String(), "when:")
	for i := range 4 + d.IntN(5) {
		app, env, vpc := pick("web", "api", "db"), pick("prod", "dev"), 1+d.IntN(3)
		addrs := fmt.Sprintf("10.%d.0.%d", vpc, 10+i)
		if d.IntN(4) == 0 {
			addrs += fmt.Sprintf(", \"fd00:%d::%d\"", vpc, 10+i)
		}
		labels := fmt.Sprintf("app: %s, env: %s, net/vpc: vpc-%d, net/subnet: subnet-%d, net/interface: eni-%d, aws/role: \"arn:aws:iam::111122223333:role/r%d\"", app, env, vpc, vpc, i, i)
		host := fmt.Sprintf(", host: h%d", i)
		if d.IntN(2) == 0 {
			labels = fmt.Sprintf("app: %s, env: %s, k8s/namespace: %s, k8s/serviceaccount: sa%d", app, env, pick("shop", "shop", "kube-system", "pay"), i)
			addrs, host = fmt.Sprintf("10.9.0.%d", 10+i), ""
			if d.IntN(3) == 0 {
				labels += ", istio.io/dataplane-mode: ambient"
			}
		}
		if !timed && (d.IntN(4) == 0 && host == "" || d.IntN(8) == 0) {
			addrs = ""
		}
		fmt.Fprintf(&inv, "---\nkind: Workload\nmetadata: {name: w%d, labels: {%s}}\nspec: {addresses: [%s]%s}\n", i, labels, addrs, host)
	}
	for i := range 3 {
		fmt.Fprintf(&inv, "---\nkind: Network\nmetadata: {name: vpc-%d}\nspec: {cidrs: [10.%d.0.0/16]%s}\n", i+1, i+1, []string{", peers: [vpc-2]", ", peers: [vpc-1]", ""}[i])
		fmt.Fprintf(&inv, "---\nkind: Network\nmetadata: {name: subnet-%d}\nspec: {cidrs: [10.%d.0.0/16], within: vpc-%d}\n", i+1, i+1, i+1)
	}
	return b.String(), inv.String()
}

// TestObservedRolesThatAreShared lets in at Lattice both of two callers with one
// role, of whom one is denied, where the zone observes, and says so; and neither
// where it enforces.
func TestObservedRolesThatAreShared(t *testing.T) {
	for _, stage := range []policy.Stage{policy.Observe, policy.Enforce} {
		_, l := apart(t, false, true, "lattice")
		for i := range l.Policy.Inventory.Workloads {
			l.Policy.Inventory.Workloads[i].Labels["aws/role"] = "arn:aws:iam::111122223333:role/shared"
		}
		watching(l, stage)
		for i := range l.Policy.Rules {
			r := &l.Policy.Rules[i]
			r.Effect, r.Cond = policy.Deny, nil
			if stage == policy.Enforce {
				r.Effect = policy.Allow
			}
		}
		e, err := verify.New(l.Policy, verify.Options{At: noon})
		if err != nil {
			t.Fatal(err)
		}
		names := []string{"lattice"}
		w := plan.Make(l.Tree, l.Policy, e, plan.Options{At: noon, Targets: names, Relays: all.Relays(names, l.Policy, false)})
		files, diags := all.Named("lattice").Render(w)
		text := fmt.Sprint(diags)
		var written strings.Builder
		for _, f := range files {
			written.Write(f.Data)
		}
		lets := strings.Contains(written.String(), "role/shared")
		switch {
		case stage == policy.Observe && (!lets || !strings.Contains(text, "warning unenforced: lattice: ")):
			t.Errorf("%s: %v: %s\n%s", stage, lets, text, written.String())
		case stage == policy.Enforce && (lets || !strings.Contains(text, "none of them may reach")):
			t.Errorf("%s: %v: %s\n%s", stage, lets, text, written.String())
		}
	}
}
