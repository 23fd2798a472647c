//go:build !linux

package demo

import (
	"context"
	"runtime"
)

func require() error {
	return &Error{runtime.GOOS + " has no network namespaces and no eBPF", "run it on Linux", true}
}

func runLive(context.Context, Options, *story) (*Report, error) { return nil, require() }

// Clean has nothing to remove where nothing can run.
func Clean() ([]string, error) { return nil, nil }
