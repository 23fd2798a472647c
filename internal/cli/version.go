package cli

import (
	"fmt"
	"io"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// versionAnswer is what is known about the program itself.
type versionAnswer struct {
	Version  string `json:"version"`
	Revision string `json:"revision"` // empty if it was not built from a repository
	Time     string `json:"time"`     // of the revision
	Modified bool   `json:"modified"` // the sources were not as the revision has them
	Go       string `json:"go"`
}

// NewVersion returns the verb that says which program this is.
func NewVersion() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Say which version of the program this is, and what it was built from",
		Example: "  firebreak version --format json",
		Args:    noArgs,
	}
	format := formatFlag(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		how, err := format()
		if err != nil {
			return err
		}
		write := map[string]func(io.Writer, versionAnswer) error{
			"text": versionText, "json": func(w io.Writer, v versionAnswer) error { return writeJSON(w, v) },
		}[how]
		return write(cmd.OutOrStdout(), ourVersion(debug.ReadBuildInfo()))
	}
	return cmd
}

// ourVersion reads what the linker left in the program.
func ourVersion(info *debug.BuildInfo, ok bool) versionAnswer {
	v := versionAnswer{Version: "(devel)"}
	if !ok {
		return v
	}
	v.Go = info.GoVersion
	if info.Main.Version != "" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.time":
			v.Time = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

func versionText(w io.Writer, v versionAnswer) error {
	s := "firebreak " + v.Version
	if v.Revision != "" {
		s += ", revision " + v.Revision
		if v.Modified {
			s += " with changes"
		}
	}
	_, err := fmt.Fprintf(w, "%s, built with %s\n", s, v.Go)
	return err
}
