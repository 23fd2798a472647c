package agent

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/cilium/ebpf"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/demo/lab"
	"firebreak/internal/layer"
	"firebreak/internal/live"
	"firebreak/internal/load"
	"firebreak/internal/policy"
	"firebreak/internal/prove"
	"firebreak/internal/target"
	ebpftarget "firebreak/internal/target/ebpf"
)

// What the kernel holds is proven, and what somebody changes in it behind the
// agent's back is seen.
func TestDumpIsTheKernelItself(t *testing.T) {
	needKernel(t)
	l, err := lab.New("fbdump")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	web, group := labHost(t, l, "web", "10.72.1.11/24")
	p := place{t, t.TempDir()}
	p.write("policy/policy.yaml", kernelPolicy)
	p.write("hosts.inv", "kind: Workload\nmetadata: {name: web-1, labels: {tier: web}}\nspec: {host: web, addresses: [10.72.1.11]}\n---\n"+
		"kind: Workload\nmetadata: {name: data-1, labels: {tier: data}}\nspec: {addresses: [10.72.2.11]}\n")
	pins := "/sys/fs/bpf/fbdump-test"
	p.write("agent.yaml", fmt.Sprintf("{policy: policy, state: state, pins: %s, name: web, namespaces: [%s], cgroups: [{path: %s, workload: web-1}]}", pins, web.NamespacePath(), group))
	cfg, diags := ReadConfig(p.path("agent.yaml"))
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	if _, err := Dump(cfg); err == nil || !strings.Contains(err.Error(), "nothing is in force on host web") {
		t.Errorf("before the agent: %v", err)
	}
	t.Cleanup(func() {
		if err := Detach(context.Background(), cfg); err != nil {
			t.Error(err)
		}
	})
	a := started(t, "agent", p.path("agent.yaml"), (*exec.Cmd).Start)
	a.await(t, "the start", contains("attached to cgroup "+group))

	if r := proven(t, cfg); r.Result != prove.ExactToday {
		t.Errorf("while the agent runs: %+v", r)
	}
	d, err := Dump(cfg)
	if err != nil {
		t.Fatal(err)
	}
	text, err := d.Text()
	if err != nil {
		t.Fatal(err)
	}
	if d.Host != "web" || d.Estate != "test" || !strings.Contains(string(text), `"p"`) || !strings.Contains(string(text), `["web-1"]`) {
		t.Errorf("without names:\n%s", text)
	}
	d.Cgroups[0].Local++ // as somebody may who gives a process another's rights
	d.Identities = map[uint32]layout.DumpIdentity{d.Cgroups[0].Local: {Workloads: []string{"web-1"}}}
	if l := liftedFrom(t, cfg, d); len(l.Unknown) != 1 || !strings.Contains(l.Unknown[0].Why, "cgroup of web-1 is another end") {
		t.Errorf("of a cgroup that is another end: %v", l.Unknown)
	}
	turn(t, pins)
	if r := proven(t, cfg); r.Result != prove.Wrong || r.Witness == nil || len(r.Over) == 0 {
		t.Errorf("after somebody turned a decision: %+v", r)
	}
}

// liftedFrom reads a dump as a live folder does.
func liftedFrom(t *testing.T, cfg *Config, d *layout.Dump) *layer.Layer {
	t.Helper()
	text, err := d.Text()
	if err != nil {
		t.Fatal(err)
	}
	p := policyOf(t, cfg)
	out, diags := ebpftarget.Target{}.Lift(&target.Source{Folder: live.Open(fstest.MapFS{"web.maps.json": {Data: text}}),
		Inventory: p.Inventory, Networks: p.Networks, Estate: p.Estate})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return out
}

func policyOf(t *testing.T, cfg *Config) *policy.Policy {
	t.Helper()
	loaded, diags := new(load.Cache).Dir(cfg.Policy, cfg.Inventory)
	if loaded.Policy == nil {
		t.Fatal(diags)
	}
	return loaded.Policy
}

// proven proves what the kernel of the host web holds.
func proven(t *testing.T, cfg *Config) prove.Result {
	t.Helper()
	d, err := Dump(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l := liftedFrom(t, cfg, d)
	r, err := prove.Prove(prove.Intent{Policy: policyOf(t, cfg)}, []*layer.Layer{l}, prove.Options{At: time.Now(), Live: true})
	if err != nil || len(r.Results) != 1 || len(l.Unknown) > 0 {
		t.Fatal(r, err, l.Unknown)
	}
	return r.Results[0]
}

// turn makes every decision that denies something under the policy in force
// permit it: in the map, where the agent does not look.
func turn(t *testing.T, pins string) {
	t.Helper()
	m, err := ebpf.LoadPinnedMap(filepath.Join(pins, fmt.Sprintf("maps-v%d", layout.Version), "policy"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	const allow = 24 // behind two rules and two deadlines
	denials := map[string]string{}
	key, value := make([]byte, m.KeySize()), make([]byte, m.ValueSize())
	for it := m.Iterate(); it.Next(&key, &value); {
		if value[allow] == 0 {
			value[allow] = 1
			denials[string(key)] = string(value)
		}
	}
	for k, v := range denials {
		if err := m.Put([]byte(k), []byte(v)); err != nil {
			t.Fatal(err)
		}
	}
	if len(denials) == 0 {
		t.Fatal("no decision denies anything")
	}
}
