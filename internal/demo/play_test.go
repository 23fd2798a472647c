package demo

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The built-in recording is what people see who cannot run it: it must show
// what the demonstration shows.
func TestTheBuiltInRecordingHolds(t *testing.T) {
	var out bytes.Buffer
	r, err := Run(t.Context(), Options{Recorded: true, JSON: true, Out: &out, Notes: &out})
	if err != nil {
		t.Fatal(err)
	}
	if r.Enforcement != "recorded" || r.Recorded == nil || r.Recorded.Time.IsZero() {
		t.Errorf("enforcement %q, recorded %v", r.Enforcement, r.Recorded)
	}
	if why := r.Held(); why != "" {
		t.Error(why)
	}
	if len(r.Attacks) != len(attacks()) {
		t.Errorf("it has %d attacks, the demonstration %d: record it again", len(r.Attacks), len(attacks()))
	}
	sums := map[string]uint64{}
	for _, e := range r.Edges {
		sums[e.Verdict] += e.Flows
	}
	if sums["forwarded"] != r.Flows.Forwarded || sums["dropped"] != r.Flows.Dropped || sums["audited"] != r.Flows.Audited || r.Flows.Dropped == 0 {
		t.Errorf("edges sum up to %v, flows are %+v", sums, r.Flows)
	}
	var printed Report
	if err := json.Unmarshal(out.Bytes(), &printed); err != nil || printed.Flows != r.Flows {
		t.Errorf("printed %+v, %v; returned %+v", printed.Flows, err, r.Flows)
	}
}

func TestARecordingThatIsNoneIsRefused(t *testing.T) {
	for name, text := range map[string]string{"empty": "", "text": "not a recording\n"} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		_, err := Run(t.Context(), Options{Recorded: true, Play: path, JSON: true, Out: &out, Notes: &out})
		if err == nil || !strings.Contains(err.Error(), "no recording") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want one line", name, err)
		}
	}
	if _, err := Run(t.Context(), Options{Recorded: true, Play: "/does/not/exist", JSON: true, Out: os.Stderr}); err == nil {
		t.Error("a file that does not exist was played")
	}
}
