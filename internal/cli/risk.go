package cli

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"

	"firebreak/internal/risk"
	"firebreak/internal/semantics"
	"firebreak/internal/verify"
)

// attacked is an estate as an attacker sees it.
type attacked struct {
	l        *loaded
	e        *verify.Engine
	g        *risk.Graph
	node     []int32        // by peer of the engine
	workload map[string]int // by name: the index into the inventory
}

// attacked works out who may begin what, under the policy in force or the one
// to come, from now on.
func (l *loaded) attacked(inForce bool, now time.Time) (*attacked, error) {
	e, err := verify.New(l.p, verify.Options{At: now})
	if err != nil {
		return nil, err
	}
	a := &attacked{l: l, e: e, workload: make(map[string]int, len(l.inv.Workloads))}
	a.g, a.node = risk.FromEngine(e, inForce)
	for i := range a.g.Keepers {
		a.g.Keepers[i].Rule = l.rule(a.g.Keepers[i].Rule)
	}
	for i := range l.inv.Workloads {
		a.workload[l.inv.Workloads[i].Name] = i
	}
	return a, nil
}

// places are what an endpoint means to an attacker: workloads, also for a
// frontend before them, or what is outside the estate.
func (a *attacked) places(flag, text string) ([]risk.Place, error) {
	_, parties, err := a.l.parties(flag, text)
	if err != nil {
		return nil, err
	}
	var out []risk.Place
	seen := map[risk.Place]bool{}
	for _, p := range parties {
		found, err := a.place(flag, p)
		if err != nil {
			return nil, err
		}
		for _, x := range found {
			if !seen[x] {
				seen[x] = true
				out = append(out, x)
			}
		}
	}
	return out, nil
}

func (a *attacked) place(flag string, p semantics.Party) ([]risk.Place, error) {
	var owners []int
	for _, w := range p.Owners {
		owners = append(owners, a.workload[w.Name])
	}
	if p.Frontend != nil {
		owners = a.l.p.Behind().Workloads(p.Frontend)
	}
	var out []risk.Place
	for _, i := range owners {
		out = append(out, risk.Place{Node: int(a.node[a.e.OfWorkload(i)]), Workload: a.l.inv.Workloads[i].Name})
	}
	switch {
	case out != nil:
		return out, nil
	case p.Frontend != nil:
		return nil, misusef("%s: no workload stands behind frontend %s", flag, p.Frontend.Name)
	case p.Builtin != "":
		return nil, misusef("%s: %s is built in: nothing here decides about it", flag, p.Builtin)
	}
	peer := verify.None
	switch {
	case p.Addr != netip.Addr{}:
		peer, _ = a.e.OfAddress(p.Addr)
	case len(p.Externals) > 0:
		peer = a.e.OfName(p.Externals[0])
	}
	if peer == verify.None {
		return nil, misusef("%s: %s is no end of a conversation", flag, p.Name())
	}
	return []risk.Place{{Node: int(a.node[peer])}}, nil
}

// which says which of the two policies is meant, for people.
func which(inForce bool) string {
	if inForce {
		return "the policy in force"
	}
	return "the policy to come"
}

// percent is a share for people; what is not nothing is not called 0%.
func percent(share float64) string {
	switch {
	case share == 0:
		return "0%"
	case share < 0.0005:
		return "<0.1%"
	case share > 0.9995 && share < 1:
		return ">99.9%"
	case share == 1:
		return "100%"
	}
	return fmt.Sprintf("%.1f%%", 100*share)
}

// points is the difference of two shares, for people.
func points(before, after float64) string {
	d := 100 * (after - before)
	switch {
	case d == 0:
		return "no change"
	case d > 0:
		return fmt.Sprintf("+%.1f points", d)
	}
	return fmt.Sprintf("−%.1f points", -d)
}

// working tells a terminal what takes so long, and nobody else; what it
// returns takes that back.
func working(w io.Writer, what string) func() {
	p := newProgress(w)
	p.phase(what)
	return p.done
}

// few are the first of many names.
func few(names []string, n int) []string { return slices.Clone(names[:min(len(names), n)]) }
