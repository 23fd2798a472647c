package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"firebreak/internal/plan"
	"firebreak/internal/target"
	"firebreak/internal/target/all"
)

// NewTargets returns the verb that lists the targets.
func NewTargets() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "targets [DIR]",
		Short: "List what policy can be rendered to, what each can express, and its quotas",
		Long: `List the targets in the order in which a conversation meets them, what each can
and cannot express, whose code has judged our reading of it, and the quotas that
render counts before it writes anything. Each fact comes with the page it is from.

With DIR the quotas are those that hold for that policy's Estate, which may say
what was granted beyond what everybody is.`,
		Example: "  firebreak targets\n  firebreak targets shop\n  firebreak targets --format json",
		Args:    perhapsOneDir,
	}
	format := formatFlag(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		how, err := format()
		if err != nil {
			return err
		}
		var w plan.Wanted // of nobody: what everybody is granted
		if len(args) > 0 {
			l, err := read(args[0], nil)
			if err != nil {
				return err
			}
			if l.tree.Estate == nil || l.has(lostCodes) {
				return brokenError{args[0]}
			}
			if err := l.soundQuotas(cmd.ErrOrStderr()); err != nil {
				return err
			}
			w.Quotas = plan.Quotas(l.tree.Estate)
		}
		out := resultsTo(cmd, how, true)
		if how == "json" {
			return writeJSON(out, targetsJSON(&w))
		}
		return targetsText(out, &w)
	}
	return cmd
}

type targetRow struct {
	Target string        `json:"target"`
	Peers  string        `json:"peers"`
	Can    []string      `json:"can"`
	Cannot []string      `json:"cannot"`
	Judge  string        `json:"judge"` // empty: modelled
	Notes  []target.Note `json:"notes"`
	Quotas []targetQuota `json:"quotas"`
}

type targetQuota struct {
	Name    string `json:"name"`
	Key     string `json:"key,omitempty"` // the Estate's word for it
	Limit   int    `json:"limit"`         // that holds
	Default int    `json:"default"`       // that everybody is granted
	Hard    bool   `json:"hard"`
	Most    int    `json:"most,omitempty"`
	Source  string `json:"source"`
}

func targetsJSON(w *plan.Wanted) any {
	rows := []targetRow{}
	for _, t := range all.Targets() {
		rows = append(rows, rowOf(t, w))
	}
	return struct {
		Targets []targetRow `json:"targets"`
	}{rows}
}

func rowOf(t target.Target, w *plan.Wanted) targetRow {
	c := t.Capability()
	row := targetRow{Target: t.Name(), Peers: c.Peers, Can: []string{}, Cannot: []string{}, Judge: c.Judge, Notes: c.Notes, Quotas: []targetQuota{}}
	for _, p := range []struct {
		word string
		can  bool
	}{
		{"ports", c.Ports}, {"SCTP", c.SCTP}, {"ICMP", c.ICMP}, {"other protocols", c.Other}, {"denies", c.Deny}, {"HTTP", c.HTTP}, {"mTLS", c.MTLS},
		{"time", c.Time}, {"domain names", c.Names}, {"replies by themselves", c.Stateful}, {"the initiator's end", c.Egress},
	} {
		if p.can {
			row.Can = append(row.Can, p.word)
		} else {
			row.Cannot = append(row.Cannot, p.word)
		}
	}
	for _, q := range t.Quotas() {
		x := targetQuota{Name: q.Name, Key: q.Key, Limit: q.Limit, Default: q.Limit, Hard: q.Hard, Most: q.Most, Source: q.Source}
		if q.Key != "" {
			x.Limit = target.Limit(w, t, q.Key)
		}
		row.Quotas = append(row.Quotas, x)
	}
	return row
}

func targetsText(w io.Writer, granted *plan.Wanted) error {
	var b strings.Builder
	for i, t := range all.Targets() {
		row := rowOf(t, granted)
		if i > 0 {
			b.WriteByte('\n')
		}
		judge := row.Judge
		if judge == "" {
			judge = "nobody but us: proofs say modelled"
		}
		fmt.Fprintf(&b, "%s\n  peers by  %s\n  can       %s\n  cannot    %s\n  judged by %s\n", row.Target, row.Peers, strings.Join(row.Can, ", "), strings.Join(row.Cannot, ", "), judge)
		for _, n := range row.Notes {
			fmt.Fprintf(&b, "  note      %s\n            %s\n", n.Text, n.Source)
		}
		for _, q := range row.Quotas {
			fmt.Fprintf(&b, "  quota     %d %s%s\n            %s\n", q.Limit, q.Name, q.about(), q.Source)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// about says in brackets what can be done about a quota.
func (q targetQuota) about() string {
	var said []string
	switch {
	case q.Hard:
		said = append(said, "cannot be raised")
	case q.Limit != q.Default:
		said = append(said, fmt.Sprintf("%s; %d if the Estate did not say so", q.Key, q.Default))
	case q.Key != "":
		said = append(said, q.Key)
	}
	if q.Most > 0 {
		said = append(said, fmt.Sprintf("up to %d", q.Most))
	}
	if len(said) == 0 {
		return ""
	}
	return " (" + strings.Join(said, ", ") + ")"
}
