package nftables

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/layer"
	"firebreak/internal/target"
)

// lifter reads the rulesets of an estate's hosts.
type lifter struct {
	src      *target.Source
	out      *layer.Layer
	diags    diag.List
	sets     map[*parsed]*set
	areas    map[*any]*knownArea
	groups   map[*any][]group
	ids      map[*area]int // of those that are large
	peers    inventoryIndex
	onHost   map[string][]int
	walks    map[string]*walked  // the first of those that came to the same
	chains   map[string]int      // numbers of chains, by what they say; see identity
	inner    map[innerKey]*inner // walks along chains
	narrowed map[matchesKey]narrowed
	given    int                       // the last number; see numbered
	tables   map[tableKey]*layer.Table // by what they say
	said     map[string]*answers       // by the walks that they come from
	order    []*layer.Table
	views    []view
	// For the resolver; see reach.
	reached  map[*area]*reached
	atoms    [2][]int32   // by family and address in the index
	owners   [2][][]int32 // by family and atom: kinds
	kinds    []kind
	resolved int   // how many answers were worked out
	touched  []int // by kind: the last that spoke of it
	scratch  [2][][]int32
	byName   []int               // workloads in the order of their names
	ranks    []int32             // by workload: its place there
	names    map[string][]string // by the kinds in it
}

const suffix = ".nft.json"

func lift(s *target.Source) (*layer.Layer, diag.List) {
	l := &lifter{src: s, out: &layer.Layer{Target: "nftables", Names: true, Timeless: true, Nameless: true}, sets: map[*parsed]*set{}, areas: map[*any]*knownArea{}, groups: map[*any][]group{}, ids: map[*area]int{},
		onHost: map[string][]int{}, walks: map[string]*walked{}, chains: map[string]int{}, inner: map[innerKey]*inner{}, narrowed: map[matchesKey]narrowed{}, tables: map[tableKey]*layer.Table{}, said: map[string]*answers{}, names: map[string][]string{}}
	files, diags := s.Folder.Names(suffix)
	l.diags = diags
	if len(files) == 0 {
		return l.out, l.diags
	}
	l.peers = indexOf(s.Inventory)
	l.sortByName()
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
	l.conclude()
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
	l.out.Points = append(l.out.Points, p)
	for _, v := range l.visit(r, file, l.onHost[host]).views(l.onHost[host]) {
		v.point = len(l.out.Points) - 1
		l.views = append(l.views, v)
	}
}

// areasOfViews are those that any entry speaks of, by family.
func (l *lifter) areasOfViews() (out [2][]*area) {
	done, seen := map[int]bool{}, map[*area]bool{}
	for i := range l.views {
		for f, list := range l.views[i].lists {
			for _, x := range list {
				if done[x.id] {
					continue
				}
				done[x.id] = true
				for k := range x.entries {
					if a := x.entries[k].peer; a != wholeArea[f] && !seen[a] {
						seen[a] = true
						out[f] = append(out[f], a)
					}
				}
			}
		}
	}
	return out
}

// conclude turns all views into tables.
func (l *lifter) conclude() {
	l.reach(l.areasOfViews())
	governed := make([][]string, len(l.out.Points))
	for i := range l.views {
		if v := &l.views[i]; l.say(v) {
			governed[v.point] = append(governed[v.point], l.src.Inventory.Workloads[v.workload].Name)
		}
	}
	for i, names := range governed {
		if len(names) > 0 {
			slices.Sort(names)
			l.out.Points[i].Governs = layer.Named(slices.Compact(names)...)
		}
	}
	for _, t := range l.order {
		slices.Sort(t.Governs[0].Workloads)
		t.Governs[0].Workloads = slices.Compact(t.Governs[0].Workloads) // a host may have two files
		l.out.Tables = append(l.out.Tables, *t)
	}
}

func (l *lifter) doubt(file string, line int, why string, concerns layer.Match) {
	l.out.Unknown = append(l.out.Unknown, layer.Unknown{Where: flow.Rule{Policy: "nftables of " + hostOf(file), File: file, Line: line}, Why: why, Concerns: concerns})
}
