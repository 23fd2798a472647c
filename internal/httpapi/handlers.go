package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/observe"
)

// Timing of the stream.
const (
	keepAlive    = 15 * time.Second
	writeTimeout = 30 * time.Second // for one event to a reader that does not read
)

// handler is everything that is served over HTTP.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/snapshot", s.getSnapshot)
	mux.HandleFunc("GET /api/v1/stream", s.getStream)
	mux.HandleFunc("GET /api/v1/flows", s.getFlows)
	mux.HandleFunc("GET /api/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, http.StatusNotFound, "nothing is served at "+r.URL.Path)
	})
	mux.Handle("GET /", page{s.opt.Static})
	return s.guard.wrap(mux)
}

func writeJSON(w http.ResponseWriter, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		writeError(w, http.StatusInternalServerError, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(b)
}

func writeError(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": message})
}

func (s *Server) getSnapshot(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, s.hub.snapshot(time.Now()))
}

// getFlows lists conversations, newest first.
func (s *Server) getFlows(w http.ResponseWriter, r *http.Request) {
	limit, match, err := flowQuery(r.URL.Query())
	if err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	writeJSON(w, s.state.recent(limit, match))
}

// Limits of one list of flows.
const (
	defaultFlows = 500
	maxFlows     = 10_000
)

// flowQuery reads the conditions of a list; all of them must hold.
func flowQuery(q url.Values) (limit int, match func(*observe.Conversation) bool, err error) {
	limit = defaultFlows
	if v := q.Get("limit"); v != "" {
		if limit, err = strconv.Atoi(v); err != nil || limit < 1 || limit > maxFlows {
			return 0, nil, fmt.Errorf("limit %q: want a number from 1 to %d", v, maxFlows)
		}
	}
	var verdict flow.Verdict
	if v := q.Get("verdict"); v != "" {
		if err := verdict.UnmarshalText([]byte(v)); err != nil {
			return 0, nil, fmt.Errorf("%w: want forwarded, dropped, audited or unjudged", err)
		}
	}
	hasVerdict, from, to, rule := q.Get("verdict") != "", q.Get("from"), q.Get("to"), q.Get("rule")
	return limit, func(c *observe.Conversation) bool {
		return (!hasVerdict || c.Verdict == verdict) &&
			(from == "" || from == c.From || from == c.FromService || from == c.Src.String()) &&
			(to == "" || to == c.To || to == c.ToService || to == c.Dst.String()) &&
			(rule == "" || isRule(rule, c.Rule) || isRule(rule, c.ToComeRule))
	}, nil
}

// isRule compares a rule with what a person writes: policy/rule, or the rule's
// name alone.
func isRule(text string, r flow.Rule) bool {
	return text == r.Rule || text == r.Policy+"/"+r.Rule
}

// getStream sends a snapshot and then every batch, as Server-Sent Events.
func (s *Server) getStream(w http.ResponseWriter, r *http.Request) {
	sub, snapshot := s.hub.subscribe(time.Now())
	if sub == nil {
		writeError(w, http.StatusServiceUnavailable, fmt.Sprintf("%d readers are connected already", maxSubscribers))
		return
	}
	defer s.hub.leave(sub)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	out := events{w: w, ctl: http.NewResponseController(w)}
	first, err := json.Marshal(snapshot)
	if err != nil {
		s.log.Error("encoding a snapshot failed", "error", err)
		return
	}
	out.event("snapshot", first)
	alive := time.NewTicker(keepAlive)
	defer alive.Stop()
	for out.flush() == nil {
		select {
		case <-r.Context().Done():
			return
		case <-alive.C:
			out.write(": alive\n\n")
		case <-sub.wake:
			for _, e := range sub.take() {
				b, err := e.bytes()
				if err != nil {
					s.log.Error("encoding a batch failed", "error", err)
					return
				}
				out.event("batch", b)
			}
		}
	}
}

// events writes Server-Sent Events and remembers the first error.
type events struct {
	w   http.ResponseWriter
	ctl *http.ResponseController
	err error
}

func (e *events) event(name string, data []byte) {
	e.write("event: " + name + "\ndata: ")
	if e.err == nil {
		_, e.err = e.w.Write(data) // JSON has no line breaks outside of strings, and in them they are escaped
	}
	e.write("\n\n")
}

func (e *events) write(s string) {
	if e.err != nil {
		return
	}
	if e.err = e.ctl.SetWriteDeadline(time.Now().Add(writeTimeout)); e.err == nil {
		_, e.err = e.w.Write([]byte(s))
	}
}

func (e *events) flush() error {
	if e.err == nil {
		e.err = e.ctl.Flush()
	}
	return e.err
}
