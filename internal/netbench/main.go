// Command netbench measures what enforcement costs between two enforced
// network namespaces, against none and against an nftables set of the same
// size, and prints the tables of docs/benchmarks.md.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"firebreak/internal/datapath"
	"firebreak/internal/demo/lab"
)

// settings are what a run measures, and how long.
type settings struct {
	Rounds    int
	RoundTime time.Duration
	Only      map[string]bool // parts to measure; empty means all
	Rate      int             // connections per second of the parts events and page
	Services  int             // of the parts page and change; their square is the number of rules
	Prefix    string          // of the lab
	Progress  io.Writer
}

// The parts of a run, in order.
var parts = []string{partRound, partSteady, partConnect, partBulk, partEvents, partChange, partPage}

func main() {
	if name := os.Getenv(roleEnv); name != "" {
		os.Exit(play(name))
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "netbench:", err)
		os.Exit(1)
	}
}

func run() error {
	s := settings{Prefix: "fbbench", Progress: io.Discard, Rate: 20_000, Services: 100}
	flag.IntVar(&s.Rounds, "rounds", 11, "`number` of rounds; in each, every variant has its turn")
	flag.DurationVar(&s.RoundTime, "round-time", 500*time.Millisecond, "how long a variant's turn at one measurement lasts")
	only := flag.String("only", "", "measure only these, separated by commas: "+strings.Join(parts, ", "))
	asJSON := flag.Bool("json", false, "print JSON, every round's figures included, instead of Markdown")
	flag.Parse()
	if s.Rounds < 1 || s.RoundTime < time.Millisecond || flag.NArg() > 0 {
		return errors.New("want at least one round of at least 1ms, and no arguments beside flags")
	}
	var err error
	if s.Only, err = chosen(*only); err != nil {
		return err
	}
	if info, err := os.Stderr.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		s.Progress = os.Stderr
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r, err := measure(ctx, s)
	if err != nil {
		return err
	}
	if *asJSON {
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	return r.markdown(os.Stdout)
}

func chosen(list string) (map[string]bool, error) {
	out := map[string]bool{}
	for name := range strings.SplitSeq(list, ",") {
		known := false
		for _, p := range parts {
			known = known || p == name
		}
		if name != "" && !known {
			return nil, fmt.Errorf("--only %s: there is no such measurement; there are %s", name, strings.Join(parts, ", "))
		}
		if name != "" {
			out[name] = true
		}
	}
	return out, nil
}

func (s *settings) wants(part string) bool { return len(s.Only) == 0 || s.Only[part] }

func (s *settings) say(format string, args ...any) {
	fmt.Fprintf(s.Progress, "%s  %s\n", time.Now().Format("15:04:05"), fmt.Sprintf(format, args...))
}

// measure does a whole run. Whatever happens, nothing is left behind.
func measure(ctx context.Context, s settings) (r *results, err error) {
	if err := lab.Require(); err != nil {
		return nil, err
	}
	if _, _, err := datapath.Probe(); err != nil {
		return nil, err
	}
	p, err := newPlace(s.Prefix)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	r = &results{Machine: thisMachine(), Settings: s.text(), place: p, set: s}
	for _, part := range []func(context.Context) error{r.traffic, r.events, r.change, r.agents} {
		if err := part(ctx); err != nil {
			return nil, err
		}
		if ctx.Err() != nil {
			return nil, errors.New("interrupted")
		}
	}
	return r, nil
}

func (s *settings) text() string {
	return fmt.Sprintf("%d rounds of %s for each measurement of each variant", s.Rounds, s.RoundTime)
}
