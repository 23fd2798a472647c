package cli

import (
	"github.com/spf13/cobra"

	"firebreak/internal/lang"
)

// NewSchema returns the verb that prints the language's JSON Schema.
func NewSchema() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of policy and inventory documents, for editors",
		Long: `Print the JSON Schema (2020-12) of every kind of policy and inventory document.
Editors complete and explain fields with it, and mark what is wrong while you
type. With yaml-language-server, begin a file with

  # yaml-language-server: $schema=firebreak.schema.json

It knows one document at a time: what "firebreak check" finds by looking at all
of them together with the inventory, it cannot find.`,
		Example: "  firebreak schema >firebreak.schema.json",
		Args:    noArgs,
	}
	format := formatFlag(cmd, "json", "text") // which are the same
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if _, err := format(); err != nil {
			return err
		}
		_, err := cmd.OutOrStdout().Write(lang.Schema())
		return err
	}
	return cmd
}
