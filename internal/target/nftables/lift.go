package nftables

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/target"
)

// lifter reads the rulesets of an estate's hosts.
type lifter struct {
	src    *target.Source
	out    *layer.Layer
	diags  diag.List
	sets   map[*parsed]*set
	areas  map[*any]*knownArea
	groups map[*any][]group
	ids    map[*area]int // of those that are large
	peers  inventoryIndex
	onHost map[string][]int
	tables map[string]*layer.Table // by what they say
	said   map[string]*answers     // by the entries that they come from
	order  []string
}

const suffix = ".nft.json"

func lift(s *target.Source) (*layer.Layer, diag.List) {
	l := &lifter{src: s, out: &layer.Layer{Target: "nftables", Names: true, Timeless: true, Nameless: true}, sets: map[*parsed]*set{}, areas: map[*any]*knownArea{}, groups: map[*any][]group{}, ids: map[*area]int{},
		onHost: map[string][]int{}, tables: map[string]*layer.Table{}, said: map[string]*answers{}}
	files, diags := s.Folder.Names(suffix)
	l.diags = diags
	if len(files) == 0 {
		return l.out, l.diags
	}
	l.peers = indexOf(s.Inventory)
	for i := range s.Inventory.Workloads {
		w := &s.Inventory.Workloads[i]
		if w.Host != "" {
			l.onHost[w.Host] = append(l.onHost[w.Host], i)
		}
	}
	of := map[string][]string{}
	for _, file := range files {
		of[hostOf(file)] = append(of[hostOf(file)], file)
	}
	for i, c := range l.readAll(files) {
		if same := of[hostOf(files[i])]; len(same) > 1 && files[i] == same[0] {
			c.broken = errors.Join(c.broken, fmt.Errorf("%s are of one host, and which of them it has is not known", strings.Join(same, " and ")))
		}
		l.file(files[i], c)
	}
	for _, key := range l.order {
		t := l.tables[key]
		slices.Sort(t.Governs[0].Workloads)
		l.out.Tables = append(l.out.Tables, *t)
	}
	return l.out, l.diags
}

// hostOf is the host that a file is of.
func hostOf(file string) string {
	name := strings.TrimSuffix(path.Base(file), suffix)
	if name == "firebreak" && path.Dir(file) != "." {
		name = path.Base(path.Dir(file))
	}
	if plain, err := url.PathUnescape(name); err == nil {
		return plain
	}
	return name
}

// content is what a file holds.
type content struct {
	commands        []located
	missing, broken error
}

// readers is how many files are taken apart at once.
const readers = 8

// readAll takes the files apart.
func (l *lifter) readAll(files []string) []content {
	out := make([]content, len(files))
	p := &parser{known: map[string]*parsed{}}
	var next atomic.Int64
	var all sync.WaitGroup
	for range readers {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(files); i = int(next.Add(1)) - 1 {
				data, err := fs.ReadFile(l.src.Folder.FS(), files[i])
				if out[i].missing = err; err == nil {
					out[i].commands, out[i].broken = p.file(data)
				}
			}
		})
	}
	all.Wait()
	return out
}

func (l *lifter) file(file string, read content) {
	host := hostOf(file)
	if read.missing != nil {
		l.diags.Errorf(diag.Pos{File: file}, "unreadable-file", "%v", read.missing)
		return
	}
	r, err := l.assemble(file, read.commands), read.broken
	var here []string
	for _, w := range l.onHost[host] {
		here = append(here, l.src.Inventory.Workloads[w].Name)
	}
	slices.Sort(here)
	concerns := layer.Match(nil)
	if len(here) > 0 {
		concerns = layer.Named(here...)
	}
	if err != nil {
		l.diags.Errorf(diag.Pos{File: file}, "unreadable", "the rules of host %s cannot be read: %v", host, err)
		r.doubts = append(r.doubts, doubt{1, "the file is not whole: " + err.Error()})
	}
	if len(here) == 0 {
		l.doubt(file, 1, fmt.Sprintf("the inventory has no workload on host %s, so nobody knows whom these rules govern", host), nil)
	}
	for _, t := range r.tables {
		if t.family == "inet" && t.name == "firebreak" {
			l.out.Ours++
		} else {
			l.out.Foreign++
		}
	}
	p := layer.Point{Name: host}
	for _, d := range r.doubts {
		l.doubt(file, d.line, d.why, concerns)
		p.Unknown = d.why
	}
	governed := map[string]bool{}
	for _, w := range l.onHost[host] {
		if l.workload(r, file, w, l.onHost[host]) {
			governed[l.src.Inventory.Workloads[w].Name] = true
		}
	}
	if len(governed) > 0 {
		p.Governs = layer.Named(slices.Sorted(maps.Keys(governed))...)
	}
	l.out.Points = append(l.out.Points, p)
}

func (l *lifter) doubt(file string, line int, why string, concerns layer.Match) {
	l.out.Unknown = append(l.out.Unknown, layer.Unknown{Where: flow.Rule{Policy: "nftables of " + hostOf(file), File: file, Line: line}, Why: why, Concerns: concerns})
}

// hooksOf are the hooks that a workload's conversations pass, by direction:
// those of the host itself, or those of what it forwards. Pods have network
// namespaces of their own behind their host; everything else is taken for
// processes of the host, and so are pods in its network. https://wiki.nftables.org/wiki-nftables/index.php/Netfilter_hooks
func hooksOf(w *inventory.Workload, d flow.Direction) []string {
	switch {
	case behind(w):
		return []string{"prerouting", "forward", "postrouting", "ingress", "egress"}
	case d == flow.Ingress:
		return []string{"prerouting", "input", "ingress"}
	}
	return []string{"output", "postrouting", "egress"}
}

// behind reports whether a workload has a network namespace of its own.
func behind(w *inventory.Workload) bool {
	return w.Namespace != "" && w.Labels["k8s/hostnetwork"] != "true"
}

// workload reads every base chain for one workload, and reports whether any
// governs it.
func (l *lifter) workload(r *ruleset, file string, w int, here []int) (governed bool) {
	wl := &l.src.Inventory.Workloads[w]
	own := l.ownAddresses(here)
	for _, t := range r.tables {
		if t.dormant || t.family == "arp" {
			continue
		}
		for _, c := range t.chains {
			if c.hook == "" {
				continue
			}
			if t.family == "bridge" || t.family == "netdev" {
				l.doubt(file, c.line, fmt.Sprintf("which conversations pass the chain %s of the table %s %s, which is bound to devices, is not known", c.name, t.family, t.name), layer.Named(wl.Name))
				continue
			}
			for _, d := range []flow.Direction{flow.Egress, flow.Ingress} {
				if slices.Contains(hooksOf(wl, d), c.hook) && l.chain(t, c, file, w, d, own) {
					governed = true
				}
			}
		}
	}
	return governed
}

func (l *lifter) ownAddresses(here []int) [2]*area {
	var spans [2][]span
	for _, w := range here {
		wl := &l.src.Inventory.Workloads[w]
		for _, a := range wl.Addresses {
			if a = plain(a); !behind(wl) {
				spans[familyOf(a)] = append(spans[familyOf(a)], span{a, a})
			}
		}
	}
	return [2]*area{areaOf(spans[0]), areaOf(spans[1])}
}

func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// chain reads one base chain for one workload and direction.
func (l *lifter) chain(t *table, c *chain, file string, w int, d flow.Direction, own [2]*area) bool {
	wl := &l.src.Inventory.Workloads[w]
	var lists [2][][]entry
	for _, a := range wl.Addresses {
		a = plain(a)
		f := familyOf(a)
		if t.family == "ip" && f == 1 || t.family == "ip6" && f == 0 {
			continue
		}
		x := &walker{table: t, local: a, family: f, direction: d, hook: c.hook, neighbors: own[f], areas: l.areas, groups: l.groups}
		lists[f] = append(lists[f], x.base(c))
		for _, r := range x.rewrites {
			l.doubt(file, r.ref.Line, "the rule rewrites addresses, or leaves connections untracked, so that it is not known who talks with whom", layer.Named(wl.Name))
		}
		l.replies(t, c, a, d, own, file, wl.Name)
	}
	if t.family == "ip" || t.family == "ip6" {
		for _, a := range wl.Addresses { // what the table does not see passes it
			if f := familyOf(plain(a)); t.family == "ip" && f == 1 || t.family == "ip6" && f == 0 {
				lists[f] = [][]entry{{{peer: wholeArea[f], traffic: everything, allow: true}}}
			}
		}
	}
	said := l.answers(lists, w)
	if said.open {
		return false
	}
	key := fmt.Sprint(d, t.family, " ", t.name, " ", c.name, " ", said.key)
	table := l.tables[key]
	if table == nil {
		table = &layer.Table{Name: fmt.Sprintf("chain %s of table %s %s", c.name, t.family, t.name), Direction: d, Governs: layer.Match{{Workloads: []string{}}}, Tiers: said.tiers}
		l.tables[key] = table
		l.order = append(l.order, key)
	}
	if names := &table.Governs[0].Workloads; !slices.Contains(*names, wl.Name) {
		*names = append(*names, wl.Name)
	}
	return true
}

// replies checks that what goes back through a chain passes: the replies of what
// the other direction permits are established. They go the other way.
func (l *lifter) replies(t *table, c *chain, a netip.Addr, d flow.Direction, own [2]*area, file, name string) {
	x := &walker{table: t, local: a, family: familyOf(a), direction: d, hook: c.hook, reply: true, neighbors: own[familyOf(a)], areas: l.areas, groups: l.groups}
	if x.direction == flow.Egress {
		x.direction = flow.Ingress
	} else {
		x.direction = flow.Egress
	}
	for _, e := range x.base(c) {
		if e.allow && e.unknown == "" && e.peer == wholeArea[x.family] && e.traffic.IsAll() {
			return
		}
		if !e.allow {
			l.doubt(file, c.line, fmt.Sprintf("the chain %s of table %s %s may drop replies of what is permitted: not all that is established passes it", c.name, t.family, t.name), layer.Named(name))
			return
		}
	}
}
