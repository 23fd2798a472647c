package lang

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"firebreak/internal/diag"
)

// https reads the alternatives of a rule's http.
func (r *reader) https(n *yaml.Node) []HTTP {
	out := []HTTP{} // nothing, should none of them be read
	if r.shortHTTP(n, "http: [%s]") {
		return out
	}
	r.each(n, "http", func(n *yaml.Node) {
		if h, ok := r.http(n); ok {
			out = append(out, h)
		}
	})
	return out
}

// shortHTTP refuses, with how it is written, what a Case would take for a
// request: "GET /x". It reports whether that is what was there.
func (r *reader) shortHTTP(n *yaml.Node, form string) bool {
	if n.Kind != yaml.ScalarNode {
		return false
	}
	method, path, two := strings.Cut(strings.TrimSpace(n.Value), " ")
	path = strings.TrimSpace(path)
	if !two || !slices.Contains(methods, strings.ToUpper(method)) || !strings.HasPrefix(path, "/") {
		return false
	}
	r.errorf(n, "bad-http", "an alternative of http is a mapping, not %q", shorten(n.Value)).
		WithHelp("write "+form, fmt.Sprintf("{methods: [%s], paths: [%s]}", strings.ToUpper(method), shorten(path)))
	return true
}

// http reads one alternative. ok is false, with a diagnostic, if a field of it
// was wrong: without that field it would say more than was written.
func (r *reader) http(n *yaml.Node) (h HTTP, ok bool) {
	h.Pos = r.pos(n)
	if r.shortHTTP(n, "%s") {
		return h, false
	}
	var grpc, methods, paths *yaml.Node
	fields, before := 0, len(r.list)
	field := func(name string, read func(*yaml.Node)) field {
		return may(name, func(n *yaml.Node) { fields++; read(n) })
	}
	read := r.object(n, "an alternative of http",
		field("methods", func(n *yaml.Node) { methods = n; h.Methods = r.methods(n) }),
		field("paths", func(n *yaml.Node) { paths = n; h.Paths = r.paths(n) }),
		field("hosts", func(n *yaml.Node) { h.Hosts = r.hosts(n) }),
		field("headers", func(n *yaml.Node) { h.Headers = r.headers(n) }),
		field("grpc", func(n *yaml.Node) { grpc = n }))
	switch {
	case read && fields == 0 && len(r.list) == before:
		r.errorf(n, "bad-http", "an alternative of http says nothing").
			WithHelp("give methods, paths, hosts, headers or grpc; paths: [/*] means every request")
	case grpc != nil && (methods != nil || paths != nil):
		r.errorf(grpc, "bad-grpc", "grpc already says which methods and paths are meant").
			WithHelp("leave methods and paths out, or make it an alternative of its own")
	case grpc != nil:
		h.Methods, h.Paths = []string{"POST"}, r.grpc(grpc)
	}
	return h, read && !r.list[before:].HasErrors()
}

// words calls read for every text of a list.
func (r *reader) words(n *yaml.Node, what, entry string, read func(n *yaml.Node, s string)) {
	r.each(n, what, func(n *yaml.Node) {
		if s, ok := r.text(n, entry); ok {
			read(n, s)
		}
	})
}

func (r *reader) methods(n *yaml.Node) []string {
	var out []string
	r.words(n, "methods", "a method", func(n *yaml.Node, s string) {
		if r.method(n, s) {
			out = append(out, s)
		}
	})
	slices.Sort(out)
	return slices.Compact(out)
}

// method reports whether s can be the method of a request. Methods are case-
// sensitive, and those in use are upper case: "get" would match nothing.
func (r *reader) method(n *yaml.Node, s string) bool {
	switch {
	case slices.Contains(methods, s):
		return true
	case s == "*":
		r.errorf(n, "bad-method", "\"*\" is no method").WithHelp("leave methods out to mean every method")
	case !isToken(s) || s != strings.ToUpper(s):
		r.errorf(n, "bad-method", "%q is no method", shorten(s)).WithHelp("a method is a word in upper case; %s", oneOf(s, methods))
	default:
		// What is much longer than any of them is none with a slip in it.
		near := ""
		if len(s) <= longestMethod+1 {
			near = diag.Nearest(s, methods)
		}
		if near != "" {
			r.warnAt(r.pos(n), "unusual-method", "%q is a method that no server is known to take", shorten(s)).WithHelp("did you mean %q?", near)
		}
		return true
	}
	return false
}

// longestMethod is the length of UNSUBSCRIBE.
const longestMethod = 11

// isToken reports whether s is a token of RFC 9110: a method, the name of a header.
func isToken(s string) bool {
	for i := range len(s) {
		if !isAlnum(s[i]) && strings.IndexByte("!#$%&'*+-.^_`|~", s[i]) < 0 {
			return false
		}
	}
	return s != ""
}

func (r *reader) paths(n *yaml.Node) []string {
	var out []string
	r.words(n, "paths", "a path", func(n *yaml.Node, s string) {
		if err := ValidPathPattern(s); err != nil {
			r.errorf(n, "bad-path", "%q is no pattern of paths: %v", shorten(s), err).
				WithHelp("a pattern is like /api/v1/orders, /api/*, /orders/{id}/items")
			return
		}
		out = append(out, s)
	})
	return out
}

// grpc reads calls as what they are: a POST to /package.Service/Method.
func (r *reader) grpc(n *yaml.Node) []string {
	var out []string
	r.words(n, "grpc", "a gRPC method", func(n *yaml.Node, s string) {
		service, method, _ := strings.Cut(s, "/")
		names := append(strings.Split(service, "."), method)
		if method == "*" {
			names = names[:len(names)-1]
		}
		if slices.ContainsFunc(names, func(s string) bool { return !isVariable(s) || strings.Contains(s, "-") }) {
			r.errorf(n, "bad-grpc", "%q is no gRPC method", shorten(s)).
				WithHelp("write shop.v1.Orders/Place for one method, shop.v1.Orders/* for all of a service")
			return
		}
		out = append(out, "/"+s)
	})
	return out
}

// headers reads name: [value, …] or name: true, which means that the header is
// there.
func (r *reader) headers(n *yaml.Node) []Header {
	var out []Header
	seen := map[string]bool{}
	r.pairs(n, "headers", "the name of a header: [value, …]", func(key, value *yaml.Node) {
		name, ok := r.headerName(key)
		if !ok {
			return
		}
		if seen[name] {
			r.errorf(key, "duplicate-key", "the header %q is there twice", shorten(name)).
				WithHelp("names of headers are the same in upper and lower case; give all values in one list")
			return
		}
		seen[name] = true
		if h, ok := r.header(name, value); ok {
			out = append(out, h)
		}
	})
	slices.SortFunc(out, func(a, b Header) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func (r *reader) header(name string, n *yaml.Node) (h Header, ok bool) {
	h.Name = name
	if v := r.enter(n); v == nil {
		return h, false
	} else if v.Kind == yaml.ScalarNode {
		if v.ShortTag() != "!!bool" || v.Value != "true" {
			r.errorf(n, "bad-header", "the header %q needs a list of values, not %s", shorten(name), describe(v)).
				WithHelp("write {%s: [VALUE, …]}, or {%s: true} if it only has to be there", shorten(name), shorten(name))
			return h, false
		}
		return h, true
	}
	h.Values = []string{}
	r.words(n, "the values of a header", "the value of a header", func(n *yaml.Node, s string) {
		if r.headerValue(n, s) {
			h.Values = append(h.Values, s)
		}
	})
	slices.Sort(h.Values)
	h.Values = slices.Compact(h.Values)
	return h, true
}

func (r *reader) headerValue(n *yaml.Node, s string) bool {
	if strings.ContainsAny(s, "\n\r") {
		r.errorf(n, "bad-header", "the value of a header has only one line")
		return false
	}
	return true
}

// headerName reads the name of a header in lower case: names are the same in both.
func (r *reader) headerName(n *yaml.Node) (string, bool) {
	s, ok := r.text(n, "the name of a header")
	if !ok {
		return "", false
	}
	name := strings.ToLower(s)
	switch {
	case !isToken(s):
		r.errorf(n, "bad-header", "%q is no name of a header", shorten(s)).
			WithHelp("a name has letters, digits and '-', like x-source-application")
	case name == "host":
		r.errorf(n, "bad-header", "the host is no header here").WithHelp("write hosts: [NAME] in a rule, host: NAME in a Case")
	default:
		return name, true
	}
	return "", false
}

// pairs calls read for every entry of a mapping whose keys the user chooses.
func (r *reader) pairs(n *yaml.Node, what, form string, read func(key, value *yaml.Node)) {
	n = r.enter(n)
	if n == nil {
		return
	}
	if n.Kind != yaml.MappingNode || len(n.Content) == 0 {
		r.errorf(n, "bad-value", "%s must be a mapping (%s), not %s", what, form, describe(n))
		return
	}
	for i := 0; i+1 < len(n.Content) && !r.stop(); i += 2 {
		read(n.Content[i], n.Content[i+1])
	}
}
