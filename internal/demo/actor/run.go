package actor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// part is what an actor does with its orders.
type part interface {
	// do carries out one order; it may take its time.
	do(ctx context.Context, order string)
}

// Run plays a part: it reads its Config, says that it is ready, and follows
// orders until the connection ends, which is not an error.
func Run(ctx context.Context, conn *Conn) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var first Order
	if err := conn.Receive(&first); err != nil || first.Config == nil {
		return fmt.Errorf("no part to play: %w", errors.Join(err))
	}
	p, err := cast(ctx, conn, first.Config)
	if err != nil {
		_ = conn.Send(Report{Error: err.Error()})
		return err
	}
	if err := conn.Send(Report{Ready: true}); err != nil {
		return err
	}
	for {
		var o Order
		if err := conn.Receive(&o); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		go p.do(ctx, o.Do)
	}
}

// cast makes the part that a Config describes. A service works from the moment
// cast returns, a shopper too.
func cast(ctx context.Context, conn *Conn, c *Config) (part, error) {
	switch {
	case c.Rate > 0:
		s := newShopper(conn, c)
		go s.run(ctx)
		return s, nil
	case len(c.Attacks) > 0:
		return newAttacker(conn, c), nil
	default:
		return newService(conn, c)
	}
}

// patience is how long an attacker waits for an answer. With nothing enforced
// there is one, however crowded the machine is; enforced, silence is the
// answer.
func patience(phase string) time.Duration {
	if phase == OrderOpen {
		return 3 * time.Second
	}
	return 400 * time.Millisecond
}
