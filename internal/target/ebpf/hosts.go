package ebpf

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/diag"
	"firebreak/internal/plan"
	"firebreak/internal/target"
)

// fleet is the tables of all hosts at once, from which each host's are cut.
type fleet struct {
	w       *plan.Wanted
	n       *Numbers
	tables  *layout.Tables // without decisions
	emitted [][]emission

	prefixes []json.RawMessage  // what is no workload's address
	byPeer   map[uint32][]line  // addresses of workloads
	at       map[netip.Addr]int // workloads' addresses, in tables
	keep     []line             // addresses that would be those of an External without an entry
	entries  map[uint32]*localEntries
	class    json.RawMessage
	names    map[uint32]json.RawMessage // of rules
	idents   map[uint32]int
	number   []uint32 // by identity
}

type line struct {
	addr netip.Addr
	raw  json.RawMessage
}

// localEntries are what one end on a host says.
type localEntries struct {
	raw   []json.RawMessage
	peers []uint32
	rules []uint32
}

func renderHosts(w *plan.Wanted) ([]target.File, diag.List) {
	hosts := map[string][]int{}
	var homeless []string
	for i := range w.Policy.Inventory.Workloads {
		if x := &w.Policy.Inventory.Workloads[i]; x.Host != "" {
			hosts[x.Host] = append(hosts[x.Host], i)
		} else {
			homeless = append(homeless, x.Name)
		}
	}
	warned := warnOfHomeless(homeless)
	if len(hosts) == 0 {
		return nil, warned
	}
	e, diags := renderFleet(w)
	diags = append(diags, warned...)
	if e == nil {
		return nil, diags
	}
	var files []target.File
	if len(hosts) > 1 {
		files = e.shared(hosts, &diags)
	} else {
		files = e.alone(hosts, &diags)
	}
	diags.Sort()
	if diags.HasErrors() {
		return nil, diags
	}
	slices.SortFunc(files, func(a, b target.File) int { return strings.Compare(a.Path, b.Path) })
	return files, diags
}

// warnOfHomeless warns of workloads that are in no host's file.
func warnOfHomeless(names []string) (diags diag.List) {
	if len(names) == 0 {
		return nil
	}
	what := strings.Join(names[:min(len(names), 3)], ", ")
	if n := len(names) - 3; n > 0 {
		what += " and " + strconv.Itoa(n) + " more"
	}
	diags.Warnf(diag.Pos{}, "unenforced", "ebpf: it is not known on which host %s runs, so no tables govern it", what).
		WithHelp("give the workload its host in the inventory, or let another target govern it")
	return diags
}

// folder is a host's name as the name of a folder.
func folder(name string) string {
	escaped := url.PathEscape(name)
	if strings.HasPrefix(escaped, ".") {
		escaped = "%2E" + escaped[1:]
	}
	return escaped
}

// renderFleet renders as for one host that runs everything, without processes
// of its own.
func renderFleet(w *plan.Wanted) (*fleet, diag.List) {
	var own []netip.Addr
	for i := range w.Policy.Inventory.Workloads {
		own = append(own, w.Policy.Inventory.Workloads[i].Addresses...)
	}
	n := &Numbers{}
	r := &renderer{p: w.Policy, n: n, prefixes: w.Policy.Prefixes(), h: Host{OwnAddresses: own, Relays: w.Relays()}, unlimited: true}
	r.times.at = w.At
	r.localOf, r.here = map[uint32]bool{}, map[int]bool{}
	for i := range w.Policy.Inventory.Workloads {
		if w.Policy.Inventory.Workloads[i].Host != "" {
			r.addLocal([]int{w.Policy.IdentityOf[i]})
		}
	}
	if !r.fill() {
		return nil, r.diags
	}
	e := &fleet{w: w, n: n, tables: &r.tables, emitted: r.emitted, byPeer: map[uint32][]line{}, at: map[netip.Addr]int{}, entries: map[uint32]*localEntries{}, names: map[uint32]json.RawMessage{}, idents: Identities(w.Policy, n)}
	e.number = make([]uint32, len(w.Policy.Identities))
	for number, i := range e.idents {
		e.number[i] = number
	}
	return e, r.diags
}

// alone writes the file of the only host.
func (e *fleet) alone(hosts map[string][]int, diags *diag.List) []target.File {
	e.prepare()
	var files []target.File
	for name, here := range hosts {
		if data := e.host(name, here, diags); data != nil {
			files = append(files, target.File{Path: folder(name) + "/firebreak.maps.json", Data: data})
		}
	}
	return files
}

// prepare writes down what a host's file is made of.
func (e *fleet) prepare() {
	for i := range e.tables.Addresses {
		a := layout.DumpAddress(e.tables.Addresses[i])
		a.Local, a.Flags = 0, a.Flags&^layout.Own
		if a.Flags&layout.Workload == 0 {
			e.prefixes = append(e.prefixes, raw(a))
		} else {
			e.byPeer[a.Peer] = append(e.byPeer[a.Peer], line{a.Prefix.Addr(), raw(a)})
			e.at[a.Prefix.Addr()] = i
		}
	}
	wide := newMatcher(slices.DeleteFunc(slices.Clone(e.tables.Addresses), func(a layout.Address) bool { return a.Flags&layout.Workload != 0 }))
	for _, lines := range e.byPeer {
		for _, one := range lines {
			if by, _ := wide.find(one.addr); by.Peer >= layout.FirstIdentity {
				e.keep = append(e.keep, one)
			}
		}
	}
	slices.SortFunc(e.keep, func(a, b line) int { return a.addr.Compare(b.addr) })
	classes := make([]layout.DumpClass, 0, len(e.tables.Classes))
	for _, c := range e.tables.Classes {
		classes = append(classes, layout.DumpClass(c))
	}
	e.class = raw(classes)
	for number, rule := range Rules(e.w.Policy, e.n) {
		e.names[number] = raw(rule)
	}
	for _, d := range inOrder(e.emitted, e.w.ToCome) {
		k, v := d.key, d.value
		l := e.entries[k.Local]
		if l == nil {
			l = &localEntries{}
			e.entries[k.Local] = l
		}
		l.raw = append(l.raw, raw(layout.EntryOf(k, v)))
		l.peers = append(l.peers, k.Peer)
		l.rules = append(l.rules, v.InForceRule, v.ToComeRule)
	}
	for _, l := range e.entries {
		slices.Sort(l.peers)
		l.peers = slices.Compact(l.peers)
		slices.Sort(l.rules)
		l.rules = slices.Compact(l.rules)
	}
}

// decided is one decision.
type decided struct {
	key   layout.PolicyKey
	value layout.PolicyValue
}

// inOrder lists all decisions: by local end, direction, peer and class. Of two
// with one key the last holds.
func inOrder(runs [][]emission, toCome bool) []decided {
	emitted := slices.Concat(runs...)
	slices.SortStableFunc(emitted, func(a, b emission) int {
		return cmp.Or(cmp.Compare(a.key.Local, b.key.Local), cmp.Compare(a.key.Direction, b.key.Direction), cmp.Compare(a.key.Peer, b.key.Peer))
	})
	n := 0
	for i := range emitted {
		n += len(*emitted[i].entries)
	}
	out := make([]decided, 0, n)
	for i, e := range emitted {
		if i+1 < len(emitted) && emitted[i+1].key == e.key {
			continue
		}
		from := len(out)
		for _, x := range *e.entries {
			e.key.Class = x.class
			out = append(out, decided{e.key, x.says(toCome)})
		}
		slices.SortFunc(out[from:], func(a, b decided) int { return cmp.Compare(a.key.Class, b.key.Class) })
	}
	return out
}

// says is what the entry says, or, with toCome, what it says under the policy to
// come, as if that were in force.
func (x *entry) says(toCome bool) layout.PolicyValue {
	v := x.value
	if toCome {
		v.AllowInForce, v.InForceRule, v.InForceUntil = v.AllowToCome, v.ToComeRule, v.ToComeUntil
	}
	return v
}

func raw(v any) json.RawMessage {
	data, err := json.Marshal(v)
	if err != nil { // nothing here is of a kind that could fail
		return json.RawMessage("null")
	}
	return data
}

// host writes one host's file.
func (e *fleet) host(name string, here []int, diags *diag.List) []byte {
	local := map[netip.Addr]bool{}
	locals := map[uint32]bool{}
	for _, w := range here {
		locals[e.number[e.w.Policy.IdentityOf[w]]] = true
		for _, a := range e.w.Policy.Inventory.Workloads[w].Addresses {
			local[a.Unmap().WithZone("")] = true
		}
	}
	addresses := slices.Clone(e.prefixes)
	own := make([]netip.Addr, 0, len(local))
	for a := range local {
		own = append(own, a)
	}
	slices.SortFunc(own, netip.Addr.Compare)
	for _, a := range own {
		if i, is := e.at[a]; is {
			addresses = append(addresses, raw(layout.DumpAddress(e.tables.Addresses[i])))
			locals[e.tables.Addresses[i].Local] = true
		}
	}
	f := hostFile{e: e, locals: locals, rules: map[uint32]bool{}, peers: map[uint32]bool{}}
	f.gather()
	for _, one := range e.keep {
		if !local[one.addr] {
			local[one.addr] = true
			addresses = append(addresses, one.raw)
		}
	}
	for _, p := range f.sorted(f.peers) {
		for _, one := range e.byPeer[p] {
			if !local[one.addr] {
				addresses = append(addresses, one.raw)
			}
		}
	}
	if len(f.policy) > layout.MaxPolicy || len(addresses) > layout.MaxAddresses {
		diags.Errorf(diag.Pos{}, "capacity", "ebpf: host %s needs %d decisions about %d addresses; the kernel tables hold %d and %d", name, len(f.policy), len(addresses), layout.MaxPolicy, layout.MaxAddresses).
			WithHelp("let rules name fewer identities or wider ports, or let a zone's default say it")
		return nil
	}
	return f.write(name, addresses)
}

// hostFile is one host's file in the making.
type hostFile struct {
	e      *fleet
	locals map[uint32]bool
	peers  map[uint32]bool
	rules  map[uint32]bool
	policy []json.RawMessage
}

func (f *hostFile) sorted(m map[uint32]bool) []uint32 {
	out := make([]uint32, 0, len(m))
	for n := range m {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

func (f *hostFile) gather() {
	for _, n := range f.sorted(f.locals) {
		l := f.e.entries[n]
		if l == nil {
			continue
		}
		f.policy = append(f.policy, l.raw...)
		for _, p := range l.peers {
			f.peers[p] = true
		}
		for _, r := range l.rules {
			f.rules[r] = true
		}
	}
}

func (f *hostFile) write(name string, addresses []json.RawMessage) []byte {
	var b bytes.Buffer
	b.WriteString("{\n\"maps\": " + strconv.Itoa(layout.Version) + ",\n\"host\": ")
	b.Write(raw(name))
	b.WriteString(",\n\"estate\": ")
	b.Write(raw(f.e.w.Policy.Estate))
	b.WriteString(",\n\"hostIdentity\": 0,\n\"addresses\": ")
	list(&b, addresses)
	b.WriteString(",\n\"classes\": ")
	b.Write(f.e.class)
	b.WriteString(",\n\"identities\": {")
	identities := map[uint32]bool{}
	for n := range f.locals {
		identities[n] = true
	}
	for n := range f.peers {
		identities[n] = true
	}
	first := true
	for _, n := range f.sorted(identities) {
		i, is := f.e.idents[n]
		if !is {
			continue
		}
		if !first {
			b.WriteByte(',')
		}
		first = false
		b.WriteString("\n\"" + strconv.Itoa(int(n)) + "\": ")
		b.Write(f.e.identity(i))
	}
	b.WriteString("\n},\n\"rules\": {")
	for i, n := range f.sorted(f.rules) {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n\"" + strconv.Itoa(int(n)) + "\": ")
		b.Write(f.e.names[n])
	}
	b.WriteString("\n},\n\"policy\": ")
	list(&b, f.policy)
	b.WriteString("\n}\n")
	return b.Bytes()
}

// identity writes who has a number.
func (e *fleet) identity(index int) json.RawMessage {
	var names []string
	for _, w := range e.w.Policy.Identities[index].Workloads {
		names = append(names, e.w.Policy.Inventory.Workloads[w].Name)
	}
	slices.Sort(names)
	return raw(layout.DumpIdentity{Workloads: names})
}

func list(b *bytes.Buffer, items []json.RawMessage) {
	b.WriteByte('[')
	for i, x := range items {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
		b.Write(x)
	}
	b.WriteString("\n]")
}

// limit is how many entries the policy table of a render may have.
func (r *renderer) limit() int {
	if r.unlimited {
		return math.MaxInt
	}
	return layout.MaxPolicy
}
