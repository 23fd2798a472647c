package flow

import "time"

// Request is what can be seen of one HTTP request. gRPC is HTTP: a call is a
// POST to /package.Service/Method.
type Request struct {
	Method  string            // as sent: upper case, by custom
	Path    string            // begins with '/'; without the query
	Host    string            // lower case, without port; may be empty
	Headers map[string]string // names in lower case; a repeated header's values joined with ", "; nil: none
}

// Circumstances are what a verdict depends on beside the two ends and the
// port. Nil HTTP is traffic that is no HTTP, or cannot be seen to be. MTLS says
// that the peer has proven its principal.
type Circumstances struct {
	At   time.Time
	HTTP *Request
	MTLS bool
}
