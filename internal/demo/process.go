package demo

import (
	"context"
	"errors"
	"net"
	"os"

	"firebreak/internal/demo/actor"
)

// controlFile is the number of the file over which a director speaks.
const controlFile = 3

// Process plays a part of the demonstration; it is what ProcessVerb runs. It
// is of no use to people: without a director it says so and ends.
func Process(ctx context.Context) error {
	f := os.NewFile(controlFile, "control")
	if f == nil {
		return errNoDirector
	}
	conn, err := net.FileConn(f)
	if err != nil {
		return errNoDirector
	}
	_ = f.Close()
	defer conn.Close()
	return actor.Run(ctx, actor.NewConn(conn))
}

var errNoDirector = errors.New(ProcessVerb + " is started by `firebreak demo` only")
