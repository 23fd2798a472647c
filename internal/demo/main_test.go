package demo

import (
	"context"
	"fmt"
	"os"
	"testing"
)

// TestMain makes the test binary play the parts that it starts itself in.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == ProcessVerb {
		if err := Process(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func requireRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("this test needs root")
	}
	t.Skip("needs root")
}
