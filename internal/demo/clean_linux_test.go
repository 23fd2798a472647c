package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// buildVerb makes the test binary build a shop and wait to be killed.
const buildVerb = "test-build"

func buildAndWait(prefix string) {
	s, err := newStage(prefix, []string{"/proc/self/exe"})
	if err == nil {
		err = s.furnish(context.Background())
	}
	fmt.Println("built", err)
	select {}
}

func TestCleanRemovesWhatAKilledDemonstrationLeft(t *testing.T) {
	requireRoot(t)
	const prefix = "fbdkill"
	cmd := exec.Command("/proc/self/exe", buildVerb, prefix)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "built <nil>\n" {
		t.Fatalf("the child: %s", line)
	}
	var busy *Error
	if _, err := clean(prefix); !errors.As(err, &busy) || !strings.Contains(err.Error(), fmt.Sprint(cmd.Process.Pid)) {
		t.Errorf("clean beside a living demonstration: %v, want an Error that names it", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	removed, err := clean(prefix)
	if err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(removed, "\n"); !strings.Contains(text, prefix+"-web") || !strings.Contains(text, runDir(prefix)) {
		t.Errorf("removed only:\n%s", text)
	}
	assertNothingLeft(t, prefix)
}

// assertNothingLeft fails if anything of a demonstration is on the machine.
func assertNothingLeft(t *testing.T, prefix string) {
	t.Helper()
	for _, pattern := range []string{
		"/run/netns/" + prefix + "*", runDir(prefix) + "*", pinDir(prefix) + "*",
		"/run/firebreak/lab-" + prefix + "*", "/sys/fs/cgroup/" + prefix + "*", "/sys/fs/cgroup/unified/" + prefix + "*",
	} {
		if left, _ := filepath.Glob(pattern); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), "/"+prefix+"-") {
		t.Error("left behind: a mount")
	}
}
