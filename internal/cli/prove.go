package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"firebreak/internal/artifact"
	"firebreak/internal/diag"
	"firebreak/internal/layer"
	"firebreak/internal/load"
	"firebreak/internal/path"
	"firebreak/internal/prove"
	"firebreak/internal/target"
	"firebreak/internal/target/all"
)

// NewProve returns the verb that compares artifacts and live estates with the
// intent.
func NewProve() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "prove DIR [OUT]",
		Short: "Read back what was rendered, or what is live, and prove that it says what was meant",
		Long: `Read the files in OUT back, target by target, by each platform's own published
meaning, and compare what they permit with the policy in DIR: every pair of
workloads and addresses, all ports, requests and times. Who reads shares nothing
with who rendered.

That proves the files alone. With --live PATH what lies in a live folder is read
by every target of the Estate, ours and foreign objects together, and what has to
be attached and to enforce is looked at too. OUT may then be left out.

Each enforcement point is one of
  exact           it permits what was meant, and nothing else
  exact-today     but a workload that could be labelled so would be treated otherwise
  approximate     it permits more, and other layers catch all of it
  unenforced      nothing enforces a condition, or the point
  wrong           there is a witness
  unknown         there is a reason
  not-applicable  it governs nobody
and the last three words before that, or a doubt about all layers together, make
the exit code 1.`,
		Example: "  firebreak prove . out\n  firebreak prove . out --target awssg --format json\n  firebreak prove . --live ./cluster",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return misusef("prove needs a policy directory and what was rendered from it, not %d arguments: %s", len(args), cmd.UseLine())
			}
			return nil
		},
	}
	format := formatFlag(cmd, "text", "json", "markdown")
	sources := inventoryFlag(cmd)
	var q proveQuestion
	f := cmd.Flags()
	targets := f.StringSlice("target", nil, "prove these `TARGETS` only")
	f.StringVar(&q.live, "live", "", "prove what lies in this live `FOLDER`")
	f.BoolVar(&q.toCome, "to-come", false, "compare what is live with the whole policy, not with what is enforced now")
	f.IntVar(&q.lines, "lines", 0, "list at most `N` lines of a kind for a point (50 if not given)")
	at := f.String("at", "", "prove as of this `TIME`, like 2027-01-31T23:00:00Z")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		how, err := format()
		if err != nil {
			return err
		}
		if q.now, err = instant(*at); err != nil {
			return err
		}
		if len(args) == 2 {
			q.out = args[1]
		}
		if q.out == "" && q.live == "" {
			return misusef("what is to be proven? name the folder that render wrote, or a live one with --live")
		}
		if q.toCome && q.live == "" {
			return misusef("--to-come is about --live; what was rendered says itself which policy it is")
		}
		if _, err := namedTargets("--target", *targets); err != nil {
			return err
		}
		q.names = *targets
		p := newProgress(cmd.ErrOrStderr())
		defer p.done()
		p.phase("reading " + args[0])
		l, err := must(cmd.ErrOrStderr(), args[0], *sources)
		if err != nil {
			return err
		}
		r, err := l.prove(q, p)
		if err != nil {
			return err
		}
		p.done()
		write := map[string]func(io.Writer, *proof) error{"text": proveText, "json": proveJSON, "markdown": proveMarkdown}[how]
		if how != "json" {
			printFindings(cmd.ErrOrStderr(), r.diags)
		}
		if err := write(resultsTo(cmd, how, true), r); err != nil {
			return err
		}
		return r.verdict()
	}
	return cmd
}

// proveQuestion is what is asked.
type proveQuestion struct {
	out, live string // folders; empty: not asked
	names     []string
	toCome    bool
	lines     int
	now       time.Time
}

// proof is what was found.
type proof struct {
	dir      string
	toCome   bool
	now      time.Time
	results  []prove.Result
	together []prove.Result         // at most one for each scope
	said     map[string][]path.Step // by scope: what the layers say of its witness
	diags    diag.List
}

// verdict is no if something is not proven, and misuse if something could not
// be read.
func (r *proof) verdict() error {
	if r.diags.HasErrors() {
		return misusef("not everything could be read")
	}
	open := func(x prove.Result) bool { return !x.Result.Proven() }
	if slices.ContainsFunc(r.results, open) || slices.ContainsFunc(r.together, open) {
		return errNo
	}
	return nil
}

// prove answers a question.
func (l *loaded) prove(q proveQuestion, phases *progress) (*proof, error) {
	r := &proof{dir: l.dir, toCome: q.toCome, now: q.now, said: map[string][]path.Step{}}
	if q.out != "" {
		if err := r.rendered(l, q, phases); err != nil {
			return nil, err
		}
	}
	if q.live != "" {
		if err := r.live(l, q, phases); err != nil {
			return nil, err
		}
	}
	r.diags = l.bound(r.diags)
	return r, nil
}

// asked is what targets are told of the estate beside the folder.
func (l *loaded) asked(targets ...target.Target) load.Asked {
	a := load.Asked{Targets: targets, Inventory: l.inv, Estate: l.estateName()}
	if l.tree.Estate != nil {
		for _, n := range l.tree.Estate.Networks {
			a.Networks = append(a.Networks, n.Prefix)
		}
	}
	return a
}

// rendered proves what lies in OUT.
func (r *proof) rendered(l *loaded, q proveQuestion, phases *progress) error {
	targets, err := renderedTargets(q)
	if err != nil {
		return err
	}
	var layers []*layer.Layer
	var empty []prove.Result
	kinds := map[bool]bool{}
	for _, t := range targets {
		phases.phase("reading " + t.Name())
		got, diags := load.OfRendered(filepath.Join(q.out, t.Name()), l.asked(t))
		diags = slices.DeleteFunc(diags, func(d diag.Diagnostic) bool { return d.Severity == diag.Info }) // about how others write
		r.diags = append(r.diags, diags...)
		if got == nil {
			return misusef("%s: %s", filepath.ToSlash(filepath.Join(q.out, t.Name())), diags[len(diags)-1].Message)
		}
		if got.List.Target != t.Name() {
			return misusef("%s was rendered for %q, not for %s: render it again", filepath.ToSlash(filepath.Join(q.out, t.Name())), got.List.Target, t.Name())
		}
		r.toCome = got.List.ToCome
		kinds[r.toCome] = true
		if len(kinds) > 1 {
			return misusef("some targets in %s were rendered from the policy in force, and some from the one to come: render them again", q.out)
		}
		layers = append(layers, got.Layers[0])
		if len(got.Layers[0].Points) == 0 {
			empty = append(empty, nothingThere(t.Name(), "alone", len(got.List.Files)))
		}
		if n := len(got.Gone); n > 0 {
			empty = append(empty, unproven(t.Name(), prove.Unenforced, fmt.Sprintf("%s gone since the render (%s): nothing enforces what stood there", count(n, "file"), got.Gone[0])))
		}
	}
	return r.compare(l, q, layers, append(empty, r.unlisted(l, q)...), false, phases)
}

// unlisted are results for targets of the Estate that were not rendered to OUT.
// A target without a folder may have been left out on purpose, and is warned of.
func (r *proof) unlisted(l *loaded, q proveQuestion) (out []prove.Result) {
	names, err := load.RenderedTargets(q.out)
	if len(q.names) > 0 || err != nil {
		return nil
	}
	for _, name := range l.estateTargets() {
		if slices.Contains(names, name) || all.Named(name) == nil {
			continue
		}
		if _, err := os.Stat(filepath.Join(q.out, name)); err == nil {
			out = append(out, unproven(name, prove.Unknown, "there is a folder, but no "+name+"/"+artifact.ListName+" that says what was rendered into it: render it again"))
			continue
		}
		r.diags.Warnf(diag.Pos{File: filepath.ToSlash(q.out), Line: 1, Col: 1}, "not-rendered", "the Estate has the target %s, and nothing was rendered for it here: it is not proven", name).
			WithHelp("render all targets, or say with --target which are meant")
	}
	return out
}

// unproven is a result about a target, not about a point of it.
func unproven(target string, word prove.Word, reason string) prove.Result {
	return prove.Result{Target: target, Result: word, Scope: "alone", Over: []prove.Line{}, Under: []prove.Line{}, Reason: reason}
}

// nothingThere is the result for a target of which nothing was found: if there
// should be files, nobody knows what became of them.
func nothingThere(target, scope string, files int) prove.Result {
	out := prove.Result{Target: target, Result: prove.NotApplicable, Scope: scope, Over: []prove.Line{}, Under: []prove.Line{}, Reason: "nothing was rendered for it: it has nobody to govern"}
	if files > 0 {
		out.Result, out.Reason = prove.Unknown, fmt.Sprintf("%s, but nothing in them is of this target's kind", count(files, "file"))
	}
	if scope == "live" {
		out.Result, out.Reason = prove.Unknown, "the live folder holds nothing of this target's kind"
	}
	return out
}

// renderedTargets are those whose folders are in OUT, as far as they are asked
// about.
func renderedTargets(q proveQuestion) ([]target.Target, error) {
	names, err := load.RenderedTargets(q.out)
	if err != nil {
		return nil, misusef("%s cannot be read: %v", q.out, err)
	}
	if len(q.names) > 0 {
		for _, name := range q.names {
			if !slices.Contains(names, name) {
				return nil, misusef("nothing was rendered for %s in %s: it has no %s/firebreak.json", name, q.out, name)
			}
		}
		return namedTargets("--target", q.names)
	}
	if len(names) == 0 {
		return nil, misusef("%s holds nothing that render wrote: there is no TARGET/firebreak.json in it", q.out)
	}
	var out []target.Target
	for _, t := range all.Targets() {
		if slices.Contains(names, t.Name()) {
			out = append(out, t)
		}
	}
	for _, name := range names {
		if all.Named(name) == nil {
			return nil, misusef("%s was rendered for a target that this version does not know", filepath.ToSlash(filepath.Join(q.out, name)))
		}
	}
	return out, nil
}

// live proves what lies in a live folder.
func (r *proof) live(l *loaded, q proveQuestion, phases *progress) error {
	names := q.names
	if len(names) == 0 {
		names = l.estateTargets()
	}
	if len(names) == 0 {
		return misusef("the Estate names no targets: give --target")
	}
	targets, err := namedTargets("spec.targets", names)
	if err != nil {
		return err
	}
	phases.phase("reading " + q.live)
	got, diags := load.OfFolder(q.live, l.asked(targets...))
	if got == nil {
		return misusef("%s", diags[len(diags)-1].Message)
	}
	r.diags = append(r.diags, diags...)
	var empty []prove.Result
	for i, layer := range got.Layers {
		if len(layer.Points) == 0 {
			empty = append(empty, nothingThere(targets[i].Name(), "live", 0))
		}
	}
	return r.compare(l, q, got.Layers, empty, true, phases)
}

// compare proves layers of one scope.
func (r *proof) compare(l *loaded, q proveQuestion, layers []*layer.Layer, empty []prove.Result, live bool, phases *progress) error {
	phases.phase("proving")
	toCome := r.toCome
	if live {
		toCome = q.toCome
	}
	report, err := prove.Prove(l.intent(toCome), layers, prove.Options{At: q.now, Live: live, Lines: q.lines})
	if err != nil {
		return misusef("the policy cannot be proven: %v", err)
	}
	for i := range report.Results {
		l.placedWitness(report.Results[i].Witness)
	}
	r.results = append(append(r.results, report.Results...), empty...)
	if report.Together != nil {
		l.placedWitness(report.Together.Witness)
		r.together = append(r.together, *report.Together)
		r.said[report.Together.Scope] = l.layersOf(report.Together.Witness, layers)
	}
	return nil
}

// policyPlace is the place in a rule's text.
var policyPlace = regexp.MustCompile(`\(([^()]+)(:\d+)\)$`)

// placedWitness makes a witness name the policy's files as the working directory sees
// them.
func (l *loaded) placedWitness(w *prove.Witness) {
	if w == nil {
		return
	}
	if m := policyPlace.FindStringSubmatch(w.Intent); m != nil {
		w.Intent = strings.TrimSuffix(w.Intent, m[0]) + "(" + l.file(m[1]) + m[2] + ")"
	}
}
