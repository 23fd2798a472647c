package wire

import "sync"

// queue holds messages until they are sent. It is bounded by the number of
// items (flows, bins, or 1 for any other message) and drops the oldest to make
// room, because what is newest is what people look at. It is safe for
// concurrent use.
type queue struct {
	mu     sync.Mutex
	max    int
	items  int
	list   []Message
	unsent Unsent
	wake   chan struct{} // holds one token while the queue may have something
}

func newQueue(limit int) *queue { return &queue{max: limit, wake: make(chan struct{}, 1)} }

func weight(m Message) int {
	switch {
	case m.Flows != nil:
		return max(1, len(m.Flows.Flows))
	case m.Bins != nil:
		return max(1, len(m.Bins.Bins))
	default:
		return 1
	}
}

// push appends a message and never waits.
func (q *queue) push(m Message) {
	q.mu.Lock()
	q.list = append(q.list, m)
	q.items += weight(m)
	for q.items > q.max && len(q.list) > 1 {
		q.count(q.list[0])
		q.dropFirst()
	}
	q.mu.Unlock()
	q.notify()
}

// notify wakes the sender.
func (q *queue) notify() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// dropFirst forgets the first message. The caller holds the lock.
func (q *queue) dropFirst() {
	q.items -= weight(q.list[0])
	q.list[0] = Message{}
	q.list = q.list[1:]
}

// pop takes the first message; ok is false if there is none.
func (q *queue) pop() (m Message, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.list) == 0 {
		return Message{}, false
	}
	m = q.list[0]
	q.dropFirst()
	return m, true
}

// lose counts a message that was taken but could not be sent.
func (q *queue) lose(m Message) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.count(m)
}

// count adds a message to what was not sent. The caller holds the lock.
func (q *queue) count(m Message) {
	q.unsent.Messages++
	if m.Flows != nil {
		q.unsent.Flows += uint64(len(m.Flows.Flows))
	}
	if m.Bins != nil {
		q.unsent.Bins += uint64(len(m.Bins.Bins))
	}
}

// lost returns what was dropped so far.
func (q *queue) lost() Unsent {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.unsent
}
