package cli

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/load"
	"firebreak/internal/policy"
	"firebreak/internal/semantics"
	"firebreak/internal/verify"
)

// codeUnreadable is the code of a file that could not be read.
const codeUnreadable = "unreadable-file"

// unreadableCodes are of findings that stand for input that was not seen at
// all; a verb then ends as with misuse.
var unreadableCodes = []string{"unreadable", codeUnreadable, "bad-source", "unknown-source"}

// lostCodes are of findings that stand for text that was not taken in. What it
// would have named or served is unknown, so that nothing is said to be missing.
var lostCodes = append([]string{"yaml-syntax", "too-large", "too-many-diagnostics"}, unreadableCodes...)

// loaded is everything that verbs ask about.
type loaded struct {
	dir   string
	rev   string // "git:REV:" if the directory is one of a revision
	tree  *lang.Dir
	inv   *inventory.Snapshot
	p     *policy.Policy       // nil if the diagnostics have errors
	eval  *semantics.Evaluator // nil until somebody asks; see evaluator
	diags diag.List
}

// read reads what a verb was pointed at. It fails only if there is no such
// directory; everything else is among the diagnostics, whose places are as the
// working directory sees them.
func read(dir string, sources []string) (*loaded, error) {
	rev, dir, err := revision(dir)
	if err != nil {
		return nil, err
	}
	l := &loaded{dir: dir, rev: rev}
	var got *load.Loaded
	var diags diag.List
	if rev == "" {
		got, diags = load.Dir(dir, sources)
	} else if got, diags, err = l.fromGit(sources); err != nil {
		return nil, err
	}
	if len(got.Tree.Policies) == 0 && got.Tree.Estate == nil && len(diags) == 1 && diags[0].Code == "unreadable" {
		return nil, misusef("%s", diags[0].Message)
	}
	l.tree, l.inv, l.p, l.diags = got.Tree, got.Inventory, got.Policy, diags
	if l.p == nil {
		l.lookFurther(got.Partial)
	}
	if e := l.tree.Estate; e != nil && len(l.inv.Workloads) == 0 && !got.Partial {
		if len(e.Inventory)+len(sources) == 0 {
			l.diags.Warnf(l.pos(e.Pos), "no-inventory", "the Estate names no inventory: there are no workloads").
				WithHelp("add spec.inventory, or give --inventory file:F")
		} else if l.speaksOfWorkloads() {
			l.diags.Warnf(l.pos(e.Pos), "no-inventory", "the inventory has no workloads").
				WithHelp("look whether the sources are those that were meant")
		}
	}
	l.diags = append(l.diags, append(l.unknownTargets(), l.badQuotas()...)...)
	l.diags = l.bound(l.diags)
	return l, nil
}

// speaksOfWorkloads reports whether the text has anything that an empty
// inventory leaves without a meaning.
func (l *loaded) speaksOfWorkloads() bool {
	return len(l.tree.Services)+len(l.tree.Policies) > 0 ||
		slices.ContainsFunc(l.tree.Zones, func(z *lang.Zone) bool { return z.Name != lang.Unassigned })
}

// evaluator is the reference evaluator of what was read.
func (l *loaded) evaluator() *semantics.Evaluator {
	if l.eval == nil {
		l.eval = semantics.New(l.tree, l.inv)
	}
	return l.eval
}

// engine is the symbolic engine of the policy, which must be free of errors,
// as of now.
func (l *loaded) engine() (*verify.Engine, error) {
	return verify.New(l.p, verify.Options{At: time.Now()})
}

// lookFurther adds what resolving finds in a policy that is already known to be
// wrong, as far as one fault does not make up another.
// partial says that the inventory may hold less than there is.
func (l *loaded) lookFurther(partial bool) {
	hidden := map[string]bool{"selector-matches-nothing": partial, "selector-value-matches-nothing": partial}
	if l.has(lostCodes) {
		hidden["unknown-reference"], hidden["selector-matches-nothing"], hidden["selector-value-matches-nothing"] = true, true, true
	}
	_, more := policy.Resolve(l.tree, l.inv)
	for _, d := range more {
		d.Rename(l.file)
		if slices.Contains(l.diags, d) || hidden[d.Code] || partial && ofInventory(d) {
			continue
		}
		l.diags = append(l.diags, d)
	}
	l.diags = load.Unrepeated(l.diags)
}

// ofInventory reports whether a finding misses what only an inventory has.
func ofInventory(d diag.Diagnostic) bool {
	return d.Code == "unknown-reference" && (strings.Contains(d.Message, "no workload ") || strings.Contains(d.Message, " port "))
}

// bound sorts a list and shortens it to what is shown. What has no place has
// that of the directory.
func (l *loaded) bound(diags diag.List) diag.List {
	diags = diags.Bound()
	for i := range diags {
		if diags[i].Pos.File == "" {
			diags[i].Pos = diag.Pos{File: l.file("."), Line: 1, Col: 1}
		}
	}
	return diags
}

func (l *loaded) has(codes []string) bool {
	return slices.ContainsFunc(l.diags, func(d diag.Diagnostic) bool {
		return d.Severity == diag.Error && slices.Contains(codes, d.Code)
	})
}

// must loads what has to be free of errors: they are said on stderr.
func must(stderr io.Writer, dir string, sources []string) (*loaded, error) {
	l, err := read(dir, sources)
	if err != nil || l.p != nil {
		return l, err
	}
	for _, d := range l.diags {
		if d.Severity == diag.Error {
			fmt.Fprintln(stderr, d)
		}
	}
	if l.unreadable() {
		return nil, misusef("the policy cannot be read")
	}
	return nil, brokenError{dir}
}

// brokenError is a policy with errors, which were said already.
type brokenError struct{ dir string }

func (e brokenError) Error() string {
	return fmt.Sprintf("the policy has errors; %q shows all there is to say about it", "firebreak check "+shellWord(e.dir))
}

func (l *loaded) unreadable() bool { return l.has(unreadableCodes) }

// file gives a path relative to the policy directory as the working directory
// sees it.
func (l *loaded) file(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return l.rev + filepath.ToSlash(filepath.Join(l.dir, name))
}

func (l *loaded) pos(p diag.Pos) diag.Pos {
	p.File = l.file(p.File)
	return p
}

func (l *loaded) rule(r flow.Rule) flow.Rule {
	r.File = l.file(r.File)
	return r
}

func (l *loaded) rules(in []flow.Rule) []flow.Rule {
	out := make([]flow.Rule, 0, len(in))
	for _, r := range in {
		out = append(out, l.rule(r))
	}
	return out
}

// ruleText names a rule of the policy, which must be free of errors, for
// people. A default that would deny and does not yet is told from one that is
// meant to allow.
func (l *loaded) ruleText(r flow.Rule) string {
	if r.Policy != "" || r.Rule != "default-allow" {
		return r.String()
	}
	for _, z := range l.p.Zones {
		if z.Pos.Line == r.Line && l.file(z.Pos.File) == r.File && !z.DefaultAllow {
			r.Rule = "default-deny of zone " + z.Name + ", not enforced yet"
			return r.String()
		}
	}
	return r.String()
}
