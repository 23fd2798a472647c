package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"firebreak/internal/diag"
	"firebreak/internal/target"
	"firebreak/internal/target/all"
)

// targetNames lists the targets that there are, as the Estate writes them.
func targetNames() []string {
	var out []string
	for _, t := range all.Targets() {
		out = append(out, t.Name())
	}
	return out
}

// unknownTargets are findings about the targets of the Estate that do not exist.
func (l *loaded) unknownTargets() diag.List {
	var out diag.List
	if l.tree.Estate == nil {
		return nil
	}
	for _, word := range l.tree.Estate.Targets {
		if all.Named(word.Text) == nil {
			out.Errorf(l.pos(word.Pos), "unknown-target", "there is no target %q", word.Text).WithHelp("%s", knownTargets(word.Text))
		}
	}
	return out
}

// badQuotas are findings about the quotas of the Estate.
func (l *loaded) badQuotas() diag.List {
	out := target.CheckQuotas(l.tree.Estate, all.Targets())
	for i := range out {
		out[i].Rename(l.file)
	}
	return out
}

// soundQuotas demands that nothing is wrong with the quotas of the Estate.
func (l *loaded) soundQuotas(stderr io.Writer) error {
	bad := l.badQuotas()
	for _, d := range bad {
		fmt.Fprintln(stderr, d)
	}
	if len(bad) > 0 {
		return brokenError{l.dir}
	}
	return nil
}

// knownTargets says what a word that is no target may have meant.
func knownTargets(word string) string {
	help := "it is one of " + strings.Join(targetNames(), ", ")
	if near := diag.Meant(word, targetNames()); near != "" {
		help = "did you mean " + near + "? " + help
	}
	return help
}

// estateTargets are the names in the Estate's list, each once, in its order.
func (l *loaded) estateTargets() []string {
	var out []string
	if l.tree.Estate == nil {
		return nil
	}
	for _, word := range l.tree.Estate.Targets {
		if !slices.Contains(out, word.Text) {
			out = append(out, word.Text)
		}
	}
	return out
}

// estateName is what marks what is ours; an estate without a name has none.
func (l *loaded) estateName() string {
	if l.tree.Estate == nil {
		return ""
	}
	return l.tree.Estate.Name
}

// named finds targets by their names. With none given it is all targets.
func namedTargets(flag string, names []string) ([]target.Target, error) {
	if len(names) == 0 {
		return all.Targets(), nil
	}
	var out []target.Target
	for _, name := range names {
		t := all.Named(name)
		if t == nil {
			return nil, misusef("%s %q is no target: %s", flag, name, knownTargets(name))
		}
		if !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out, nil
}
