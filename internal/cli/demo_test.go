package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
)

func demoCommand(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Main(context.Background(), append([]string{"demo"}, args...), &out, &errs)
	return code, out.String(), errs.String()
}

func TestDemoPlaysARecordingAsJSON(t *testing.T) {
	code, stdout, stderr := demoCommand(t, "--recorded", "--format", "json")
	if code != exitYes {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	var r struct {
		Enforcement string
		Attacks     []struct{ ReachedOpen, Reached int }
	}
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("%v in %s", err, stdout)
	}
	if r.Enforcement != "recorded" || len(r.Attacks) == 0 {
		t.Errorf("enforcement %q, %d attacks", r.Enforcement, len(r.Attacks))
	}
}

func TestDemoRefusesWhatMakesNoSense(t *testing.T) {
	for _, args := range [][]string{
		{"--format", "xml"}, {"--for", "-3s"}, {"--for", "soon"}, {"--recorded", "--record", "f"}, {"run.gz"}, {"--nosuch"},
	} {
		code, stdout, stderr := demoCommand(t, args...)
		if code != exitMisuse || stdout != "" || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%v: exit %d, %q, %q; want %d and one line", args, code, stdout, stderr, exitMisuse)
		}
	}
}

func TestDemoProcessIsNotForPeople(t *testing.T) {
	var out, errs bytes.Buffer
	if Main(context.Background(), []string{"--help"}, &out, &errs); strings.Contains(out.String(), "demo-process") {
		t.Error("help shows demo-process")
	}
}
