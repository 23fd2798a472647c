// Package cli is how people and pipelines come in: it turns arguments into
// questions and answers into text, JSON and exit codes. It decides nothing
// itself.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// verbs lists what firebreak can do, in the order of its help. To add a verb,
// add a line.
func verbs() []*cobra.Command {
	return []*cobra.Command{
		NewCheck(),
		NewExplain(),
		NewReach(),
		NewDiff(),
		NewBlast(),
		NewPaths(),
		NewTargets(),
		NewRender(),
		NewProve(),
		NewAdopt(),
		NewDrift(),
		NewGen(),
		NewInit(),
		NewFmt(),
		NewSchema(),
		NewAgent(),
		NewServe(),
		NewVersion(),
		NewDemo(),
		NewDemoProcess(),
	}
}

// The exit codes, the same for every verb.
const (
	exitYes    = 0 // yes, or clean
	exitNo     = 1 // no: errors found, a mismatch, something failed
	exitMisuse = 2 // the question could not be asked
)

// Main runs one command line and returns the exit code. Results go to stdout,
// everything else to stderr.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	asked, quiet := false, false
	var version *bool
	root := &cobra.Command{
		Use:   "firebreak",
		Short: "Microsegmentation that can be proven, enforced and watched",
		Long: `Firebreak keeps a compromised workload from spreading: write once what may talk
to what, know what that means before it is enforced, enforce it in the kernel,
and see every conversation with the rule that decided it.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRun: func(cmd *cobra.Command, _ []string) {
			asked = true
			if quiet {
				cmd.Root().SetErr(struct{ io.Writer }{stderr}) // which is no terminal
			}
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if *version {
				return versionText(cmd.OutOrStdout(), ourVersion(debug.ReadBuildInfo()))
			}
			return bare(cmd, args)
		},
	}
	version = root.Flags().Bool("version", false, "say which version of the program this is")
	root.PersistentFlags().BoolVarP(&quiet, "quiet", "q", false, "tell nothing of progress")
	root.SetArgs(args)
	out := &results{w: stdout}
	root.SetOut(out)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(flagError)
	root.SetHelpCommand(newHelp())
	root.AddCommand(verbs()...)
	err := root.ExecuteContext(ctx)
	return exitCode(stderr, out.failure(wrongVerb(root, args, err)), asked)
}

// exitCode says on stderr what went wrong, if there is more to say.
func exitCode(stderr io.Writer, err error, asked bool) int {
	var misuse misuseError
	switch {
	case err == nil:
		return exitYes
	case errors.Is(err, errNo):
		return exitNo
	case errors.As(err, &misuse), !asked:
		fmt.Fprintf(stderr, "firebreak: %v\n", err)
		return exitMisuse
	default:
		fmt.Fprintf(stderr, "firebreak: %v\n", err)
		return exitNo
	}
}

// errNo is the answer no, already said in full.
var errNo = errors.New("no")

// misuseError is a question that cannot be asked, or input that cannot be read.
type misuseError struct{ text string }

func (e misuseError) Error() string { return e.text }

func misusef(format string, args ...any) error {
	return misuseError{fmt.Sprintf(format, args...)}
}

// oneDir demands exactly one argument.
func oneDir(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return misusef("%s needs one policy directory, not %d: %s", cmd.Name(), len(args), cmd.UseLine())
	}
	return nil
}

// perhapsOneDir demands a directory at most.
func perhapsOneDir(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return misusef("%s takes one policy directory at most, not %d: %s", cmd.Name(), len(args), cmd.UseLine())
	}
	return nil
}

// noArgs demands that there are none.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return misusef("%s takes no argument %q: %s", cmd.Name(), args[0], cmd.UseLine())
	}
	return nil
}

// formatFlag adds --format with the formats that a verb knows; the first is
// the default. The function that it returns gives the choice, or misuse.
func formatFlag(cmd *cobra.Command, known ...string) func() (string, error) {
	f := cmd.Flags().String("format", known[0], "one of "+strings.Join(known, ", "))
	return func() (string, error) {
		if !slices.Contains(known, *f) {
			return "", misusef("--format %s is not known: it is one of %s", *f, strings.Join(known, ", "))
		}
		return *f, nil
	}
}

// resultsTo returns where results go: text for people looks as they can read it
// best on their terminal.
func resultsTo(cmd *cobra.Command, format string, fold bool) io.Writer {
	if format == "text" {
		return forPeople(cmd.OutOrStdout(), fold)
	}
	return cmd.OutOrStdout()
}

// inventoryFlag adds --inventory.
func inventoryFlag(cmd *cobra.Command) *[]string {
	return cmd.Flags().StringArray("inventory", nil, "read workloads from `SOURCE` instead of the Estate's list: file:F, kube:DIR, terraform:F or aws:DIR (repeatable)")
}
