package layer

import "firebreak/internal/netset"

// Shut is traffic that a platform has no words to let pass, to some responders
// from some initiators. That it does not pass is no fault of what was written. It
// is known from what was read and the inventory, never from what was meant; so it
// is about what could be written there at all, and a rule that could have been
// written and was not is still missed.
type Shut struct {
	Subject, Peer Match // the responders and the initiators
	Traffic       netset.Traffic
	Of            Part
	// Why says what the platform cannot do, after "stays shut: istio ".
	Why string
}

// Part is a part of the traffic between two ends, by what was meant to pass.
type Part uint8

// The parts.
const (
	// Whatever is everything.
	Whatever Part = iota
	// SomeRequests is what passes, or does not, depending on the request: all but
	// what was meant to pass whatever is requested, and what is no HTTP with it.
	SomeRequests
	// NoRequest is what is no HTTP, on ports where not all requests were meant to
	// pass.
	NoRequest
	// NotAll is everything, between ends where not all traffic was meant to pass.
	NotAll
)
