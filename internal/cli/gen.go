package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"firebreak/internal/gen"
)

// NewGen returns the verb that makes an estate to measure with.
func NewGen() *cobra.Command {
	var o gen.Options
	cmd := &cobra.Command{
		Use:   "gen DIR",
		Short: "Make an estate of any size to measure with",
		Long: `Make an estate of any size to measure with: a policy directory and its inventory,
shaped like what companies have. A few services have thousands of replicas and
most have a handful; there are several clouds, accounts, regions, networks and
clusters, and teams that write rules about what they run.

--format kube makes the manifests of a Kubernetes cluster instead, as any tool
reads them: namespaces, Deployments, Services, and NetworkPolicies of the kinds
that people write; --rules counts those, three for ten workloads if not given.

DIR must be new or empty. The same flags give the same bytes. What is not given
follows from the number of workloads, or is 1,000 workloads.`,
		Example: "  firebreak gen /tmp/estate --workloads 100000 && firebreak check /tmp/estate\n  firebreak gen /tmp/small --workloads 50 --identities 20 --rules 100 --seed 7\n  firebreak gen /tmp/cluster --format kube --workloads 1000 && firebreak reach --live /tmp/cluster",
		Args:    oneDir,
	}
	f := cmd.Flags()
	f.IntVar(&o.Workloads, "workloads", 0, "exactly `N` workloads (1000 if not given)")
	f.IntVar(&o.Identities, "identities", 0, "exactly `N` identities: workloads that no rule tells apart are one (6.3 × √workloads if not given)")
	f.IntVar(&o.Rules, "rules", 0, "exactly `N` rules (5 for each identity if not given)")
	f.Uint64Var(&o.Seed, "seed", 0, "another `N` gives another estate")
	flows := f.Int("flows", 0, "recorded traffic for the estate; not in this version")
	format := f.String("format", "firebreak", "one of firebreak, kube")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case f.Changed("flows"):
			return misusef("--flows %d: this version makes no traffic, only the policy and its inventory", *flows)
		case *format == "kube" && f.Changed("identities"):
			return misusef("--identities says nothing about --format kube")
		case *format != "firebreak" && *format != "kube":
			return misusef("--format %s is not known: it is one of firebreak, kube", *format)
		}
		for _, name := range []string{"workloads", "identities", "rules"} {
			if n, _ := f.GetInt(name); f.Changed(name) && n < 1 {
				return misusef("--%s %d: it must be 1 or more", name, n)
			}
		}
		if *format == "kube" {
			return generateKube(cmd, args[0], gen.KubeOptions{Workloads: o.Workloads, Rules: o.Rules, Seed: o.Seed})
		}
		whole, err := o.Complete()
		if err != nil {
			return misusef("%v", err)
		}
		return generate(cmd, args[0], whole)
	}
	return cmd
}

func generate(cmd *cobra.Command, dir string, o gen.Options) error {
	if err := emptyDir(dir); err != nil {
		return err
	}
	if err := gen.Write(o, creator(dir), genProgress(cmd.ErrOrStderr())); err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %s, %d identities, %s; try firebreak check %s\n", dir, count(o.Workloads, "workload"), o.Identities, count(o.Rules, "rule"), dir)
	return nil
}

// creator makes files in a folder.
func creator(dir string) func(name string) (io.WriteCloser, error) {
	return func(name string) (io.WriteCloser, error) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
		return os.Create(path)
	}
}

func generateKube(cmd *cobra.Command, dir string, o gen.KubeOptions) error {
	o, err := o.Complete()
	if err != nil {
		return misusef("%v", err)
	}
	if err := emptyDir(dir); err != nil {
		return err
	}
	if err := gen.Kube(o, creator(dir)); err != nil {
		return err
	}
	policies := fmt.Sprintf("%d NetworkPolicies", o.Rules)
	if o.Rules == 1 {
		policies = "1 NetworkPolicy"
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %s, %s; try firebreak reach --live %s\n", dir, count(o.Workloads, "workload"), policies, dir)
	return nil
}

// emptyDir demands that nothing be there that could be overwritten or mixed up
// with what will be.
func emptyDir(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case os.IsNotExist(err):
		return nil
	case err != nil:
		return misusef("%v", err)
	case len(entries) > 0:
		return misusef("%s is not empty: name a directory that is, or a new one", dir)
	}
	return nil
}

// genProgress tells a terminal how far it is, and nobody else.
func genProgress(w io.Writer) func(done, all int) {
	p := newProgress(w)
	if p == nil {
		return nil
	}
	return func(done, all int) {
		p.phase(fmt.Sprintf("%d of %d workloads", done, all))
		if done == all {
			p.done()
		}
	}
}
