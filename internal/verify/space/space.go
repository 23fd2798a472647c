// Package space holds exact sets of traffic in circumstances: protocol × port
// × (time, whether the peer's principal is proven, the HTTP request or that
// there is none). It is an algebra and nothing else.
//
// Of each dimension, only the finitely many parts that some condition tells
// apart count: the atoms. Two circumstances with the same atoms are in the
// same sets. Sets of circumstances are decision diagrams over atoms, kept so
// that equal sets are identical; a set of traffic without conditions is what
// netset makes of it and costs no more.
package space

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
)

// What a dimension may have of atoms, and how many headers may be named.
const (
	maxAtoms   = 4096
	maxHeaders = 64
)

// TooManyError says that conditions tell more apart than is bearable.
type TooManyError struct {
	What  string // what there is too much of: "paths", "headers", "times" …
	Limit int
}

// Error returns a sentence without a full stop.
func (e *TooManyError) Error() string {
	return fmt.Sprintf("the conditions tell apart more than %d %s", e.Limit, e.What)
}

// Space is the alphabet in which sets are written: made once, of all
// conditions that are to be compared. It only ever grows tables that make its
// sets cheap; it is safe for concurrent use.
type Space struct {
	moments *moments
	methods *words // atom 0: no HTTP; behind the words one for all other methods
	paths   *paths
	hosts   *hosts
	headers []header
	given   []*policy.Condition // in the order of New, each once

	mu       sync.Mutex // guards what follows
	diagrams diagrams
	conds    map[*policy.Condition][2]*node // for allow, for deny
	terms    []term                         // nil until they are asked for
	texts    map[*node][]string             // what describe said
}

// header has atoms 0 for absent, 1 for any other value, then the values named.
type header struct {
	name   string
	values *words
}

func (h *header) size() int { return 2 + len(h.values.names) }

// New returns the Space of the conditions, of which nil ones are ignored. An
// error is always a *TooManyError.
func New(conds []*policy.Condition, h Horizon) (*Space, error) {
	conds = slices.DeleteFunc(slices.Clone(conds), func(c *policy.Condition) bool { return c == nil })
	s := &Space{conds: map[*policy.Condition][2]*node{}, texts: map[*node][]string{}}
	var err error
	if s.moments, err = newMoments(conds, h); err != nil {
		return nil, err
	}
	if err := s.alphabet(conds); err != nil {
		return nil, err
	}
	s.diagrams.start(s)
	for _, c := range conds {
		if _, known := s.conds[c]; !known {
			s.given = append(s.given, c)
			s.conds[c] = [2]*node{s.condition(c, false), s.condition(c, true)}
		}
	}
	return s, s.Err()
}

// alphabet finds the atoms of requests.
func (s *Space) alphabet(conds []*policy.Condition) error {
	var methods, patterns, hosts []string
	values := map[string][]string{}
	for _, c := range conds {
		for i := range c.HTTP {
			h := &c.HTTP[i]
			methods = append(methods, h.Methods...)
			patterns = append(patterns, h.Paths...)
			hosts = append(hosts, h.Hosts...)
			for _, x := range h.Headers {
				if _, known := values[x.Name]; !known {
					s.headers = append(s.headers, header{name: x.Name})
				}
				values[x.Name] = append(values[x.Name], x.Values...)
			}
		}
	}
	s.methods = newWords(1, methodsInOrder(methods), "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")
	s.hosts = newHosts(hosts)
	for i := range s.headers {
		slices.Sort(values[s.headers[i].name])
		s.headers[i].values = newWords(2, values[s.headers[i].name], "x", "y", "z")
		if s.headers[i].size() > maxAtoms {
			return &TooManyError{"values of header " + s.headers[i].name, maxAtoms}
		}
	}
	switch {
	case len(s.headers) > maxHeaders:
		return &TooManyError{"headers", maxHeaders}
	case len(s.methods.names) > maxAtoms-2:
		return &TooManyError{"methods", maxAtoms}
	case len(s.hosts.words) > maxAtoms-1:
		return &TooManyError{"hosts", maxAtoms}
	}
	var err error
	s.paths, err = newPaths(patterns)
	return err
}

// methodsInOrder sorts, but GET is what people look at first.
func methodsInOrder(methods []string) []string {
	slices.Sort(methods)
	if slices.Contains(methods, "GET") {
		methods = append([]string{"GET"}, methods...)
	}
	return methods
}

func (s *Space) otherMethod() int { return 1 + len(s.methods.names) }

// condition returns the circumstances that a condition speaks of.
func (s *Space) condition(c *policy.Condition, deny bool) *node {
	d := &s.diagrams
	deny = ambiguous(c, deny)
	always := d.yes
	if in := s.moments.of(c.When, c.Expires); in != nil {
		always = d.pick(dimTime, in, always)
	}
	if c.MTLS {
		always = d.pick(dimMTLS, atoms{true, false}, always)
	}
	if len(c.HTTP) == 0 {
		return always
	}
	when := d.no
	for i := range c.HTTP {
		when = d.apply(opOr, when, s.request(&c.HTTP[i], deny, always))
	}
	return when
}

// ambiguous reports whether a condition means requests with ambiguous paths.
func ambiguous(c *policy.Condition, deny bool) bool {
	switch c.Ambiguous {
	case policy.Meant:
		return true
	case policy.NotMeant:
		return false
	}
	return deny
}

// request returns the requests that an alternative speaks of, where the rest
// of the condition is met.
func (s *Space) request(h *policy.HTTP, deny bool, when *node) *node {
	d := &s.diagrams
	for i := len(s.headers) - 1; i >= 0; i-- {
		in := make(atoms, s.headers[i].size()).not()
		for _, x := range h.Headers {
			if x.Name == s.headers[i].name {
				in = in.and(s.headers[i].in(x.Values))
			}
		}
		when = d.pick(uint16(dimHeader+i), in, when)
	}
	if len(h.Hosts) > 0 {
		when = d.pick(dimHost, s.hosts.in(h.Hosts), when)
	}
	when = d.pick(dimPath, s.paths.of(h.Paths, deny), when)
	return d.pick(dimMethod, s.methodAtoms(h.Methods), when)
}

func (s *Space) methodAtoms(methods []string) atoms {
	in := s.methods.in(s.otherMethod()+1, methods)
	if len(methods) == 0 {
		in = in.not()
		in[noHTTP] = false
	}
	return in
}

// in returns the atoms of a header that is there, with one of the values if
// there are any.
func (h *header) in(values []string) atoms {
	in := h.values.in(h.size(), values)
	if len(values) == 0 {
		in = in.not()
		in[absent] = false
	}
	return in
}

// Of returns what a rule about t with that condition speaks of; a nil
// condition stands for all circumstances. With deny, requests with an
// ambiguous path are meant by a condition that has HTTP (if its other fields
// are met), otherwise not, unless it says itself what it means (Ambiguous). ok
// is false if the condition was not given to New;
// conditions are known by their addresses.
func (s *Space) Of(t netset.Traffic, c *policy.Condition, deny bool) (set Set, ok bool) {
	if c == nil {
		return Plain(t), true
	}
	when, ok := s.conds[c]
	switch {
	case !ok:
		return Set{}, false
	case deny:
		return conditioned(t, when[1]), true
	default:
		return conditioned(t, when[0]), true
	}
}

// Err returns nil as long as every set is exact. Otherwise it returns a
// *TooManyError: the sets made of the Space's conditions became too involved
// for the memory that a Space may take, and are not to be relied on.
func (s *Space) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.diagrams.full {
		return &TooManyError{"combinations of circumstances", s.diagrams.most}
	}
	return nil
}

// Point is where circumstances lie in a Space: a small comparable value. Two
// circumstances with equal Points are in the same sets of that Space.
type Point struct {
	request [dimHeader]uint16 // method, path, host
	headers string            // two bytes for each header
	peer    [numDims - dimMTLS]uint16
}

func (p *Point) atom(dim uint16) int {
	switch {
	case dim < dimHeader:
		return int(p.request[dim])
	case dim >= dimMTLS:
		return int(p.peer[dim-dimMTLS])
	}
	i := 2 * int(dim-dimHeader)
	if i+1 >= len(p.headers) {
		return absent
	}
	return int(p.headers[i]) | int(p.headers[i+1])<<8
}

// Locate returns where the circumstances lie. An instant outside the horizon
// counts as the nearest in it; a path that does not begin with a slash counts
// as ambiguous. It allocates only if there is HTTP and some condition names a
// header.
func (s *Space) Locate(c flow.Circumstances) Point {
	var p Point
	if !c.MTLS {
		p.peer[0] = unproven
	}
	p.peer[1] = uint16(s.moments.locate(c.At))
	r := c.HTTP
	if r == nil {
		return p
	}
	method, named := s.methods.atoms[r.Method]
	if !named {
		method = uint16(s.otherMethod())
	}
	p.request[dimMethod] = method
	p.request[dimPath] = s.paths.locate(r.Path)
	p.request[dimHost] = s.hosts.locate(r.Host)
	if len(s.headers) > 0 {
		p.headers = s.locateHeaders(r.Headers)
	}
	return p
}

func (s *Space) locateHeaders(headers map[string]string) string {
	out := make([]byte, 0, 2*len(s.headers))
	for i := range s.headers {
		atom := uint16(absent)
		if value, there := headers[s.headers[i].name]; there {
			var named bool
			if atom, named = s.headers[i].values.atoms[value]; !named {
				atom = otherHeader
			}
		}
		out = append(out, byte(atom), byte(atom>>8))
	}
	return string(out)
}

// from is the first instant of the horizon.
func (s *Space) from() time.Time { return s.moments.samples[0] }
