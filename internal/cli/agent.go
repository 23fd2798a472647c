package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"firebreak/internal/agent"
	"firebreak/internal/diag"
)

// NewAgent returns the verb that enforces a policy on this host.
func NewAgent() *cobra.Command {
	config := new(string)
	cmd := &cobra.Command{
		Use: "agent --config FILE",
		Example: "  sudo firebreak agent --config /etc/firebreak/agent.yaml\n" +
			"  firebreak agent status --config /etc/firebreak/agent.yaml --format json\n" +
			"  sudo firebreak agent dump --config /etc/firebreak/agent.yaml -o live\n" +
			"  sudo firebreak agent detach --config /etc/firebreak/agent.yaml",
		Short: "Enforce a policy on this host, and tell the server what happens",
		Long: `Enforce a policy on this host with eBPF, and tell the server what happens.

The agent reads the policy and the inventory that its configuration names, puts
them into the kernel and follows every change. A policy that is wrong is
refused, and the one in force stays. So does it when the agent ends, however it
ends: "firebreak agent detach" is what takes enforcement off.

Configuration (paths are relative to the file):
  policy: DIR                  the policy directory
  inventory: [file:F, kube:D]  instead of the Estate's own
  cgroups:                     which cgroup is which workload; below the cgroup v2 mount
  - {path: P, workload: NAME}
  cgroupRoot: P                where programs attach; the cgroups' common ancestor if not given
  namespaces: [NAME or PATH]   network namespaces; the agent's own if not given
  interfaces: [NAME]           guarded against packet sockets; all if not given
  zone: NAME                   of local processes that no cgroup attributes
  state: DIR                   the agent's own directory
  pins: DIR                    on a bpffs, made if need be
  wire: SOCKET                 the server's; nobody is told if not given
  name: NAME                   the host's; its hostname if not given`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if *config == "" {
				return errNoConfig
			}
			return agentError(runAgent(cmd.Context(), *config, cmd.ErrOrStderr()))
		},
	}
	cmd.PersistentFlags().StringVar(config, "config", "", "the agent's configuration `FILE`")
	cmd.AddCommand(newAgentStatus(config), newAgentDump(config), newAgentDetach(config))
	return cmd
}

// runAgent runs until SIGTERM or SIGINT; SIGHUP reads all files again.
func runAgent(ctx context.Context, config string, log io.Writer) error {
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	reload := make(chan struct{}, 1)
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangups:
				select {
				case reload <- struct{}{}:
				default:
				}
			}
		}
	}()
	return agent.Run(ctx, agent.Options{Config: config, Log: log, Reload: reload})
}

func newAgentStatus(config *string) *cobra.Command {
	var format func() (string, error)
	cmd := &cobra.Command{
		Use:     "status --config FILE",
		Example: "  sudo firebreak agent status --config agent.yaml --format json",
		Short:   "Say what is in force on this host, whether or not the agent runs",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			chosen, err := format()
			if err != nil {
				return err
			}
			cfg, err := agentConfig(*config)
			if err != nil {
				return err
			}
			report, err := agent.ReadStatus(cfg, agent.Probe, agent.ReadPinned)
			if err != nil {
				return err
			}
			if chosen == "json" {
				e := json.NewEncoder(cmd.OutOrStdout())
				e.SetIndent("", "  ")
				return e.Encode(report)
			}
			return writeAgentStatus(cmd.OutOrStdout(), report)
		},
	}
	format = formatFlag(cmd, "text", "json")
	return cmd
}

// agentError makes misuse of what could not even be read.
func agentError(err error) error {
	var refused *agent.Refused
	if !errors.As(err, &refused) {
		return err
	}
	for _, d := range refused.Diags {
		if d.Severity == diag.Error && (d.Code == "unreadable" || d.Code == codeUnreadable) {
			return misusef("%v", err)
		}
	}
	return err
}

var errNoConfig = misusef("--config FILE is missing: the agent's configuration")

func agentConfig(path string) (*agent.Config, error) {
	if path == "" {
		return nil, errNoConfig
	}
	cfg, diags := agent.ReadConfig(path)
	if diags.HasErrors() {
		return nil, agentError(&agent.Refused{Diags: diags})
	}
	return cfg, nil
}

func writeAgentStatus(w io.Writer, r *agent.StatusReport) error {
	process := "not running"
	if r.Running {
		process = fmt.Sprintf("running (pid %d)", r.PID)
	}
	force := "nothing is in force"
	if r.Enforcing {
		force = fmt.Sprintf("revision %d in force, %d entries, %d endpoints, %d programs attached", r.Revision, r.Entries, r.Endpoints, r.Programs)
	}
	lines := fmt.Sprintf("host       %s\nkernel     %s, tier %s\nagent      %s\npolicy     %s\nevents     %d lost", r.Host, r.Kernel, r.Tier, process, force, r.Lost)
	if r.Running {
		lines += fmt.Sprintf(", %s from kernel to server (p99)", time.Duration(r.Lag).Round(10*time.Microsecond))
	}
	if r.Unenforced > 0 {
		lines += fmt.Sprintf("\nunenforced %d rules demand what the kernel cannot see; `firebreak agent` logs each", r.Unenforced)
	}
	if r.Error != "" {
		lines += "\nrefused    " + r.Error
	}
	_, err := fmt.Fprintln(w, lines)
	return err
}

func newAgentDump(config *string) *cobra.Command {
	out := ""
	cmd := &cobra.Command{
		Use:     "dump --config FILE [-o FILE]",
		Example: "  sudo firebreak agent dump --config agent.yaml -o live\n  firebreak prove policy --live live --target ebpf",
		Short:   "Read back what the kernel enforces on this host, for a live folder",
		Long: `Read back what the kernel enforces on this host, whether or not the agent
runs: the maps themselves, as HOST.maps.json. In a live folder, prove, drift
and the others judge the kernel itself and not what the agent was told.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := agentConfig(*config)
			if err != nil {
				return err
			}
			d, err := agent.Dump(cfg)
			if err != nil {
				return err
			}
			text, err := d.Text()
			if err != nil {
				return err
			}
			if out == "" || out == "-" {
				_, err = cmd.OutOrStdout().Write(text)
				return err
			}
			path := out
			if info, err := os.Stat(out); err == nil && info.IsDir() {
				path = filepath.Join(out, url.PathEscape(cfg.Name)+".maps.json")
			}
			if err := os.WriteFile(path, text, 0o644); err != nil {
				return misusef("%v", err)
			}
			_, err = fmt.Fprintf(cmd.ErrOrStderr(), "%s: %d decisions about %d addresses, as the kernel of %s holds them\n", path, len(d.Policy), len(d.Addresses), cfg.Name)
			return err
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "", "the `FILE`, or the folder to put HOST.maps.json in; standard output if not given")
	return cmd
}

func newAgentDetach(config *string) *cobra.Command {
	return &cobra.Command{
		Use:     "detach --config FILE",
		Example: "  sudo firebreak agent detach --config agent.yaml",
		Short:   "End enforcement: remove everything the agent has put into the kernel",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := agentConfig(*config)
			if err != nil {
				return err
			}
			if _, _, err := agent.Probe(); err != nil && os.Geteuid() != 0 {
				return err
			}
			if err := agent.Detach(cmd.Context(), cfg); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.ErrOrStderr(), "agent %s: detached; nothing is enforced on this host any more\n", cfg.Name)
			return err
		},
	}
}
