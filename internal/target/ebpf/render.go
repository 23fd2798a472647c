// Package ebpf renders a policy into the tables that a host's kernel programs
// read. It is a pure function of the policy, of what the host is, and of the
// numbers given out before.
package ebpf

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/plan"
	"firebreak/internal/policy"
)

// Host is what the tables are rendered for.
type Host struct {
	// Zone is the zone of every process here that no cgroup attributes. The
	// inventory must hold the workload HostWorkload(Zone) with that zone.
	Zone string
	// Cgroups attributes cgroups to workloads of the inventory, by name.
	Cgroups []Cgroup
	// OwnAddresses are those of the host's interfaces, in every namespace.
	OwnAddresses []netip.Addr
	// Relays lead conversations between workloads that exchange no packets. What
	// they lead passes between the ends here and them.
	Relays []*plan.Relayed
}

// Cgroup attributes a cgroup, by its id, and everything below it.
type Cgroup struct {
	ID       uint64
	Workload string
}

// HostWorkload is the name of the workload that stands for a host's processes
// that no cgroup attributes. It owns no address.
func HostWorkload(zone string) string { return "host/" + zone }

// Render returns the tables of one host, or, with errors, nil: an unknown name
// (unknown-reference), or more than the kernel's maps hold (capacity). It warns
// of what rules demand and the kernel cannot enforce (unenforced). It adds to n
// what had no number yet, also when it then fails.
//
// The tables say what holds at that instant. What is permitted then and will
// not be later has the instant of its end with it; what will be permitted only
// later is denied. See Next for when to render anew.
func Render(p *policy.Policy, h Host, at time.Time, n *Numbers) (*layout.Tables, diag.List) {
	return render(p, p.Prefixes(), h, at, n)
}

func render(p *policy.Policy, prefixes []policy.PrefixPeer, h Host, at time.Time, n *Numbers) (*layout.Tables, diag.List) {
	r := &renderer{p: p, n: n, prefixes: prefixes, h: h}
	r.times.at = at
	if !r.findHost() || !r.fill() {
		return nil, r.diags
	}
	return &r.tables, r.diags
}

// fill makes the tables once the ends on the host that no address shows are
// known, and reports whether they fit.
func (r *renderer) fill() bool {
	r.addresses()
	r.collect()
	r.times.lay()
	r.classes.partition(r.n)
	r.tables.Classes = r.classes.ranges
	r.checkFixed()
	if r.diags.HasErrors() {
		return false
	}
	r.decideAll()
	return !r.diags.HasErrors()
}

type renderer struct {
	p        *policy.Policy
	n        *Numbers
	h        Host
	prefixes []policy.PrefixPeer
	diags    diag.List
	tables   layout.Tables
	// unlimited is set where the tables are of many hosts, each of which gets a
	// part.
	unlimited bool

	workloads map[string]int // by name, of the inventory
	hostIdent int            // identity of the host's own processes
	here      map[int]bool   // workloads on this host
	locals    []local        // ends on this host
	localOf   map[uint32]bool
	peers     []peer // far ends that are not one identity
	frontends []frontend
	relays    []relay
	behind    *policy.Behind // nil until a frontend is met
	identNum  []uint32       // by identity, 0 until asked

	classes classes
	times   times
	slot    []int32      // by identity: index into touches, or -1
	touches [][2][]touch // by identity on this host, by direction
	blanks  [][]int32    // see blank
	run     []emission   // what the end at hand says
	emitted [][]emission // end by end and direction by direction; at most as many entries as fit
	total   int          // entries, also those that do not fit
	ruleNum []uint32     // by ruleIndex, 0 until asked
	used    []int        // by ruleIndex: entries that it decides, to come
}

// local is an end on this host: one identity, or, for an address that several
// workloads here own, the loosest of theirs.
type local struct {
	number uint32
	idents []int
}

// peer is a far end made of several identities, of which the strictest holds,
// or of a set of Externals.
type peer struct {
	number    uint32
	idents    []int
	externals []int
}

// touch is a rule that speaks of an identity on this host; far is its other end.
type touch struct {
	item
	far *policy.Peers
}

func (r *renderer) identity(i int) uint32 {
	if r.identNum == nil {
		r.identNum = make([]uint32, len(r.p.Identities))
	}
	if r.identNum[i] == 0 {
		r.identNum[i] = r.n.peer(identityKey(r.p.Identities[i].Key))
	}
	return r.identNum[i]
}

// addLocal makes an end on this host of the identities, which must be sorted.
func (r *renderer) addLocal(idents []int) uint32 {
	number := uint32(0)
	if len(idents) == 1 {
		number = r.identity(idents[0])
	} else {
		number = r.n.peer(loosestKey(r.keys(idents)))
	}
	if !r.localOf[number] {
		r.localOf[number] = true
		r.locals = append(r.locals, local{number, idents})
	}
	return number
}

func (r *renderer) keys(idents []int) []string {
	keys := make([]string, len(idents))
	for i, id := range idents {
		keys[i] = r.p.Identities[id].Key
	}
	return keys
}

// collect finds the rules that speak of identities on this host.
func (r *renderer) collect() {
	r.slot = make([]int32, len(r.p.Identities))
	for i := range r.slot {
		r.slot[i] = -1
	}
	var here []int
	for _, l := range r.locals {
		for _, id := range l.idents {
			if r.slot[id] < 0 {
				r.slot[id] = 0
				here = append(here, id)
			}
		}
	}
	slices.Sort(here)
	for i, id := range here {
		r.slot[id] = int32(i)
	}
	r.touches = make([][2][]touch, len(here))
	r.times.of = make([]int32, len(r.p.Rules))
	for i := range r.p.Rules {
		r.times.of[i] = always
		r.collectRule(i, here)
	}
}

func (r *renderer) collectRule(i int, here []int) {
	rule := &r.p.Rules[i]
	from := matching(&rule.From, here)
	known := false
	for g := range rule.Grants {
		grant := &rule.Grants[g]
		to := matching(&grant.To, here)
		if len(from) == 0 && len(to) == 0 || grant.Traffic.IsEmpty() {
			continue
		}
		if !known {
			known = true
			if !r.times.add(i, scheduleOf(rule)) {
				return
			}
			if r.report(rule); !rendered(rule) {
				return
			}
		}
		it := item{int32(i), int32(g), int32(r.classes.set(grant.Traffic))}
		for _, id := range from {
			r.touch(id, flow.Egress, touch{it, &grant.To})
		}
		for _, id := range to {
			r.touch(id, flow.Ingress, touch{it, &rule.From})
		}
	}
}

func (r *renderer) touch(ident int, d flow.Direction, t touch) {
	list := &r.touches[r.slot[ident]][d]
	*list = append(*list, t)
}

// matching returns which of the sorted identities an end of a rule matches.
func matching(p *policy.Peers, here []int) []int {
	if p.Any {
		return here
	}
	if len(p.Identities) == 0 && !p.Not {
		return nil
	}
	var out []int
	for _, id := range here {
		if p.Identity(id) {
			out = append(out, id)
		}
	}
	return out
}

// findHost resolves the names that the host's configuration speaks of.
func (r *renderer) findHost() bool {
	r.workloads = make(map[string]int, len(r.p.Inventory.Workloads))
	for i := range r.p.Inventory.Workloads {
		r.workloads[r.p.Inventory.Workloads[i].Name] = i
	}
	r.localOf, r.here = map[uint32]bool{}, map[int]bool{}
	host, ok := r.workloads[HostWorkload(r.h.Zone)]
	if !ok {
		r.diags.Errorf(diag.Pos{}, "unknown-reference", "no workload %q stands for the host's own processes", HostWorkload(r.h.Zone))
		return false
	}
	r.hostIdent = r.p.IdentityOf[host]
	r.tables.HostIdentity = r.addLocal([]int{r.hostIdent})
	for _, c := range r.h.Cgroups {
		w, ok := r.workloads[c.Workload]
		if !ok {
			d := r.diags.Errorf(diag.Pos{}, "unknown-reference", "the inventory has no workload %q, which a cgroup of this host is attributed to", c.Workload)
			if near := diag.Nearest(c.Workload, r.workloadNames()); near != "" {
				d.WithHelp("did you mean %q?", near)
			}
			continue
		}
		r.here[w] = true
		r.tables.Cgroups = append(r.tables.Cgroups, layout.Cgroup{ID: c.ID, Local: r.addLocal([]int{r.p.IdentityOf[w]})})
	}
	slices.SortFunc(r.tables.Cgroups, func(a, b layout.Cgroup) int { return cmp.Compare(a.ID, b.ID) })
	return !r.diags.HasErrors()
}

func (r *renderer) workloadNames() []string {
	names := make([]string, 0, len(r.workloads))
	for name := range r.workloads {
		names = append(names, name)
	}
	return names
}
