package space

import (
	"slices"
	"strconv"
	"strings"
)

// atoms is a set of the atoms of one dimension.
type atoms []bool

func (a atoms) or(b atoms) atoms  { return a.with(b, func(x, y bool) bool { return x || y }) }
func (a atoms) and(b atoms) atoms { return a.with(b, func(x, y bool) bool { return x && y }) }
func (a atoms) not() atoms        { return a.with(a, func(x, _ bool) bool { return !x }) }

func (a atoms) with(b atoms, f func(x, y bool) bool) atoms {
	out := make(atoms, len(a))
	for i := range out {
		out[i] = f(a[i], b[i])
	}
	return out
}

// within reports whether b has all that a has.
func (a atoms) within(b atoms) bool {
	for i, x := range a {
		if x && !b[i] {
			return false
		}
	}
	return true
}

func (a atoms) none() bool { return !slices.Contains(a, true) }
func (a atoms) all() bool  { return !slices.Contains(a, false) }

// words are the atoms of something that is compared as it stands: each word
// that some condition names, behind a fixed number of other atoms.
type words struct {
	first   uint16 // the atom of the first word
	names   []string
	atoms   map[string]uint16
	another string // no word of names
}

func newWords(first uint16, names []string, others ...string) *words {
	w := &words{first: first, atoms: map[string]uint16{}}
	for _, n := range names {
		if _, known := w.atoms[n]; !known {
			w.atoms[n] = first + uint16(len(w.names))
			w.names = append(w.names, n)
		}
	}
	for i := 0; ; i++ {
		w.another = "OTHER" + strconv.Itoa(i)
		if i < len(others) {
			w.another = others[i]
		}
		if _, known := w.atoms[w.another]; !known {
			return w
		}
	}
}

// in returns the atoms of some words among size.
func (w *words) in(size int, names []string) atoms {
	out := make(atoms, size)
	for _, n := range names {
		out[w.atoms[n]] = true
	}
	return out
}

// hosts are the atoms of hosts: the names that are named, what is below each
// wildcard and not below a narrower one nor named, and all others (atom 0).
type hosts struct {
	words   []string // by atom but the first
	exact   map[string]uint16
	below   map[string]uint16 // by ".x.y"
	samples []string          // by atom
}

const otherHost = 0

func newHosts(names []string) *hosts {
	h := &hosts{exact: map[string]uint16{}, below: map[string]uint16{}}
	slices.Sort(names)
	for _, n := range slices.Compact(names) {
		h.words = append(h.words, n)
		if suffix, wild := strings.CutPrefix(n, "*"); wild && strings.HasPrefix(suffix, ".") {
			h.below[suffix] = uint16(len(h.words))
		} else {
			h.exact[n] = uint16(len(h.words))
		}
	}
	h.samples = append(h.samples, h.unnamed(""))
	for _, n := range h.words {
		if suffix, wild := strings.CutPrefix(n, "*."); wild {
			n = h.unnamed(suffix)
		}
		h.samples = append(h.samples, n)
	}
	return h
}

// unnamed returns a name right below a domain that is not named itself.
func (h *hosts) unnamed(domain string) string {
	for i := 0; ; i++ {
		name := "x" + strconv.Itoa(i)
		if i == 0 {
			name = "x"
		}
		switch {
		case domain != "":
			name += "." + domain
		case i == 0:
			name = ""
		}
		if _, named := h.exact[name]; !named {
			return name
		}
	}
}

// locate returns the atom of a host.
func (h *hosts) locate(host string) uint16 {
	if n, ok := h.exact[host]; ok {
		return n
	}
	if len(h.below) == 0 {
		return otherHost
	}
	for i := 1; i < len(host); i++ {
		if host[i] == '.' {
			if n, ok := h.below[host[i:]]; ok {
				return n
			}
		}
	}
	return otherHost
}

// in returns the atoms whose hosts meet one of the words.
func (h *hosts) in(names []string) atoms {
	out := make(atoms, len(h.samples))
	for i, host := range h.samples {
		for _, n := range names {
			suffix, wild := strings.CutPrefix(n, "*")
			wild = wild && strings.HasPrefix(suffix, ".")
			if wild && len(host) > len(suffix) && strings.HasSuffix(host, suffix) || !wild && host == n {
				out[i] = true
			}
		}
	}
	return out
}
