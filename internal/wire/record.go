package wire

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// A recording is lines of JSON, plain or gzipped: a header, then one message
// per line with its offset from the start.
type header struct {
	Recording string    `json:"recording"` // always recordingKind
	Version   int       `json:"version"`
	Start     time.Time `json:"start"`
}

type entry struct {
	Offset  time.Duration `json:"offset"` // ns since Start
	Message Message       `json:"message"`
}

const recordingKind = "firebreak-wire"

// Recorder writes messages with their time, to be played by Play. It is safe
// for concurrent use.
type Recorder struct {
	mu    sync.Mutex
	w     io.Writer
	start time.Time
	err   error // of the first write that failed
}

// NewRecorder writes the header of a recording that began at start. The caller
// closes w when nothing records any more.
func NewRecorder(w io.Writer, start time.Time) (*Recorder, error) {
	r := &Recorder{w: w, start: start}
	r.line(header{recordingKind, Version, start.UTC()})
	return r, r.err
}

// Record appends a message that was taken in at the given time. Once a write
// has failed, nothing more is written and the same error is returned.
func (r *Recorder) Record(at time.Time, m Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.line(entry{max(0, at.Sub(r.start)), m})
	return r.err
}

func (r *Recorder) line(v any) {
	if r.err != nil {
		return
	}
	b, err := json.Marshal(v)
	if err == nil {
		_, err = r.w.Write(append(b, '\n'))
	}
	r.err = err
}

// PlayOptions say how a recording is played.
type PlayOptions struct {
	Start   time.Time // when the playing starts: all times in messages move with it; zero leaves them as they were
	AtOnce  bool      // play without waiting
	Speed   float64   // 2 is twice as fast; 0 means 1
	MaxLine int       // bytes in one line; 0 means 16 MiB
}

// Play reads a recording, plain or gzipped, and gives each message to take
// when its time has come, until the end, an error of take, or ctx is done. at
// is the message's time, shifted by Start (at speed 1). A line that cannot be
// read is an error that names it; nothing before it is taken back.
func Play(ctx context.Context, r io.Reader, o PlayOptions, take func(at time.Time, m Message) error) error {
	lines, err := openRecording(r, o.MaxLine)
	if err != nil {
		return err
	}
	var h header
	if err := readLine(lines, &h); err != nil || h.Recording != recordingKind {
		return errors.New("line 1: not a recording of this program")
	}
	if h.Version != Version {
		return &VersionError{h.Version}
	}
	p := player{ctx: ctx, opt: o, start: h.Start}
	if !o.Start.IsZero() {
		p.start, p.shift = o.Start, o.Start.Sub(h.Start)
	}
	began := time.Now()
	for n := 2; ; n++ {
		var e entry
		switch err := readLine(lines, &e); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("line %d: %w", n, err)
		}
		if err := p.until(began, e.Offset); err != nil {
			return err
		}
		Shift(&e.Message, p.shift)
		if err := take(p.start.Add(e.Offset), e.Message); err != nil {
			return err
		}
	}
}

type player struct {
	ctx   context.Context
	opt   PlayOptions
	start time.Time
	shift time.Duration
}

// until waits for an offset's time.
func (p *player) until(began time.Time, offset time.Duration) error {
	if p.opt.AtOnce {
		return p.ctx.Err()
	}
	if p.opt.Speed > 0 {
		offset = time.Duration(float64(offset) / p.opt.Speed)
	}
	if d := time.Until(began.Add(offset)); d > 0 {
		wait(p.ctx, d)
	}
	return p.ctx.Err()
}

// Shift moves every time in a message by d.
func Shift(m *Message, d time.Duration) {
	if d == 0 {
		return
	}
	if m.Flows != nil {
		for i := range m.Flows.Flows {
			m.Flows.Flows[i].Time = m.Flows.Flows[i].Time.Add(d)
		}
	}
	if m.Bins != nil {
		for i := range m.Bins.Bins {
			m.Bins.Bins[i].Tick += int64(d / BinWidth)
		}
	}
	if m.Status != nil && !m.Status.Time.IsZero() {
		m.Status.Time = m.Status.Time.Add(d)
	}
}

func openRecording(r io.Reader, maxLine int) (*bufio.Scanner, error) {
	b := bufio.NewReader(r)
	r = b
	if magic, _ := b.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, fmt.Errorf("recording: %w", err)
		}
		r = z
	}
	if maxLine <= 0 {
		maxLine = 16 << 20
	}
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, min(64<<10, maxLine)), maxLine)
	return s, nil
}

// readLine reads the next line into v; io.EOF at the end.
func readLine(s *bufio.Scanner, v any) error {
	if !s.Scan() {
		if err := s.Err(); err != nil {
			return err
		}
		return io.EOF
	}
	if err := json.Unmarshal(s.Bytes(), v); err != nil {
		return err
	}
	if e, ok := v.(*entry); ok {
		return e.Message.validate()
	}
	return nil
}
