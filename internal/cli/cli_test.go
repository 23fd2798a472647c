package cli_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"firebreak/internal/cli"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"firebreak": func() { os.Exit(cli.Main(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) },
	})
}

// TestScripts runs the command lines in testdata/script. $ROOT is the
// repository; "code N COMMAND" demands an exit code.
func TestScripts(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("ROOT", root)
			// Under the race detector every program otherwise sleeps for a
			// second before it ends.
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"code": code},
	})
}

// code runs firebreak and compares its exit code, which exec cannot.
func code(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 1 {
		ts.Fatalf("usage: code N ARGUMENTS")
	}
	for i := range args {
		if p := ts.MkAbs(args[i]); i > 0 && !strings.HasPrefix(args[i], "-") && exists(p) {
			args[i] = p
		}
	}
	var stdout, stderr bytes.Buffer
	got := cli.Main(context.Background(), args[1:], &stdout, &stderr)
	ts.Logf("%s%s", stdout.String(), stderr.String())
	if want := args[0]; string(rune('0'+got)) != want {
		ts.Fatalf("exit code %d, want %s", got, want)
	}
}

func exists(p string) bool {
	_, err := os.Stat(p)
	return err == nil
}

func run(t *testing.T, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	if got := cli.Main(t.Context(), args, &out, &err); got != want {
		t.Fatalf("firebreak %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got, want, out.String(), err.String())
	}
	return out.String(), err.String()
}

// TestOnlineBoutiqueFromManifests demands that the application's own manifests
// give the same answers as our inventory of them. They are not part of the
// repository.
func TestOnlineBoutiqueFromManifests(t *testing.T) {
	const example, manifests = "../../examples/online-boutique", "../../../shared/corpora/online-boutique"
	if !exists(manifests) {
		t.Skip("the manifests of Online Boutique are not here")
	}
	fromFile, _ := run(t, 0, "check", example, "--format", "json")
	fromKube, _ := run(t, 0, "check", example, "--format", "json", "--inventory", "kube:"+manifests)
	if got := kubeNames.Replace(fromKube); got != fromFile {
		t.Errorf("check gives with manifests\n%s\nand without\n%s", got, fromFile)
	}
	fromFile, _ = run(t, 0, "reach", example, "--format", "csv")
	fromKube, _ = run(t, 0, "reach", example, "--format", "csv", "--inventory", "kube:"+manifests)
	if got := sortedLines(kubeNames.Replace(fromKube)); got != sortedLines(fromFile) {
		t.Errorf("reach gives with manifests\n%s\nand without\n%s", got, fromFile)
	}
	if n := strings.Count(fromFile, "\n"); n < 18 {
		t.Errorf("only %d lines", n)
	}
}

// kubeNames makes default/x[Deployment] x.
var kubeNames = strings.NewReplacer("default/", "", "[Deployment]", "")

func sortedLines(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	// The header stays first in both, since it has no digit or upper case.
	for i := range lines {
		for j := i + 1; j < len(lines); j++ {
			if lines[j] < lines[i] {
				lines[i], lines[j] = lines[j], lines[i]
			}
		}
	}
	return strings.Join(lines, "\n")
}
