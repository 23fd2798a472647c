package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// prefix is what this run's names begin with. Tests run beside a
// demonstration under another.
func (o *Options) prefix() string {
	if o.names != "" {
		return o.names
	}
	return Prefix
}

// Run runs the demonstration, or plays a recorded one where it was asked for
// or nothing else is possible; in that case Notes says what is missing. It
// returns when the time is over or the context ends, and then nothing is left
// of it. The report is nil only on error. An error that people can do
// something about is an *Error.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.Listen == "" {
		o.Listen = DefaultListen
	}
	st := newStory(o.Out)
	if o.JSON {
		st.out = nil
	}
	report, err := perform(ctx, o, st)
	if err != nil {
		return nil, err
	}
	if o.JSON {
		enc := json.NewEncoder(o.Out)
		enc.SetIndent("", "  ")
		return report, enc.Encode(report)
	}
	return report, nil
}

func perform(ctx context.Context, o Options, st *story) (*Report, error) {
	if o.Recorded {
		return runRecorded(ctx, o, st)
	}
	report, err := runChecked(ctx, o, st)
	var missing *Error
	if errors.As(err, &missing) && missing.Missing && o.Record == "" {
		fmt.Fprintf(o.Notes, "Not run on this machine: %s. A recorded run follows.\n", missing)
		return runRecorded(ctx, o, st)
	}
	return report, err
}

func runChecked(ctx context.Context, o Options, st *story) (*Report, error) {
	if err := require(); err != nil {
		return nil, err
	}
	return runLive(ctx, o, st)
}
