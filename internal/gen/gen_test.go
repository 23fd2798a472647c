package gen_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"firebreak/internal/diag"
	"firebreak/internal/gen"
	"firebreak/internal/inventory"
	"firebreak/internal/inventory/file"
	"firebreak/internal/lang"
	"firebreak/internal/policy"
	"firebreak/internal/semantics"
)

// estate generates, reads everything back and resolves it.
func estate(t *testing.T, o gen.Options) (*lang.Dir, *inventory.Snapshot, *policy.Policy, diag.List) {
	t.Helper()
	files, err := gen.Estate(o)
	if err != nil {
		t.Fatal(err)
	}
	tree, diags := lang.Parse(files)
	var parts []*inventory.Snapshot
	for _, s := range tree.Estate.Inventory {
		part, more := file.Read(files, s.Path)
		parts, diags = append(parts, part), append(diags, more...)
	}
	raw, more := inventory.Join(parts...)
	diags = append(diags, more...)
	var list []inventory.Relabeling
	for _, m := range tree.Estate.Labels {
		list = append(list, inventory.Relabeling{From: m.From, To: m.To, Map: m.Map})
	}
	inv, more := inventory.Relabel(raw, list)
	diags = append(diags, more...)
	p, more := policy.Resolve(tree, inv)
	diags = append(diags, more...)
	if diags.HasErrors() {
		t.Fatalf("%+v: %v", o, diags[:min(10, len(diags))])
	}
	return tree, raw, p, diags
}

func TestSizesAreExact(t *testing.T) {
	for _, o := range []gen.Options{
		{}, {Workloads: 1}, {Workloads: 1, Identities: 1, Rules: 1}, {Workloads: 5, Identities: 5, Rules: 60}, {Workloads: 40, Identities: 3, Rules: 500},
		{Workloads: 300, Identities: 300, Rules: 20}, {Workloads: 3000, Seed: 7}, {Workloads: 2000, Identities: 600, Rules: 1200, Seed: 1},
	} {
		t.Run(fmt.Sprintf("%+v", o), func(t *testing.T) {
			want, err := o.Complete()
			if err != nil {
				t.Fatal(err)
			}
			tree, inv, p, diags := estate(t, o)
			rules := 0
			for _, pol := range tree.Policies {
				rules += len(pol.Rules)
			}
			if got := (gen.Options{Workloads: len(inv.Workloads), Identities: len(p.Identities), Rules: rules, Seed: o.Seed}); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
			if len(diags) > 2 {
				t.Errorf("%d findings: %v", len(diags), diags[:3])
			}
		})
	}
}

func TestSameOptionsSameBytes(t *testing.T) {
	digest := func(seed uint64) string {
		files, err := gen.Estate(gen.Options{Workloads: 500, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		h := sha256.New()
		err = fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := fs.ReadFile(files, name)
			fmt.Fprintf(h, "%s %d\n%s", name, len(text), text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%x", h.Sum(nil))
	}
	one := digest(3)
	if digest(3) != one {
		t.Error("one seed gave two estates")
	}
	if digest(4) == one {
		t.Error("two seeds gave one estate")
	}
}

func TestSnapshotIsWhatTheFilesSay(t *testing.T) {
	o := gen.Options{Workloads: 700, Seed: 5}
	_, read, _, _ := estate(t, o)
	direct, err := gen.Snapshot(o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range read.Workloads {
		read.Workloads[i].Source = diag.Pos{}
		if i < len(direct.Workloads) && !reflect.DeepEqual(read.Workloads[i], direct.Workloads[i]) {
			t.Fatalf("read\n%+v\nnot\n%+v", read.Workloads[i], direct.Workloads[i])
		}
	}
	for i := range read.Frontends {
		read.Frontends[i].Source = diag.Pos{}
	}
	for i := range read.Networks {
		read.Networks[i].Source = diag.Pos{}
		if n := read.Networks[i]; i < len(direct.Networks) && fmt.Sprint(n) != fmt.Sprint(direct.Networks[i]) {
			t.Fatalf("read\n%+v\nnot\n%+v", n, direct.Networks[i])
		}
	}
	if len(read.Networks) != len(direct.Networks) || len(read.Networks) < 20 {
		t.Errorf("%d networks, not %d", len(read.Networks), len(direct.Networks))
	}
	if len(read.Workloads) != len(direct.Workloads) || len(read.Frontends) == 0 || !reflect.DeepEqual(read.Frontends, direct.Frontends) {
		t.Errorf("%d workloads, not %d; frontends %v, not %v", len(read.Workloads), len(direct.Workloads), read.Frontends, direct.Frontends)
	}
}

// TestTheShapeIsThatOfAnEstate checks what the benchmarks rely on.
func TestTheShapeIsThatOfAnEstate(t *testing.T) {
	tree, inv, p, diags := estate(t, gen.Options{Workloads: 20_000, Identities: 600, Rules: 3000})
	if len(diags) > 2 {
		t.Errorf("%d findings: %v", len(diags), diags[:3])
	}
	owner := map[netip.Addr]string{}
	six := 0
	for _, w := range inv.Workloads {
		for _, a := range w.Addresses {
			if owner[a] != "" {
				t.Fatalf("%s belongs to %s and %s", a, owner[a], w.Name)
			}
			owner[a] = w.Name
			if a.Is6() {
				six++
			}
		}
	}
	largest, single := 0, 0
	for _, id := range p.Identities {
		largest = max(largest, len(id.Workloads))
		if len(id.Workloads) < 10 {
			single++
		}
	}
	if largest < 1000 || single < len(p.Identities)*2/5 || six < 1000 {
		t.Errorf("the largest identity has %d workloads, %d have less than 10, %d addresses are IPv6", largest, single, six)
	}
	if n := len(p.Zones); n < 10 || n > 40 {
		t.Errorf("%d zones", n)
	}
	for _, pol := range tree.Policies {
		if n := len(pol.Rules); strings.HasPrefix(pol.Name, "team-") && (n < 15 || n > 70) {
			t.Errorf("policy %s has %d rules", pol.Name, n)
		}
	}
	kinds := map[string]int{}
	for _, r := range p.Rules {
		kinds[fmt.Sprintf("tier %s", r.Tier)]++
		kinds[fmt.Sprintf("effect %d", r.Effect)]++
		from, _, _ := strings.Cut(r.FromText, " ")
		to, _, _ := strings.Cut(r.ToText, " ")
		kinds["from "+from]++
		kinds["to "+to]++
		if r.Cond != nil && r.Tier != policy.Exceptions {
			kinds["conditions"]++
		}
	}
	for what, least := range map[string]int{
		"tier platform": 5, "tier baseline": 5, "tier exception": 1, "tier guardrail": 2, "effect 1": 20, "from service": 1500, "from zone": 100,
		"from select": 100, "from principal": 20, "from external": 5, "to external": 20, "conditions": 50,
	} {
		if kinds[what] < least {
			t.Errorf("%s: %d, want at least %d", what, kinds[what], least)
		}
	}
}

// TestNetworksHoldTheirWorkloads checks what targets of clouds rely on.
func TestNetworksHoldTheirWorkloads(t *testing.T) {
	inv, err := gen.Snapshot(gen.Options{Workloads: 20_000})
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]inventory.Network{}
	var all []netip.Prefix // of networks, or of subnets
	for _, within := range []bool{false, true} {
		all = all[:0]
		for _, n := range inv.Networks {
			byName[n.Name] = n
			if (n.Within != "") != within {
				continue
			}
			all = append(all, n.CIDRs...)
			for _, p := range n.Peers {
				if !slices.ContainsFunc(inv.Networks, func(x inventory.Network) bool { return x.Name == p && slices.Contains(x.Peers, n.Name) }) {
					t.Errorf("%s is a peer of %s, and not the other way round", p, n.Name)
				}
			}
		}
		slices.SortFunc(all, netip.Prefix.Compare)
		for i := 1; i < len(all); i++ {
			if all[i-1].Overlaps(all[i]) {
				t.Errorf("%s and %s overlap", all[i-1], all[i])
			}
		}
	}
	for _, w := range inv.Workloads {
		for _, key := range []string{"net/vpc", "net/subnet"} {
			n := byName[w.Labels[key]]
			for _, a := range w.Addresses {
				if !slices.ContainsFunc(n.CIDRs, func(c netip.Prefix) bool { return c.Contains(a) }) {
					t.Fatalf("%s has %s, which is not in %s %v", w.Name, a, n.Name, n.CIDRs)
				}
			}
		}
		if byName[w.Labels["net/subnet"]].Within != w.Labels["net/vpc"] {
			t.Fatalf("%s: its subnet is not in its network", w.Name)
		}
	}
}

func TestCasesHold(t *testing.T) {
	tree, _, p, _ := estate(t, gen.Options{Workloads: 3000, Identities: 600})
	lines := 0
	for _, c := range tree.Cases {
		lines += len(c.Expect)
	}
	if lines < 5 {
		t.Errorf("%d expectations", lines)
	}
	for _, o := range semantics.New(tree, p.Inventory).Cases(time.Now()) {
		if !o.OK() {
			t.Errorf("%s %d: wants %s, got %s: %s", o.Case, o.Index, o.Want, o.Got, o.Why)
		}
	}
}

func TestImpossibleSizesAreRefused(t *testing.T) {
	for _, o := range []gen.Options{
		{Workloads: -1}, {Rules: -1}, {Workloads: 10, Identities: 11}, {Workloads: gen.MaxWorkloads + 1}, {Workloads: 10, Rules: gen.MaxRules + 1},
	} {
		if _, err := gen.Estate(o); err == nil {
			t.Errorf("%+v gave an estate", o)
		}
	}
}

type failing struct{}

func (f *failing) Write(b []byte) (int, error) { return 0, errors.New("no space") }
func (f *failing) Close() error                { return nil }

func TestAFullDiskIsReported(t *testing.T) {
	err := gen.Write(gen.Options{}, func(string) (io.WriteCloser, error) { return &failing{}, nil }, nil)
	if err == nil || !strings.Contains(err.Error(), "estate.yaml: no space") {
		t.Errorf("got %v", err)
	}
}
