package gen_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"firebreak/internal/gen"
	"firebreak/internal/inventory/kube"
	"firebreak/internal/live"
)

// TestKubeSizesAreExact reads the manifests with our own readers; the oracles
// read them with those of others.
func TestKubeSizesAreExact(t *testing.T) {
	for _, o := range []gen.KubeOptions{{}, {Workloads: 1}, {Workloads: 30, Rules: 1}, {Workloads: 90, Rules: 200, Seed: 3}, {Workloads: 600, Seed: 9}} {
		t.Run(fmt.Sprintf("%+v", o), func(t *testing.T) {
			want, err := o.Complete()
			if err != nil {
				t.Fatal(err)
			}
			files, err := gen.KubeFiles(o)
			if err != nil {
				t.Fatal(err)
			}
			inv, diags := kube.Read(files)
			if len(diags) > 0 || len(inv.Workloads) != want.Workloads || len(inv.Frontends) != want.Workloads {
				t.Errorf("%d workloads and %d frontends, want %d of each; %v", len(inv.Workloads), len(inv.Frontends), want.Workloads, diags)
			}
			docs, diags := live.Open(files).Manifests()
			kinds, names := map[string]int{}, map[string]bool{}
			for _, d := range docs {
				var head struct {
					Kind     string
					Metadata struct{ Name, Namespace string }
				}
				if err := d.Root.Decode(&head); err != nil {
					t.Fatal(err)
				}
				kinds[head.Kind]++
				if key := fmt.Sprint(head); names[key] {
					t.Errorf("there are two %s", key)
				} else {
					names[key] = true
				}
			}
			if kinds["NetworkPolicy"] != want.Rules || len(diags) > 0 {
				t.Errorf("%d NetworkPolicies, want %d; %v", kinds["NetworkPolicy"], want.Rules, diags)
			}
		})
	}
}

func TestKubeHasEveryKindOfRule(t *testing.T) {
	files, err := gen.KubeFiles(gen.KubeOptions{Workloads: 100, Rules: 60})
	if err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	for _, f := range files {
		all.Write(f.Data)
	}
	for _, word := range []string{
		"podSelector: {}", "namespaceSelector: {}", "matchExpressions", "NotIn", "Exists", "DoesNotExist", "endPort", "ipBlock", "except",
		"port: metrics", "port: 53", "policyTypes: [Ingress, Egress]", "protocol: UDP", "  - {}",
	} {
		if !strings.Contains(all.String(), word) {
			t.Errorf("%q is nowhere", word)
		}
	}
}

func TestKubeSameOptionsSameBytes(t *testing.T) {
	read := func(seed uint64) string {
		files, err := gen.KubeFiles(gen.KubeOptions{Workloads: 100, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		names, err := fs.Glob(files, "*/networkpolicies.yaml")
		if err != nil || len(names) == 0 {
			t.Fatal(names, err)
		}
		var out strings.Builder
		for _, name := range names {
			out.Write(files[name].Data)
		}
		return out.String()
	}
	if once, again := read(1), read(1); once != again {
		t.Error("the same seed gives other bytes")
	}
	if read(1) == read(2) {
		t.Error("another seed gives the same bytes")
	}
	for _, o := range []gen.KubeOptions{{Workloads: -1}, {Rules: -1}, {Workloads: 1 << 30}} {
		if _, err := gen.KubeFiles(o); err == nil {
			t.Errorf("%+v can be made", o)
		}
	}
}
