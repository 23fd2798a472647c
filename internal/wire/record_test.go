package wire

import (
	"bytes"
	"compress/gzip"
	"context"
	"reflect"
	"strings"
	"testing"
	"time"
)

var recordStart = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func recorded(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	r, err := NewRecorder(&b, recordStart)
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range samples() {
		if err := r.Record(recordStart.Add(time.Duration(i)*10*time.Millisecond), m); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func gzipped(t *testing.T, b []byte) []byte {
	t.Helper()
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return z.Bytes()
}

func TestARecordingPlaysWhatWasRecorded(t *testing.T) {
	plain := recorded(t)
	for name, b := range map[string][]byte{"plain": plain, "gzip": gzipped(t, plain)} {
		var got []Message
		var at []time.Time
		err := Play(context.Background(), bytes.NewReader(b), PlayOptions{AtOnce: true}, func(when time.Time, m Message) error {
			got, at = append(got, m), append(at, when)
			return nil
		})
		if err != nil || !reflect.DeepEqual(got, samples()) {
			t.Fatalf("%s: %v\ngot  %+v\nwant %+v", name, err, got, samples())
		}
		if !at[2].Equal(recordStart.Add(20 * time.Millisecond)) {
			t.Fatalf("%s: third at %v", name, at[2])
		}
	}
}

func TestPlayingMovesTimes(t *testing.T) {
	start := recordStart.Add(24 * time.Hour)
	err := Play(context.Background(), bytes.NewReader(recorded(t)), PlayOptions{AtOnce: true, Start: start}, func(at time.Time, m Message) error {
		if at.Before(start) {
			t.Errorf("message at %v, before the start", at)
		}
		if m.Flows != nil && !m.Flows.Flows[0].Time.Equal(aFlow(1).Time.Add(24*time.Hour)) {
			t.Errorf("flow at %v", m.Flows.Flows[0].Time)
		}
		if m.Bins != nil && m.Bins.Bins[0].Tick != 179538768000+24*3600*100 {
			t.Errorf("bin at %d", m.Bins.Bins[0].Tick)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestPlayingKeepsTheSpeed(t *testing.T) {
	began := time.Now()
	if err := Play(context.Background(), bytes.NewReader(recorded(t)), PlayOptions{}, func(time.Time, Message) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(began); d < 60*time.Millisecond {
		t.Fatalf("60 ms of recording played in %v", d)
	}
}

func TestDamagedRecordingsAreNamed(t *testing.T) {
	good := string(recorded(t))
	lines := strings.SplitAfter(good, "\n")
	for name, c := range map[string]struct{ text, want string }{
		"empty":         {"", "line 1"},
		"something":     {"{\"a\":1}\n", "line 1"},
		"other version": {strings.Replace(good, `"version":1`, `"version":8`, 1), "version 8"},
		"torn":          {lines[0] + lines[1] + lines[2][:20], "line 3"},
		"nonsense":      {lines[0] + "{\"message\":{\"flows\":{\"flows\":[{\"verdict\":\"perhaps\"}]}}}\n", "line 2"},
		"endless line":  {lines[0] + strings.Repeat("x", 2000), "line 2"},
	} {
		err := Play(context.Background(), strings.NewReader(c.text), PlayOptions{AtOnce: true, MaxLine: 1000}, func(time.Time, Message) error { return nil })
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
