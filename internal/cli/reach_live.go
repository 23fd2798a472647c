package cli

import (
	"fmt"
	"io"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"firebreak/internal/diag"
	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/layer"
	"firebreak/internal/load"
	"firebreak/internal/path"
	"firebreak/internal/policy"
	"firebreak/internal/prove"
	"firebreak/internal/target/all"
)

// liveReach is what the layers of a live estate permit together.
type liveReach struct {
	inv      *inventory.Snapshot
	p        *policy.Policy // nil without a policy directory
	l        *loaded        // likewise
	at       time.Time      // zero: at all times from now on
	from, to ends
	fromText string
	toText   string

	*prove.Reachability
	texts    texts
	edges    []int32 // by edge: the index of its traffic in texts; -1 for none
	out      [][]int32
	in       [][]int32 // of edges that begin at addresses
	runs     []addressRun
	layers   []*layer.Layer // to say what lets an edge pass; nil where nobody does
	networks []netip.Prefix
	diags    diag.List // about the folder
	merged   bool      // a line is about all workloads that no layer tells apart
}

// ends are those that a question is about.
type ends struct {
	some      bool // otherwise all
	workloads map[int]bool
	prefixes  []netip.Prefix // of addresses
	external  string         // known by names
	name      string         // what people call the addresses; empty for the world
}

// liveQuestion is reach about a live folder.
type liveQuestion struct {
	dir, live string // dir may be empty
	sources   []string
	reachQuestion
}

// collectLater puts off the first garbage collections of a program that is over
// in a moment, which saves a third of its time for a cluster of a thousand
// workloads. It is never touched, so that it takes addresses and no memory.
const collectLater = 48 << 20

// runLive answers reach --live.
func runLive(cmd *cobra.Command, q liveQuestion, how string) error {
	if q.inForce {
		return misusef("--in-force is about a policy; what is live is in force")
	}
	headroom := make([]byte, collectLater)
	defer runtime.KeepAlive(headroom)
	p := newProgress(cmd.ErrOrStderr())
	defer p.done()
	r := &liveReach{at: q.at, fromText: q.from, toText: q.to}
	asked := load.Asked{Targets: all.Targets(), Sources: q.sources}
	if q.dir != "" {
		p.phase("reading " + q.dir)
		l, err := must(cmd.ErrOrStderr(), q.dir, q.sources)
		if err != nil {
			return err
		}
		r.l, r.p, asked = l, l.p, l.asked(all.Targets()...)
	}
	p.phase("reading " + q.live)
	got, diags := load.OfFolder(q.live, asked)
	if got == nil {
		return misusef("%s", diags[len(diags)-1].Message)
	}
	p.phase("working out what may pass")
	r.inv = got.Inventory
	var err error
	if r.from, err = r.endsOf("--from", q.from); err != nil {
		return err
	}
	if r.to, err = r.endsOf("--to", q.to); err != nil {
		return err
	}
	inward := addInward(got)
	if r.Reachability, err = prove.Reach(r.inv, r.p, got.Layers, prove.Options{At: q.now, Live: true}); err != nil {
		return misusef("what is live cannot be judged: %v", err)
	}
	if how == "json" {
		r.layers, r.networks = got.Layers, ownNetworks(r.p, got.Inventory)
	}
	r.prepare()
	p.done()
	if r.diags = diags; how != "json" {
		printFindings(cmd.ErrOrStderr(), diags)
	}
	if slices.ContainsFunc(r.inv.Workloads, func(w inventory.Workload) bool { return w.Labels["net/vpc"] != "" }) {
		fmt.Fprintf(cmd.ErrOrStderr(), "firebreak: not all ways into a VPC and out of it are looked at (not %s): what is listed is what nothing refuses\n", path.NotLookedAt(inward))
	}
	if r.merged = r.lineCount() > maxReachLines; r.merged {
		fmt.Fprintf(cmd.ErrOrStderr(), "firebreak: more than %d lines: workloads that no layer tells apart are listed as one; --from and --to ask for less\n", maxReachLines)
	}
	p.phase("writing")
	write := map[string]func(io.Writer, *liveReach) error{
		"text": liveText, "json": liveJSON, "csv": liveCSV, "dot": liveDOT, "markdown": liveMarkdown,
	}[how]
	if err := write(resultsTo(cmd, how, true), r); err != nil {
		return err
	}
	if diags.HasErrors() {
		return misusef("not everything could be read")
	}
	return nil
}

// addInward puts what routes and public addresses say before what was read of a live
// folder, and returns it; nil if nothing is known of them.
func addInward(got *load.Live) *layer.Layer {
	answers, _ := got.Folder.AWS()
	inward := path.Inward(got.Inventory, answers)
	if inward != nil {
		got.Layers = append([]*layer.Layer{inward}, got.Layers...)
	}
	return inward
}

// endsOf finds what an endpoint means. Without a policy there are workloads,
// addresses and the world.
func (r *liveReach) endsOf(flag, text string) (ends, error) {
	kind, name, isKind := strings.Cut(text, ":")
	switch {
	case text == "":
		return ends{}, nil
	case text == "world":
		return ends{some: true, prefixes: allAddresses}, nil
	case r.l != nil:
		return r.declared(flag, text)
	case isKind && (kind == "service" || kind == "zone" || kind == "external"):
		return ends{}, misusef("%s %s: only a policy has %ss; name its directory, or write workload:NAME, ip:ADDRESS or world", flag, text, kind)
	case !isKind || kind != "workload" && kind != "ip":
		name = text
	}
	if a, err := netip.ParseAddr(name); err == nil && a.Zone() == "" && kind != "workload" {
		return r.address(a.Unmap()), nil
	}
	if kind == "ip" {
		return ends{}, misusef("%s: %q is not an IP address", flag, name)
	}
	return r.workload(flag, name)
}

var allAddresses = []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)}

func (r *liveReach) workload(flag, name string) (ends, error) {
	var names []string
	for i := range r.inv.Workloads {
		if r.inv.Workloads[i].Name == name {
			return ends{some: true, workloads: map[int]bool{i: true}}, nil
		}
		names = append(names, r.inv.Workloads[i].Name)
	}
	return ends{}, misusef("%s: there is no workload %q%s", flag, name, didYouMean("workload:", name, names))
}

// address is that of workloads, or of nobody.
func (r *liveReach) address(a netip.Addr) ends {
	out := ends{some: true, workloads: map[int]bool{}}
	for i := range r.inv.Workloads {
		if slices.Contains(r.inv.Workloads[i].Addresses, a) {
			out.workloads[i] = true
		}
	}
	if len(out.workloads) == 0 {
		out.prefixes, out.name = []netip.Prefix{netip.PrefixFrom(a, a.BitLen())}, a.String()
	}
	return out
}

// declared is what an endpoint means to a policy.
func (r *liveReach) declared(flag, text string) (ends, error) {
	end, found, err := r.l.parties(flag, text)
	if err != nil {
		return ends{}, err
	}
	if found[0].Frontend != nil {
		return ends{}, misusef("%s: what goes to a frontend goes on to its workloads: name them, or ask explain", flag)
	}
	out := ends{some: true, workloads: map[int]bool{}}
	owners := map[string]bool{}
	for _, p := range found {
		for _, w := range p.Owners {
			owners[w.Name] = true
		}
	}
	for i := range r.inv.Workloads {
		if owners[r.inv.Workloads[i].Name] {
			out.workloads[i] = true
		}
	}
	switch {
	case end.Kind == lang.ByIP && len(owners) == 0:
		out.prefixes, out.name = []netip.Prefix{netip.PrefixFrom(end.IP, end.IP.BitLen())}, end.IP.String()
	case end.Kind == lang.ByExternal:
		for i := range r.p.Externals {
			if x := &r.p.Externals[i]; x.Name == end.Name {
				out.prefixes, out.external, out.name = x.CIDRs, x.Name, x.Name
			}
		}
	}
	return out, nil
}

func (e *ends) hasWorkload(i int) bool { return !e.some || e.workloads[i] }

func (e *ends) hasName(external string) bool { return !e.some || e.external == external }

// within cuts a run of addresses down to what was asked about.
func (e *ends) within(lo, hi netip.Addr) []span {
	if !e.some {
		return []span{{lo, hi}}
	}
	var out []span
	for _, p := range e.prefixes {
		a, b := p.Masked().Addr(), lastOf(p)
		if a.Is4() != lo.Is4() || b.Less(lo) || hi.Less(a) {
			continue
		}
		if a.Less(lo) {
			a = lo
		}
		if hi.Less(b) {
			b = hi
		}
		out = append(out, span{a, b})
	}
	slices.SortFunc(out, func(x, y span) int { return x.lo.Compare(y.lo) })
	return out
}

// span is a run of addresses.
type span struct{ lo, hi netip.Addr }

func (s span) String() string { return s.lo.String() + "-" + s.hi.String() }
