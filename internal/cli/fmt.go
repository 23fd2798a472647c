package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"firebreak/internal/diag"
	"firebreak/internal/lang"
)

// NewFmt returns the verb that writes policy files canonically.
func NewFmt() *cobra.Command {
	f := &formatter{report: []fmtFile{}}
	cmd := &cobra.Command{
		Use:   "fmt DIR|FILE… | -",
		Short: "Write policy files canonically: order of fields, indentation, selectors",
		Long: `Write policy and inventory files canonically, and list those that changed: fields
in the order of the reference, indented by two, selectors in their canonical form.
What was written in braces stays in braces if it is short. Comments stay with what
they stand above or beside.

What the files mean does not change. Documents of other systems are not touched,
and neither are files that are no YAML: those are reported. With - it formats
standard input onto standard output.`,
		Example: "  firebreak fmt .\n  firebreak fmt --check policy/      # in a pipeline: exits with 1 if a file would change\n  firebreak fmt - <zones.yaml",
	}
	cmd.Flags().BoolVar(&f.check, "check", false, "change nothing; list the files that would change and exit with 1 if there are any")
	cmd.Flags().BoolVar(&f.diff, "diff", false, "change nothing; show what would change")
	format := formatFlag(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		how, err := format()
		if err != nil {
			return err
		}
		f.json = how == "json"
		f.in, f.out, f.err = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
		if len(args) == 0 {
			return misusef("fmt needs a directory, files or -: %s", cmd.UseLine())
		}
		if f.json && slices.Contains(args, "-") && !f.check {
			return misusef("- writes the formatted text to standard output, where --format json writes: add --check")
		}
		return f.all(args)
	}
	return cmd
}

// maxFormat is the largest file that is read, as for every other verb.
const maxFormat = 64 << 20

// formatter is one run of fmt.
type formatter struct {
	check, diff, json bool
	in                io.Reader
	out, err          io.Writer
	report            []fmtFile // of all files, for json

	wrong      bool // some file is no YAML
	unreadable bool // some file could not be read or written
	changed    bool // some file changed, or would
}

// fmtFile is what became of one file.
type fmtFile struct {
	File    string `json:"file"`
	Changed bool   `json:"changed"` // or would be
	Error   string `json:"error"`   // empty if it could be read, formatted and written
}

func (f *formatter) all(args []string) error {
	for _, arg := range args {
		if arg == "-" {
			if err := f.stream(); err != nil {
				return err
			}
			continue
		}
		files, err := formattable(arg)
		if err != nil {
			return misusef("%s cannot be read: %v", arg, cause(err))
		}
		for _, name := range files {
			if err := f.file(name); err != nil {
				return err
			}
		}
	}
	if f.json {
		if err := writeJSON(f.out, map[string]any{"files": f.report}); err != nil {
			return err
		}
	}
	switch {
	case f.unreadable:
		return misusef("not everything could be read and written")
	case f.wrong, f.changed && f.check:
		return errNo
	}
	return nil
}

// formattable returns a file itself, and of a directory the files that belong
// to a policy.
func formattable(arg string) ([]string, error) {
	info, err := os.Stat(arg)
	if err != nil || !info.IsDir() {
		return []string{arg}, err
	}
	var out []string
	root := arg + string(filepath.Separator) // a link to a directory is one
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		hidden := name != root && strings.HasPrefix(d.Name(), ".")
		ext := filepath.Ext(name)
		switch {
		case err != nil:
			return err
		case hidden && d.IsDir():
			return fs.SkipDir
		case !hidden && !d.IsDir() && (ext == ".yaml" || ext == ".yml"):
			out = append(out, name)
		}
		return nil
	})
	return out, err
}

// stream formats standard input onto standard output.
func (f *formatter) stream() error {
	text, err := io.ReadAll(io.LimitReader(f.in, maxFormat+1))
	if err != nil {
		return misusef("standard input cannot be read: %v", err)
	}
	formatted, ok := f.format("standard input", text)
	if !ok {
		return nil
	}
	f.note("standard input", !bytes.Equal(formatted, text), "")
	f.changed = f.changed || !bytes.Equal(formatted, text)
	if f.check || f.diff {
		return f.tell("standard input", text, formatted)
	}
	_, err = f.out.Write(formatted)
	return err
}

// file formats one file. What goes wrong with it is said; an error is only
// returned if nothing more can be said.
func (f *formatter) file(name string) error {
	text, info, err := readRegular(name)
	if err != nil {
		f.fault(name, "cannot be read", err)
		return nil
	}
	formatted, ok := f.format(name, text)
	if !ok {
		return nil
	}
	if bytes.Equal(formatted, text) {
		f.note(name, false, "")
		return nil
	}
	f.changed = true
	if !f.check && !f.diff {
		if err := replace(name, formatted, info); err != nil {
			f.fault(name, "cannot be written", err)
			return nil
		}
	}
	f.note(name, true, "")
	return f.tell(name, text, formatted)
}

func (f *formatter) note(name string, changed bool, wrong string) {
	f.report = append(f.report, fmtFile{name, changed, wrong})
}

// fault says what could not be done with a file.
func (f *formatter) fault(name, what string, err error) {
	f.unreadable = true
	f.note(name, false, fmt.Sprintf("%s: %v", what, cause(err)))
	fmt.Fprintf(f.err, "firebreak: %s %s: %v\n", name, what, cause(err))
}

// format formats a text. Lines that end in CR LF, as the first one does, stay
// so.
func (f *formatter) format(name string, text []byte) (formatted []byte, ok bool) {
	first := bytes.IndexByte(text, '\n')
	crlf := first > 0 && text[first-1] == '\r'
	if crlf {
		text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	}
	formatted, list := lang.Format(name, text)
	if crlf {
		formatted = bytes.ReplaceAll(formatted, []byte("\n"), []byte("\r\n"))
	}
	wrong := ""
	for _, d := range list {
		fmt.Fprintln(f.err, d)
		if d.Severity == diag.Error && wrong == "" {
			wrong = fmt.Sprintf("%s: %s", d.Code, d.Message)
		}
	}
	if wrong != "" {
		f.wrong = true
		f.note(name, false, wrong)
	}
	return formatted, wrong == ""
}

// tell says what changed, or would.
func (f *formatter) tell(name string, was, is []byte) error {
	var err error
	switch {
	case bytes.Equal(was, is), f.json:
	case f.diff:
		path := strings.TrimLeft(filepath.ToSlash(filepath.Clean(name)), "/")
		_, err = f.out.Write(diff.Diff("a/"+path, was, "b/"+path, is))
	default:
		_, err = fmt.Fprintln(f.out, name)
	}
	return err
}

// readRegular reads a file that is no pipe or device: opening one could wait
// for ever.
func readRegular(name string) ([]byte, fs.FileInfo, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, nil, err
	case !info.Mode().IsRegular():
		return nil, nil, errors.New("it is not a regular file")
	case info.Size() > maxFormat:
		return nil, nil, fmt.Errorf("it is larger than %d MiB", maxFormat>>20)
	}
	text, err := os.ReadFile(name)
	return text, info, err
}

// replace puts a new text in the place of a file at once: whoever reads it
// sees the old text or the new one. A link keeps leading to the file.
func replace(name string, text []byte, info fs.FileInfo) (err error) {
	name, err = filepath.EvalSymlinks(name)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(name), ".firebreak-fmt-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(tmp.Name()))
		}
	}()
	_, err = tmp.Write(text)
	if err == nil {
		err = tmp.Chmod(info.Mode().Perm())
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && err == nil && os.Geteuid() == 0 {
		err = tmp.Chown(int(owner.Uid), int(owner.Gid))
	}
	if err == nil {
		err = tmp.Sync()
	}
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), name)
	}
	return err
}

// cause leaves out the path, which the message names already.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
