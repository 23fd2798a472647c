package demo

import (
	"bufio"
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"firebreak/internal/wire"
)

// A recording is a gzipped file: one line of JSON, a recording, and behind it
// what the agents said, as package wire records it.
type recording struct {
	Version int       `json:"demo"`
	Time    time.Time `json:"time"`
	Report  *Report   `json:"report"`
	Story   []Line    `json:"story"`
}

const recordingVersion = 1

// builtin is the recording that is played where nothing can be run.
//
//go:embed recorded.gz
var builtin []byte

// recorder keeps what agents say, in a file of its own until it is known what
// goes before it.
type recorder struct {
	*wire.Recorder
	path  string
	begin time.Time

	mu    sync.Mutex
	spool *os.File
	size  int64
}

// Write keeps a line. Agents speak on while the recording is saved.
func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, err := r.spool.Write(p)
	r.size += int64(n)
	return n, err
}

// said returns what was said so far.
func (r *recorder) said() io.Reader {
	r.mu.Lock()
	defer r.mu.Unlock()
	return io.NewSectionReader(r.spool, 0, r.size)
}

// newRecorder makes sure that the recording can be written before anything
// begins.
func newRecorder(path string, begin time.Time) (*recorder, error) {
	spool, err := os.CreateTemp(filepath.Dir(path), ".recording-*")
	if err != nil {
		return nil, &Error{What: fmt.Sprintf("the recording %s cannot be written: %v", path, err), Do: "choose another place"}
	}
	r := &recorder{path: path, begin: begin, spool: spool}
	if r.Recorder, err = wire.NewRecorder(r, begin); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

// save writes the recording beside its place and moves it there, so that there
// is never half of one.
func (r *recorder) save(report *Report, told []Line) error {
	f, err := os.CreateTemp(filepath.Dir(r.path), ".recording-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	z, err := gzip.NewWriterLevel(f, gzip.BestCompression)
	if err != nil {
		return err
	}
	head, err := json.Marshal(recording{recordingVersion, r.begin.UTC(), report, told})
	if err == nil {
		_, err = z.Write(append(head, '\n'))
	}
	if err == nil {
		_, err = io.Copy(z, r.said())
	}
	if err := errors.Join(err, z.Close(), f.Chmod(0o644), f.Close()); err != nil {
		return fmt.Errorf("the recording %s: %w", r.path, err)
	}
	return os.Rename(f.Name(), r.path)
}

// close removes what only saving needed.
func (r *recorder) close() error { return errors.Join(r.spool.Close(), os.Remove(r.spool.Name())) }

// maxHead bounds the first line of a recording.
const maxHead = 16 << 20

// openRecording reads the head of a recording; the built-in one if path is
// empty. What the agents said is still to be read from the reader. The caller
// closes the closer.
func openRecording(path string) (*recording, io.Reader, io.Closer, error) {
	var src io.ReadCloser = io.NopCloser(bytes.NewReader(builtin))
	name := "the built-in recording"
	if path != "" {
		f, err := os.Open(path)
		if err != nil {
			return nil, nil, nil, err
		}
		src, name = f, path
	}
	r, rest, err := readHead(src)
	if err != nil {
		return nil, nil, nil, errors.Join(fmt.Errorf("%s is no recording of a demonstration: %w", name, err), src.Close())
	}
	return r, rest, src, nil
}

func readHead(src io.Reader) (*recording, io.Reader, error) {
	z, err := gzip.NewReader(src)
	if err != nil {
		return nil, nil, err
	}
	b := bufio.NewReaderSize(z, 64<<10)
	head, err := readLine(b)
	if err != nil {
		return nil, nil, err
	}
	var r recording
	if err := json.Unmarshal(head, &r); err != nil {
		return nil, nil, err
	}
	if r.Version != recordingVersion || r.Report == nil {
		return nil, nil, fmt.Errorf("version %d", r.Version)
	}
	return &r, b, nil
}

// readLine reads one line and no further.
func readLine(b *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := b.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return line, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		case len(line) > maxHead:
			return nil, errors.New("its first line is too long")
		}
	}
}
