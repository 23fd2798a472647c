package cli

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"firebreak/internal/adopt"
	"firebreak/internal/load"
	"firebreak/internal/prove"
	"firebreak/internal/target/all"
)

// NewAdopt returns the verb that makes a policy of an estate that has none.
func NewAdopt() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "adopt --from PATH -o DIR",
		Short: "Make zones, services and policy of an existing estate, and prove that they say what it permits",
		Long: `Read everything that lies in the live folder PATH, work out what its layers
permit together, and write a policy directory that says the same in the words of
its labels: namespaces become zones, workloads that are treated alike become
services, and what passes becomes as few rules as whole zones allow.

Then the policy is read back and compared with the layers, pair by pair. What is
the same is proven; every difference is listed. Nothing that is live is changed:
all zones and rules observe until somebody promotes them.

It exits with 1 if the two are not proven to be the same.`,
		Example: "  kubectl get -A -o yaml deploy,sts,ds,svc,ns,netpol > live/cluster.yaml\n  firebreak adopt --from live -o policy && firebreak check policy",
		Args:    noArgs,
	}
	format := formatFlag(cmd, "text", "json")
	sources := inventoryFlag(cmd)
	f := cmd.Flags()
	from := f.String("from", "", "the live `FOLDER`")
	out := f.StringP("out", "o", "", "write the policy to this `DIR`, which must be empty or not exist")
	name := f.String("name", "", "the name of the estate (that of DIR if not given)")
	lines := f.Int("lines", 0, "list at most `N` differences of a kind (50 if not given)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		how, err := format()
		if err != nil {
			return err
		}
		if *from == "" || *out == "" {
			return misusef("--from and -o are both needed")
		}
		place, err := placeFor(*out)
		if err != nil {
			return err
		}
		defer place.discard()
		p := newProgress(cmd.ErrOrStderr())
		defer p.done()
		p.phase("reading " + *from)
		got, diags := load.OfFolder(*from, load.Asked{Targets: all.Targets(), Sources: *sources})
		if got == nil {
			return misusef("%s", diags[len(diags)-1].Message)
		}
		p.phase("working out what passes")
		now := time.Now()
		reached, err := prove.Reach(got.Inventory, nil, got.Layers, prove.Options{At: now})
		if err != nil {
			return misusef("what passes cannot be worked out: %v", err)
		}
		x := adopted{Dir: *out, From: *from}
		x.Policy = adopt.Write(got.Inventory, reached, adopt.Options{Estate: estateOf(*name, *out), Sources: sourcesOf(got, place.dir, *sources), Networks: networksOf(got), Targets: targetsOf(got)})
		if err := place.prepare(x.Policy.Files); err != nil {
			return err
		}
		p.phase("proving that it is the same")
		l, err := must(cmd.ErrOrStderr(), place.stage, nil)
		if errors.As(err, &brokenError{}) { // its words are of a directory that nobody will find
			return fmt.Errorf("%s was not written, since what was said above would be an error in it too: mend that, and run adopt again", *out)
		}
		if err != nil {
			return err
		}
		if x.Proof, err = prove.Compare(got.Layers, l.intent(true), prove.Options{At: now, Live: true, Lines: *lines}); err != nil {
			return misusef("the two cannot be compared: %v", err)
		}
		if err := place.take(x.Policy.Files); err != nil {
			return err
		}
		p.done()
		if how != "json" {
			printFindings(cmd.ErrOrStderr(), diags)
		}
		if err := x.write(resultsTo(cmd, how, true), how); err != nil {
			return err
		}
		if !x.Proof.Same() {
			return errNo
		}
		return nil
	}
	return cmd
}

// adopted is what was made of an estate.
type adopted struct {
	Dir, From string
	Policy    *adopt.Policy
	Proof     *prove.Equivalence
}

func (x *adopted) write(w io.Writer, how string) error {
	if how == "json" {
		files := []string{}
		for _, f := range x.Policy.Files {
			files = append(files, f.Name)
		}
		return writeJSON(w, struct {
			Dir        string       `json:"dir"`
			Files      []string     `json:"files"`
			Zones      int          `json:"zones"`
			Rules      int          `json:"rules"`
			Notes      []string     `json:"notes"`
			Equivalent bool         `json:"equivalent"`
			Gained     []prove.Line `json:"gained"`
			Lost       []prove.Line `json:"lost"`
			Unknown    []prove.Line `json:"unknown"`
		}{x.Dir, files, x.Policy.Zones, x.Policy.Rules, append([]string{}, x.Policy.Notes...), x.Proof.Same(),
			append([]prove.Line{}, x.Proof.Gained...), append([]prove.Line{}, x.Proof.Lost...), append([]prove.Line{}, x.Proof.Unknown...)})
	}
	var b strings.Builder
	fmt.Fprintf(&b, "wrote %s: %s and %s, of what the layers in %s permit%s\n", x.Dir, counted(x.Policy.Zones, "zone"), counted(x.Policy.Rules, "rule"), x.From, x.butNot())
	for _, n := range x.Policy.Notes {
		fmt.Fprintf(&b, "  note: %s\n", n)
	}
	if x.Proof.Same() {
		b.WriteString("proven: the policy permits what the layers permit, for every pair and all traffic\n")
	}
	for _, part := range []struct {
		word  string
		lines []prove.Line
	}{{"the policy permits, the layers do not", x.Proof.Gained}, {"the layers permit, the policy does not", x.Proof.Lost}, {"not known", x.Proof.Unknown}} {
		if len(part.lines) > 0 {
			fmt.Fprintf(&b, "%s:\n", part.word)
		}
		for _, l := range part.lines {
			fmt.Fprintf(&b, "  %s → %s  %s", l.From, l.To, l.Traffic)
			if l.Reason != "" {
				fmt.Fprintf(&b, "  (%s)", l.Reason)
			}
			b.WriteByte('\n')
		}
	}
	if x.Proof.More > 0 {
		fmt.Fprintf(&b, "  and %d more; --lines shows more\n", x.Proof.More)
	}
	fmt.Fprintf(&b, `
Next:
  firebreak check %[1]s  say what is unwise about it
  firebreak drift %[1]s --live %[2]s --to-come  say what is no longer as it was adopted
  give zones and rules owners and reasons, narrow them, and promote zone by zone to stage: enforce
`, shellWord(x.Dir), shellWord(x.From))
	_, err := io.WriteString(w, b.String())
	return err
}

// butNot says in the first line, where everybody reads it, that the policy is
// not what it was made of; "" where it is proven to be.
func (x *adopted) butNot() string {
	if x.Proof.Same() {
		return ""
	}
	var how []string
	for _, part := range []struct {
		n    int
		word string
	}{{len(x.Proof.Gained), "permits more"}, {len(x.Proof.Lost), "would cut what passes"}, {len(x.Proof.Unknown), "may differ"}} {
		if part.n > 0 {
			how = append(how, part.word)
		}
	}
	return "; NOT the same: it " + strings.Join(how, ", and ")
}

func counted(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// targetsOf names those of which the folder holds something.
func targetsOf(got *load.Live) (out []string) {
	for _, l := range got.Layers {
		if len(l.Points) > 0 {
			out = append(out, l.Target)
		}
	}
	return out
}

// estateOf makes a name of the language of what was given, or of the directory.
func estateOf(name, dir string) string {
	if name == "" {
		if abs, err := filepath.Abs(dir); err == nil {
			name = filepath.Base(abs)
		}
	}
	name = strings.Trim(strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			return c
		}
		return '-'
	}, strings.ToLower(name)), "-")
	switch name {
	case "", "world", "unknown", "builtin", "null": // words that are no names
		return strings.Trim("estate-"+name, "-")
	}
	return name
}

// sourcesOf lists, for the Estate, what the inventory was read from, as its own
// directory sees it.
func sourcesOf(got *load.Live, out string, given []string) []adopt.Source {
	var list []adopt.Source
	if docs, _ := got.Folder.Manifests(); len(docs) > 0 {
		list = append(list, adopt.Source{Kind: "kube", Path: seenFrom(out, got.Path)})
	}
	names, _ := got.Folder.Names(".json")
	if slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(filepath.Base(n), "describe-") }) {
		list = append(list, adopt.Source{Kind: "aws", Path: seenFrom(out, got.Path)})
	}
	states, _ := got.Folder.Names(".tfstate.json", ".tfplan.json")
	for _, n := range states {
		list = append(list, adopt.Source{Kind: "terraform", Path: seenFrom(out, filepath.Join(got.Path, n))})
	}
	for _, s := range given {
		if kind, path, ok := strings.Cut(s, ":"); ok {
			list = append(list, adopt.Source{Kind: kind, Path: seenFrom(out, path)})
		}
	}
	return list
}

// seenFrom is a path as a directory sees it.
func seenFrom(dir, path string) string {
	from, err1 := filepath.Abs(dir)
	to, err2 := filepath.Abs(path)
	if rel, err := filepath.Rel(from, to); err1 == nil && err2 == nil && err == nil {
		return filepath.ToSlash(rel)
	}
	return path
}

// networksOf lists the CIDRs of the VPCs that were seen.
func networksOf(got *load.Live) []string {
	var out []string
	for _, n := range got.Inventory.Networks {
		if n.Within == "" {
			for _, p := range n.CIDRs {
				out = append(out, p.String())
			}
		}
	}
	return out
}
