package cilium

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/layer"
	"firebreak/internal/live"
	"firebreak/internal/netset"
	"firebreak/internal/target"
	"firebreak/internal/target/networkpolicy"
	"firebreak/oracles/clusters"
)

func lift(c *clusters.Cluster, manifests string) *layer.Layer {
	l, _ := networkpolicy.Target{}.Lift(&target.Source{
		Folder: live.Open(fstest.MapFS{"cluster/all.yaml": {Data: []byte(manifests)}}), Inventory: c.Inventory, Networks: c.Networks, Estate: "e",
	})
	return l
}

// agree asks both about every pair and probe, and returns how often, and how
// often our answer was that it is not known. Where it is, the judge is the
// stricter one: no ipBlock matches its pods.
func agree(t *testing.T, seed uint64, c *clusters.Cluster, manifests string) (asked, unknown int) {
	t.Helper()
	j, err := New(manifests, c.Parties(), c.Spaces)
	if err != nil {
		t.Fatalf("seed %d: %v\n%s", seed, err, manifests)
	}
	l := lift(c, manifests)
	if len(l.Unknown) > 0 {
		t.Fatalf("seed %d: %v\n%s", seed, l.Unknown, manifests)
	}
	for _, from := range c.Parties() {
		for _, to := range c.Parties() {
			if from.Workload != nil && from.Workload == to.Workload {
				continue
			}
			for _, q := range clusters.Probes() {
				got, err := j.Allows(from, to, q.Protocol, q.Port)
				if err != nil {
					t.Fatalf("seed %d: %v\n%s", seed, err, manifests)
				}
				v := l.Decide(layer.Conversation{From: from, To: to, Protocol: q.Protocol, Port: q.Port}, c.Networks)
				asked++
				if (v.Upper == layer.Deny) != (v.Lower == layer.Deny) {
					unknown++
				}
				if (v.Lower != layer.Deny) != got {
					t.Fatalf("seed %d: %s -> %s %s %d: the judge says %t, we %s to %s\n%s", seed, name(from), name(to), q.Protocol, q.Port, got, v.Lower, v.Upper, manifests)
				}
			}
		}
	}
	return asked, unknown
}

func name(p layer.Party) string {
	if p.Workload != nil {
		return fmt.Sprint(p.Workload.Name, p.Workload.Labels, p.Workload.Addresses)
	}
	return p.Addr.String()
}

// TestForeignPolicies reads random NetworkPolicies as the judge does.
func TestForeignPolicies(t *testing.T) {
	sets, asked, unknown := 0, 0, 0
	for seed := range uint64(400) {
		c := clusters.New(seed)
		n, u := agree(t, seed, c, c.Namespaces()+c.NetworkPolicies())
		sets, asked, unknown = sets+1, asked+n, unknown+u
	}
	t.Logf("%d sets of NetworkPolicies: the judge and we agree about %d conversations; about %d of them, where an ipBlock holds pods, our answer is the judge's or the opposite", sets, asked, unknown)
	if asked < 500000 || unknown == 0 || unknown > asked/5 {
		t.Error("too few, or too many unknown")
	}
}

// TestRenderedPolicies lets the judge say whether what we render for random
// policies permits what is wanted.
func TestRenderedPolicies(t *testing.T) {
	sets, asked, narrower, wider := 0, 0, 0, 0
	for seed := range uint64(300) {
		c := clusters.New(seed)
		r := c.Resolve(c.Policy(), seed%3 == 0)
		if r == nil {
			continue
		}
		files, diags := networkpolicy.Target{}.Render(r.Wanted)
		if diags.HasErrors() {
			continue
		}
		var all strings.Builder
		for _, f := range files {
			all.Write(f.Data)
		}
		j, err := New(all.String(), c.Parties(), c.Spaces)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, all.String())
		}
		sets++
		closed, opened := strings.Contains(fmt.Sprint(diags), "stays closed"), strings.Contains(fmt.Sprint(diags), "is not enforced here")
		for _, from := range c.Parties() {
			for _, to := range c.Parties() {
				if from.Workload != nil && from.Workload == to.Workload {
					continue
				}
				for _, q := range clusters.Probes() {
					want := r.Permits(from, to, q.Protocol, q.Port)
					got, err := j.Allows(from, to, q.Protocol, q.Port)
					asked++
					if want && !got && closed {
						narrower++
						continue
					}
					if !want && got && opened && r.LeftOpen(from, to, q.Protocol, q.Port) {
						wider++
						continue
					}
					if err != nil || got != want {
						t.Fatalf("seed %d: %s -> %s %s %d: the judge says %t (%v), wanted is %t\n%s\n%v", seed, name(from), name(to), q.Protocol, q.Port, got, err, want, all.String(), diags)
					}
				}
			}
		}
	}
	t.Logf("%d rendered policies: the judge lets pass what is wanted in %d conversations, blocks %d that a diagnostic says stay closed, and lets pass %d that a diagnostic says are left open", sets, asked-narrower-wider, narrower, wider)
	if asked < 500000 || narrower > asked/5 || wider > asked/5 {
		t.Error("too few, or too many closed or open")
	}
}

// TestJudgeCanDisagree makes sure that a difference would be seen.
func TestJudgeCanDisagree(t *testing.T) {
	c := clusters.New(1)
	j, err := New("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: closed, namespace: shop}\nspec: {podSelector: {}, policyTypes: [Ingress]}\n", c.Parties(), c.Spaces)
	if err != nil {
		t.Fatal(err)
	}
	denied, allowed := 0, 0
	for _, to := range c.Parties() {
		ok, err := j.Allows(c.Parties()[len(c.Parties())-1], to, netset.TCP, 80)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			allowed++
		} else {
			denied++
		}
	}
	if denied == 0 || allowed == 0 {
		t.Errorf("%d denied, %d allowed", denied, allowed)
	}
}
