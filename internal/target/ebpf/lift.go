package ebpf

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"path"
	"slices"
	"strings"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
	"firebreak/internal/target"
)

const suffix = ".maps.json"

// lifter reads the tables of an estate's hosts.
type lifter struct {
	src    *target.Source
	out    *layer.Layer
	diags  diag.List
	onHost map[string][]int        // workloads
	fleets map[string]*commons     // by file
	tables map[string]*layer.Table // by what they say
	order  []string
	hosts  map[string]string // the file of each

	lists lists
}

func lift(s *target.Source) (*layer.Layer, diag.List) {
	l := &lifter{src: s, out: &layer.Layer{Target: "ebpf", Names: true, Nameless: true, Renewed: true}, onHost: map[string][]int{}, fleets: map[string]*commons{}, tables: map[string]*layer.Table{}, hosts: map[string]string{}, lists: newLists()}
	for i := range s.Inventory.Workloads {
		if h := s.Inventory.Workloads[i].Host; h != "" {
			l.onHost[h] = append(l.onHost[h], i)
		}
	}
	files, diags := s.Folder.Names(suffix)
	l.diags = diags
	for _, file := range files {
		l.file(file)
	}
	for _, key := range l.order {
		t := l.tables[key]
		slices.Sort(t.Governs[0].Workloads)
		t.Governs[0].Workloads = slices.Compact(t.Governs[0].Workloads)
		l.out.Tables = append(l.out.Tables, *t)
	}
	return l.out, l.diags
}

// hostNamed is the host that a file is called after.
func hostNamed(file string) string {
	name := strings.TrimSuffix(path.Base(file), suffix)
	if name == "firebreak" && path.Dir(file) != "." {
		name = path.Base(path.Dir(file))
	}
	return name
}

func (l *lifter) file(file string) {
	data, err := fs.ReadFile(l.src.Folder.FS(), file)
	if err != nil {
		l.diags.Errorf(diag.Pos{File: file}, "unreadable-file", "%v", err)
		return
	}
	dump, err := layout.ParseDump(data)
	host := hostNamed(file)
	if err == nil && dump.Host != "" {
		host = dump.Host
	}
	if other := l.hosts[host]; other != "" {
		err = errors.Join(err, fmt.Errorf("%s is of the same host, and which of them it has is not known", other))
	}
	l.hosts[host] = file
	here := l.onHost[host]
	var names []string
	for _, i := range here {
		names = append(names, l.src.Inventory.Workloads[i].Name)
	}
	var concerns layer.Match
	if names != nil {
		slices.Sort(names)
		concerns = layer.Named(names...)
	}
	point := layer.Point{Name: host, Governs: concerns}
	where := flow.Rule{Policy: "ebpf of " + host, File: file, Line: 1}
	var r *reader
	if err == nil {
		r, err = l.readerOf(dump, file)
	}
	if err != nil {
		l.diags.Errorf(diag.Pos{File: file}, "unreadable", "the tables of host %s cannot be read: %v", host, err)
		point.Unknown = "its tables cannot be read: " + err.Error()
		l.out.Unknown = append(l.out.Unknown, layer.Unknown{Where: where, Why: point.Unknown, Concerns: concerns})
		l.out.Points = append(l.out.Points, point)
		return
	}
	l.out.Ours++
	if here == nil {
		l.out.Unknown = append(l.out.Unknown, layer.Unknown{Where: where, Why: "the inventory has no workload on host " + host})
	}
	for _, w := range here {
		r.workload(w)
	}
	l.out.Points = append(l.out.Points, point)
}

// slotKey is where the kernel looks first: an end here and a way.
type slotKey struct {
	local     uint32
	direction flow.Direction
}

// reader turns one host's tables into tables of the layer.
type reader struct {
	l        *lifter
	dump     *layout.Dump
	file     string
	trie     trie
	classes  map[uint16]netset.Traffic
	short    map[slotKey][]*layout.DumpDecisions
	long     map[slotKey][]int         // places in dump.Policy
	order    []uint16                  // the classes, in order
	peers    map[uint32][]string       // workloads that are surely this number
	mixed    map[string][]uint32       // those that several numbers stand for
	prefixes map[uint32][]netip.Prefix // of what is no workload's
	named    map[string]uint32         // by workload: its number in the catalog
	said     map[slotKey]*saying
	bySaid   map[saidKey]*saying
	answered map[string][]answer // by voices
	heard    map[heardKey]*heard
	crowds   map[*uint32]*crowd // by the first of the numbers
	odd      map[uint32]bool    // peers that are not just workloads of their own
	refs     map[uint32]flow.Rule
	entries  map[string][]layout.DumpEntry // see apart
	numbers  map[string][]uint32
	spoken   map[uint32]*layout.DumpDecisions // by peer: which spoke of it last; see once
	locals   *trie                            // of a host of a fleet: its own addresses
	shared   *reader                          // of a host of a fleet: the fleet's
}

// saying is what an end says, and what two must have in common to be one table.
type saying struct {
	tiers [][]layer.Rule
	key   string
}

func newReader(l *lifter, dump *layout.Dump, file string) *reader {
	r := &reader{l: l, dump: dump, file: file, short: map[slotKey][]*layout.DumpDecisions{}, long: map[slotKey][]int{}, peers: map[uint32][]string{},
		mixed: map[string][]uint32{}, prefixes: map[uint32][]netip.Prefix{}, named: map[string]uint32{}, said: map[slotKey]*saying{},
		bySaid: map[saidKey]*saying{}, answered: map[string][]answer{}, heard: map[heardKey]*heard{}, crowds: map[*uint32]*crowd{}, odd: map[uint32]bool{}, refs: map[uint32]flow.Rule{}, entries: map[string][]layout.DumpEntry{}, numbers: map[string][]uint32{}, spoken: map[uint32]*layout.DumpDecisions{}}
	r.trie.fill(dump.Addresses)
	r.readClasses()
	r.order = slices.Sorted(maps.Keys(r.classes))
	for i := range dump.Policy {
		at := slotKey{dump.Policy[i].Local, dump.Policy[i].Direction}
		r.long[at] = append(r.long[at], i)
	}
	for i := range dump.Decisions {
		x := &dump.Decisions[i]
		for _, n := range x.Locals {
			at := slotKey{n, x.Direction}
			r.short[at] = append(r.short[at], x)
		}
	}
	for n, id := range dump.Identities {
		for _, name := range id.Workloads {
			r.named[name] = n
		}
	}
	r.findPeers()
	return r
}

// readClasses works out what traffic each class stands for: a port in no range
// is of ClassAny. A later range wins, as when they are loaded.
func (r *reader) readClasses() {
	runs := map[uint16][]layout.DumpClass{}
	left := netset.Of(netset.TCP, 0, 65535).Union(netset.Of(netset.UDP, 0, 65535)).Union(netset.Of(netset.SCTP, 0, 65535))
	taken := netset.None()
	overlap := false
	total := 0
	for _, c := range r.dump.Classes {
		runs[c.Class] = append(runs[c.Class], c)
		total += int(c.Hi-c.Lo) + 1
	}
	r.classes = map[uint16]netset.Traffic{}
	for class, list := range runs {
		r.classes[class] = netset.Collect(func(yield func(netset.Protocol, netset.Range) bool) {
			for _, c := range list {
				if !yield(netset.Protocol(c.Protocol), netset.Range{Lo: c.Lo, Hi: c.Hi}) {
					return
				}
			}
		})
		if !taken.Intersect(r.classes[class]).IsEmpty() {
			overlap = true
		}
		taken = taken.Union(r.classes[class])
	}
	if overlap {
		r.classes = map[uint16]netset.Traffic{}
		for _, c := range r.dump.Classes {
			t := netset.Of(netset.Protocol(c.Protocol), c.Lo, c.Hi)
			for class := range r.classes {
				r.classes[class] = r.classes[class].Subtract(t)
			}
			r.classes[c.Class] = r.classes[c.Class].Union(t)
		}
	}
	r.classes[layout.ClassAny] = r.classes[layout.ClassAny].Union(left.Subtract(taken))
	r.classes[layout.ClassICMP] = r.classes[layout.ClassICMP].Union(netset.Of(netset.ICMP, 0, 0))
	r.classes[layout.ClassOther] = r.classes[layout.ClassOther].Union(netset.Of(netset.Other, 0, 0))
}

// findPeers works out which number every workload is to this host.
func (r *reader) findPeers() {
	for i := range r.l.src.Inventory.Workloads {
		w := &r.l.src.Inventory.Workloads[i]
		var numbers []uint32
		for _, a := range w.Addresses {
			if n := r.peerAt(a.Unmap().WithZone("")); !slices.Contains(numbers, n) {
				numbers = append(numbers, n)
			}
		}
		if len(w.Addresses) == 0 {
			if n, is := r.named[w.Name]; is {
				numbers = []uint32{n}
			} else {
				numbers = []uint32{layout.UnknownPeer}
			}
		}
		if len(numbers) == 1 {
			r.peers[numbers[0]] = append(r.peers[numbers[0]], w.Name)
		} else {
			r.mixed[w.Name] = numbers
			for _, n := range numbers {
				r.odd[n] = true
			}
		}
	}
	for _, names := range r.peers {
		slices.Sort(names)
	}
	for i := range r.dump.Addresses {
		a := &r.dump.Addresses[i]
		if a.Prefix.IsSingleIP() && len(r.peers[a.Peer]) > 0 {
			continue // a workload's
		}
		if a.Peer != layout.BuiltinPeer {
			r.prefixes[a.Peer] = append(r.prefixes[a.Peer], a.Prefix)
			r.odd[a.Peer] = true
		}
	}
}

func (r *reader) peerAt(a netip.Addr) uint32 {
	if e := r.trie.find(a); e != nil {
		return e.Peer
	}
	return layout.UnknownPeer
}

// localsOf are the numbers that a workload on this host may be judged by: those
// at its addresses, or, without addresses, the one that its cgroup would get.
func (r *reader) localsOf(w int) []uint32 {
	wl := &r.l.src.Inventory.Workloads[w]
	var out []uint32
	for _, a := range wl.Addresses {
		n := uint32(0)
		known := &r.trie
		if r.locals != nil {
			known = r.locals
		}
		if e := known.find(a.Unmap().WithZone("")); e != nil && e.Prefix.IsSingleIP() {
			n = e.Local
		}
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	if n := r.named[wl.Name]; len(wl.Addresses) == 0 {
		if r.shared != nil && !slices.Contains(r.dump.Locals, n) {
			n = 0 // the host does not have its decisions
		}
		out = append(out, n)
	}
	return out
}

// workload adds what is said about one of the host's workloads.
func (r *reader) workload(w int) {
	name := r.l.src.Inventory.Workloads[w].Name
	locals := r.localsOf(w)
	if n, is := r.named[name]; is && len(r.dump.Cgroups) > 0 && len(locals) == 1 && n != locals[0] {
		r.doubt(name, fmt.Sprintf("to the kernel the cgroup of %s is another end than its addresses", name))
		return
	}
	for _, d := range []flow.Direction{flow.Egress, flow.Ingress} {
		if len(locals) != 1 || locals[0] == 0 {
			r.doubt(name, fmt.Sprintf("the tables do not know %s by its addresses as one of this host's", name))
			return
		}
		at := slotKey{locals[0], d}
		said := r.said[at]
		if said == nil {
			said = r.decider().saying(at)
			r.said[at] = said
		}
		key := said.key
		t := r.l.tables[key]
		if t == nil {
			t = &layer.Table{Name: r.decider().title(), Direction: d, Governs: layer.Match{{Workloads: []string{}}}, Tiers: said.tiers}
			r.l.tables[key] = t
			r.l.order = append(r.l.order, key)
		}
		t.Governs[0].Workloads = append(t.Governs[0].Workloads, name)
	}
}

func (r *reader) title() string {
	if r.dump.Host == "" {
		return "maps of the fleet"
	}
	return "maps of host " + r.dump.Host
}

// decider is what knows the decisions.
func (r *reader) decider() *reader {
	if r.shared != nil {
		return r.shared
	}
	return r
}

func (r *reader) doubt(name, why string) {
	r.l.out.Unknown = append(r.l.out.Unknown, layer.Unknown{Where: flow.Rule{Policy: "ebpf of " + r.dump.Host, File: r.file, Line: 1}, Why: why, Concerns: layer.Named(name)})
}
