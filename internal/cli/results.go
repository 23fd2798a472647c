package cli

import (
	"errors"
	"io"
	"sync"
	"syscall"
)

// results is standard output. It remembers what could not be written, because
// an answer that did not arrive is none; a reader that has seen enough and went
// away (such as head) is no fault. It is safe for concurrent use.
type results struct {
	w io.Writer

	mu   sync.Mutex
	gone bool // nobody reads any more
	err  error
}

// Write writes, or does nothing once nobody reads any more.
func (r *results) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gone {
		return len(p), nil
	}
	n, err := r.w.Write(p)
	switch {
	case errors.Is(err, syscall.EPIPE), errors.Is(err, io.ErrClosedPipe):
		r.gone = true
		return len(p), nil
	case err != nil && r.err == nil:
		r.err = err
	}
	return n, err
}

// failure is misuse if something could not be written, else what the verb says.
func (r *results) failure(verb error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return misusef("the results cannot be written: %v", cause(r.err))
	}
	return verb
}
