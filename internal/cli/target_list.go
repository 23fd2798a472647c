package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"firebreak/internal/target"
	"firebreak/internal/target/all"
)

// NewTargets returns the verb that lists the targets.
func NewTargets() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "targets",
		Short: "List what policy can be rendered to, what each can express, and its quotas",
		Long: `List the targets in the order in which a conversation meets them, what each can
and cannot express, whose code has judged our reading of it, and the quotas that
render counts before it writes anything. Each fact comes with the page it is from.`,
		Example: "  firebreak targets\n  firebreak targets --format json",
		Args:    noArgs,
	}
	format := formatFlag(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		how, err := format()
		if err != nil {
			return err
		}
		out := resultsTo(cmd, how, true)
		if how == "json" {
			return writeJSON(out, targetsJSON())
		}
		return targetsText(out)
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
	Name   string `json:"name"`
	Limit  int    `json:"limit"`
	Hard   bool   `json:"hard"`
	Source string `json:"source"`
}

func targetsJSON() any {
	rows := []targetRow{}
	for _, t := range all.Targets() {
		rows = append(rows, rowOf(t))
	}
	return struct {
		Targets []targetRow `json:"targets"`
	}{rows}
}

func rowOf(t target.Target) targetRow {
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
		row.Quotas = append(row.Quotas, targetQuota{q.Name, q.Limit, q.Hard, q.Source})
	}
	return row
}

func targetsText(w io.Writer) error {
	var b strings.Builder
	for i, t := range all.Targets() {
		row := rowOf(t)
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
			hard := ""
			if q.Hard {
				hard = " (cannot be raised)"
			}
			fmt.Fprintf(&b, "  quota     %d %s%s\n            %s\n", q.Limit, q.Name, hard, q.Source)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
