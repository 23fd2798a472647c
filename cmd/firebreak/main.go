// Command firebreak is the one program: it passes its arguments on and ends
// with the answer's exit code.
package main

import (
	"context"
	"os"

	"firebreak/internal/cli"
)

func main() {
	os.Exit(cli.Main(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}
