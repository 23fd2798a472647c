package prove

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"firebreak/internal/layer"
	"firebreak/internal/policy"
)

const defaultLines = 50

func (o *Options) lines() int {
	if o.Lines > 0 {
		return o.Lines
	}
	return defaultLines
}

func (o *Options) scope() string {
	if o.Live {
		return "live"
	}
	return "alone"
}

// comparison is everything about how layers and the intent differ.
type comparison struct {
	e        *estate
	p        *policy.Policy
	o        Options
	j        judge
	pairs    *pairs
	byPoint  [][]*tally // by layer, by point; the last of each is about ends without a point
	together *tally
	open     map[int32]bool // ends that no layer governs, and that should be
	done     []judged       // by signature
	numbers  pieces
	room     []int32
}

// judged is what became of a signature.
type judged struct {
	known    bool
	clean    bool
	layers   [][]piece
	together []piece
	open     [2]bool
}

func (c *comparison) of(sig int32) *judged {
	for int(sig) >= len(c.done) {
		c.done = append(c.done, make([]judged, len(c.done)+64)...)
	}
	d := &c.done[sig]
	if d.known {
		return d
	}
	s := &c.pairs.list[sig]
	d.known = true
	direct := c.e.view(s, s.way == closed)
	d.layers = make([][]piece, len(c.e.layers))
	for n := range c.e.layers {
		d.layers[n] = c.j.pieces(direct, n)
	}
	d.together, d.open = c.j.together(direct, d.layers), c.j.ungoverned(s)
	if s.way == unasked && s.via != nil {
		led, through := c.e.view(s, true), make([][]piece, len(c.e.layers))
		for n := range c.e.layers {
			through[n] = c.j.pieces(led, n)
			d.layers[n] = s.way.either(d.layers[n], through[n])
		}
		d.together = s.way.either(d.together, c.j.together(led, through))
	}
	if s.way == open && s.via != nil {
		c.beside(d, c.e.view(s, true))
	}
	for n := range d.layers {
		c.numbers.number(d.layers[n])
	}
	c.numbers.number(d.together)
	d.clean = len(d.together) == 0 && d.open == [2]bool{} && !slices.ContainsFunc(d.layers, func(p []piece) bool { return len(p) > 0 })
	return d
}

// beside adds what is too much where conversations are led that could do without.
func (c *comparison) beside(d *judged, v *view) {
	tooMuch := func(list []piece) []piece {
		return slices.DeleteFunc(list, func(p piece) bool { return p.kind != over && p.kind != unenforcedOver && p.kind != perhaps })
	}
	layers := make([][]piece, len(c.e.layers))
	for n, l := range c.e.layers {
		if l.relays() {
			layers[n] = tooMuch(c.j.pieces(v, n))
			d.layers[n] = append(d.layers[n], layers[n]...)
		}
	}
	d.together = append(d.together, tooMuch(c.j.together(v, layers))...)
}

// newComparison compiles, and compares nothing yet.
func newComparison(in Intent, layers []*layer.Layer, o Options) (*comparison, error) {
	e, err := build(in.Policy.Inventory, in.Policy, true, layers, o)
	if err != nil {
		return nil, err
	}
	e.inForce = !in.ToCome
	c := &comparison{e: e, p: in.Policy, o: o, pairs: newPairs(e), together: newTally(e), numbers: pieces{known: map[string]int32{}}, open: map[int32]bool{}}
	c.pairs.byWay = true
	c.j = judge{e: e, accepted: in.Accepted, want: func(kind int32) *intended { return &c.pairs.intents[kind] }}
	for _, l := range e.layers {
		var list []*tally
		for range len(l.Points) + 1 {
			list = append(list, newTally(e))
		}
		c.byPoint = append(c.byPoint, list)
	}
	return c, nil
}

// differs reports whether there is something to note about a signature.
func (c *comparison) differs(sig int32) bool { return !c.of(sig).clean }

// note takes in what differs for one pair.
func (c *comparison) note(i, j int, sig int32) {
	d := c.of(sig)
	if d.clean {
		return
	}
	for n, pieces := range d.layers {
		for k := range pieces {
			c.attribute(n, i, j, &pieces[k])
		}
	}
	for k := range d.together {
		c.together.note(i, j, &d.together[k])
	}
	for k, x := range []int{i, j} {
		if d.open[k] {
			c.open[int32(x)] = true
		}
	}
}

// attribute gives a piece to the points at whose end the layer differs.
func (c *comparison) attribute(n, i, j int, p *piece) {
	l := c.e.layers[n]
	points := c.room[:0]
	for d, x := range [2]int{i, j} {
		if p.fault[d] {
			points = append(points, l.points[x]...)
		}
	}
	if len(points) == 0 {
		points = append(append(points, l.points[i]...), l.points[j]...)
	}
	if len(points) == 0 {
		points = append(points, int32(len(l.Points)))
	}
	slices.Sort(points)
	for k, x := range points {
		if k == 0 || x != points[k-1] {
			c.byPoint[n][x].note(i, j, p)
		}
	}
	c.room = points
}

func prove(in Intent, layers []*layer.Layer, o Options) (*Report, error) {
	var tried *attempt
	var failed error
	var wait sync.WaitGroup
	wait.Go(func() { tried, failed = try(in, layers, o) })
	defer wait.Wait()
	c, err := newComparison(in, layers, o)
	if err != nil {
		return nil, err
	}
	c.pairs.each(nil, c.differs, c.note)
	out := &Report{}
	names := newNamer(c.e.u, c.p)
	for n, l := range c.e.layers {
		for p := range l.Points {
			out.Results = append(out.Results, c.result(names, n, p))
		}
		if rest := c.byPoint[n][len(l.Points)]; len(rest.found) > 0 {
			r := Result{Target: l.Target, Point: "", Modelled: l.Modelled}
			c.fill(&r, names, rest, n)
			out.Results = append(out.Results, r)
		}
	}
	if slices.ContainsFunc(layers, func(l *layer.Layer) bool { return !l.Optional }) {
		out.Together = c.all(names)
	}
	if err := c.e.u.space.Err(); err != nil {
		return nil, err
	}
	if wait.Wait(); failed != nil {
		return nil, failed
	}
	tried.change(layers, out)
	return out, nil
}

// result is about one point.
func (c *comparison) result(names *namer, n, p int) Result {
	l := c.e.layers[n]
	r := Result{Target: l.Target, Point: l.Points[p].Name, Modelled: l.Modelled}
	c.fill(&r, names, c.byPoint[n][p], n)
	switch point := &l.Points[p]; {
	case !l.governs[p]:
		r.Result, r.Reason = NotApplicable, "it governs no workload of the inventory"
	case point.Missing != "":
		r.Result, r.Reason = Unenforced, point.Missing
	case point.Unknown != "" && r.Result != Wrong:
		r.Result, r.Reason = Unknown, point.Unknown
	case r.Result == Exact && l.Names:
		r.Result, r.Reason = ExactToday, "it names workloads or addresses one by one: what comes to be is not covered before the next render"
		if l.Renewed {
			r.Reason = "it names workloads or addresses one by one, and its agent keeps up with them: what comes to be is not covered before the agent has learned of it"
		}
	}
	return r
}

// fill says what a tally found; n is the layer, -1 for all together.
func (c *comparison) fill(r *Result, names *namer, t *tally, n int) {
	r.Scope = c.o.scope()
	r.Over, r.MoreOver = t.lines(names, c.o.lines(), caughtOver, acceptedOver, unenforcedOver, over)
	r.Under, r.MoreUnder = t.lines(names, c.o.lines(), shut, under)
	worst := t.worst()
	if worst == nil {
		r.Result = Exact
		return
	}
	from, to := names.name(worst.first[:1]), names.name(worst.first[1:])
	r.Result = [...]Word{Approximate, Approximate, Approximate, Unknown, Unenforced, Wrong, Wrong}[worst.kind]
	switch worst.kind {
	case caughtOver, acceptedOver, shut:
		r.Reason = t.approximations()
	case perhaps, unenforcedOver:
		r.Reason = worst.why
	case over:
		r.Reason = fmt.Sprintf("%s may reach %s by %s, which was not meant", from, to, worst.set)
	case under:
		r.Reason = fmt.Sprintf("%s may not reach %s by %s, which was meant", from, to, worst.set)
		if worst.why != "" {
			r.Reason += ": " + worst.why
		}
	}
	if worst.kind >= perhaps {
		r.Witness = c.witness(worst, n)
	}
}

// approximations says why what a tally found is no fault.
func (t *tally) approximations() string {
	var by, why []string
	for _, f := range t.found {
		if f.kind == caughtOver {
			by = append(by, strings.Split(f.caught, ", ")...)
		} else {
			why = append(why, f.why)
		}
	}
	slices.Sort(by)
	slices.Sort(why)
	if by = slices.Compact(by); len(by) > 0 {
		why = append([]string{"more passes than was meant, and is caught by " + strings.Join(by, " or ")}, why...)
	}
	return strings.Join(slices.Compact(why), "; ")
}

func conditionText(c *policy.Condition) string {
	var out []string
	if c.HTTP != nil {
		out = append(out, "http")
	}
	if c.MTLS {
		out = append(out, "mtls")
	}
	if c.When != nil {
		out = append(out, "a time (when)")
	}
	if !c.Expires.IsZero() {
		out = append(out, "an end (expires)")
	}
	return strings.Join(out, " and ")
}

// all is the result of all layers together.
func (c *comparison) all(names *namer) *Result {
	r := &Result{Point: "all layers together"}
	for _, l := range c.e.layers {
		r.Modelled = r.Modelled || l.Modelled
	}
	c.fill(r, names, c.together, -1)
	if len(c.open) == 0 || r.Result == Wrong {
		return r
	}
	var open []int32
	for x := range c.open {
		open = append(open, x)
	}
	slices.Sort(open)
	r.Result, r.Reason = Unenforced, "no layer governs "+names.name(open)
	return r
}
