package prove

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"firebreak/internal/inventory"
	"firebreak/internal/label"
	"firebreak/internal/layer"
)

// What bounds the workloads that are tried.
const (
	maxTried      = 256
	maxSelectors  = 64 // that are tried in pairs
	triedOfALabel = 3  // other values of a label that are tried
)

// triedName begins the names of workloads that are not there.
const triedName = "\uffff" // behind all others

// attempt is how workloads that could be there would be treated.
type attempt struct {
	c      *comparison // nil: nothing that could be there can be, what is there decides
	layers []*layer.Layer
}

// try compares what layers would do with workloads that could be there.
func try(in Intent, layers []*layer.Layer, o Options) (*attempt, error) {
	if in.Resolve == nil {
		return &attempt{}, nil
	}
	tried := guess(in, layers)
	inv, err := with(in, tried)
	if err != nil || inv == nil {
		return &attempt{}, nil
	}
	p, err := in.Resolve(inv)
	if p == nil || err != nil {
		return &attempt{}, nil
	}
	// What names its members one by one says nothing of who is not there yet, and
	// catches nothing from them.
	open := slices.DeleteFunc(slices.Clone(layers), func(l *layer.Layer) bool { return l.Names })
	if len(open) == 0 {
		return &attempt{}, nil
	}
	c, err := newComparison(Intent{Policy: p, ToCome: in.ToCome}, open, o)
	if err != nil {
		return nil, err
	}
	c.involving(func(w int32) bool { return strings.HasPrefix(inv.Workloads[w].Name, triedName) })
	return &attempt{c, open}, c.e.u.space.Err()
}

// change turns results that are exact today only into exact-today.
func (a *attempt) change(layers []*layer.Layer, r *Report) {
	c := a.c
	if c == nil {
		return
	}
	names := newNamer(c.e.u, c.p)
	at := 0
	for _, l := range layers {
		n := slices.Index(a.layers, l)
		for p := range l.Points {
			x := &r.Results[at]
			at++
			if x.Result == Exact && n >= 0 {
				c.exactToday(x, names, c.byPoint[n][p])
			}
		}
		for at < len(r.Results) && r.Results[at].Target == l.Target && r.Results[at].Point == "" {
			at++
		}
	}
}

// exactToday says of which workload a point that is exact is not.
func (c *comparison) exactToday(r *Result, names *namer, t *tally) {
	f := t.worst()
	if f == nil || f.kind <= perhaps {
		return
	}
	who := ""
	for _, x := range f.first {
		for _, w := range c.e.u.ends[x].workloads {
			if y := &c.e.u.inv.Workloads[w]; strings.HasPrefix(y.Name, triedName) && who == "" {
				who = labelText(y.Labels)
			}
		}
	}
	may := "may"
	if f.kind == under {
		may = "may not"
	}
	from, to := c.plain(names, f.first[0]), c.plain(names, f.first[1])
	r.Result = ExactToday
	r.Reason = fmt.Sprintf("a workload labelled %s would be treated otherwise: %s %s reach %s by %s", who, from, may, to, f.set)
}

// plain names an end; what is not there is "it".
func (c *comparison) plain(names *namer, x int32) string {
	for _, w := range c.e.u.ends[x].workloads {
		if strings.HasPrefix(c.e.u.inv.Workloads[w].Name, triedName) {
			return "it"
		}
	}
	return names.name([]int32{x})
}

func labelText(labels map[string]string) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		out = append(out, k+"="+labels[k])
	}
	if len(out) == 0 {
		return "with nothing"
	}
	return strings.Join(out, ",")
}

// involving compares the pairs of which an end is one of some workloads.
func (c *comparison) involving(some func(w int32) bool) {
	u := c.e.u
	is := make([]bool, len(u.ends))
	for x := range u.ends {
		is[x] = slices.ContainsFunc(u.ends[x].workloads, some)
	}
	c.pairs.each(is, c.differs, c.note)
}

// with adds workloads to today's inventory, as far as the policy resolves with
// them; nil if none can be added.
func with(in Intent, tried []inventory.Workload) (*inventory.Snapshot, error) {
	whole := func(list []inventory.Workload) *inventory.Snapshot {
		out := *in.Policy.Inventory
		out.Workloads = append(slices.Clone(out.Workloads), list...)
		return &out
	}
	if len(tried) == 0 {
		return nil, nil
	}
	alone := func(list []inventory.Workload) bool {
		p, err := in.Resolve(&inventory.Snapshot{Workloads: list})
		return p != nil && err == nil
	}
	if !alone(tried) {
		tried = slices.DeleteFunc(tried, func(w inventory.Workload) bool { return !alone([]inventory.Workload{w}) })
	}
	if len(tried) == 0 {
		return nil, nil
	}
	return whole(tried), nil
}

// guesser makes up workloads.
type guesser struct {
	keys   []string            // that selectors speak of
	values map[string][]string // that workloads have, or selectors name
	seen   map[string]bool     // labels that are there, or have been tried
	out    []inventory.Workload
}

// guess makes up workloads from the selectors of layers and from today's
// workloads: each with one of the labels that matter changed or left out, each
// selector met alone, and two of them.
func guess(in Intent, layers []*layer.Layer) []inventory.Workload {
	selectors := selectorsOf(layers)
	selectors = append(selectors, in.Selectors...)
	g := guesser{values: map[string][]string{}, seen: map[string]bool{}}
	for _, s := range selectors {
		for _, r := range s.Requirements() {
			g.keys = append(g.keys, r.Key)
			g.values[r.Key] = append(g.values[r.Key], r.Values...)
		}
	}
	slices.Sort(g.keys)
	g.keys = slices.Compact(g.keys)
	models := g.learn(in)
	for _, k := range g.keys {
		slices.Sort(g.values[k])
		g.values[k] = slices.Compact(g.values[k])
	}
	for i, s := range selectors {
		if i < maxSelectors {
			g.try(inventory.Workload{Labels: met(map[string]string{}, s)}, maxTried/4)
		}
	}
	for _, w := range models {
		g.vary(w, maxTried*3/4)
	}
	for i, s := range selectors[:min(len(selectors), maxSelectors)] {
		for _, x := range selectors[:i] {
			g.try(inventory.Workload{Labels: met(met(map[string]string{}, s), x)}, maxTried)
		}
	}
	return g.out
}

// learn notes today's labels, and returns one workload of each identity.
func (g *guesser) learn(in Intent) []*inventory.Workload {
	inv := in.Policy.Inventory
	var models []*inventory.Workload
	for i := range in.Policy.Identities {
		w := &inv.Workloads[in.Policy.Identities[i].Workloads[0]]
		models = append(models, w)
		for _, k := range g.keys {
			if v, has := w.Labels[k]; has {
				g.values[k] = append(g.values[k], v)
			}
		}
	}
	for i := range inv.Workloads {
		g.seen[g.key(inv.Workloads[i].Labels)] = true
	}
	return models
}

// key tells label sets apart, by the labels that matter.
func (g *guesser) key(labels map[string]string) string {
	var b strings.Builder
	for _, k := range g.keys {
		if v, has := labels[k]; has {
			fmt.Fprintf(&b, "%q=%q,", k, v)
		}
	}
	return b.String()
}

func (g *guesser) try(w inventory.Workload, most int) {
	key := g.key(w.Labels)
	if g.seen[key] || len(g.out) >= most {
		return
	}
	g.seen[key] = true
	w.Name = fmt.Sprintf("%s%04d", triedName, len(g.out))
	w.Addresses, w.Zone = nil, ""
	g.out = append(g.out, w)
}

// vary changes one label that matters, and leaves one out.
func (g *guesser) vary(w *inventory.Workload, most int) {
	for _, k := range g.keys {
		if len(g.out) >= most {
			return
		}
		change := func(v string, has bool) {
			x := *w
			x.Labels = maps.Clone(w.Labels)
			if x.Labels == nil {
				x.Labels = map[string]string{}
			}
			if delete(x.Labels, k); has {
				x.Labels[k] = v
			}
			g.try(x, most)
		}
		change("", false)
		change("another", true)
		for i, v := range g.values[k] {
			if i < triedOfALabel {
				change(v, true)
			}
		}
	}
}

// met adds to labels what a selector asks for.
func met(labels map[string]string, s label.Selector) map[string]string {
	for _, r := range s.Requirements() {
		switch r.Op {
		case label.In:
			labels[r.Key] = r.Values[0]
		case label.Exists:
			if _, has := labels[r.Key]; !has {
				labels[r.Key] = "another"
			}
		}
	}
	return labels
}

// selectorsOf lists the selectors of layers, each once.
func selectorsOf(layers []*layer.Layer) []label.Selector {
	seen := map[string]bool{}
	var out []label.Selector
	var match func(m layer.Match)
	match = func(m layer.Match) {
		for i := range m {
			if s := m[i].Select; s != nil && !seen[s.String()] {
				seen[s.String()] = true
				out = append(out, *s)
			}
			match(m[i].Not)
		}
	}
	for _, l := range layers {
		for i := range l.Points {
			match(l.Points[i].Governs)
		}
		for i := range l.Tables {
			match(l.Tables[i].Governs)
			for _, tier := range l.Tables[i].Tiers {
				for k := range tier {
					match(tier[k].Subject)
					match(tier[k].Peer)
				}
			}
		}
	}
	return out
}
