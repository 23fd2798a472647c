package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
	"testing/fstest"
	"time"

	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/inventory/file"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/verify"
)

// changes is how often a change is made; the median counts.
const changes = 9

// run is one process's measuring.
type bench struct {
	dir    fs.FS
	values map[string]float64

	text     fstest.MapFS // the policy, as an editor or an agent has it
	parser   lang.Cache
	tree     *lang.Dir
	inv      *inventory.Snapshot
	resolver policy.Resolver
	p        *policy.Policy
	engine   *verify.Engine
}

func measureJSON(dir string, out io.Writer) error {
	b := &bench{dir: os.DirFS(dir), values: map[string]float64{}}
	for _, step := range []func() error{b.readPolicy, b.readInventory, b.resolve, b.pairs, b.guardrails, b.heap, b.changeRule, b.changeLabel, b.decide} {
		if err := step(); err != nil {
			return err
		}
	}
	b.values["resolve + pairs + guardrails"] = b.values["resolve"] + b.values["all pairs"] + b.values["guardrails"]
	return json.NewEncoder(out).Encode(&result{Values: b.values})
}

// timed notes how long something took.
func (b *bench) timed(name string, f func() error) error {
	begin := time.Now()
	err := f()
	b.values[name] = time.Since(begin).Seconds()
	return err
}

func first(list diag.List) error {
	for _, d := range list {
		if d.Severity == diag.Error {
			return errors.New(d.String())
		}
	}
	return nil
}

// readPolicy reads all but the inventory from the disk and parses it.
func (b *bench) readPolicy() error {
	return b.timed("read policy", func() error {
		b.text = fstest.MapFS{}
		err := fs.WalkDir(b.dir, ".", func(name string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && name == "inventory":
				return fs.SkipDir
			case d.IsDir():
				return nil
			}
			data, err := fs.ReadFile(b.dir, name)
			b.text[name] = &fstest.MapFile{Data: data}
			return err
		})
		if err != nil {
			return err
		}
		var diags diag.List
		b.tree, diags = b.parser.Parse(b.text)
		return first(diags)
	})
}

func (b *bench) readInventory() error {
	return b.timed("read inventory", func() error {
		var parts []*inventory.Snapshot
		for _, s := range b.tree.Estate.Inventory {
			part, diags := file.Read(b.dir, s.Path)
			if err := first(diags); err != nil {
				return err
			}
			parts = append(parts, part)
		}
		joined, diags := inventory.Join(parts...)
		if err := first(diags); err != nil {
			return err
		}
		var list []inventory.Relabeling
		for _, m := range b.tree.Estate.Labels {
			list = append(list, inventory.Relabeling{From: m.From, To: m.To, Map: m.Map, Pos: m.Pos})
		}
		b.inv, diags = inventory.Relabel(joined, list)
		return first(diags)
	})
}

func (b *bench) resolve() error {
	return b.timed("resolve", func() error {
		var diags diag.List
		b.p, diags = b.resolver.Resolve(b.tree, b.inv)
		return first(diags)
	})
}

func (b *bench) pairs() error {
	return b.timed("all pairs", func() (err error) {
		b.engine, err = verify.New(b.p, verify.Options{At: time.Now()})
		return err
	})
}

func (b *bench) guardrails() error {
	return b.timed("guardrails", b.prove)
}

func (b *bench) prove() error {
	for _, p := range b.engine.Guardrails() {
		if p.Result != verify.Holds {
			return fmt.Errorf("guardrail %s is %s", b.p.Guardrails[p.Guardrail].Name, p.Result)
		}
	}
	return nil
}

// heap notes what everything together takes.
func (b *bench) heap() error {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.values["live heap"] = float64(m.HeapAlloc)
	return nil
}

// again goes over to a tree and an inventory and proves everything anew.
func (b *bench) again(tree *lang.Dir, inv *inventory.Snapshot) error {
	p, diags := b.resolver.Resolve(tree, inv)
	if err := first(diags); err != nil {
		return err
	}
	b.p = p
	if err := b.engine.Update(p); err != nil {
		return err
	}
	return b.prove()
}

// changed notes the median of several changes.
func (b *bench) changed(name string, change func(n int) error) error {
	var times []float64
	for n := range changes {
		begin := time.Now()
		if err := change(n); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		times = append(times, time.Since(begin).Seconds())
	}
	slices.Sort(times)
	b.values[name] = times[len(times)/2]
	return nil
}

// changeRule changes the port of one rule in the text and back: from the text
// of the file to every guardrail proven again.
func (b *bench) changeRule() error {
	name := ""
	for _, p := range b.tree.Policies {
		if p.Tier == lang.Application {
			name = p.Pos.File
		}
	}
	old := b.text[name]
	text := string(old.Data)
	at := strings.Index(text, "    ports: [")
	if at < 0 {
		return fmt.Errorf("%s has no rule with ports", name)
	}
	end := at + strings.IndexByte(text[at:], '\n')
	return b.changed("one rule changed", func(n int) error {
		b.text[name] = &fstest.MapFile{Data: []byte(text[:at] + fmt.Sprintf("    ports: [%d/TCP]", 30_000+n) + text[end:])}
		if n%2 == 1 {
			b.text[name] = old
		}
		tree, diags := b.parser.Parse(b.text)
		if err := first(diags); err != nil {
			return err
		}
		b.tree = tree
		return b.again(tree, b.inv)
	})
}

// changeLabel gives one workload another team, which makes it an identity of
// its own, and back.
func (b *bench) changeLabel() error {
	old := b.inv.Workloads[len(b.inv.Workloads)/2]
	return b.changed("one label changed", func(n int) error {
		w := old
		if n%2 == 0 {
			w.Labels = maps.Clone(w.Labels)
			w.Labels["team"] = fmt.Sprint("team-", n)
		}
		b.inv = b.inv.With(w)
		return b.again(b.tree, b.inv)
	})
}

// decisions is how many are timed, over pairs spread over all workloads.
const decisions = 1 << 20

func (b *bench) decide() error {
	type question struct {
		from, to verify.Peer
		port     uint16
	}
	ports := []uint16{8080, 5432, 8443, 9102, 6379, 9092, 443, 22}
	questions := make([]question, 4096)
	for i := range questions {
		n := len(b.inv.Workloads)
		questions[i] = question{b.engine.OfWorkload(i * 7919 % n), b.engine.OfWorkload((i*104729 + 1) % n), ports[i%len(ports)]}
	}
	at := b.engine.Locate(flow.Circumstances{At: b.engine.At(), MTLS: true})
	passed := 0
	begin := time.Now()
	for i := range decisions {
		q := &questions[i%len(questions)]
		if b.engine.Decide(q.from, q.to, netset.TCP, q.port, at).ToCome == flow.Forwarded {
			passed++
		}
	}
	b.values["one decision"] = time.Since(begin).Seconds() / decisions
	if passed == decisions {
		return fmt.Errorf("everything passes: %s", path.Base(b.tree.Estate.Name))
	}
	return nil
}
