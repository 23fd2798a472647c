package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"firebreak/internal/diag"
	"firebreak/internal/scaffold"
)

// NewInit returns the verb that begins a policy directory.
func NewInit() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "init DIR --template NAME",
		Short: "Begin a policy directory from a template",
		Long: `Begin a policy directory from a template: a whole policy with zones, services,
rules, guardrails, Cases and an inventory, which checks clean as it stands, and a
README that says what to change. DIR is made if need be, and must hold nothing
yet (names that begin with a dot, such as .git, are no matter).

` + templateList(),
		Example: "  firebreak init policy --template kubernetes",
	}
	template := cmd.Flags().String("template", "", "`NAME` of the template; without it, the templates are listed")
	format := formatFlag(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		how, err := format()
		if err != nil {
			return err
		}
		if *template == "" {
			if len(args) > 0 {
				return misusef("which template? Say: firebreak init %s --template NAME\n%s", args[0], templateList())
			}
			return writeTemplates(cmd.OutOrStdout(), how)
		}
		if len(args) != 1 {
			return misusef("init needs one directory, not %d: %s", len(args), cmd.UseLine())
		}
		return initDir(cmd.OutOrStdout(), args[0], *template, how)
	}
	return cmd
}

func writeTemplates(w io.Writer, how string) error {
	if how == "text" {
		_, err := fmt.Fprintln(w, templateList()+"\nBegin with one: firebreak init DIR --template NAME")
		return err
	}
	type template struct {
		Name  string `json:"name"`
		About string `json:"about"`
	}
	list := []template{}
	for _, t := range scaffold.Templates() {
		list = append(list, template{t.Name, t.About})
	}
	return writeJSON(w, map[string]any{"templates": list})
}

func templateList() string {
	var b strings.Builder
	b.WriteString("Templates:\n")
	for _, t := range scaffold.Templates() {
		fmt.Fprintf(&b, "  %-20s %s\n", t.Name, t.About)
	}
	return b.String()
}

func initDir(w io.Writer, dir, template, how string) error {
	files, err := scaffold.Files(template, time.Now())
	if err != nil {
		return misusef("%v; %s", err, templateHelp(template))
	}
	if err := vacant(dir); err != nil {
		return err
	}
	if err := writeNew(dir, files); err != nil {
		return misusef("%v", err)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Name)
	}
	if how == "json" {
		return writeJSON(w, struct {
			Dir      string   `json:"dir"`
			Template string   `json:"template"`
			Files    []string `json:"files"`
		}{dir, template, names})
	}
	return initText(w, dir, template, names)
}

// initText says what was written and what to do next.
func initText(w io.Writer, dir, template string, names []string) error {
	_, err := fmt.Fprintf(w, "%s holds the template %s:\n  %s\n\nNext:\n", dir, template, strings.Join(names, "\n  "))
	for _, next := range [][2]string{
		{"firebreak check " + dir, "say what is wrong, prove the guardrails, run the Cases"},
		{"firebreak reach " + dir, "list who can reach whom"},
		{"read " + filepath.Join(dir, "README.md"), "what to change"},
	} {
		if err == nil {
			_, err = fmt.Fprintf(w, "  %-*s  %s\n", len("firebreak check ")+len(dir), next[0], next[1])
		}
	}
	return err
}

func templateHelp(name string) string {
	var names []string
	for _, t := range scaffold.Templates() {
		names = append(names, t.Name)
	}
	if near := diag.Nearest(name, names); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "it is one of " + strings.Join(names, ", ")
}

// vacant demands that nothing be there that could be overwritten or mixed up
// with what will be.
func vacant(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return misusef("%v", err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			return misusef("%s is not empty (it has %s): name a directory that is, or a new one", dir, e.Name())
		}
	}
	return nil
}

// writeNew writes files that must not be there yet. If one cannot be written,
// those before it are taken away again.
func writeNew(dir string, files []scaffold.File) (err error) {
	var done []string
	defer func() {
		for _, name := range done {
			if err != nil {
				err = errors.Join(err, os.Remove(name))
			}
		}
	}()
	for _, f := range files {
		name := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		out, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return err
		}
		done = append(done, name)
		_, err = out.Write(f.Text)
		if err = errors.Join(err, out.Close()); err != nil {
			return err
		}
	}
	return nil
}
