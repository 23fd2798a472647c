package policy

import (
	"net/netip"
	"slices"

	"firebreak/internal/diag"
	"firebreak/internal/inventory"
	"firebreak/internal/lang"
)

// Resolve looks up every name of d and applies every selector to inv. It
// reports everything that is wrong or unwise about the two together; the
// policy is non-nil only if nothing of that is an error. d must have been
// parsed without errors. A nil inventory is an empty one. Labels are taken as
// they stand in inv: the estate's label mappings must have been applied.
// Identities are numbered in the order in which their first workloads stand.
func Resolve(d *lang.Dir, inv *inventory.Snapshot) (*Policy, diag.List) {
	return new(Resolver).Resolve(d, inv)
}

// Resolver resolves one revision after the other, and keeps of each what the
// next has not changed. The zero value is ready. It is not safe for concurrent
// use; the policies that it returns are.
type Resolver struct {
	last *resolver
}

// Resolve returns what the function Resolve returns, but for the numbering of
// Identities: one that is in the policy before, too, keeps its number as far as
// that leaves no gap, and a number that was freed may be given to another.
//
// What is not changed is found by the pointers of the tree (rules, zones …),
// and by the names and contents of workloads: neither trees nor snapshots that
// were handed in may be changed afterwards. Where the Identities or Grants of a
// rule's end share their array with those of the policy before, they mean
// identities with the same keys.
func (x *Resolver) Resolve(d *lang.Dir, inv *inventory.Snapshot) (*Policy, diag.List) {
	if inv == nil {
		inv = &inventory.Snapshot{}
	}
	r := &resolver{dir: d, old: x.last, p: &Policy{Inventory: inv}, suggested: map[[2]string]string{}}
	x.last = nil // until it is whole
	r.resolve()
	diags := r.diags.Bound()
	r.old, r.diags, r.suggested, r.labelsThere, r.portsThere, r.index = nil, nil, nil, nil, nil, nil
	x.last = r
	if diags.HasErrors() {
		return nil, diags
	}
	return r.p, diags
}

// resolver holds what is known while one policy is resolved. Afterwards it is
// what the next one starts from: then nothing in it is changed but what the
// next one takes over (groups, byRaw, book, endpoints, records, conditions).
type resolver struct {
	dir        *lang.Dir
	p          *Policy
	diags      diag.List
	old        *resolver // nil the first time
	generation int       // of resolving; 1 the first time

	*frame
	rel    relevant
	book   *addressBook
	byRaw  map[string]*group
	groups []*group // by identity
	member []*group // by workload

	aligned bool  // every workload has the index that it had before
	moved   []int // then: the workloads that are in another group now, ascending

	changed     []bool // by identity: another one had this number before, or none
	touched     int    // the generation in which an identity changed last
	inZone      [][]int
	inService   [][]int
	endpoints   map[endpointKey]*endpoint
	conditions  map[string]*Condition
	records     []*record // in the order of the text: guardrails, exceptions, rules
	decide      []*record // in the order of Policy.Rules
	platform    []*record // those of them of that tier
	tiesFound   diag.List
	labelsThere *labelIndex // nil until it is needed
	portsThere  []string    // nil until they are needed
	suggested   map[[2]string]string
	missing     int // workloads that were not found
	searches    int // endpoints for which identities were looked for
	index       *groupIndex
}

func (r *resolver) resolve() {
	r.generation = 1
	if r.old != nil {
		r.generation = r.old.generation + 1
	}
	r.takeFrame()
	r.findRecords()
	r.rel = r.relevant()
	r.group()
	r.checkInventory()
	r.refreshEndpoints()
	r.checkSelects()
	r.rules()
	r.checkTies()
	r.checkGuardrails()
	r.checkFrontends()
	r.checkCases()
	r.sweep()
}

// same reports whether the frame and the inventory are those of before: then
// everything that was found in a text that is there still holds.
func (r *resolver) same() bool {
	return r.old != nil && r.frame == r.old.frame && r.sameWorkloads() && r.touched < r.generation
}

func (r *resolver) sameWorkloads() bool {
	return r.old != nil && sameSlice(r.old.p.Inventory.Workloads, r.p.Inventory.Workloads)
}

// sameSlice reports whether two slices are one.
func sameSlice[T any](a, b []T) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// covers reports whether every address of inner is in outer.
func covers(outer, inner netip.Prefix) bool {
	return outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
}

func sortedPrefixes(in []netip.Prefix) []netip.Prefix {
	slices.SortFunc(in, netip.Prefix.Compare)
	return slices.Compact(in)
}
