package wire

import (
	"context"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"firebreak/internal/flow"
)

// startWriter runs a Writer until the test ends.
func startWriter(t *testing.T, o WriterOptions) (w *Writer, stop func()) {
	t.Helper()
	w = NewWriter(o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = w.Run(ctx) }()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return w, stop
}

func listenAt(t *testing.T, path string) net.Listener {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func accept(t *testing.T, l net.Listener) (net.Conn, *Decoder) {
	t.Helper()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c, NewDecoder(c)
}

func next(t *testing.T, d *Decoder) Message {
	t.Helper()
	m, err := d.Decode()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestWriterReconnectsAndRepeatsWhatIsInForce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l := listenAt(t, path)
	w, _ := startWriter(t, WriterOptions{Path: path, Hello: Hello{Host: "h"}})
	w.Send(Message{Catalog: &Catalog{Estate: "one"}})
	w.Send(Message{Catalog: &Catalog{Estate: "two"}})
	for attempt := range 2 {
		c, d := accept(t, l)
		if m := next(t, d); m.Hello == nil || m.Hello.Host != "h" {
			t.Fatalf("connection %d began with %+v", attempt, m)
		}
		if m := next(t, d); m.Catalog == nil || m.Catalog.Estate != "two" || m.Catalog.Host != "h" {
			t.Fatalf("connection %d: then came %+v", attempt, m)
		}
		w.Send(Message{Flows: &Flows{Flows: []flow.Flow{aFlow(uint16(attempt))}}})
		if m := next(t, d); m.Flows == nil || m.Flows.Host != "h" || m.Flows.Flows[0].SrcPort != uint16(attempt) {
			t.Fatalf("connection %d: then came %+v", attempt, m)
		}
		c.Close()
	}
}

func TestWriterDropsTheOldestAndSaysSo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	w, _ := startWriter(t, WriterOptions{Path: path, Hello: Hello{Host: "h"}, Queue: 10})
	for i := range uint16(15) { // nobody listens yet
		w.Send(Message{Flows: &Flows{Flows: []flow.Flow{aFlow(i)}}})
	}
	w.Send(Message{Status: &Status{Endpoints: 1}})
	if u := w.Unsent(); u.Flows != 5 || u.Messages != 5 {
		t.Fatalf("unsent %+v", u)
	}
	_, d := accept(t, listenAt(t, path))
	next(t, d) // hello
	if m := next(t, d); m.Status == nil {
		t.Fatalf("got %+v", m)
	}
	if m := next(t, d); m.Unsent == nil || m.Unsent.Flows != 5 || m.Unsent.Host != "h" {
		t.Fatalf("got %+v", m)
	}
	for i := uint16(5); i < 15; i++ {
		if m := next(t, d); m.Flows == nil || m.Flows.Flows[0].SrcPort != i {
			t.Fatalf("want flow %d, got %+v", i, m)
		}
	}
}

func TestWriterNeverBlocksOnAServerThatDoesNotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l := listenAt(t, path)
	w, stop := startWriter(t, WriterOptions{Path: path, Hello: Hello{Host: "h"}, Queue: 1000})
	accept(t, l)
	batch := make([]flow.Flow, 1000)
	for i := range batch {
		batch[i] = aFlow(uint16(i))
	}
	for range 200 {
		w.Send(Message{Flows: &Flows{Flows: batch}})
	}
	if w.Unsent().Flows == 0 {
		t.Fatal("nothing was dropped: the queue is not bounded")
	}
	began := time.Now()
	stop()
	if d := time.Since(began); d > 3*time.Second {
		t.Fatalf("stopping took %v", d)
	}
}

func TestWriterHalvesWhatIsTooLarge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l := listenAt(t, path)
	w, _ := startWriter(t, WriterOptions{Path: path, Hello: Hello{Host: "h"}})
	big := aFlow(1)
	big.From = strings.Repeat("n", MaxMessage/3)
	huge := aFlow(2)
	huge.From = strings.Repeat("n", MaxMessage)
	w.Send(Message{Flows: &Flows{Flows: []flow.Flow{big, big, big, huge, big}}})
	_, d := accept(t, l)
	next(t, d) // hello
	got := 0
	for got < 4 {
		m := next(t, d)
		if m.Flows == nil {
			t.Fatalf("got %+v", m)
		}
		got += len(m.Flows.Flows)
	}
	if m := next(t, d); m.Unsent == nil || m.Unsent.Flows != 1 {
		t.Fatalf("the flow that fits nowhere was not counted: %+v", m)
	}
}

func TestWriterTellsWhyItWasRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l := listenAt(t, path)
	w, _ := startWriter(t, WriterOptions{Path: path, Hello: Hello{Host: "h"}})
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = NewEncoder(c).Encode(Message{Refusal: &Refusal{Reason: "host h is connected already"}})
			c.Close()
		}
	}()
	deadline := time.Now().Add(5 * time.Second)
	for w.Err() == nil || !strings.Contains(w.Err().Error(), "connected already") {
		if time.Now().After(deadline) {
			t.Fatalf("Err: %v", w.Err())
		}
		runtime.Gosched()
	}
}
