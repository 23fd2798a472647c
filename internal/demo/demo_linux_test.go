package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// run runs the demonstration, or plays one, as JSON, and reads what it prints.
func run(t *testing.T, o Options) *Report {
	t.Helper()
	var out, notes bytes.Buffer
	o.JSON, o.Out, o.Notes = true, &out, &notes
	if _, err := attempt(t, t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if notes.Len() > 0 {
		t.Fatalf("it could not run here: %s", notes.String())
	}
	var r Report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("%v in %s", err, out.String())
	}
	return &r
}

// attempt runs the demonstration beside any that a person runs.
func attempt(t *testing.T, ctx context.Context, o Options) (*Report, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	o.Self, o.names = []string{"/proc/self/exe"}, testPrefix
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	if o.Out == nil {
		o.Out, o.Notes = io.Discard, io.Discard
	}
	return Run(ctx, o)
}

// The demonstration shows what it claims, leaves nothing, and plays back as it
// was.
func TestTheDemonstrationHoldsAndIsPlayedBack(t *testing.T) {
	requireRoot(t)
	file := filepath.Join(t.TempDir(), "run.gz")
	live := run(t, Options{For: 6 * time.Second, Record: file})
	assertNothingLeft(t, testPrefix)
	if live.Enforcement != "ebpf" || live.Kernel == "" {
		t.Errorf("enforcement %q, kernel %q", live.Enforcement, live.Kernel)
	}
	if why := live.Held(); why != "" {
		t.Error(why)
	}
	assertSums(t, live)
	assertEdges(t, live)
	for _, a := range live.Attacks {
		t.Logf("%-36s open %d/%d, enforced %d/%d, answered %d, first drop %.1f ms", a.Name, a.ReachedOpen, a.AttemptsOpen, a.Reached, a.Attempts, a.Answered, a.FirstDropMs)
		if a.FirstDropMs < 0 {
			t.Errorf("%s: no drop reached the page", a.Name)
		}
		if a.Attempts == 0 {
			t.Errorf("%s was not tried while enforced", a.Name)
		}
	}
	played := run(t, Options{Recorded: true, Play: file})
	if played.Enforcement != "recorded" || played.Recorded == nil {
		t.Errorf("the recording says enforcement %q, recorded %v", played.Enforcement, played.Recorded)
	}
	want := *live
	want.Enforcement, want.Recorded = played.Enforcement, played.Recorded
	if !reflect.DeepEqual(&want, played) {
		t.Errorf("played back:\n%s\nrecorded:\n%s", pretty(played), pretty(&want))
	}
}

func TestAPortThatIsTakenIsSaidAndNothingIsLeft(t *testing.T) {
	requireRoot(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, err = attempt(t, t.Context(), Options{Listen: taken.Addr().String()})
	if err == nil || !strings.Contains(err.Error(), "--listen") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v, want one line that says what to do", err)
	}
	assertNothingLeft(t, testPrefix)
}

func TestANamespaceOfSomebodyElseIsSaidAndLeftAlone(t *testing.T) {
	requireRoot(t)
	const name = testPrefix + "-data"
	if out, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	_, err := attempt(t, t.Context(), Options{})
	var refusal *Error
	if !errors.As(err, &refusal) || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v, want one line that names %s", err, name)
	}
	if out, err := exec.Command("ip", "netns", "delete", name).CombinedOutput(); err != nil {
		t.Errorf("it was not left alone: %v: %s", err, out)
	}
	assertNothingLeft(t, testPrefix)
}

// Ctrl-C at any moment leaves nothing.
func TestInterruptedEarlyNothingIsLeft(t *testing.T) {
	requireRoot(t)
	for _, word := range []string{"built", "attacked"} {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := attempt(t, ctx, Options{Out: &waiter{word, cancel}, Notes: io.Discard})
		var said *Error
		if !errors.As(err, &said) || !strings.Contains(err.Error(), "interrupted") {
			t.Errorf("interrupted after %q: %v", word, err)
		}
		assertNothingLeft(t, testPrefix)
	}
}

// waiter calls a function when a word has been written.
type waiter struct {
	word string
	then func()
}

// Write looks for the word.
func (w *waiter) Write(p []byte) (int, error) {
	if strings.Contains(string(p), w.word) {
		w.then()
	}
	return len(p), nil
}

func pretty(v any) string {
	b, _ := json.MarshalIndent(v, "", " ")
	return string(b)
}

// assertSums checks that the edges sum up to the flows, by verdict.
func assertSums(t *testing.T, r *Report) {
	t.Helper()
	sums := map[string]uint64{}
	for _, e := range r.Edges {
		sums[e.Verdict] += e.Flows
	}
	f := r.Flows
	want := map[string]uint64{"forwarded": f.Forwarded, "dropped": f.Dropped, "audited": f.Audited, "unjudged": f.Unjudged}
	for verdict, n := range want {
		if sums[verdict] != n {
			t.Errorf("%s: the edges sum up to %d, flows say %d", verdict, sums[verdict], n)
		}
	}
	if f.Forwarded == 0 || f.Dropped == 0 || f.Audited == 0 {
		t.Errorf("flows %+v: some of each were wanted", f)
	}
}

// assertEdges checks that what is permitted is seen as such, and each attack
// as dropped, with a rule.
func assertEdges(t *testing.T, r *Report) {
	t.Helper()
	has := func(from, to, verdict string) bool {
		for _, e := range r.Edges {
			if e.From == from && e.To == to && e.Verdict == verdict && e.Flows > 0 && e.Rule.Rule != "" && e.Rule.File != "" && e.Rule.Line > 0 {
				return true
			}
		}
		t.Logf("no edge %s → %s %s", from, to, verdict)
		return false
	}
	ok := has("storefront", "orders", "forwarded") && has("storefront", "payments", "forwarded") && has("orders", "orders-db", "forwarded") &&
		has("orders", "cache", "audited") && has("payments", cardProcessor.V4.String(), "forwarded") && has(shoppers.V6.String(), "storefront", "forwarded")
	for _, a := range r.Attacks {
		ok = has(a.From, a.To, "dropped") && ok
	}
	if !ok {
		t.Errorf("edges: %s", pretty(r.Edges))
	}
}
