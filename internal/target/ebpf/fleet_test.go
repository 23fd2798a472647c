package ebpf

import (
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"testing"
	"testing/fstest"

	"firebreak/internal/corpus"
	"firebreak/internal/datapath/layout"
	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/live"
	"firebreak/internal/netset"
	"firebreak/internal/plan"
	"firebreak/internal/policy"
	"firebreak/internal/target"
	"firebreak/internal/verify"
)

// spread plans a case with its workloads on three hosts.
func spread(t *testing.T, c corpus.Case, toCome bool) *plan.Wanted {
	inv := &inventory.Snapshot{Frontends: c.Inv.Frontends, Networks: c.Inv.Networks, Workloads: slices.Clone(c.Inv.Workloads)}
	for i := range inv.Workloads {
		inv.Workloads[i].Host = fmt.Sprintf("h%d", i%3)
	}
	p, diags := policy.Resolve(c.Dir, inv)
	if p == nil {
		t.Fatal(diags)
	}
	e, err := verify.New(p, verify.Options{At: corpus.Noon})
	if err != nil {
		t.Fatal(err)
	}
	return plan.Make(c.Dir, p, e, plan.Options{At: corpus.Noon, ToCome: toCome, KeepsTime: func(*inventory.Workload) bool { return true }})
}

// Hosts that share a file say what each would with tables of its own, and what
// one host says that runs everything.
func TestFleetSaysWhatEachHostWould(t *testing.T) {
	cases, err := corpus.Load(os.DirFS("../../../testdata/corpus"))
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, c := range cases {
		for _, toCome := range []bool{false, true} {
			w := spread(t, c, toCome)
			files := filesOf(t, w)
			shared := lifted(t, w, files)
			whole := map[string][]byte{}
			fleet := parsed(t, files[fleetFile])
			for name, data := range files {
				if name != fleetFile && fleet != nil {
					whole[name] = raw(parsed(t, data).With(fleet))
				}
			}
			if fleet == nil {
				continue // all on one host
			}
			alone := wanted(t, c.Dir, c.Inv, corpus.Noon, toCome)
			one := lifted(t, alone, filesOf(t, alone))
			compared += sameLayers(t, c.Name, w, shared, lifted(t, w, whole)) + sameLayers(t, c.Name, w, shared, one)
		}
	}
	t.Log(compared, "conversations")
	if compared < 3000 {
		t.Errorf("only %d conversations", compared)
	}
}

func parsed(t *testing.T, data []byte) *layout.Dump {
	t.Helper()
	if data == nil {
		return nil
	}
	d, err := layout.ParseDump(data)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func sameLayers(t *testing.T, name string, w *plan.Wanted, a, b *layer.Layer) (n int) {
	t.Helper()
	ws := w.Policy.Inventory.Workloads
	for i := range ws {
		for j := range ws {
			for _, port := range []uint16{22, 80, 443, 5432, 8080, 40000} {
				c := layer.Conversation{From: layer.Party{Workload: &ws[i]}, To: layer.Party{Workload: &ws[j]}, Protocol: netset.TCP, Port: port, Holds: func(*layer.Rule) bool { return true }}
				x, y := a.Decide(c, w.Policy.Networks), b.Decide(c, w.Policy.Networks)
				if n++; x.Lower != y.Lower || x.Upper != y.Upper {
					t.Errorf("%s: %s → %s:%d: %s to %s, and %s to %s", name, ws[i].Name, ws[j].Name, port, x.Lower, x.Upper, y.Lower, y.Upper)
				}
			}
		}
	}
	return n
}

// A host that says something of its own beside the fleet's tables is read so, and
// one whose fleet is damaged or gone is unknown.
func TestHostsThatDifferFromTheirFleet(t *testing.T) {
	cases, err := corpus.Load(os.DirFS("../../../testdata/corpus"))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, c := range cases {
		w := spread(t, c, true)
		files := filesOf(t, w)
		fleet := parsed(t, files[fleetFile])
		if fleet == nil {
			continue
		}
		for name, data := range files {
			d := parsed(t, data)
			if name == fleetFile || len(d.Locals) == 0 {
				continue
			}
			d.Policy = []layout.DumpEntry{{Local: d.Locals[0], Direction: flow.Ingress, Allow: true, Rule: 77}}
			own, whole := copied(files), copied(files)
			own[name], whole[name] = raw(d), raw(d.With(fleet))
			sameLayers(t, c.Name, w, lifted(t, w, own), lifted(t, w, whole))
			seen++
		}
		for _, text := range []string{"", "{}", string(files[fleetFile][:len(files[fleetFile])/2])} {
			broken := copied(files)
			broken[fleetFile] = []byte(text)
			if l, diags := (Target{}).Lift(sourceOf(w, broken)); !diags.HasErrors() || len(l.Unknown) == 0 || len(l.Tables) > 0 {
				t.Errorf("%s: a fleet's file of %.10q makes %d tables", c.Name, text, len(l.Tables))
			}
		}
	}
	if seen < 25 {
		t.Errorf("only %d hosts", seen)
	}
}

func sourceOf(w *plan.Wanted, files map[string][]byte) *target.Source {
	m := fstest.MapFS{}
	for name, data := range files {
		m[name] = &fstest.MapFile{Data: data}
	}
	return &target.Source{Folder: live.Open(m), Inventory: w.Policy.Inventory, Networks: w.Policy.Networks, Estate: w.Policy.Estate, Alone: true}
}

func copied(files map[string][]byte) map[string][]byte {
	out := map[string][]byte{}
	for name, data := range files {
		out[name] = data
	}
	return out
}

// The short form says what the long one does, and takes nothing else.
func TestShortDecisions(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var all []layout.DumpEntry
		locals := []uint32{7, 9}[:1+r.IntN(2)]
		short := layout.DumpDecisions{Locals: locals, Direction: flow.Ingress}
		var text []byte
		for peer := range uint32(r.IntN(20) + 1) {
			var said []layout.DumpEntry
			for class := range uint16(r.IntN(4) + 1) {
				e := layout.DumpEntry{Class: class, Allow: r.IntN(2) == 0, Rule: r.Uint32()}
				if r.IntN(5) == 0 {
					e.Until = r.Int64()
				}
				if r.IntN(4) == 0 {
					e.Come = &layout.DumpCome{Allow: r.IntN(2) == 0, Rule: r.Uint32() % 3, Until: r.Int64N(2)}
				}
				said = append(said, e)
			}
			peers := []uint32{peer * 3, peer*3 + 1}[:1+r.IntN(2)]
			text = layout.AppendSaid(text, peers, layout.AppendEntries(nil, said))
			for _, local := range locals {
				for _, n := range peers {
					for _, e := range said {
						e.Local, e.Direction, e.Peer = local, flow.Ingress, n
						all = append(all, e)
					}
				}
			}
		}
		short.Text = string(text)
		back := parsed(t, raw(layout.Dump{Format: layout.Version, Decisions: []layout.DumpDecisions{short}}))
		want := (&layout.Dump{Policy: all}).Tables()
		if got := back.Tables(); !reflect.DeepEqual(got.Policy, want.Policy) {
			t.Fatalf("%v became %v", all, got)
		}
	}
	for _, bad := range []string{"1", "1;", ";", "1:;", "1: ;", "1: 2;", "1: 2 ;", "1: 2 3", "1: 2 3 ;", "1: 2 --3;", "a: 2 3;", "1: 70000 3;", "1: 2 4294967296;", "1: 2 3 4;", "1:  2 3;", "1: 2 3;;",
		": 2 3;", " 1: 2 3;", "1 : 2 3;", "1  2: 2 3;", "1 2 3;", "1: 2 3@;", "1: 2 3/;", "1: 2 3@x;", "1: 2 3/4/5;", "1: 2 3@9223372036854775808;", "1: 2 3: 4 5;", "-1: 2 3;"} {
		text := fmt.Sprintf(`{"maps": %d, "decisions": [{"locals": [1], "direction": 0, "peers": %q}]}`, layout.Version, bad)
		if d, err := layout.ParseDump([]byte(text)); err == nil {
			t.Errorf("%q was read as %+v", bad, d.Decisions[0].Said)
		}
	}
}

// What a file says of an end twice, or in both forms, is read as it is loaded: the
// last holds, and the long form after the short.
func TestDecisionsThatStandTwice(t *testing.T) {
	cases, err := corpus.Load(os.DirFS("../../../testdata/corpus"))
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 4))
	seen := 0
	for _, c := range cases {
		w := spread(t, c, true)
		files := filesOf(t, w)
		fleet := parsed(t, files[fleetFile])
		if fleet == nil {
			continue
		}
		var all []layout.DumpEntry
		for _, x := range fleet.Decisions {
			for _, local := range x.Locals {
				all = append(all, x.Of(local)...)
			}
		}
		for range 3 {
			short, long := *fleet, *fleet
			long.Decisions, long.Policy = nil, slices.Clone(all)
			for range 4 {
				a, b := all[r.IntN(len(all))], all[r.IntN(len(all))]
				a.Peer, a.Class, a.Allow = b.Peer, b.Class, !a.Allow
				if r.IntN(2) == 0 {
					x := layout.DumpDecisions{Locals: []uint32{a.Local}, Direction: a.Direction, Text: string(layout.AppendSaid(nil, []uint32{a.Peer}, layout.AppendEntries(nil, []layout.DumpEntry{a})))}
					short.Decisions = append(slices.Clone(short.Decisions), x)
					long.Policy = append(slices.Clone(long.Policy[:len(long.Policy)-len(short.Policy)]), append([]layout.DumpEntry{a}, short.Policy...)...)
				} else {
					short.Policy = append(slices.Clone(short.Policy), a)
					long.Policy = append(long.Policy, a)
				}
			}
			one, other := copied(files), copied(files)
			one[fleetFile], other[fleetFile] = raw(short), raw(long)
			if x, y := parsed(t, one[fleetFile]).Tables(), parsed(t, other[fleetFile]).Tables(); !reflect.DeepEqual(x.Policy, y.Policy) {
				t.Fatalf("%s: %d decisions are loaded, and %d", c.Name, len(x.Policy), len(y.Policy))
			}
			sameLayers(t, c.Name, w, lifted(t, w, one), lifted(t, w, other))
			seen++
		}
	}
	if seen < 30 {
		t.Errorf("only %d files", seen)
	}
}
