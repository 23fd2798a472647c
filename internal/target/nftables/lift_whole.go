package nftables

import "bytes"

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
		c, end := p.line(data, at)
		if c == nil {
			if end = endOfObject(data, at); end < 0 {
				return nil, false
			}
			if c = p.command(data[at:end]); !c.whole {
				return nil, false
			}
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

// line returns the command that is the rest of the line, if it was seen before,
// and where it ends.
func (p *parser) line(data []byte, at int) (*parsed, int) {
	end := bytes.IndexByte(data[at:], '\n')
	if end < 0 {
		return nil, -1
	}
	end += at
	if end > at && data[end-1] == ',' {
		end--
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	if c := p.known[string(data[at:end])]; c != nil && c.whole {
		return c, end
	}
	return nil, -1
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
