package istio

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	_ "unsafe" // for the translation, which is not exported

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	security "istio.io/api/security/v1beta1"
	clientsecurity "istio.io/client-go/pkg/apis/security/v1"
	"istio.io/istio/pilot/pkg/model"
	_ "istio.io/istio/pilot/pkg/serviceregistry/ambient"
	wds "istio.io/istio/pkg/workloadapi/security"

	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
	"firebreak/internal/target"
	targets "firebreak/internal/target/all"
)

//go:linkname convertAuthorizationPolicy istio.io/istio/pilot/pkg/serviceregistry/ambient.convertAuthorizationPolicy
func convertAuthorizationPolicy(rootns string, obj *clientsecurity.AuthorizationPolicy) (*wds.Authorization, *model.StatusMessage)

// zpass decides as ztunnel does by what istiod gives it: DENY, then ALLOW if
// there is any. A policy matches if, in one of its groups, each rule has a match
// that holds; in a match all that is said must hold:
// github.com/istio/ztunnel/blob/master/proto/authorization.proto.
func zpass(policies []*wds.Authorization, s seen) bool {
	has, allowed := false, false
	for _, p := range policies {
		if p.DryRun {
			continue
		}
		hit := some(p.Groups, func(g *wds.Group) bool {
			return all(g.Rules, func(r *wds.Rules) bool { return some(r.Matches, func(m *wds.Match) bool { return zmatch(m, s) }) })
		})
		if p.Action == wds.Action_DENY && hit {
			return false
		}
		if p.Action == wds.Action_ALLOW {
			has, allowed = true, allowed || hit
		}
	}
	return !has || allowed
}

func zmatch(m *wds.Match, s seen) bool {
	id := strings.TrimPrefix(s.principal, "spiffe://")
	ns, sa := "", ""
	if parts := strings.Split(id, "/"); len(parts) == 5 {
		ns, sa = parts[2], parts[4]
	}
	text := func(of string) func(*wds.StringMatch) bool {
		return func(x *wds.StringMatch) bool {
			if of == "" {
				return false
			}
			switch t := x.MatchType.(type) {
			case *wds.StringMatch_Exact:
				return of == t.Exact
			case *wds.StringMatch_Prefix:
				return strings.HasPrefix(of, t.Prefix)
			case *wds.StringMatch_Suffix:
				return strings.HasSuffix(of, t.Suffix)
			}
			return true
		}
	}
	account := func(x *wds.ServiceAccountMatch) bool { return ns != "" && x.Namespace == ns && x.ServiceAccount == sa }
	ip := func(a *wds.Address) bool {
		x, _ := netip.AddrFromSlice(a.Address)
		return netip.PrefixFrom(x, int(a.Length)).Masked().Contains(s.from)
	}
	port := func(p uint32) bool { return p == s.port }
	return holdsAll(m.Namespaces, m.NotNamespaces, text(ns)) && holdsAll(m.Principals, m.NotPrincipals, text(id)) && holdsAll(m.ServiceAccounts, m.NotServiceAccounts, account) &&
		holdsAll(m.SourceIps, m.NotSourceIps, ip) && holdsAll(m.DestinationPorts, m.NotDestinationPorts, port)
}

func holdsAll[T any](want, not []T, is func(T) bool) bool {
	return (len(want) == 0 || some(want, is)) && !some(not, is)
}

// ambientPeople are the same people without sidecars.
func ambientPeople() *inventory.Snapshot {
	s := people()
	for i := range s.Workloads {
		delete(s.Workloads[i].Labels, "k8s/namespace.istio-injection")
		s.Workloads[i].Labels["k8s/namespace.istio.io.dataplane-mode"] = "ambient"
	}
	return s
}

// TestAmbient compares what is lifted for ztunnel with Istio's own translation.
func TestAmbient(t *testing.T) {
	inv := ambientPeople()
	exact, unknown := 0, 0
	for seed := range uint64(1500) {
		d := dice{rand.New(rand.NewPCG(seed, 5))}
		var docs []string
		for i := range 1 + d.IntN(4) {
			docs = append(docs, d.authorization(i))
		}
		w, err := newWorld(docs)
		if err != nil {
			continue
		}
		l, _ := targets.Named("istio").Lift(&target.Source{Folder: w.folder(), Inventory: inv, Networks: networks})
		for range 40 {
			to := &inv.Workloads[d.IntN(len(inv.Workloads))]
			x := &inv.Workloads[d.IntN(len(inv.Workloads))]
			s := seen{port: []uint32{80, 443, 8080, 9090, 7}[d.IntN(5)], from: x.Addresses[0], request: d.request(true)}
			if !d.one(4) {
				s.principal = "spiffe://cluster.local/ns/" + x.Namespace + "/sa/" + x.Labels["k8s/serviceaccount"]
			}
			got := l.Decide(layer.Conversation{From: layer.Party{Workload: x}, To: layer.Party{Workload: to}, Protocol: netset.TCP, Port: uint16(s.port),
				Holds: func(r *layer.Rule) bool { return holds(r.Cond, s.principal != "", s.request) }}, networks)
			want := layer.Deny
			if zpass(w.ambient(to), s) {
				want = layer.Allow
			}
			if want < got.Lower || want > got.Upper {
				t.Fatalf("seed %d: %+v → %s: ztunnel says %v, the layer %v to %v (%+v)\n%s", seed, s, to.Name, want, got.Lower, got.Upper, got.Rule, w.text())
			}
			if got.Lower == got.Upper {
				exact++
			} else {
				unknown++
			}
		}
	}
	t.Logf("ztunnel: %d cases agree exactly, %d within what is unknown", exact, unknown)
	if exact < 20000 {
		t.Error("too few cases are exact")
	}
}

// ambient lists the policies that ztunnel has for a workload.
func (w *world) ambient(x *inventory.Workload) []*wds.Authorization {
	if out, ok := w.ztuns[x.Name]; ok {
		return out
	}
	match := model.PolicyMatcherFor(x.Labels["k8s/namespace"], podLabels(x), false).WithRootNamespace(root)
	r := w.authz.ListAuthorizationPolicies(match)
	var out []*wds.Authorization
	for _, p := range slices.Concat(r.Custom, r.Deny, r.Allow, r.Audit) {
		obj := &clientsecurity.AuthorizationPolicy{ObjectMeta: metav1.ObjectMeta{Name: p.Name, Namespace: p.Namespace, Annotations: p.Annotations}}
		p.Spec.DeepCopyInto((*security.AuthorizationPolicy)(&obj.Spec))
		if a, _ := convertAuthorizationPolicy(root, obj); a != nil {
			out = append(out, a)
		}
	}
	w.ztuns[x.Name] = out
	return out
}
