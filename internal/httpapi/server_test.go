package httpapi

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/observe"
	"firebreak/internal/wire"
)

var testPage = fstest.MapFS{
	"index.html":    {Data: []byte("<title>page</title>")},
	"assets/app.js": {Data: []byte("export {}")},
}

// boot runs a server until the test ends.
func boot(t testing.TB, o Options) *Server {
	t.Helper()
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return s
}

func sockPath(t testing.TB) string { return filepath.Join(t.TempDir(), "wire.sock") }

// report makes a report of web → app.
func report(host string, dir flow.Direction, srcPort uint16, v flow.Verdict) flow.Flow {
	return flow.Flow{
		Time: time.Now(), Host: host, Direction: dir, Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.2"),
		SrcPort: srcPort, DstPort: 8080, Protocol: 6, From: "web-1", FromService: "web", FromZone: "dmz", To: "app-1", ToService: "app", ToZone: "core",
		Verdict: v, ToCome: v, Rule: flow.Rule{Policy: "shop", Rule: "web-to-app", File: "shop.yaml", Line: 12},
	}
}

func flowsOf(host string, f ...flow.Flow) wire.Message {
	return wire.Message{Flows: &wire.Flows{Host: host, Flows: f}}
}

// agent runs a Writer until the test ends or stop is called.
func agent(t testing.TB, path, host string) (w *wire.Writer, stop func()) {
	t.Helper()
	w = wire.NewWriter(wire.WriterOptions{Path: path, Hello: wire.Hello{Host: host, Kernel: "6.12", Tier: "full"}})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = w.Run(ctx) }()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return w, stop
}

// stream reads Server-Sent Events.
type stream struct {
	t    testing.TB
	in   *bufio.Reader
	body io.Closer
}

func follow(t testing.TB, s *Server) (*stream, Snapshot) {
	t.Helper()
	r, err := http.Get(s.URL() + "api/v1/stream")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Body.Close() })
	if ct := r.Header.Get("Content-Type"); r.StatusCode != 200 || ct != "text/event-stream" {
		t.Fatalf("%s, %s", r.Status, ct)
	}
	st := &stream{t, bufio.NewReaderSize(r.Body, 1<<20), r.Body}
	name, data := st.event()
	var snapshot Snapshot
	if err := json.Unmarshal(data, &snapshot); name != "snapshot" || err != nil {
		t.Fatalf("first event %q: %v", name, err)
	}
	return st, snapshot
}

// event returns the next event; keep-alives are not events.
func (s *stream) event() (name string, data []byte) {
	s.t.Helper()
	for {
		line, err := s.in.ReadString('\n')
		if err != nil {
			s.t.Fatalf("stream ended: %v", err)
		}
		switch {
		case strings.HasPrefix(line, "event: "):
			name = strings.TrimSpace(line[7:])
		case strings.HasPrefix(line, "data: "):
			data = []byte(line[6:])
		case line == "\n" && name != "":
			return name, data
		}
	}
}

func (s *stream) batch() Batch {
	s.t.Helper()
	name, data := s.event()
	var b Batch
	if err := json.Unmarshal(data, &b); name != "batch" || err != nil {
		s.t.Fatalf("event %q: %v", name, err)
	}
	return b
}

// until folds batches until ok says so; it fails after ten seconds.
func (s *stream) until(what string, ok func(Batch) bool) {
	s.t.Helper()
	timer := time.AfterFunc(10*time.Second, func() { s.body.Close() })
	defer timer.Stop()
	for {
		if ok(s.batch()) {
			return
		}
	}
}

func TestFromTwoAgentsToTheEye(t *testing.T) {
	path := sockPath(t)
	s := boot(t, Options{Wire: path})
	st, first := follow(t, s)
	if len(first.Edges) != 0 || first.Agents == nil || first.Zones == nil || first.Flows == nil || first.Bins == nil {
		t.Fatalf("an empty server must say so with empty lists: %+v", first)
	}
	a, _ := agent(t, path, "A")
	b, _ := agent(t, path, "B")
	a.Send(wire.Message{Catalog: &wire.Catalog{Estate: "shop", Revision: 1, Zones: []wire.ZoneInfo{{Name: "dmz"}}, Rules: []wire.RuleInfo{{Effect: "allow"}}}})
	a.Send(flowsOf("A", report("A", flow.Egress, 40000, flow.Forwarded)))
	edges, agents, zones := map[string]observe.Edge{}, 0, 0
	fold := func(b Batch) {
		for _, e := range b.Edges {
			edges[e.ID] = e
		}
		agents, zones = max(agents, len(b.Agents)), max(zones, len(b.Zones))
	}
	st.until("the source's report", func(b Batch) bool { fold(b); return len(edges) == 1 && zones == 1 })
	b.Send(flowsOf("B", report("B", flow.Ingress, 40000, flow.Dropped)))
	b.Send(wire.Message{Bins: &wire.Bins{Bins: []wire.Bin{{Tick: time.Now().UnixNano() / int64(wire.BinWidth), From: "web", To: "app", Direction: flow.Ingress, Verdict: flow.Dropped, Packets: 2, Bytes: 120}}}})
	st.until("the other end's", func(b Batch) bool {
		fold(b)
		dropped, open := 0, 0
		for _, e := range edges {
			if e.Verdict == flow.Dropped && e.Flows == 1 && e.Packets == 2 && e.Traffic == "TCP 8080" && e.Rule.Line == 12 {
				dropped++
			}
			if e.Verdict == flow.Forwarded && e.Flows > 0 {
				open++
			}
		}
		return dropped == 1 && open == 0 && agents == 2
	})
	_, again := follow(t, s)
	if len(again.Edges) != 1 || again.Totals != (observe.Totals{Dropped: 1}) || len(again.Flows) != 1 || len(again.Bins) != 1 || again.Estate != "shop" {
		t.Fatalf("a later reader's snapshot: %+v", again)
	}
}

func TestAnAgentThatLeavesStaysWithItsLastStatus(t *testing.T) {
	path := sockPath(t)
	s := boot(t, Options{Wire: path})
	st, _ := follow(t, s)
	a, stop := agent(t, path, "A")
	a.Send(wire.Message{Status: &wire.Status{Revision: 7, Lost: 3, Tier: "full"}})
	st.until("its status", func(b Batch) bool {
		return len(b.Agents) == 1 && b.Agents[0].Connected && b.Agents[0].Revision == 7 && b.Lost != nil && *b.Lost == 3
	})
	stop()
	st.until("its leaving", func(b Batch) bool {
		return len(b.Agents) == 1 && !b.Agents[0].Connected && b.Agents[0].Revision == 7
	})
	agent(t, path, "A")
	st.until("its return", func(b Batch) bool { return len(b.Agents) == 1 && b.Agents[0].Connected })
}

// dialAgent opens a bare connection.
func dialAgent(t *testing.T, path string) (net.Conn, *wire.Encoder, *wire.Decoder) {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c, wire.NewEncoder(c), wire.NewDecoder(c)
}

func wantRefusal(t *testing.T, d *wire.Decoder, word string) {
	t.Helper()
	m, err := d.Decode()
	if err != nil || m.Refusal == nil || !strings.Contains(m.Refusal.Reason, word) {
		t.Fatalf("want a refusal with %q, got %+v, %v", word, m.Refusal, err)
	}
	if _, err := d.Decode(); !errors.Is(err, io.EOF) {
		t.Fatalf("after a refusal: %v", err)
	}
}

func TestAgentsThatAreRefusedAreToldWhy(t *testing.T) {
	path := sockPath(t)
	s := boot(t, Options{Wire: path})
	send := func(e *wire.Encoder, m wire.Message) {
		t.Helper()
		if err := e.Encode(m); err != nil {
			t.Fatal(err)
		}
	}
	_, e, d := dialAgent(t, path)
	send(e, wire.Message{Status: &wire.Status{}})
	wantRefusal(t, d, "hello")

	c, _, d := dialAgent(t, path)
	if _, err := c.Write([]byte{0xa1, 0x67, 'v', 'e', 'r', 's', 'i', 'o', 'n', 9}); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, d, "version 9")

	c, _, d = dialAgent(t, path)
	if _, err := c.Write([]byte("GET / HTTP/1.1\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, d, "malformed")

	st, _ := follow(t, s)
	_, e, _ = dialAgent(t, path)
	send(e, wire.Message{Hello: &wire.Hello{Host: "A"}})
	st.until("the first of its name", func(b Batch) bool { return len(b.Agents) == 1 })
	_, e, d = dialAgent(t, path)
	send(e, wire.Message{Hello: &wire.Hello{Host: "A"}})
	wantRefusal(t, d, `"A" is connected already`)
}

func TestAnAgentSpeaksForItselfOnly(t *testing.T) {
	path := sockPath(t)
	s := boot(t, Options{Wire: path})
	st, _ := follow(t, s)
	_, e, _ := dialAgent(t, path)
	for _, m := range []wire.Message{{Hello: &wire.Hello{Host: "A"}}, flowsOf("B", report("B", flow.Egress, 1, flow.Forwarded))} {
		if err := e.Encode(m); err != nil {
			t.Fatal(err)
		}
	}
	st.until("the flow", func(b Batch) bool { return len(b.Flows) == 1 && b.Flows[0].Host == "A" })
}

func get(t *testing.T, s *Server, path, host string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest("GET", strings.TrimSuffix(s.URL(), "/")+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if host != "" {
		r.Host = host
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a, string(b)
}

func TestForeignNamesAreRefused(t *testing.T) {
	s := boot(t, Options{Static: testPage})
	for host, want := range map[string]int{
		"": 200, "localhost:7070": 200, "127.0.0.1": 200, "[::1]:80": 200, "LOCALHOST": 200,
		"evil.example": 421, "127.0.0.1.evil.example:7070": 421, "192.0.2.1": 421, "localhost.evil": 421,
	} {
		if r, _ := get(t, s, "/api/v1/snapshot", host); r.StatusCode != want {
			t.Errorf("Host %q: %d, want %d", host, r.StatusCode, want)
		}
	}
}

func TestPageAndHeaders(t *testing.T) {
	s := boot(t, Options{Static: testPage})
	for path, want := range map[string]struct {
		status     int
		kind, body string
	}{
		"/":                 {200, "text/html; charset=utf-8", "page"},
		"/flows":            {200, "text/html; charset=utf-8", "page"},
		"/map/zone/x":       {200, "text/html; charset=utf-8", "page"},
		"/assets/app.js":    {200, "text/javascript; charset=utf-8", "export"},
		"/assets/gone.js":   {404, "", ""},
		"/../server.go":     {404, "", ""},
		"/api/v1/nonesuch":  {404, "application/json", "error"},
		"/api/v1/flows":     {200, "application/json", "[]"},
		"/api/v1/snapshot":  {200, "application/json", `"edges":[]`},
		"/assets/%2e%2e/go": {200, "text/html; charset=utf-8", "page"},
	} {
		r, body := get(t, s, path, "")
		if r.StatusCode != want.status || want.kind != "" && r.Header.Get("Content-Type") != want.kind || !strings.Contains(body, want.body) {
			t.Errorf("%s: %d %q %q", path, r.StatusCode, r.Header.Get("Content-Type"), body)
		}
		if !strings.HasPrefix(r.Header.Get("Content-Security-Policy"), "default-src 'none'") || r.Header.Get("X-Content-Type-Options") != "nosniff" || r.Header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: headers %v", path, r.Header)
		}
	}
	r, err := http.Post(s.URL()+"api/v1/snapshot", "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %s", r.Status)
	}
	if _, body := get(t, boot(t, Options{}), "/", ""); !strings.Contains(body, "no page") {
		t.Errorf("without a page: %q", body)
	}
}

func TestListOfFlows(t *testing.T) {
	s := boot(t, Options{})
	for i, v := range []flow.Verdict{flow.Forwarded, flow.Dropped, flow.Forwarded} {
		s.Publish(flowsOf("A", report("A", flow.Egress, uint16(i+1), v)))
	}
	for query, want := range map[string][]uint16{
		"":                               {3, 2, 1},
		"?limit=1":                       {3},
		"?verdict=dropped":               {2},
		"?verdict=forwarded&limit=1":     {3},
		"?from=web":                      {3, 2, 1},
		"?from=10.0.0.1&to=app-1":        {3, 2, 1},
		"?to=web":                        {},
		"?rule=shop/web-to-app":          {3, 2, 1},
		"?rule=other":                    {},
		"?rule=web-to-app&verdict=drop":  nil,
		"?limit=0":                       nil,
		"?limit=many":                    nil,
		"?limit=100000":                  nil,
		"?verdict=unjudged&from=nothing": {},
	} {
		r, body := get(t, s, "/api/v1/flows"+query, "")
		if want == nil {
			if r.StatusCode != 400 || !strings.Contains(body, "want") {
				t.Errorf("%s: %d %s", query, r.StatusCode, body)
			}
			continue
		}
		var list []observe.Conversation
		if err := json.Unmarshal([]byte(body), &list); err != nil || len(list) != len(want) {
			t.Errorf("%s: %v %s", query, err, body)
			continue
		}
		for i := range want {
			if list[i].SrcPort != want[i] {
				t.Errorf("%s: %d-th is %d", query, i, list[i].SrcPort)
			}
		}
	}
}

func TestRecordedRunsPlay(t *testing.T) {
	var tape strings.Builder
	start := time.Now()
	r, err := wire.NewRecorder(&tape, start)
	if err != nil {
		t.Fatal(err)
	}
	s := boot(t, Options{Recorder: r})
	s.Publish(wire.Message{Hello: &wire.Hello{Host: "A", Tier: "full"}})
	s.Publish(flowsOf("A", report("A", flow.Egress, 1, flow.Forwarded), report("A", flow.Egress, 0, flow.Dropped)))
	played := boot(t, Options{Recorded: true})
	err = wire.Play(context.Background(), strings.NewReader(tape.String()), wire.PlayOptions{AtOnce: true, Start: time.Now()}, func(_ time.Time, m wire.Message) error {
		played.Publish(m)
		return nil
	})
	if err != nil || played.Totals() != s.Totals() || played.Totals().Dropped != 1 {
		t.Fatalf("%v: recorded %+v, played %+v", err, s.Totals(), played.Totals())
	}
	if _, first := follow(t, played); !first.Recorded || len(first.Agents) != 1 || len(first.Edges) != 2 {
		t.Fatalf("snapshot %+v", first)
	}
}
