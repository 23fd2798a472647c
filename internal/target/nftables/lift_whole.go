package nftables

import (
	"bytes"
	"encoding/json"
)

// whole takes a file apart that is a list of commands without a flaw. Its bytes
// are looked at once, and commands that were seen before are not decoded. It
// reports false for every other file, which is then read with more care.
func (p *parser) whole(data []byte) (out []located, ok bool) {
	at := 0
	for _, want := range []string{"{", "\"nftables\"", ":", "["} {
		if at = blank(data, at); !bytes.HasPrefix(data[at:], []byte(want)) {
			return nil, false
		}
		at += len(want)
	}
	line, counted := 1, 0
	for {
		at = blank(data, at)
		end := endOfObject(data, at)
		if end < 0 {
			return nil, false
		}
		c := p.seen(data[at:end])
		if c == nil {
			if !json.Valid(data[at:end]) {
				return nil, false
			}
			c = p.command(data[at:end])
		}
		line += bytes.Count(data[counted:at], []byte("\n"))
		counted = at
		out = append(out, located{c, line})
		if at = blank(data, end); at == len(data) {
			return nil, false
		}
		if data[at] == ',' {
			at++
			continue
		}
		rest := bytes.Join(bytes.Fields(data[at:min(len(data), at+100)]), nil)
		return out, string(rest) == "]}" && len(data) <= at+100
	}
}

func (p *parser) seen(raw []byte) *parsed {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.known[string(raw)]
}

// blank returns the first place from at on that is not white space.
func blank(data []byte, at int) int {
	for at < len(data) && (data[at] == ' ' || data[at] == '\n' || data[at] == '\t' || data[at] == '\r') {
		at++
	}
	return at
}

// endOfObject returns the place behind the object that begins at a place, if
// one does and is valid there; otherwise some place or -1.
func endOfObject(data []byte, at int) int {
	if at >= len(data) || data[at] != '{' {
		return -1
	}
	depth := 0
	for at < len(data) {
		switch data[at] {
		case '"':
			for at++; at < len(data) && data[at] != '"'; at++ {
				if data[at] == '\\' {
					at++
				}
			}
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return at + 1
			}
		}
		at++
	}
	return -1
}
