package cli

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/layer"
	"firebreak/internal/load"
	"firebreak/internal/path"
	"firebreak/internal/policy"
	"firebreak/internal/semantics"
	"firebreak/internal/target/all"
)

// mostWalked bounds how many pairs are walked; of more, the first are.
const mostWalked = 2000

// walked is what becomes of a conversation on its way through the live layers.
// Ways has one for each different answer, at least one.
type walked struct {
	Effect string
	Why    string // for what is not the same for all pairs
	Ways   []way
	More   int       // pairs that were not walked
	diags  diag.List // about the folder
}

// way is the answer about two ends, and how many other pairs share it.
type way struct {
	From, To string
	Others   int
	path.Answer
}

// liveOnly makes a policy that says nothing of a live folder's own inventory, to
// ask about an estate without any.
func liveOnly(folder string, sources []string) (*loaded, *load.Live, error) {
	got, diags := load.OfFolder(folder, load.Asked{Targets: all.Targets(), Sources: sources})
	if got == nil {
		return nil, nil, misusef("%s", diags[len(diags)-1].Message)
	}
	tree := &lang.Dir{}
	p, more := policy.Resolve(tree, got.Inventory)
	if p == nil {
		return nil, nil, misusef("%s: %v", folder, more)
	}
	return &loaded{dir: folder, tree: tree, inv: got.Inventory, p: p, diags: diags}, got, nil
}

// explainLive answers about an estate without any policy.
func explainLive(cmd *cobra.Command, how string, f explainFlags, in flow.Circumstances, sources []string) error {
	l, got, err := liveOnly(*f.live, sources)
	if err != nil {
		return err
	}
	if how != "json" {
		printFindings(cmd.ErrOrStderr(), l.diags)
	}
	w, err := l.walk(f, in, got)
	if err != nil {
		return err
	}
	w.diags = l.diags
	out := resultsTo(cmd, how, true)
	if how == "json" {
		err = writeJSON(out, walkJSON(f, in, w))
	} else {
		var b strings.Builder
		textWalk(&b, w)
		_, err = io.WriteString(out, strings.TrimPrefix(b.String(), "\n"))
	}
	if err == nil && *f.expect != "" && *f.expect != w.Effect {
		err = errNo
	}
	return err
}

// walkLive answers about the layers of a live folder, over the policy's
// inventory.
func (l *loaded) walkLive(stderr io.Writer, how string, f explainFlags, in flow.Circumstances) (*walked, error) {
	got, diags := load.OfFolder(*f.live, l.asked(all.Targets()...))
	if got == nil {
		return nil, misusef("%s", diags[len(diags)-1].Message)
	}
	if how != "json" {
		printFindings(stderr, diags)
	}
	w, err := l.walk(f, in, got)
	if err == nil {
		w.diags = diags
	}
	return w, err
}

// walk takes a question through the layers of a live folder.
func (l *loaded) walk(f explainFlags, in flow.Circumstances, got *load.Live) (*walked, error) {
	_, froms, err := l.parties("--from", *f.from)
	if err != nil {
		return nil, err
	}
	end, tos, err := l.parties("--to", *f.to)
	if err != nil {
		return nil, err
	}
	addInward(got)
	e := &path.Estate{Inventory: got.Inventory, Networks: ownNetworks(l.p, got.Inventory), Layers: got.Layers}
	w := &walked{}
	walks := 0
	for _, from := range froms {
		for _, to := range tos {
			if len(froms)*len(tos) > 1 && (from.Name() == to.Name() || strangers(partyOf(from), partyOf(to))) {
				continue
			}
			if walks++; walks > mostWalked {
				w.More++
				continue
			}
			q, err := l.conversation(*f.port, end, from, to, in)
			if err != nil {
				return nil, err
			}
			w.add(way{From: from.Name(), To: to.Name(), Answer: e.Explain(q)})
		}
	}
	w.conclude()
	return w, nil
}

// ownNetworks are the estate's own: those that the policy names, if there is one
// that does, else those that the inventory shows.
func ownNetworks(p *policy.Policy, inv *inventory.Snapshot) []netip.Prefix {
	if p != nil && len(p.Networks) > 0 {
		return p.Networks
	}
	var out []netip.Prefix
	for _, n := range inv.Networks {
		if n.Within == "" {
			out = append(out, n.CIDRs...)
		}
	}
	return out
}

// conversation is the question about two parties and the first port that is
// meant.
func (l *loaded) conversation(port string, end lang.Endpoint, from, to semantics.Party, in flow.Circumstances) (path.Question, error) {
	if port == "" {
		return path.Question{}, misusef("--port is missing")
	}
	p, err := parsePort(port)
	if err != nil {
		return path.Question{}, err
	}
	asked := l.evaluator().Asked(&p, end, to)
	if asked.IsEmpty() {
		return path.Question{}, misusef("--port: %s has no port named %q", to.Name(), p.Name)
	}
	q := path.Question{From: partyOf(from), To: partyOf(to), In: in}
	q.Protocol, q.Port = semantics.First(asked)
	return q, nil
}

// partyOf is a party as layers know it. What stands for the rest of the world
// has an address of it.
func partyOf(p semantics.Party) layer.Party {
	switch w := one(p); {
	case w != nil:
		return layer.Party{Workload: w}
	case p.Addr.IsValid():
		return layer.Party{Addr: p.Addr}
	case len(p.Externals) > 0:
		return layer.Party{External: p.Externals[0]}
	}
	return layer.Party{Addr: netip.AddrFrom4([4]byte{192, 0, 2, 1})} // of the range for documentation (RFC 5737): somebody
}

// strangers reports whether two ends have addresses, and none in one family: no
// packets pass between IPv4 and IPv6.
func strangers(a, b layer.Party) bool {
	of := func(p layer.Party) (v4, v6 bool) {
		list := []netip.Addr{p.Addr}
		if p.Workload != nil {
			list = p.Workload.Addresses
		}
		for _, x := range list {
			v4, v6 = v4 || x.Unmap().Is4(), v6 || x.Is6() && !x.Is4In6()
		}
		return v4, v6
	}
	a4, a6 := of(a)
	b4, b6 := of(b)
	return (a4 || a6) && (b4 || b6) && !(a4 && b4) && !(a6 && b6)
}

func (w *walked) add(x way) {
	key := func(a path.Answer) string {
		var b strings.Builder
		fmt.Fprint(&b, a.Effect)
		for _, s := range a.Steps {
			fmt.Fprint(&b, "|", s.Target, s.End, s.Effect, s.Rule)
		}
		for _, y := range a.Bypasses {
			fmt.Fprint(&b, "|", y)
		}
		return b.String()
	}
	mine := key(x.Answer)
	i := slices.IndexFunc(w.Ways, func(y way) bool { return key(y.Answer) == mine })
	if i < 0 {
		w.Ways = append(w.Ways, x)
		return
	}
	w.Ways[i].Others++
}

func (w *walked) conclude() {
	if len(w.Ways) == 0 {
		w.Effect, w.Why = "unknown", "a workload's conversations with itself go through no layer"
		return
	}
	w.Effect = string(w.Ways[0].Effect)
	for _, x := range w.Ways[1:] {
		if x.Effect != w.Ways[0].Effect {
			w.Effect, w.Why = "unknown", "the answer is not the same for all pairs"
		}
	}
}

// textWalk writes what became of the way for people.
func textWalk(b *strings.Builder, w *walked) {
	fmt.Fprintf(b, "\nthrough the layers that are live: %s", w.Effect)
	if w.Why != "" {
		fmt.Fprintf(b, " (%s)", w.Why)
	}
	b.WriteString("\n")
	for _, x := range w.Ways {
		fmt.Fprintf(b, "\n  %s → %s  %s", x.From, x.To, x.Effect)
		if x.Others > 0 {
			fmt.Fprintf(b, "  (and %d more pairs)", x.Others)
		}
		b.WriteString("\n")
		for _, s := range x.Steps {
			textLiveStep(b, s)
		}
		for _, y := range x.Bypasses {
			fmt.Fprintf(b, "    bypass: %s around %s (%s): %s\n", y.Way, y.Around, y.Effect, y.Why)
		}
	}
	if w.More > 0 {
		fmt.Fprintf(b, "\n  %d more pairs were not walked: ask about fewer\n", w.More)
	}
}

func textLiveStep(b *strings.Builder, s path.Step) {
	end := s.End
	if end == "" {
		end = "-"
	}
	fmt.Fprintf(b, "    %-13s %-8s %-9s %s", s.Target, end, s.Effect, s.Point)
	if s.Rule != (flow.Rule{}) {
		fmt.Fprintf(b, ", %s", s.Rule)
	}
	fmt.Fprintf(b, ": %s\n", s.Why)
}

type explainLayer struct {
	Target string    `json:"target"`
	Point  string    `json:"point"`
	End    string    `json:"end,omitempty"`
	Effect string    `json:"effect"`
	Rule   flow.Rule `json:"rule"`
	Why    string    `json:"why"`
}

type explainBypass struct {
	Around string `json:"around"`
	Point  string `json:"point"`
	Way    string `json:"way"`
	Effect string `json:"effect"`
	Why    string `json:"why"`
}

type explainWay struct {
	From     string          `json:"from"`
	To       string          `json:"to"`
	Others   int             `json:"others"`
	Effect   string          `json:"effect"`
	Layers   []explainLayer  `json:"layers"`
	Bypasses []explainBypass `json:"bypasses"`
}

// jsonLayers is never nil.
func jsonLayers(steps []path.Step) []explainLayer {
	out := []explainLayer{}
	for _, s := range steps {
		out = append(out, explainLayer{s.Target, s.Point, s.End, string(s.Effect), s.Rule, s.Why})
	}
	return out
}

func jsonWay(x way) explainWay {
	out := explainWay{From: x.From, To: x.To, Others: x.Others, Effect: string(x.Effect), Layers: jsonLayers(x.Steps), Bypasses: []explainBypass{}}
	for _, y := range x.Bypasses {
		out.Bypasses = append(out.Bypasses, explainBypass{y.Around, y.Point, y.Way, string(y.Effect), y.Why})
	}
	return out
}

// walkJSON is the answer about an estate of which no policy is known.
func walkJSON(f explainFlags, in flow.Circumstances, w *walked) any {
	first := explainWay{Layers: []explainLayer{}, Bypasses: []explainBypass{}}
	ways := []explainWay{}
	for _, y := range w.Ways {
		ways = append(ways, jsonWay(y))
	}
	if len(ways) > 0 {
		first = ways[0]
	}
	return struct {
		From     string          `json:"from"`
		To       string          `json:"to"`
		Traffic  string          `json:"traffic"`
		At       time.Time       `json:"at"`
		Effect   string          `json:"effect"`
		Why      string          `json:"why,omitempty"`
		Tiers    []explainStep   `json:"tiers"`
		Layers   []explainLayer  `json:"layers"`
		Bypasses []explainBypass `json:"bypasses"`
		Ways     []explainWay    `json:"ways"`
		Findings []jsonFinding   `json:"diagnostics"`
	}{*f.from, *f.to, *f.port, in.At, w.Effect, w.Why, []explainStep{}, first.Layers, first.Bypasses, ways, jsonFindings(w.diags)}
}
