package cyclonus

import (
	"bytes"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/prove"
	"firebreak/internal/target/networkpolicy"
	"firebreak/oracles/clusters"
)

// mutation is one kind of damage to NetworkPolicies. It is called with every
// mapping of a document, and returns how the mapping may be changed, a function
// for each way.
type mutation struct {
	name string
	ways func(m *yaml.Node) []func()
}

// field returns the index of a field's value in a mapping; -1 if there is none.
func field(m *yaml.Node, name string) int {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == name {
			return i + 1
		}
	}
	return -1
}

func drop(name string) func(*yaml.Node) []func() {
	return func(m *yaml.Node) []func() {
		i := field(m, name)
		if i < 0 {
			return nil
		}
		return []func(){func() { m.Content = slices.Delete(m.Content, i-1, i+1) }}
	}
}

// dropItem takes one item out of a list.
func dropItem(name string) func(*yaml.Node) []func() {
	return func(m *yaml.Node) []func() {
		i := field(m, name)
		if i < 0 || m.Content[i].Kind != yaml.SequenceNode {
			return nil
		}
		var out []func()
		for n := range m.Content[i].Content {
			out = append(out, func() { m.Content[i].Content = slices.Delete(m.Content[i].Content, n, n+1) })
		}
		return out
	}
}

func set(name string, change func(old string) string) func(*yaml.Node) []func() {
	return func(m *yaml.Node) []func() {
		i := field(m, name)
		if i < 0 || m.Content[i].Kind != yaml.ScalarNode {
			return nil
		}
		value := change(m.Content[i].Value)
		if value == m.Content[i].Value {
			return nil
		}
		return []func(){func() { m.Content[i].Value = value }}
	}
}

func constant(value string) func(string) string { return func(string) string { return value } }

func plus(n int) func(string) string {
	return func(old string) string {
		var v int
		if _, err := fmt.Sscan(old, &v); err != nil || v+n < 1 || v+n > 65535 {
			return old
		}
		return fmt.Sprint(v + n)
	}
}

func parse(text string) *yaml.Node {
	var n yaml.Node
	if err := yaml.Unmarshal([]byte(text), &n); err != nil {
		panic(err)
	}
	return n.Content[0]
}

func put(list, text string) func(*yaml.Node) []func() {
	return func(m *yaml.Node) []func() {
		i := field(m, list)
		if i < 0 || m.Content[i].Kind != yaml.SequenceNode {
			return nil
		}
		return []func(){func() { m.Content[i].Style = 0; m.Content[i].Content = append(m.Content[i].Content, parse(text)) }}
	}
}

func rename(from, to string) func(*yaml.Node) []func() {
	return func(m *yaml.Node) []func() {
		i := field(m, from)
		if i < 0 {
			return nil
		}
		return []func(){func() { m.Content[i-1].Value = to }}
	}
}

// swap exchanges two fields' values.
func swap(a, b string) func(*yaml.Node) []func() {
	return func(m *yaml.Node) []func() {
		i, j := field(m, a), field(m, b)
		if i < 0 || j < 0 {
			return nil
		}
		return []func(){func() {
			m.Content[i], m.Content[j] = m.Content[j], m.Content[i]
			for _, rules := range []struct {
				at       int
				from, to string
			}{{i, "to", "from"}, {j, "from", "to"}} {
				for _, r := range m.Content[rules.at].Content {
					if k := field(r, rules.from); k >= 0 {
						r.Content[k-1].Value = rules.to
					}
				}
			}
		}}
	}
}

// alternatives makes "both selectors" into "either".
func alternatives(m *yaml.Node) []func() {
	var out []func()
	for _, name := range []string{"from", "to"} {
		i := field(m, name)
		if i < 0 {
			continue
		}
		list := m.Content[i]
		for _, p := range list.Content {
			if j := field(p, "podSelector"); j >= 0 && field(p, "namespaceSelector") >= 0 {
				out = append(out, func() {
					one := &yaml.Node{Kind: yaml.MappingNode, Content: slices.Clone(p.Content[j-1 : j+1])}
					p.Content = slices.Delete(p.Content, j-1, j+1)
					list.Content = append(list.Content, one)
				})
			}
		}
	}
	return out
}

func labels(change func(labels *yaml.Node)) func(*yaml.Node) []func() {
	return func(m *yaml.Node) []func() {
		i := field(m, "matchLabels")
		if i < 0 {
			return nil
		}
		return []func(){func() { change(m.Content[i]) }}
	}
}

func wider(old string) string {
	addr, bits, _ := strings.Cut(old, "/")
	if bits == "0" {
		return old
	}
	return addr + "/" + plus(-1)(bits)
}

var mutations = []mutation{
	{"a rule without its ports", drop("ports")},
	{"a rule without its peers", drop("from")},
	{"a rule without its destinations", drop("to")},
	{"a rule lost", dropItem("ingress")},
	{"an egress rule lost", dropItem("egress")},
	{"a rule for everybody", put("ingress", "{}")},
	{"an egress rule for everything", put("egress", "{}")},
	{"a peer lost", dropItem("from")},
	{"a destination lost", dropItem("to")},
	{"a peer added", put("from", "{namespaceSelector: {}}")},
	{"the world added", put("to", `{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}`)},
	{"a port lost", dropItem("ports")},
	{"a port added", put("ports", "{protocol: TCP, port: 443}")},
	{"all of UDP added", put("ports", "{protocol: UDP}")},
	{"a port one higher", set("port", plus(1))},
	{"a range one longer", set("endPort", plus(1))},
	{"a range without its end", drop("endPort")},
	{"a port without its number", func(m *yaml.Node) []func() {
		if field(m, "port") < 0 || field(m, "endPort") >= 0 {
			return nil
		}
		return drop("port")(m)
	}},
	{"another protocol", set("protocol", func(old string) string {
		if old == "TCP" {
			return "UDP"
		}
		return "TCP"
	})},
	{"a protocol forgotten", drop("protocol")},
	{"both selectors made either", alternatives},
	{"a podSelector lost", func(m *yaml.Node) []func() {
		if field(m, "namespaceSelector") < 0 {
			return nil
		}
		return drop("podSelector")(m)
	}},
	{"a namespaceSelector lost", func(m *yaml.Node) []func() {
		if field(m, "podSelector") < 0 {
			return nil
		}
		return drop("namespaceSelector")(m)
	}},
	{"a label's value changed", labels(func(l *yaml.Node) { l.Content[1].Value = "other" })},
	{"a label forgotten", labels(func(l *yaml.Node) { l.Content = l.Content[2:] })},
	{"a label added", labels(func(l *yaml.Node) { l.Content = append(l.Content, parse("x"), parse("other")) })},
	{"an expression forgotten", dropItem("matchExpressions")},
	{"a lost not", set("operator", func(old string) string {
		return map[string]string{"In": "NotIn", "NotIn": "In", "Exists": "DoesNotExist", "DoesNotExist": "Exists"}[old]
	})},
	{"a value lost", func(m *yaml.Node) []func() {
		if i := field(m, "values"); i < 0 || len(m.Content[i].Content) < 2 {
			return nil
		}
		return dropItem("values")(m)
	}},
	{"an exception lost", dropItem("except")},
	{"all exceptions lost", drop("except")},
	{"a block twice as large", set("cidr", wider)},
	{"the directions swapped", swap("ingress", "egress")},
	{"a direction not isolated", dropItem("policyTypes")},
	{"another namespace", set("namespace", func(old string) string {
		if old == "shop" {
			return "data"
		}
		return "shop"
	})},
	{"a misspelt field", rename("ingress", "ingres")},
	{"another kind", set("kind", constant("NetworkPolicies"))},
	{"an apiVersion of yesterday", set("apiVersion", constant("extensions/v1beta1"))},
}

// documents reads a stream.
func documents(text string) []*yaml.Node {
	dec := yaml.NewDecoder(strings.NewReader(text))
	var out []*yaml.Node
	for {
		var n yaml.Node
		if dec.Decode(&n) != nil {
			return out
		}
		out = append(out, n.Content[0])
	}
}

func write(docs []*yaml.Node) string {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	for _, d := range docs {
		if err := enc.Encode(d); err != nil {
			panic(err)
		}
	}
	return b.String()
}

func walk(n *yaml.Node, visit func(*yaml.Node)) {
	if n.Kind == yaml.MappingNode {
		visit(n)
	}
	for _, c := range n.Content {
		walk(c, visit)
	}
}

// sites counts the ways in which a mutation can change a text; change makes the
// one of that number.
func sites(m mutation, text string, take int) (n int, changed string) {
	docs := documents(text)
	for _, d := range docs {
		walk(d, func(x *yaml.Node) {
			for _, way := range m.ways(x) {
				if n == take {
					defer way()
				}
				n++
			}
		})
	}
	return n, write(docs)
}

// answers asks the judge about everything; "refused" where no cluster takes it.
// What a machine at the other end does not let pass anyway is left out, and so
// are conversations with oneself and between addresses of two families, of which
// prove does not speak.
func answers(c *clusters.Cluster, r *clusters.Resolved, text string) string {
	j, err := New(text, c.Spaces)
	if err != nil {
		return "refused"
	}
	var b strings.Builder
	for _, from := range c.Parties() {
		for _, to := range c.Parties() {
			if address(from) == address(to) || address(from).Is4() != address(to).Is4() {
				continue
			}
			for _, q := range clusters.Probes() {
				if r.HostDenies(from, to, q.Protocol, q.Port) {
					continue
				}
				ok, err := j.Allows(from, to, q.Protocol, q.Port)
				if err != nil {
					return "refused"
				}
				fmt.Fprintf(&b, "%s -> %s %s %d: %t\n", short(from), short(to), q.Protocol, q.Port, ok)
			}
		}
	}
	return b.String()
}

func short(p layer.Party) string {
	if p.Workload != nil {
		return p.Workload.Name
	}
	return p.Addr.String()
}

func address(p layer.Party) netip.Addr {
	if p.Workload != nil {
		return p.Workload.Addresses[0]
	}
	return p.Addr
}

// change returns the first line in which two answers differ.
func change(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return y[i]
		}
	}
	return b
}

// base is a cluster, the policies that are rendered for it, and what the judge
// says about them.
type base struct {
	c    *clusters.Cluster
	r    *clusters.Resolved
	text string
	said string
}

// bases are those whose policies are rendered whole, so that any difference is
// one that a mutation made.
func bases(t *testing.T, n int) []base {
	t.Helper()
	var out []base
	for seed := uint64(0); len(out) < n; seed++ {
		c := clusters.New(seed)
		r := c.Resolve(c.Policy(), false)
		if r == nil {
			continue
		}
		files, diags := networkpolicy.Target{}.Render(r.Wanted)
		if len(files) < 3 || diags.HasErrors() || strings.Contains(fmt.Sprint(diags), "stays closed") {
			continue
		}
		var all strings.Builder
		for _, f := range files {
			all.Write(f.Data)
		}
		b := base{c, r, all.String(), answers(c, r, all.String())}
		if x := proven(t, b, b.text, c.Inventory); !x.Proven() {
			continue // a made label, or an External by name, of which prove says so itself
		}
		out = append(out, b)
	}
	return out
}

// proven asks prove whether a text says what was meant. The policy is that of
// the inventory as it was meant; the text is read against one that may have
// changed.
func proven(t *testing.T, b base, text string, inv *inventory.Snapshot) prove.Word {
	t.Helper()
	c := *b.c
	c.Inventory = inv
	r, err := prove.Prove(prove.Intent{Policy: b.r.Policy}, []*layer.Layer{lift(&c, text)}, prove.Options{At: clusters.Noon})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Results) == 0 {
		return prove.Wrong // nothing governs any more
	}
	return r.Results[0].Result
}

// TestMutants damages rendered policies in every way that there is, and demands
// that prove sees all that the judge says makes a difference.
func TestMutants(t *testing.T) {
	all := bases(t, 12)
	const perKind = 14
	mutants, differ, caught := 0, 0, 0
	for _, m := range mutations {
		made := 0
		for round := 0; made < perKind && round < 3*perKind; round++ {
			b := all[round%len(all)]
			n, _ := sites(m, b.text, -1)
			if n == 0 {
				continue
			}
			_, text := sites(m, b.text, (round*7919)%n)
			made++
			mutants++
			said := answers(b.c, b.r, text)
			if said == b.said {
				continue
			}
			differ++
			if w := proven(t, b, text, b.c.Inventory); !w.Proven() {
				caught++
			} else {
				t.Errorf("%s: prove says %s, but now %s\n%s\nwhich was\n%s", m.name, w, change(b.said, said), text, b.text)
			}
		}
		if made == 0 {
			t.Errorf("%s: never made", m.name)
		}
	}
	t.Logf("%d mutants of %d kinds; %d permit something else or are refused by the judge, of which prove catches %d", mutants, len(mutations), differ, caught)
	if differ < 200 {
		t.Error("too few")
	}
}

// TestMutatedInventories changes labels of pods behind the policies' back: the
// same text then permits something else.
func TestMutatedInventories(t *testing.T) {
	mutants, differ, caught := 0, 0, 0
	for _, b := range bases(t, 12) {
		for i := range b.c.Inventory.Workloads {
			w := b.c.Inventory.Workloads[i]
			if w.Pod == nil {
				continue
			}
			for _, key := range []string{"tier", "env", "app"} {
				changed := *b.c
				w := w
				w.Labels, w.Pod = maps.Clone(w.Labels), maps.Clone(w.Pod)
				w.Labels[key], w.Pod[key] = "other", "other"
				changed.Inventory = b.c.Inventory.With(w)
				mutants++
				if answers(&changed, b.r, b.text) == b.said {
					continue
				}
				differ++
				// What is meant is what the policy says of the labels as they were; the
				// reading is of those that there are.
				if differs(b, &changed) {
					caught++
				} else {
					t.Errorf("%s: %s=other is not seen", w.Name, key)
				}
			}
		}
	}
	t.Logf("%d inventories; in %d the same policies permit something else, of which the reading sees %d", mutants, differ, caught)
	if differ < 30 {
		t.Error("too few")
	}
}

// differs reports whether the text, read in the changed cluster, permits
// something else than was meant of the old one.
func differs(b base, changed *clusters.Cluster) bool {
	l := lift(changed, b.text)
	old, now := b.c.Parties(), changed.Parties()
	for i, from := range now {
		for k, to := range now {
			for _, q := range clusters.Probes() {
				v := l.Decide(layer.Conversation{From: from, To: to, Protocol: q.Protocol, Port: q.Port}, changed.Networks)
				if (v.Upper != layer.Deny) != b.r.Permits(old[i], old[k], q.Protocol, q.Port) {
					return true
				}
			}
		}
	}
	return false
}
