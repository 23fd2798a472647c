// Package diag holds diagnostics: findings about input, each with a code, a
// severity, a message and the place it speaks of. It accumulates, so that one
// run reports everything that is wrong, and it prints nothing by itself.
package diag

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Severity says whether a diagnostic fails a run. The zero value is Error, so
// that a diagnostic whose severity was forgotten is not overlooked.
type Severity uint8

// The severities. Only Error makes a verb exit with 1.
const (
	Error Severity = iota
	Warning
	Info
)

// String returns the word used in text and JSON.
func (s Severity) String() string {
	switch s {
	case Error:
		return "error"
	case Warning:
		return "warning"
	default:
		return "info"
	}
}

// Pos is a place in a file. Line and Col count from 1; 0 means unknown. The
// zero Pos is "no place".
type Pos struct {
	File string
	Line int
	Col  int
}

// String renders file:line:col, leaving out what is unknown.
func (p Pos) String() string {
	switch {
	case p.File == "":
		return "-"
	case p.Line == 0:
		return p.File
	case p.Col == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	default:
		return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
	}
}

// Diagnostic is one finding. Code is a hyphenated word that users may grep for
// and that has a page of docs; Help says what to do and may be empty. See is a
// second place that the finding is about, such as the other one of two; it is
// the zero Pos if there is none. Places stand in Pos and See only, never in the
// texts, so that whoever knows files by other names can rename them.
type Diagnostic struct {
	Code     string
	Severity Severity
	Message  string
	Pos      Pos
	Help     string
	See      Pos
}

// String renders the text form: "file:line:col: severity code: message", then
// an indented help line where there is help, and an indented line "see: PLACE"
// where there is a second place.
func (d Diagnostic) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s %s: %s", d.Pos, d.Severity, d.Code, d.Message)
	if d.Help != "" {
		b.WriteString("\n    help: " + d.Help)
	}
	if d.See != (Pos{}) {
		b.WriteString("\n    see: " + d.See.String())
	}
	return b.String()
}

// List accumulates diagnostics. The zero value is ready to use. It is not safe
// for concurrent use.
type List []Diagnostic

// Errorf adds an error.
func (l *List) Errorf(pos Pos, code, format string, args ...any) *Diagnostic {
	return l.add(Error, pos, code, format, args...)
}

// Warnf adds a warning.
func (l *List) Warnf(pos Pos, code, format string, args ...any) *Diagnostic {
	return l.add(Warning, pos, code, format, args...)
}

// Infof adds an Info.
func (l *List) Infof(pos Pos, code, format string, args ...any) *Diagnostic {
	return l.add(Info, pos, code, format, args...)
}

func (l *List) add(s Severity, pos Pos, code, format string, args ...any) *Diagnostic {
	*l = append(*l, Diagnostic{Code: code, Severity: s, Message: fmt.Sprintf(format, args...), Pos: pos})
	return &(*l)[len(*l)-1]
}

// WithHelp sets the help text; it returns its receiver so that it can follow
// Errorf on one line. The receiver is only valid until the next addition.
func (d *Diagnostic) WithHelp(format string, args ...any) *Diagnostic {
	d.Help = fmt.Sprintf(format, args...)
	return d
}

// WithSee sets the second place; otherwise it is like WithHelp.
func (d *Diagnostic) WithSee(p Pos) *Diagnostic {
	d.See = p
	return d
}

// Rename gives every file of the diagnostic another name. It is not called for
// a place without a file.
func (d *Diagnostic) Rename(file func(string) string) {
	for _, p := range [...]*Pos{&d.Pos, &d.See} {
		if p.File != "" {
			p.File = file(p.File)
		}
	}
}

// HasErrors reports whether any diagnostic is an Error.
func (l List) HasErrors() bool {
	return slices.ContainsFunc(l, func(d Diagnostic) bool { return d.Severity == Error })
}

// Sort orders by file, line, column, then code, so that output is stable.
func (l List) Sort() {
	slices.SortStableFunc(l, func(a, b Diagnostic) int {
		return cmp.Or(
			cmp.Compare(a.Pos.File, b.Pos.File),
			cmp.Compare(a.Pos.Line, b.Pos.Line),
			cmp.Compare(a.Pos.Col, b.Pos.Col),
			cmp.Compare(a.Code, b.Code),
			cmp.Compare(a.Message, b.Message),
		)
	})
}

// Most is how many findings of a run are shown.
const Most = 1000

// codeTooMany is the code of the finding that there are more.
const codeTooMany = "too-many-diagnostics"

// Bound returns a sorted list of at most Most findings and, if that leaves out
// any, or had been done to the list before, one more that says so. Errors are
// kept before warnings. It may reuse l.
func (l List) Bound() List {
	all := len(l)
	out := slices.DeleteFunc(l, func(d Diagnostic) bool { return d.Code == codeTooMany })
	cut := len(out) < all || len(out) > Most
	if len(out) > Most {
		slices.SortStableFunc(out, func(a, b Diagnostic) int { return cmp.Compare(a.Severity, b.Severity) })
		out = out[:Most]
	}
	out.Sort()
	if !cut {
		return out
	}
	d := Diagnostic{Code: codeTooMany, Message: fmt.Sprintf("only the first %d diagnostics are shown", Most), Help: "mend those, then run again"}
	if !out.HasErrors() {
		d.Severity = Warning // what was left out are no errors either
	}
	return append(out, d)
}
