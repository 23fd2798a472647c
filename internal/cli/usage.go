package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"firebreak/internal/diag"
)

// flagError says in our own words what is wrong with a flag.
func flagError(cmd *cobra.Command, err error) error {
	var (
		unknown *pflag.NotExistError
		bare    *pflag.ValueRequiredError
		value   *pflag.InvalidValueError
	)
	switch {
	case errors.As(err, &unknown):
		return misusef("%s", unknownFlag(cmd, unknown))
	case errors.As(err, &bare):
		what, usage := pflag.UnquoteUsage(bare.GetFlag())
		return misusef("--%s needs a value, %s: %s", bare.GetFlag().Name, what, usage)
	case errors.As(err, &value):
		f := value.GetFlag()
		return misusef("--%s %q is %s", f.Name, value.GetValue(), notA(f.Value.Type()))
	}
	return misusef("%v", err)
}

func unknownFlag(cmd *cobra.Command, e *pflag.NotExistError) string {
	if short := e.GetSpecifiedShortnames(); short != "" {
		return fmt.Sprintf("%s has no flag -%s; see %q", cmd.CommandPath(), e.GetSpecifiedName(), cmd.CommandPath()+" --help")
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	near := diag.Nearest(e.GetSpecifiedName(), names)
	if near == "" {
		return fmt.Sprintf("%s has no flag --%s; see %q", cmd.CommandPath(), e.GetSpecifiedName(), cmd.CommandPath()+" --help")
	}
	return fmt.Sprintf("%s has no flag --%s: did you mean --%s?", cmd.CommandPath(), e.GetSpecifiedName(), near)
}

// notA says what a value is not, by the type of its flag.
func notA(kind string) string {
	switch kind {
	case "int", "int64":
		return "no whole number"
	case "uint", "uint64":
		return "no whole number from 0 up"
	case "float64":
		return "no number"
	case "bool":
		return "neither true nor false"
	case "duration":
		return "no length of time: write it like 10s or 5m"
	}
	return "no value for it"
}

// unknownVerb says that a command has no such verb, and which may be meant.
func unknownVerb(of *cobra.Command, word string) error {
	var names []string
	for _, c := range of.Commands() {
		if !c.Hidden {
			names = append(names, c.Name())
		}
	}
	if near := diag.Nearest(word, names); near != "" {
		return misusef("there is no verb %q: did you mean %q?", word, near)
	}
	if len(names) == 0 {
		return misusef("%s has no verbs of its own, such as %q", of.CommandPath(), word)
	}
	return misusef("there is no verb %q: it is one of %s", word, strings.Join(names, ", "))
}

// wrongVerb turns the error about a verb that there is not into ours. Every
// other error stays as it is.
func wrongVerb(root *cobra.Command, args []string, err error) error {
	found, rest, problem := root.Find(args)
	if err == nil || problem == nil || found != root {
		return err
	}
	for _, word := range rest {
		if !strings.HasPrefix(word, "-") {
			return unknownVerb(root, word)
		}
	}
	return err
}

// bare is firebreak without a verb: nothing was asked.
func bare(cmd *cobra.Command, _ []string) error {
	cmd.SetOut(cmd.ErrOrStderr())
	if err := cmd.Help(); err != nil {
		return err
	}
	return misusef("which verb?")
}

// newHelp returns the verb that explains verbs.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [VERB]",
		Short: "Explain a verb",
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if len(rest) > 0 || err != nil {
				return unknownVerb(about, append(rest, args...)[0])
			}
			about.InitDefaultHelpFlag()
			about.SetOut(cmd.OutOrStdout())
			return about.Help()
		},
	}
}
