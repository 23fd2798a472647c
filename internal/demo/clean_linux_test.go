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
	"time"
)

// buildVerb makes the test binary build a shop and wait to be killed.
const buildVerb = "test-build"

func buildAndWait(prefix string) {
	s, err := newStage(prefix, []string{"/proc/self/exe"})
	if err == nil {
		err = s.furnish(context.Background())
	}
	if err == nil {
		err = s.enforce(filepath.Join(runDir(prefix), "wire.sock")) // where nobody listens
	}
	for deadline := time.Now().Add(time.Minute); err == nil && time.Now().Before(deadline); {
		select {
		case err = <-s.agents.failed:
		case <-time.After(10 * time.Millisecond):
		}
		if pinned(prefix) {
			break
		}
	}
	fmt.Println("built", err)
	select {}
}

// pinned reports whether every agent has pinned something.
func pinned(prefix string) bool {
	for _, host := range estateHosts {
		if found, _ := filepath.Glob(filepath.Join(pinDir(prefix), host, "*")); len(found) == 0 {
			return false
		}
	}
	return true
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
	if !pinned(prefix) {
		t.Error("the agents have pinned nothing: there is too little to clean")
	}
	locks, err := os.ReadFile(filepath.Join(runDir(prefix), locksFile))
	if err != nil || len(locks) == 0 {
		t.Errorf("the agents' locks are not noted: %v", err)
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
	for _, name := range strings.Fields(string(locks)) {
		if _, err := os.Stat(filepath.Join(lockDir, name)); err == nil {
			t.Errorf("left behind: the lock %s", name)
		}
	}
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
