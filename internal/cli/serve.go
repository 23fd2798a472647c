package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"firebreak/internal/httpapi"
	"firebreak/web"
)

// NewServe returns the verb that shows people what the agents see.
func NewServe() *cobra.Command {
	o := httpapi.Options{}
	cmd := &cobra.Command{
		Use:     "serve",
		Example: "  firebreak serve\n  firebreak serve --listen 127.0.0.1:0 --wire /tmp/wire.sock",
		Short:   "Show live what the agents see, on a page and as JSON",
		Long: `Show live what the agents see, on a page and as JSON.

Agents connect to the unix socket, which only its owner may open. People open
the page. There is no login, so the page is served on this machine only unless
--allow-remote says that something else guards it.

Everything is kept in memory and bounded; it is gone when the server ends.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runServe(cmd.Context(), o, cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&o.Listen, "listen", httpapi.DefaultListen, "`ADDRESS:PORT` of the page; port 0 takes any free one")
	cmd.Flags().StringVar(&o.Wire, "wire", httpapi.DefaultWire, "unix `SOCKET` for agents")
	cmd.Flags().BoolVar(&o.AllowRemote, "allow-remote", false, "permit an address that is not loopback; anyone who reaches it can read everything")
	return cmd
}

// runServe serves until SIGTERM or SIGINT.
func runServe(ctx context.Context, o httpapi.Options, log io.Writer) error {
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	o.Log = slog.New(slog.NewTextHandler(log, nil))
	o.Static = web.Dist()
	s, err := httpapi.New(o)
	if setup := (*httpapi.SetupError)(nil); errors.As(err, &setup) {
		return misuseError{setup.Message}
	}
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(log, "page at %s, agents at %s\n", s.URL(), s.WirePath()); err != nil {
		return err
	}
	return s.Run(ctx)
}
