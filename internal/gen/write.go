package gen

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"path"
	"testing/fstest"

	"firebreak/internal/inventory"
)

// Write writes the estate that o (completed if need be) asks for, file by
// file: create is called with each file's name, a slash-separated path, after
// the one before it was closed. progress, if not nil, is told from time to time
// how many of all workloads have been written. What is kept in memory grows
// with identities and rules, not with workloads.
func Write(o Options, create func(name string) (io.WriteCloser, error), progress func(done, all int)) error {
	o, err := o.Complete()
	if err != nil {
		return err
	}
	if progress == nil {
		progress = func(int, int) {}
	}
	w := &writer{estate: build(o), create: create, progress: progress}
	w.inventoryNames()
	w.policy()
	w.inventory()
	return w.err
}

// Estate returns the estate as files in memory.
func Estate(o Options) (fs.FS, error) {
	files := fstest.MapFS{}
	err := Write(o, func(name string) (io.WriteCloser, error) {
		return &memory{name: name, files: files}, nil
	}, nil)
	return files, err
}

// Snapshot returns the estate's inventory as readers make it of the files, but
// without places: before the Estate's label mappings. It saves tests and
// benchmarks the way through text.
func Snapshot(o Options) (*inventory.Snapshot, error) {
	o, err := o.Complete()
	if err != nil {
		return nil, err
	}
	e := build(o)
	s := &inventory.Snapshot{Workloads: make([]inventory.Workload, 0, o.Workloads), Frontends: e.frontendValues(), Networks: e.networkValues()}
	for i := range e.groups {
		r := e.record(&e.groups[i])
		for n := range r.g.size {
			r.workload(n)
			s.Workloads = append(s.Workloads, r.value())
		}
	}
	out, diags := inventory.Join(s)
	if diags.HasErrors() {
		return nil, fmt.Errorf("the generated inventory is wrong: %v", diags)
	}
	return out, nil
}

// memory is a file that becomes visible when it is closed.
type memory struct {
	bytes.Buffer
	name  string
	files fstest.MapFS
}

// Close puts the file among the others.
func (m *memory) Close() error {
	m.files[m.name] = &fstest.MapFile{Data: m.Bytes(), Mode: 0o644}
	return nil
}

// writer writes one estate. After an error it does nothing more.
type writer struct {
	*estate
	create   func(string) (io.WriteCloser, error)
	progress func(done, all int)
	sources  []source // of the inventory
	err      error
	written  int // workloads

	file io.WriteCloser
	name string
	buf  []byte
}

// flushAt is how much text is collected before it is written.
const flushAt = 1 << 18

// begin opens the next file, which begins with what it is.
func (w *writer) begin(name, about string) {
	w.end()
	if w.err != nil {
		return
	}
	w.file, w.err = w.create(name)
	w.name = name
	w.buf = append(w.buf[:0], "# "+about+"\n"...)
}

// flush writes what was collected, if it is enough or all there is.
func (w *writer) flush(all bool) {
	if w.err == nil && w.file != nil && (all || len(w.buf) >= flushAt) {
		if _, err := w.file.Write(w.buf); err != nil {
			w.err = fmt.Errorf("%s: %w", w.name, err)
		}
		w.buf = w.buf[:0]
	}
}

// end closes the open file.
func (w *writer) end() {
	if w.file == nil {
		return
	}
	w.flush(true)
	if err := w.file.Close(); w.err == nil && err != nil {
		w.err = fmt.Errorf("%s: %w", w.name, err)
	}
	w.file = nil
}

func (w *writer) printf(format string, args ...any) {
	w.buf = fmt.Appendf(w.buf, format, args...)
	w.flush(false)
}

// source is one inventory file: some workloads of one place.
type source struct {
	name     string
	place    int
	from, to int // numbers within the place
}

// perFile is the most workloads in one file, which keeps files at a few MiB.
const perFile = 10_000

func (w *writer) inventoryNames() {
	for i, p := range w.places {
		for from := 0; from < p.size; from += perFile {
			s := source{fmt.Sprintf("inventory/%s-%s-%03d.yaml", p.provider, p.region, i), i, from, min(from+perFile, p.size)}
			if p.size > perFile {
				s.name = fmt.Sprintf("inventory/%s-%s-%03d-%d.yaml", p.provider, p.region, i, from/perFile+1)
			}
			w.sources = append(w.sources, s)
		}
	}
}

func (w *writer) inventory() {
	for _, s := range w.sources {
		p := &w.places[s.place]
		w.begin(s.name, fmt.Sprintf("%s, account %s, %s: %s", p.provider, p.account, p.region, path.Base(p.vpc)))
		for i := p.first; i < p.first+p.groups && w.err == nil; i++ {
			g := &w.groups[i]
			from, to := max(s.from-g.from, 0), min(s.to-g.from, g.size)
			if from < to {
				w.group(g, from, to)
			}
		}
	}
	w.frontends()
	w.networks()
	w.end()
	w.progress(w.written, w.Workloads)
}

// group writes the workloads from (inclusive) to (exclusive) of a group.
func (w *writer) group(g *group, from, to int) {
	r := w.record(g)
	for n := from; n < to; n++ {
		r.workload(n)
		w.buf = r.write(w.buf)
		if w.flush(false); w.err != nil {
			return
		}
		if w.written++; w.written%perFile == 0 {
			w.progress(w.written, w.Workloads)
		}
	}
}
