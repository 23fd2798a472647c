package istio

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"istio.io/api/security/v1beta1"
	typev1beta1 "istio.io/api/type/v1beta1"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/target"
	targets "firebreak/internal/target/all"
)

type anyMessage = proto.Message

// targetless lets a PeerAuthentication be matched as the others are.
type targetless struct{ *v1beta1.PeerAuthentication }

func (targetless) GetTargetRef() *typev1beta1.PolicyTargetReference    { return nil }
func (targetless) GetTargetRefs() []*typev1beta1.PolicyTargetReference { return nil }

var (
	networks   = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	namespaces = []string{"shop", "shop-eu", "bank"}
	accounts   = []string{"web", "webby", "api"}
	apps       = []string{"front", "orders"}
)

// people are workloads in all namespaces, of all accounts.
func people() *inventory.Snapshot {
	s := &inventory.Snapshot{}
	for i, ns := range namespaces {
		for j, sa := range accounts {
			s.Workloads = append(s.Workloads, inventory.Workload{
				Name: ns + "/" + sa + "[Deployment]", Namespace: ns, Principal: "system:serviceaccount:" + ns + ":" + sa,
				Labels: map[string]string{"app": apps[(i+j)%2], "v": fmt.Sprint(j), "k8s/namespace": ns, "k8s/serviceaccount": sa,
					"k8s/namespace.istio-injection": "enabled"},
				Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, byte(i), 0, byte(j + 1)})},
			})
		}
	}
	slices.SortFunc(s.Workloads, func(a, b inventory.Workload) int { return strings.Compare(a.Name, b.Name) })
	return s
}

type dice struct{ *rand.Rand }

func (d dice) of(list ...string) string { return list[d.IntN(len(list))] }
func (d dice) one(n int) bool           { return d.IntN(n) == 0 }

func (d dice) list(n int, make func() string) string {
	var out []string
	for range 1 + d.IntN(n) {
		out = append(out, fmt.Sprintf("%q", make()))
	}
	return "[" + strings.Join(out, ", ") + "]"
}

func (d dice) principal() string {
	ns, sa := d.of(namespaces...), d.of(accounts...)
	return d.of("cluster.local/ns/"+ns+"/sa/"+sa, "cluster.local/ns/"+ns+"/sa/"+sa, "cluster.local/ns/"+ns+"/*", "*/sa/"+sa, "*"+sa, "*", "cluster.local/ns/shop*", "other.example/ns/shop/sa/web",
		"*/ns/"+ns+"/sa/"+sa, "cluster.local/ns/"+ns+"/sa/we*", "*shop/sa/"+sa, "cluster*")
}
func (d dice) block() string {
	return d.of("10.0.0.0/16", "10.1.0.1", "203.0.113.0/24", "0.0.0.0/0", "10.0.0.0/8", "198.51.100.7")
}
func (d dice) path() string {
	return d.of("/", "/a", "/a/*", "/a*", "*/x", "*", "/a/{*}/x", "/a/{**}", "/{*}/b", "/a/{**}/x", "/b/c")
}
func (d dice) method() string { return d.of("GET", "POST", "DELETE") }
func (d dice) host() string   { return d.of("shop.example", "*.example", "api.example", "*") }
func (d dice) port() string   { return d.of("80", "443", "8080", "9090") }

// fields writes some of the given fields, and some turned round.
func (d dice) fields(makers map[string]func() string, names ...string) string {
	var out []string
	for _, n := range names {
		switch {
		case d.one(3):
			out = append(out, n+": "+d.list(2, makers[n]))
		case d.one(6):
			out = append(out, "not"+strings.ToUpper(n[:1])+n[1:]+": "+d.list(2, makers[n]))
		}
	}
	return "{" + strings.Join(out, ", ") + "}"
}

func (d dice) rule() string {
	src := map[string]func() string{"principals": d.principal, "namespaces": func() string { return d.of("shop", "bank", "shop*", "*") }, "ipBlocks": d.block,
		"serviceAccounts": func() string { return d.of(accounts...) }}
	op := map[string]func() string{"ports": d.port, "methods": d.method, "paths": d.path, "hosts": d.host}
	names := []string{"principals", "namespaces", "ipBlocks"}
	if d.one(4) {
		names = []string{"serviceAccounts", "ipBlocks"}
	}
	var parts []string
	for _, x := range []struct{ name, inner, text string }{
		{"from", "source", d.fields(src, names...)},
		{"to", "operation", d.fields(op, "ports", "methods", "paths", "hosts")},
	} {
		if x.text != "{}" && !d.one(4) {
			parts = append(parts, x.name+": [{"+x.inner+": "+x.text+"}]")
		}
	}
	if d.one(4) {
		parts = append(parts, "when: [{key: "+d.of("'request.headers[X-Team]', values: [red]", "'request.headers[x-team]', notValues: [red]", "source.namespace, values: [shop]",
			"destination.port, values: ['80']", "source.principal, notValues: [cluster.local/ns/bank/sa/api]", "source.ip, values: [10.0.0.0/16]")+"}]")
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func (d dice) selector() string {
	return d.of("", "selector: {matchLabels: {app: front}}, ", "selector: {matchLabels: {app: orders}}, ", "selector: {matchLabels: {v: '1'}}, ")
}

func (d dice) authorization(i int) string {
	var rules []string
	action := d.of("ALLOW", "ALLOW", "ALLOW", "DENY", "DENY", "AUDIT")
	for range d.IntN(3) {
		rules = append(rules, d.rule())
	}
	text := "rules: [" + strings.Join(rules, ", ") + "]"
	if rules == nil {
		if text = ""; action == "DENY" {
			text = "rules: [{}]"
		}
	}
	annotation := d.of("", "", "", "", "", ", annotations: {istio.io/dry-run: 'true'}")
	return fmt.Sprintf("apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: p%d, namespace: %s%s}\nspec: {%saction: %s, %s}\n",
		i, d.of(append(namespaces, root)...), annotation, d.selector(), action, text)
}

func (d dice) peer(i int) string {
	mode := func() string { return d.of("STRICT", "STRICT", "PERMISSIVE", "UNSET", "DISABLE") }
	spec := d.selector() + "mtls: {mode: " + mode() + "}"
	if strings.HasPrefix(spec, "selector") && d.one(2) {
		spec += ", portLevelMtls: {8080: {mode: " + mode() + "}}"
	}
	return fmt.Sprintf("apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: q%d, namespace: %s, creationTimestamp: '2026-01-%02dT00:00:00Z'}\nspec: {%s}\n",
		i, d.of(append(namespaces, root)...), 1+d.IntN(28), spec)
}

const normalizing = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata: {mesh: 'pathNormalization: {normalization: DECODE_AND_MERGE_SLASHES}'}\n"

var odd = []string{"/a/../b", "/a//x", "/%61", "/a/..%2fx"}

func (d dice) request(normalized bool) *flow.Request {
	if d.one(3) {
		return nil
	}
	r := &flow.Request{Method: d.method(), Host: d.of("shop.example", "a.example", "other"), Path: d.of("/", "/a", "/a/", "/a/b", "/a/b/x", "/ab", "/b/c", "/x", "/a/b/c/x", "/q/b", "/b/x")}
	if !normalized && d.one(6) {
		r.Path = d.of(odd...)
	}
	if d.one(2) {
		r.Headers = map[string]string{"x-team": d.of("red", "blue")}
	}
	return r
}

// holds is what a condition means, written from its documentation.
func holds(c *policy.Condition, mtls bool, r *flow.Request) bool {
	if c.MTLS && !mtls {
		return false
	}
	if c.HTTP == nil {
		return true
	}
	return r != nil && slices.ContainsFunc(c.HTTP, func(h policy.HTTP) bool {
		return (h.Methods == nil || slices.Contains(h.Methods, r.Method)) &&
			(h.Hosts == nil || slices.ContainsFunc(h.Hosts, func(p string) bool {
				suffix, wild := strings.CutPrefix(p, "*")
				return p == r.Host || wild && strings.HasSuffix(r.Host, suffix)
			})) && pathMeant(c, h.Paths, r.Path) && !slices.ContainsFunc(h.Headers, func(x policy.Header) bool {
			v, there := r.Headers[x.Name]
			return !there || x.Values != nil && !slices.Contains(x.Values, v)
		})
	})
}

func pathMeant(c *policy.Condition, patterns []string, path string) bool {
	if slices.Contains(odd, path) {
		return c.Ambiguous == policy.Meant
	}
	return patterns == nil || slices.ContainsFunc(patterns, func(p string) bool {
		if own, ok := strings.CutPrefix(p, "~"); ok {
			return layer.Glob(own, path)
		}
		p = strings.ReplaceAll(regexp.QuoteMeta(p), `\*`, "*")
		if strings.HasSuffix(p, "/*") {
			p = strings.TrimSuffix(p, "*") + ".*"
		} else {
			p = strings.ReplaceAll(p, "*", "[^/]*")
		}
		p = regexp.MustCompile(`\\\{[a-z]+\\\}`).ReplaceAllString(p, "[^/]+")
		return regexp.MustCompile("^" + p + "$").MatchString(path)
	})
}

// tally counts what was compared.
type tally struct{ exact, unknown, worlds int }

// compare asks Istio and the lifted layer about random conversations.
func compare(t *testing.T, d dice, w *world, inv *inventory.Snapshot, l *layer.Layer, normalized bool, n int, count *tally) {
	t.Helper()
	count.worlds++
	for range n {
		to := &inv.Workloads[d.IntN(len(inv.Workloads))]
		s := seen{port: []uint32{80, 443, 8080, 9090, 7}[d.IntN(5)], request: d.request(normalized)}
		var from layer.Party
		if d.one(5) {
			s.from = netip.MustParseAddr(d.of("203.0.113.9", "198.51.100.7", "8.8.8.8", "10.0.9.9"))
			from.Addr = s.from
		} else {
			x := &inv.Workloads[d.IntN(len(inv.Workloads))]
			from.Workload, s.from = x, x.Addresses[0]
			if !d.one(4) {
				s.principal = "spiffe://cluster.local/ns/" + x.Namespace + "/sa/" + x.Labels["k8s/serviceaccount"]
			}
		}
		if s.principal != "" && w.disabled(to, s.port) {
			continue
		}
		c := layer.Conversation{From: from, To: layer.Party{Workload: to}, Protocol: netset.TCP, Port: uint16(s.port),
			Holds: func(r *layer.Rule) bool { return holds(r.Cond, s.principal != "", s.request) }}
		got := l.Decide(c, networks)
		want := layer.Deny
		if w.passes(to, s) {
			want = layer.Allow
		}
		if s.request != nil && slices.Contains(odd, s.request.Path) {
			if got.Upper < want {
				t.Fatalf("%+v %+v → %s: Istio lets it pass, the layer does not\n%s", s, s.request, to.Name, w.text())
			}
			continue
		}
		if want < got.Lower || want > got.Upper {
			t.Fatalf("%+v %+v → %s: Istio says %v, the layer %v to %v (%+v)\n%s", s, s.request, to.Name, want, got.Lower, got.Upper, got.Rule, w.text())
		}
		if got.Lower == got.Upper {
			count.exact++
		} else {
			count.unknown++
		}
	}
}

func (w *world) text() string {
	var out []string
	for _, f := range w.files {
		out = append(out, string(f.Data))
	}
	slices.Sort(out)
	return strings.Join(out, "---\n")
}

// Random policies, whoever wrote them: what is lifted must say what Istio's own
// translation says.
func TestForeign(t *testing.T) {
	inv := people()
	var count tally
	refused := 0
	for seed := range uint64(2000) {
		d := dice{rand.New(rand.NewPCG(seed, 1))}
		var docs []string
		for i := range 1 + d.IntN(4) {
			docs = append(docs, d.authorization(i))
		}
		for i := range d.IntN(4) {
			docs = append(docs, d.peer(i))
		}
		normalized := d.one(2)
		if normalized {
			docs = append(docs, normalizing)
		}
		w, err := newWorld(docs)
		if err != nil {
			refused++ // by Istio's validation; rare enough, see below
			continue
		}
		l, diags := targets.Named("istio").Lift(&target.Source{Folder: w.folder(), Inventory: inv, Networks: networks})
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		compare(t, d, w, inv, l, normalized, 40, &count)
	}
	t.Logf("%d sets of policies (%d refused by Istio): %d cases agree exactly, %d within what is unknown", count.worlds, refused, count.exact, count.unknown)
	if count.exact < 30000 {
		t.Error("too few cases are exact")
	}
}
