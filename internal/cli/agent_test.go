package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"firebreak/internal/agent"
)

func TestAgentRefusals(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	typo := write("typo.yaml", "polcy: p\n")
	broken := write("broken.yaml", "policy: {\n")
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"agent", exitMisuse, "--config FILE is missing"},
		{"agent status", exitMisuse, "--config FILE is missing"},
		{"agent detach", exitMisuse, "--config FILE is missing"},
		{"agent dump", exitMisuse, "--config FILE is missing"},
		{"agent dump --config " + typo, exitNo, `did you mean "policy"?`},
		{"agent --config " + dir + "/none.yaml", exitMisuse, "the configuration cannot be read"},
		{"agent detach --config " + dir, exitMisuse, "not a regular file"},
		{"agent --config " + typo, exitNo, `did you mean "policy"?`},
		{"agent status --config " + broken, exitNo, "yaml-syntax"},
		{"agent status --format xml --config " + typo, exitMisuse, "--format xml is not known"},
		{"agent --config " + typo + " more", exitMisuse, "more"},
	} {
		var stdout, stderr bytes.Buffer
		code := Main(t.Context(), strings.Fields(c.args), &stdout, &stderr)
		if code != c.code || !strings.Contains(stderr.String(), c.want) {
			t.Errorf("firebreak %s: %d, %s; want %d and %q", c.args, code, stderr.String(), c.code, c.want)
		}
		if stdout.Len() > 0 || strings.Count(strings.TrimSpace(stderr.String()), "\n") > 0 {
			t.Errorf("firebreak %s: more than one line: %q, %q", c.args, stdout.String(), stderr.String())
		}
	}
}

func TestAgentStatusText(t *testing.T) {
	var out bytes.Buffer
	report := &agent.StatusReport{
		Host: "h", Kernel: "6.18", Tier: "full", Running: true, PID: 7, Enforcing: true, Revision: 3, Endpoints: 2,
		Entries: 40, Programs: 5, Lost: 1, Lag: int64(1500 * time.Microsecond), Error: "policy.yaml:3: error x: y",
	}
	if err := writeAgentStatus(&out, report); err != nil {
		t.Fatal(err)
	}
	want := `host       h
kernel     6.18, tier full
agent      running (pid 7)
policy     revision 3 in force, 40 entries, 2 endpoints, 5 programs attached
events     1 lost, 1.5ms from kernel to server (p99)
refused    policy.yaml:3: error x: y
`
	if out.String() != want {
		t.Errorf("got\n%s", out.String())
	}
	out.Reset()
	if err := writeAgentStatus(&out, &agent.StatusReport{Host: "h"}); err != nil || !strings.Contains(out.String(), "not running\npolicy     nothing is in force") {
		t.Errorf("%v\n%s", err, out.String())
	}
}

func TestAgentStatusFields(t *testing.T) {
	text, err := json.Marshal(agent.StatusReport{})
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"kernel", "tier", "revision", "endpoints", "entries", "lost", "lag"} {
		if _, ok := fields[name]; !ok {
			t.Errorf("no field %q in %s", name, text)
		}
	}
}
