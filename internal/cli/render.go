package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"firebreak/internal/artifact"
	"firebreak/internal/diag"
	"firebreak/internal/plan"
	"firebreak/internal/target"
	"firebreak/internal/target/all"
	"firebreak/internal/verify"
)

// NewRender returns the verb that writes what enforcement points are to be told.
func NewRender() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "render DIR -o OUT",
		Short: "Write the policy in the form of each target: manifests, Terraform, tables",
		Long: `Write the policy in DIR in the form of each target, to OUT/TARGET/POINT/…: the one
in force, or with --to-come all that is written. Targets are those of the
Estate, or those of --target.

Quotas are counted before anything is written, and a target that cannot say
something narrowly enough says so. If anything is wrong with any target, nothing
is written at all. OUT/TARGET/firebreak.json lists what is ours in a target's
folder; everything else there stays as it is, and a file of ours that somebody
changed is not overwritten without --force.

What was written is proven by firebreak prove.`,
		Example: "  firebreak render . -o out\n  firebreak render . --target networkpolicy,istio -o out && firebreak prove . out\n  firebreak render . --to-come -o next",
		Args:    oneDir,
	}
	format := formatFlag(cmd, "text", "json")
	sources := inventoryFlag(cmd)
	f := cmd.Flags()
	var q renderQuestion
	targets := f.StringSlice("target", nil, "render to these `TARGETS` instead of the Estate's")
	f.StringVarP(&q.out, "out", "o", "", "the `FOLDER` to write to")
	f.BoolVar(&q.toCome, "to-come", false, "render the whole policy, not what is enforced now")
	f.BoolVar(&q.force, "force", false, "overwrite files that were changed since they were rendered, or that are not ours")
	at := f.String("at", "", "render as of this `TIME`, like 2027-01-31T23:00:00Z")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		how, err := format()
		if err != nil {
			return err
		}
		if q.now, err = instant(*at); err != nil {
			return err
		}
		if err := folderToWrite(q.out); err != nil {
			return err
		}
		p := newProgress(cmd.ErrOrStderr())
		defer p.done()
		p.phase("reading " + args[0])
		l, err := must(cmd.ErrOrStderr(), args[0], *sources)
		if err != nil {
			return err
		}
		if err := l.soundQuotas(cmd.ErrOrStderr()); err != nil {
			return err
		}
		if q.targets, err = l.targetsAsked(cmd.ErrOrStderr(), *targets); err != nil {
			return err
		}
		r, err := l.render(q, p)
		if err != nil {
			return err
		}
		p.done()
		write := map[string]func(io.Writer, *rendering) error{"text": renderText, "json": renderJSON}[how]
		if err := write(resultsTo(cmd, how, false), r); err != nil {
			return err
		}
		if r.failed() {
			return errNo
		}
		return nil
	}
	return cmd
}

// instant is the present, or what --at says.
func instant(at string) (time.Time, error) {
	if at == "" {
		return time.Now().UTC().Truncate(time.Second), nil
	}
	t, err := time.Parse(time.RFC3339, at)
	if err != nil {
		return t, misusef("--at %q is no time: write it like 2027-01-31T23:00:00Z", at)
	}
	return t, nil
}

// folderToWrite demands a folder, or that there is nothing yet.
func folderToWrite(dir string) error {
	if dir == "" {
		return misusef("where to? name a folder with -o OUT")
	}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return misusef("-o %s: %v", dir, cause(err))
	case !info.IsDir():
		return misusef("-o %s is a file: name a folder", dir)
	}
	return nil
}

// renderQuestion is what is asked.
type renderQuestion struct {
	out           string
	targets       []target.Target
	toCome, force bool
	now           time.Time
}

// targetsAsked are those of a flag, else those of the Estate.
func (l *loaded) targetsAsked(stderr io.Writer, names []string) ([]target.Target, error) {
	if len(names) > 0 {
		return namedTargets("--target", names)
	}
	if unknown := l.unknownTargets(); len(unknown) > 0 {
		for _, d := range unknown {
			fmt.Fprintln(stderr, d)
		}
		return nil, brokenError{l.dir}
	}
	names = l.estateTargets()
	if len(names) == 0 {
		return nil, misusef("the Estate names no targets: give --target, some of %s", strings.Join(targetNames(), ", "))
	}
	return namedTargets("spec.targets", names)
}

// rendering is what became of it.
type rendering struct {
	q       renderQuestion
	targets []renderedTarget
	diags   diag.List
	written bool
	stale   []string // folders of targets that are not the Estate's any more
}

type renderedTarget struct {
	name   string
	points []renderedPoint
	steps  []artifact.Step
}

// renderedPoint is what an enforcement point is told.
type renderedPoint struct {
	name  string
	files int
	bytes int
}

// failed reports whether there is an error, so that nothing was written.
func (r *rendering) failed() bool { return !r.written }

// wanted is what the enforcement points are to permit.
func (l *loaded) wanted(now time.Time, toCome bool, targets []target.Target) (*plan.Wanted, error) {
	e, err := verify.New(l.p, verify.Options{At: now})
	if err != nil {
		return nil, err
	}
	names := l.estateTargets()
	for _, t := range targets {
		if !slices.Contains(names, t.Name()) {
			names = append(names, t.Name())
		}
	}
	return plan.Make(l.tree, l.p, e, plan.Options{ToCome: toCome, At: now, Targets: names, KeepsTime: all.KeepsTime(names), Relays: all.Relays(names, l.p, toCome)}), nil
}

// render renders to every target, and writes if nothing is wrong with any.
func (l *loaded) render(q renderQuestion, phases *progress) (*rendering, error) {
	phases.phase("working out what may pass")
	w, err := l.wanted(q.now, q.toCome, q.targets)
	if err != nil {
		return nil, err
	}
	r := &rendering{q: q}
	var folders []*artifact.Folder
	phases.phase("rendering")
	list := renderAll(q.targets, w)
	for n, t := range q.targets {
		files, diags := list[n].files, list[n].diags
		for i := range diags {
			diags[i].Rename(l.file)
			if named := t.Name() + ": "; !strings.HasPrefix(diags[i].Message, named) {
				diags[i].Message = named + diags[i].Message
			}
		}
		r.diags = append(r.diags, diags...)
		f, err := r.folder(l, t.Name(), files)
		if err != nil {
			return nil, err
		}
		folders = append(folders, f)
	}
	r.diags = l.bound(r.diags)
	if r.diags.HasErrors() {
		return r, nil
	}
	phases.phase("writing")
	if err := artifact.Write(folders); err != nil {
		return nil, misusef("%v", err)
	}
	r.written = true
	r.findStale()
	return r, nil
}

// told is what a target renders.
type told struct {
	files []target.File
	diags diag.List
}

// renderAll asks targets side by side.
func renderAll(targets []target.Target, w *plan.Wanted) []told {
	list := make([]told, len(targets))
	var wait sync.WaitGroup
	for i, t := range targets {
		wait.Go(func() { list[i].files, list[i].diags = t.Render(w) })
	}
	wait.Wait()
	return list
}

// folder compares a target's files with what is on the disk.
func (r *rendering) folder(l *loaded, name string, files []target.File) (*artifact.Folder, error) {
	list := artifact.List{Target: name, Estate: l.estateName(), ToCome: r.q.toCome}
	own := make([]artifact.File, 0, len(files))
	for _, f := range files {
		own = append(own, artifact.File{Path: f.Path, Data: f.Data})
	}
	dir := filepath.Join(r.q.out, name)
	folder, err := artifact.Prepare(dir, list, own)
	if err != nil {
		return nil, misusef("%s: %v", filepath.ToSlash(dir), err)
	}
	if !r.q.force {
		for _, s := range folder.Blocked() {
			r.blocked(filepath.ToSlash(filepath.Join(dir, s.Path)), s.Change)
		}
	}
	r.targets = append(r.targets, renderedTarget{name, pointsOf(files), folder.Steps()})
	return folder, nil
}

// blocked notes a file that stands in the way.
func (r *rendering) blocked(file string, c artifact.Change) {
	what := "somebody changed this file since it was rendered"
	if c == artifact.InTheWay {
		what = "this file has the name of one to be rendered, and is not ours"
	}
	r.diags.Errorf(diag.Pos{File: file, Line: 1, Col: 1}, "changed-artifact", "%s", what).WithHelp("move it away, or let --force overwrite it")
}

// pointsOf sums files up by their point, the first part of their paths.
func pointsOf(files []target.File) []renderedPoint {
	var out []renderedPoint
	for _, f := range files {
		name, _, _ := strings.Cut(f.Path, "/")
		i := slices.IndexFunc(out, func(p renderedPoint) bool { return p.name == name })
		if i < 0 {
			i, out = len(out), append(out, renderedPoint{name: name})
		}
		out[i].files++
		out[i].bytes += len(f.Data)
	}
	return out
}

// findStale looks for targets that were rendered once and are not the Estate's
// any more: what they hold goes on to be applied by whoever applies it.
func (r *rendering) findStale() {
	entries, err := os.ReadDir(r.q.out)
	if err != nil {
		return
	}
	for _, e := range entries {
		is := func(t target.Target) bool { return t.Name() == e.Name() }
		if !e.IsDir() || e.Name()[0] == '.' || slices.ContainsFunc(r.q.targets, is) {
			continue
		}
		if _, err := artifact.ReadList(os.DirFS(filepath.Join(r.q.out, e.Name()))); err == nil {
			r.stale = append(r.stale, e.Name())
		}
	}
}
