package wire

import (
	"errors"
	"fmt"
	"io"

	"github.com/fxamacker/cbor/v2"

	"firebreak/internal/flow"
)

// MaxMessage is the size in bytes of the largest message that an Encoder
// writes and a Decoder takes.
const MaxMessage = 1 << 20

// ErrTooLarge means that a message has more than MaxMessage bytes.
var ErrTooLarge = fmt.Errorf("message larger than %d bytes", MaxMessage)

// VersionError means that the peer speaks another version of the wire.
type VersionError struct{ Got int }

// Error says which version was met and what to do.
func (e *VersionError) Error() string {
	return fmt.Sprintf("wire version %d: this build speaks %d; run the same release at both ends", e.Got, Version)
}

// MalformedError means that bytes are no message, or that a message holds a
// value that no version of it may hold. Nothing behind it can be trusted.
type MalformedError struct{ Err error }

// Error says what is wrong.
func (e *MalformedError) Error() string { return "malformed message: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *MalformedError) Unwrap() error { return e.Err }

var encMode, decMode = mustModes()

// mustModes builds the two CBOR modes from constants; they are valid or the
// build is broken, which every test of this package would show.
func mustModes() (cbor.EncMode, cbor.DecMode) {
	enc, err := cbor.EncOptions{Time: cbor.TimeRFC3339NanoUTC}.EncMode()
	if err != nil {
		panic(err)
	}
	dec, err := cbor.DecOptions{
		MaxNestedLevels:  16,
		MaxArrayElements: 1 << 17,
		MaxMapPairs:      1 << 12,
		IndefLength:      cbor.IndefLengthForbidden,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return enc, dec
}

// Marshal returns a message as CBOR with this build's version in it. It
// returns ErrTooLarge if that has more than MaxMessage bytes. The message must
// not change meanwhile.
func Marshal(m Message) ([]byte, error) {
	m.Version = Version
	b, err := encMode.Marshal(m)
	if err != nil {
		return nil, err
	}
	if len(b) > MaxMessage {
		return nil, ErrTooLarge
	}
	return b, nil
}

// Encoder writes messages to a stream, each in one Write. It is not safe for
// concurrent use.
type Encoder struct{ w io.Writer }

// NewEncoder returns an Encoder that writes to w, unbuffered.
func NewEncoder(w io.Writer) *Encoder { return &Encoder{w} }

// Encode writes one message, as Marshal makes it.
func (e *Encoder) Encode(m Message) error {
	b, err := Marshal(m)
	if err != nil {
		return err
	}
	_, err = e.w.Write(b)
	return err
}

// Decoder reads messages from a stream. It holds at most about twice
// MaxMessage bytes, whatever the peer sends. It is not safe for concurrent use.
type Decoder struct {
	src *meter
	dec *cbor.Decoder
}

// NewDecoder returns a Decoder that reads from r and may read ahead.
func NewDecoder(r io.Reader) *Decoder {
	src := &meter{r: r}
	return &Decoder{src: src, dec: decMode.NewDecoder(src)}
}

// Decode returns the next message. It ignores fields that it does not know. At
// the end of the stream it returns io.EOF, in the middle of a message
// io.ErrUnexpectedEOF; a *VersionError for another version; ErrTooLarge for a
// message above MaxMessage; a *MalformedError for anything else that is no
// message. After an error other than a *VersionError the stream is lost.
func (d *Decoder) Decode() (Message, error) {
	d.src.left = 2 * MaxMessage
	var raw cbor.RawMessage
	if err := d.dec.Decode(&raw); err != nil {
		return Message{}, d.readError(err)
	}
	if len(raw) > MaxMessage {
		return Message{}, ErrTooLarge
	}
	return Unmarshal(raw)
}

// readError tells what the bytes are to blame for from what the stream is.
func (d *Decoder) readError(err error) error {
	switch {
	case d.src.left <= 0:
		return ErrTooLarge
	case d.src.err != nil && (errors.Is(err, d.src.err) || errors.Is(err, io.ErrUnexpectedEOF)):
		return err
	default:
		return &MalformedError{err}
	}
}

// Unmarshal reads one message from exactly these bytes, as Decode does.
func Unmarshal(b []byte) (Message, error) {
	var m Message
	err := decMode.Unmarshal(b, &m)
	if v, ok := version(m, b, err); ok && v != Version {
		return Message{}, &VersionError{Got: v}
	}
	if err == nil {
		err = m.validate()
	}
	if err != nil {
		return Message{}, &MalformedError{err}
	}
	return m, nil
}

// version finds the version of a message, also of one that could not be read
// because another version of it looks different; ok is false if it has none.
func version(m Message, b []byte, err error) (v int, ok bool) {
	if err == nil {
		return m.Version, true
	}
	var probe struct {
		Version int `json:"version"`
	}
	if decMode.Unmarshal(b, &probe) != nil {
		return 0, false
	}
	return probe.Version, true
}

// validate refuses what would be nonsense to every reader.
func (m *Message) validate() error {
	set := 0
	for _, present := range []bool{m.Hello != nil, m.Catalog != nil, m.Flows != nil, m.Bins != nil, m.Status != nil, m.Unsent != nil, m.Refusal != nil} {
		if present {
			set++
		}
	}
	if set > 1 {
		return fmt.Errorf("%d kinds in one message", set)
	}
	if m.Hello != nil && m.Hello.Host == "" {
		return errors.New("hello without a host")
	}
	if m.Flows != nil {
		return validateFlows(m.Flows.Flows)
	}
	if m.Bins != nil {
		return validateBins(m.Bins.Bins)
	}
	return nil
}

func validateFlows(flows []flow.Flow) error {
	for i := range flows {
		f := &flows[i]
		if f.Verdict > flow.Dropped || f.ToCome > flow.Dropped || f.Direction > flow.Ingress {
			return fmt.Errorf("flow %d: verdict %d, to come %d, direction %d", i, f.Verdict, f.ToCome, f.Direction)
		}
	}
	return nil
}

func validateBins(bins []Bin) error {
	for i := range bins {
		if bins[i].Verdict > flow.Dropped || bins[i].Direction > flow.Ingress {
			return fmt.Errorf("bin %d: verdict %d, direction %d", i, bins[i].Verdict, bins[i].Direction)
		}
	}
	return nil
}

// meter hands on at most left bytes and remembers how the stream ended.
type meter struct {
	r    io.Reader
	left int
	err  error
}

// Read reads from the stream until the budget is spent.
func (m *meter) Read(p []byte) (int, error) {
	if m.left <= 0 {
		return 0, ErrTooLarge
	}
	n, err := m.r.Read(p[:min(len(p), m.left)])
	m.left -= n
	if err != nil {
		m.err = err
	}
	return n, err
}
