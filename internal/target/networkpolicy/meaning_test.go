package networkpolicy_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/diag"
	"firebreak/internal/layer"
	"firebreak/internal/live"
	"firebreak/internal/netset"
	"firebreak/internal/plan"
	"firebreak/internal/target"
	"firebreak/internal/target/networkpolicy"
	"firebreak/oracles/clusters"
)

// folder is files as a live folder.
func folder(files map[string]string) *live.Folder {
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return live.Open(fsys)
}

func rendered(t *testing.T, w *plan.Wanted) (map[string]string, diag.List) {
	t.Helper()
	list, diags := networkpolicy.Target{}.Render(w)
	files := map[string]string{}
	for _, f := range list {
		files[f.Path] = string(f.Data)
	}
	return files, diags
}

func text(p layer.Party) string {
	if p.Workload != nil {
		return fmt.Sprint(p.Workload.Name, p.Workload.Labels)
	}
	return p.Addr.String()
}

// TestRenderedMeansWhatIsWanted renders random policies, reads the files back,
// and asks about every pair. Nothing more may pass than is wanted; less only
// where a diagnostic says so.
func TestRenderedMeansWhatIsWanted(t *testing.T) {
	const seeds = 60
	asked, whole, narrower, refused := 0, 0, 0, 0
	for seed := range uint64(seeds) {
		c := clusters.New(seed)
		written := c.Policy()
		r := c.Resolve(written, seed%3 == 0)
		if r == nil {
			continue
		}
		files, diags := rendered(t, r.Wanted)
		if diags.HasErrors() {
			refused++
			continue
		}
		closed := strings.Contains(fmt.Sprint(diags), "stays closed")
		l, diags2 := networkpolicy.Target{}.Lift(&target.Source{Folder: folder(files), Inventory: c.Inventory, Networks: c.Networks, Estate: "e", Alone: true})
		if len(diags2) > 0 || l.Foreign > 0 || len(l.Unknown) > 0 {
			for _, d := range diags2 {
				if d.Severity != diag.Info {
					t.Fatalf("seed %d: %v", seed, diags2)
				}
			}
		}
		if !closed {
			whole++
		}
		less := false
		for _, from := range c.Parties() {
			for _, to := range c.Parties() {
				if !clusters.IsPod(from) && !clusters.IsPod(to) || from.Workload != nil && from.Workload == to.Workload {
					continue
				}
				for _, q := range append(clusters.Probes(), clusters.Probe{Protocol: netset.ICMP}, clusters.Probe{Protocol: netset.Other}) {
					v := l.Decide(layer.Conversation{From: from, To: to, Protocol: q.Protocol, Port: q.Port}, c.Networks)
					want := r.Permits(from, to, q.Protocol, q.Port)
					asked++
					switch {
					case v.Upper != layer.Deny && !want && (left(r.Wanted, diags, from) || left(r.Wanted, diags, to)):
					case v.Upper != layer.Deny && !want:
						t.Fatalf("seed %d: %s -> %s %s %d passes (%s, %v), and must not\n%s\n%v\n%s", seed, text(from), text(to), q.Protocol, q.Port, v.Upper, v.Rule, all(files), diags, written)
					case v.Lower == layer.Deny && want && closed:
						less = true
					case v.Lower == layer.Deny && want:
						t.Fatalf("seed %d: %s -> %s %s %d does not pass, without a word\n%s\n%v\n%s", seed, text(from), text(to), q.Protocol, q.Port, all(files), diags, written)
					}
				}
			}
		}
		if less {
			narrower++
		}
	}
	t.Logf("%d questions; %d policies rendered whole, %d narrower with a diagnostic, %d refused", asked, whole, narrower, refused)
	if asked < 200000 || whole < 8 {
		t.Error("too few")
	}
}

// left reports whether diagnostics say that what is denied at a workload's end is
// not enforced, since its zone observes.
func left(w *plan.Wanted, diags diag.List, p layer.Party) bool {
	if p.Workload == nil {
		return false
	}
	for i := range w.Policy.Inventory.Workloads {
		if w.Policy.Inventory.Workloads[i].Name == p.Workload.Name {
			s := w.SubjectOf(w.Policy.IdentityOf[i])
			return w.Observes(s) && strings.Contains(fmt.Sprint(diags), " "+s.Name+" is not enforced here")
		}
	}
	return false
}

func all(files map[string]string) string {
	var b strings.Builder
	for name, text := range files {
		b.WriteString("# " + name + "\n" + text)
	}
	return b.String()
}
