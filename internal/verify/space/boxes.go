package space

import (
	"slices"
	"strings"
)

// box is a set of circumstances that asks of each dimension by itself; a
// dimension that is not there is not asked for.
type box map[uint16]atoms

// boxes takes a set apart into boxes, each with what the way to the node asks
// for; ok is false if there are too many.
func (s *Space) boxes(n *node, way box) (out []box, ok bool) {
	switch n {
	case s.diagrams.no:
		return nil, true
	case s.diagrams.yes:
		return []box{way}, true
	}
	for i, k := range n.kids {
		if slices.Contains(n.kids[:i], k) {
			continue
		}
		in := make(atoms, len(n.kids))
		for j := range in {
			in[j] = n.kids[j] == k
		}
		for _, in := range apart(n.dim, in) {
			next := box{n.dim: in}
			for d, x := range way {
				next[d] = x
			}
			more, ok := s.boxes(k, next)
			if out = append(out, more...); !ok || len(out) > maxParts {
				return nil, false
			}
		}
	}
	return out, true
}

// apart keeps what is no HTTP from what is.
func apart(dim uint16, in atoms) []atoms {
	if dim != dimMethod || !in[noHTTP] {
		return []atoms{in}
	}
	out := make(atoms, len(in))
	out[noHTTP] = true
	rest := slices.Clone(in)
	rest[noHTTP] = false
	if rest.none() {
		return []atoms{out}
	}
	return []atoms{out, rest}
}

// around returns a box that has everything that is in the node's set.
func (s *Space) around(n *node) box {
	out := box{}
	seen := map[*node]bool{}
	free := map[uint16]bool{}
	var visit func(n *node, from uint16)
	visit = func(n *node, from uint16) {
		to := uint16(numDims)
		if n.kids != nil {
			to = n.dim
		}
		for d := from; d < to; d++ {
			free[d] = true
		}
		if n.kids == nil || seen[n] {
			return
		}
		seen[n] = true
		if out[n.dim] == nil {
			out[n.dim] = make(atoms, len(n.kids))
		}
		for i, k := range n.kids {
			if k != s.diagrams.no {
				out[n.dim][i] = true
				visit(k, n.dim+1)
			}
		}
	}
	visit(n, 0)
	for d := range free {
		delete(out, d)
	}
	return out
}

// box renders a box; exact is false if it had to leave out something that the
// box asks for.
func (s *Space) box(b box) (text string, exact bool) {
	exact = true
	var parts []string
	say := func(dim uint16, name func(in atoms) (string, bool)) {
		in := b[dim]
		if in == nil || in.all() {
			return
		}
		text, ok := name(in)
		if exact = exact && ok; ok && text != "" {
			parts = append(parts, text)
		}
	}
	say(dimMethod, s.nameMethods)
	paths := b[dimPath]
	say(dimPath, s.namePaths)
	say(dimHost, s.nameHosts)
	for i := range s.headers {
		say(uint16(dimHeader+i), s.headers[i].nameValues)
	}
	method := b[dimMethod]
	http := method != nil && !method[noHTTP]
	if http && len(parts) == 0 {
		parts = append(parts, "HTTP")
	}
	if http && (paths == nil || paths.all()) {
		parts = append(parts, "even ambiguous")
	}
	say(dimMTLS, func(in atoms) (string, bool) {
		if in[proven] {
			return "mtls", true
		}
		return "no mtls", true
	})
	say(dimTime, s.nameTimes)
	return strings.Join(parts, " "), exact
}

func (s *Space) nameMethods(in atoms) (string, bool) {
	if in[noHTTP] {
		return "not HTTP", slices.Index(in[1:], true) < 0
	}
	var with, without []string
	for i, m := range s.methods.names {
		if in[i+1] {
			with = append(with, m)
		} else {
			without = append(without, m)
		}
	}
	switch {
	case !in[s.otherMethod()]:
		return list(with), true
	case len(without) == 0:
		return "", true
	}
	return "(method other than " + list(without) + ")", true
}

// name is a word for a set of atoms.
type name struct {
	text string
	in   atoms
}

func (s *Space) namePaths(in atoms) (string, bool) {
	last := int(s.paths.ambiguous())
	var names []name
	for _, p := range s.paths.patterns {
		names = append(names, name{quoted(p), s.paths.in(p)[:last]})
	}
	switch plain := in[:last]; {
	case plain.none():
		return "ambiguous", true
	case plain.all():
		return "", true
	default:
		text, other, ok := say(plain, names)
		switch {
		case !ok:
			return "", false
		case other && in[last]:
			return "(path " + text + " or ambiguous)", true
		case other:
			return "(path " + text + ")", true
		case in[last]:
			return text + ",ambiguous", true
		}
		return text, true
	}
}

func (s *Space) nameHosts(in atoms) (string, bool) {
	var names []name
	for _, h := range s.hosts.words {
		names = append(names, name{quoted(h), s.hosts.in([]string{h})})
	}
	text, other, ok := say(in, names)
	if other {
		return "(host " + text + ")", ok
	}
	return "host " + text, ok
}

func (h *header) nameValues(in atoms) (string, bool) {
	var with, without []string
	for i, v := range h.values.names {
		if in[i+2] {
			with = append(with, v)
		} else {
			without = append(without, v)
		}
	}
	name := "header " + quoted(h.name)
	switch {
	case in[otherHeader] && in[absent]:
		return "(" + name + " absent or other than " + list(without) + ")", true
	case in[otherHeader] && len(without) > 0:
		return "(" + name + " other than " + list(without) + ")", true
	case in[otherHeader]:
		return name, true
	case in[absent] && len(with) == 0:
		return "no " + name, true
	case in[absent]:
		return "(" + name + " absent or " + list(with) + ")", true
	}
	return name + "=" + list(with), true
}

// nameTimes looks for windows and deadlines that hold together exactly then,
// or fail to hold.
func (s *Space) nameTimes(in atoms) (string, bool) {
	var names []name
	for i, w := range s.moments.windows {
		open := s.moments.in(i)
		names = append(names, name{windowText(w), open}, name{"outside " + windowText(w), open.not()})
	}
	for i, d := range s.moments.deadlines {
		ahead := s.moments.in(len(s.moments.windows) + i)
		names = append(names, name{untilText(d), ahead}, name{"from " + strings.TrimPrefix(untilText(d), "until ") + " on", ahead.not()})
	}
	for _, n := range names {
		if slices.Equal(n.in, in) {
			return n.text, true
		}
	}
	left := s.windowsLeft(in)
	for _, n := range left {
		if slices.Equal(n.in, in) {
			return n.text, true
		}
	}
	if any, rest := union(in, names); rest.none() {
		return "(" + texts(any, " or ") + ")", true
	}
	var parts []string
	rest := make(atoms, len(in)).not()
	for _, n := range append(left, names...) {
		if smaller := rest.and(n.in); in.within(n.in) && !slices.Equal(smaller, rest) {
			rest, parts = smaller, append(parts, n.text)
		}
	}
	return strings.Join(parts, " "), slices.Equal(rest, in)
}

// say renders a set of atoms: names whose union it is, or one name without
// others, or everything without some names, or the first and one of these; other
// says that it is no plain list of names.
func say(in atoms, names []name) (text string, other, ok bool) {
	with, rest := union(in, names)
	if rest.none() {
		return texts(with, ","), false, true
	}
	if n, ok := otherThan(in, in, names); ok {
		return n.text, true, true
	}
	n, ok := otherThan(rest, in, names)
	with = slices.DeleteFunc(with, func(x name) bool { return x.in.within(n.in) })
	return texts(with, ",") + " or " + n.text, true, ok
}

func texts(names []name, between string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = n.text
	}
	return strings.Join(out, between)
}

// union returns names whose union is the set, but for the rest.
func union(in atoms, names []name) (out []name, rest atoms) {
	rest = slices.Clone(in)
	for _, n := range names {
		if n.in.within(in) && !n.in.and(rest).none() {
			out, rest = append(out, n), rest.and(n.in.not())
		}
	}
	return out, rest
}

// otherThan finds what has all of some, and nothing that is not in: the
// narrowest name around some, without names that have nothing of it.
func otherThan(some, in atoms, names []name) (out name, ok bool) {
	out.in = make(atoms, len(in)).not()
	for _, n := range names {
		if some.within(n.in) && n.in.within(out.in) {
			out = n
		}
	}
	var without []name
	rest := out.in.and(in.not())
	for _, n := range names {
		if n.in.and(some).none() && !n.in.and(rest).none() {
			without, rest = append(without, n), rest.and(n.in.not())
			out.in = out.in.and(n.in.not())
		}
	}
	out.text = strings.TrimSpace(out.text + " other than " + texts(without, ","))
	return out, rest.none()
}
