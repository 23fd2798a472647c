// Command firebreak is the one program: it passes its arguments on and ends
// with the answer's exit code.
package main

import (
	"context"
	"os"
	"runtime"

	"firebreak/internal/cli"
)

func main() {
	spare := make([]byte, cli.SpareMemory(os.Args[1:]))
	code := cli.Main(context.Background(), os.Args[1:], os.Stdout, os.Stderr)
	runtime.KeepAlive(spare)
	os.Exit(code)
}
