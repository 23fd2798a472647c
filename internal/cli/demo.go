package cli

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"firebreak/internal/demo"
)

// NewDemo returns the verb that demonstrates Firebreak on this machine.
func NewDemo() *cobra.Command {
	var o demo.Options
	var clean bool
	cmd := &cobra.Command{
		Use:   "demo [RECORDING]",
		Short: "Run a small shop in three VPCs, attack it, and enforce a policy on it",
		Long: `Run a small shop in three VPCs, attack it, and enforce a policy on it.

The VPCs are network namespaces behind a router, with an agent each. Steady
traffic flows through them while an attacker who has taken a storefront tries
what attackers try: first with nothing enforced, then enforced. The page shows
it live. What an attack reached is counted by the attacker's and the victims'
own processes.

Nothing outside those namespaces is touched. When it ends, with Ctrl-C too,
everything it made is removed; what a killed run left behind is removed by the
next one, or with --clean. Without root, or elsewhere than on Linux, a recorded
run is played instead.`,
		Example: "  sudo firebreak demo\n  sudo firebreak demo --for 10s --format json\n  firebreak demo --recorded",
		Args:    cobra.MaximumNArgs(1),
	}
	format := formatFlag(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		chosen, err := format()
		switch {
		case err != nil:
			return err
		case o.For < 0:
			return misusef("--for %s is in the past", o.For)
		case len(args) > 0 && !o.Recorded:
			return misusef("%s is only read with --recorded", args[0])
		case o.Recorded && o.Record != "":
			return misusef("--record runs the demonstration and --recorded does not; leave one out")
		case clean:
			return cleanDemo(cmd)
		case len(args) > 0:
			o.Play = args[0]
		}
		o.JSON = chosen == "json"
		o.Out, o.Notes = cmd.OutOrStdout(), cmd.ErrOrStderr()
		if f := terminal(o.Out); f != nil {
			o.Out = f // where lines may change
		}
		return runDemo(cmd, o)
	}
	f := cmd.Flags()
	f.DurationVar(&o.For, "for", 0, "end by itself after this `TIME`, like 10s; otherwise Ctrl-C ends it")
	f.StringVar(&o.Listen, "listen", demo.DefaultListen, "`ADDRESS` of the page")
	f.StringVar(&o.Record, "record", "", "write what --recorded plays to this `FILE`")
	f.BoolVar(&o.Recorded, "recorded", false, "play a recorded run: the RECORDING given, or else the built-in one")
	f.BoolVar(&clean, "clean", false, "remove what a killed run left behind, and end")
	return cmd
}

func runDemo(cmd *cobra.Command, o demo.Options) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	o.Self = []string{self}
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	report, err := demo.Run(ctx, o)
	if err != nil {
		return err
	}
	if why := report.Held(); why != "" {
		return fmt.Errorf("the demonstration did not hold: %s", why)
	}
	return nil
}

func cleanDemo(cmd *cobra.Command) error {
	removed, err := demo.Clean()
	for _, what := range removed {
		fmt.Fprintln(cmd.ErrOrStderr(), "removed", what)
	}
	if err == nil && len(removed) == 0 {
		fmt.Fprintln(cmd.ErrOrStderr(), "there was nothing to remove")
	}
	return err
}

// NewDemoProcess returns the hidden verb as which the demonstration starts its
// services and its attacker.
func NewDemoProcess() *cobra.Command {
	return &cobra.Command{
		Use:    demo.ProcessVerb + " NAME",
		Short:  "Play a part of the demonstration",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return demo.Process(cmd.Context())
		},
	}
}
