package manifest

import (
	"iter"

	"firebreak/internal/diag"
)

// batch is about how many bytes of documents are decoded at a time: enough to
// be worth handing over, few enough to bound what is decoded ahead.
const batch = 128 << 10

// ahead is how many batches are decoded at a time, or wait to be taken.
const ahead = 16

// piece is one document's text and the number (from 1) of its first line.
type piece struct {
	text string
	line int
}

// decoded is what became of some pieces.
type decoded struct {
	docs  []Document
	diags diag.List
}

// inOrder decodes the documents of a text on all processors, and yields what
// became of them in the order of the text. Nearly all time of reading a large
// inventory goes into decoding YAML.
func inOrder(name, text string) iter.Seq[decoded] {
	return func(yield func(decoded) bool) {
		// A place in the queue is a batch that is being decoded or waits to be
		// taken: the queue's length bounds both.
		queue, stop := make(chan chan decoded, ahead), make(chan struct{})
		defer close(stop)
		go func() {
			defer close(queue)
			for b := range batches(text) {
				done := make(chan decoded, 1)
				select {
				case queue <- done:
					go func() { done <- decodeAll(name, b) }()
				case <-stop:
					return
				}
			}
		}()
		for done := range queue {
			if !yield(<-done) {
				return
			}
		}
	}
}

func batches(text string) iter.Seq[[]piece] {
	return func(yield func([]piece) bool) {
		var b []piece
		size := 0
		for text, line := range split(text) {
			b, size = append(b, piece{text, line}), size+len(text)
			if size >= batch {
				if !yield(b) {
					return
				}
				b, size = nil, 0
			}
		}
		yield(b)
	}
}

func decodeAll(name string, pieces []piece) decoded {
	var out decoded
	for _, p := range pieces {
		docs, diags := decode(name, p.text, p.line-1)
		out.docs, out.diags = append(out.docs, docs...), append(out.diags, diags...)
	}
	return out
}
