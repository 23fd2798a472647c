package lang

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"firebreak/internal/flow"
)

const requestHelp = `a request is like "POST /api/v1/orders" or {method: POST, path: /api/v1/orders, host: shop.example, headers: {x-tenant: a}}`

// request reads the http of an expectation. It is nil, with a diagnostic, if
// it was no request.
func (r *reader) request(n *yaml.Node) *flow.Request {
	v := r.enter(n)
	if v == nil {
		return nil
	}
	q, before := &flow.Request{}, len(r.list)
	if v.Kind == yaml.ScalarNode {
		r.shortRequest(n, q)
	} else {
		r.object(n, "a request",
			need("method", func(n *yaml.Node) {
				if s, ok := r.text(n, "a method"); ok && r.method(n, s) {
					q.Method = s
				}
			}),
			need("path", func(n *yaml.Node) {
				if s, ok := r.text(n, "a path"); ok && r.path(n, s) {
					q.Path = s
				}
			}),
			may("host", func(n *yaml.Node) {
				if s, ok := r.text(n, "a host"); ok {
					q.Host, _ = r.host(n, s, false)
				}
			}),
			may("headers", func(n *yaml.Node) { q.Headers = r.requestHeaders(n) }))
	}
	if q.Method == "" || q.Path == "" || r.list[before:].HasErrors() {
		return nil
	}
	return q
}

// shortRequest reads "METHOD PATH".
func (r *reader) shortRequest(n *yaml.Node, q *flow.Request) {
	s, ok := r.text(n, "a request")
	if !ok {
		return
	}
	words := strings.Fields(s)
	if len(words) != 2 {
		r.errorf(n, "bad-request", "%q is no request", shorten(s)).WithHelp("%s", requestHelp)
		return
	}
	if r.method(n, words[0]) && r.path(n, words[1]) {
		q.Method, q.Path = words[0], words[1]
	}
}

// path reports whether s is a path that somebody may send; it is no pattern,
// and may be ambiguous, so that a Case can try one that is.
func (r *reader) path(n *yaml.Node, s string) bool {
	switch {
	case s[0] != '/':
		r.errorf(n, "bad-request", "%q is no path: a path begins with '/'", shorten(s)).WithHelp("%s", requestHelp)
	case strings.ContainsAny(s, "?#"):
		r.errorf(n, "bad-request", "%q is no path: queries and fragments are no part of it", shorten(s)).
			WithHelp("write %s; rules say nothing about the rest", shorten(s[:strings.IndexAny(s, "?#")]))
	case strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c >= 0x7f }):
		r.errorf(n, "bad-request", "%q is no path: spaces and what is not ASCII are sent percent-encoded", shorten(s))
	default:
		return true
	}
	return false
}

func (r *reader) requestHeaders(n *yaml.Node) map[string]string {
	out := map[string]string{}
	r.pairs(n, "headers", "the name of a header: its value", func(key, value *yaml.Node) {
		name, ok := r.headerName(key)
		if !ok {
			return
		}
		text, ok := r.text(value, "the value of a header")
		if _, twice := out[name]; twice {
			r.errorf(key, "duplicate-key", "the header %q is there twice", shorten(name)).
				WithHelp("names of headers are the same in upper and lower case; join repeated values with \", \"")
		} else if ok && r.headerValue(value, text) {
			out[name] = text
		}
	})
	return out
}
