package lang

import (
	"bytes"
	"io/fs"
	"strings"

	"firebreak/internal/diag"
)

// Cache parses a directory again and again, and reads only those documents
// whose text has changed. The zero value is ready to use. It is not safe for
// concurrent use. It keeps what the last Parse used, and nothing older.
type Cache struct {
	last  map[docPlace]*part // what the Parse before this one used
	texts map[string]*part   // the same by text; nil until something is not in its old place
	now   map[docPlace]*part // what this Parse has used so far
	zones timeZones
}

// docPlace is where a document begins: in a file, behind so many lines.
type docPlace struct {
	file string
	line int
}

// part is what one document says, and everything that is wrong with it alone.
// Nothing changes in it once it has been made: its nodes have been handed out.
type part struct {
	docPlace
	text    string
	dir     *Dir // without Estate; externals include those made for a cidr
	estates []*Estate
	list    diag.List
	full    bool
	unread  bool
}

// Parse returns exactly what the function Parse returns. A document that is
// in the same place with the same text as in the last call is the same nodes
// (*Zone, *Policy, *Rule …), so that callers may compare pointers; one that
// has only moved is new nodes, as is any that has changed by a byte. Nodes
// that were handed out before are never changed.
func (c *Cache) Parse(fsys fs.FS) (*Dir, diag.List) {
	c.now = make(map[docPlace]*part, len(c.last))
	r := &reader{dir: &Dir{}, cache: c}
	d, list := r.run(fsys)
	c.last, c.texts, c.now = c.now, nil, nil
	return d, list
}

// read returns what a document says, from memory where that can be.
func (c *Cache) read(file string, doc chunk) *part {
	at := docPlace{file, doc.line}
	p := c.known(at, doc.text)
	if p == nil {
		if isEmpty(doc.text) || foreign(doc.text) {
			return nil
		}
		r := &reader{dir: &Dir{}, cache: c, file: file, line: doc.line}
		r.chunk(doc)
		p = &part{docPlace: at, dir: r.dir, estates: r.estates, list: r.list, full: r.full, unread: r.unread}
		if len(doc.text) > maxDocument {
			return p
		}
		p.text = string(doc.text)
	}
	c.now[at] = p
	return p
}

// known returns the part that had this text in the last run, moved to where it
// is now. If something was wrong with it, it is only known in its old place:
// messages name other lines in their text.
func (c *Cache) known(at docPlace, text []byte) *part {
	if p := c.last[at]; p != nil && p.text == string(text) {
		return p
	}
	p := c.byText()[string(text)]
	if p == nil {
		return nil
	}
	m := mover{at.file, at.line - p.line}
	return &part{docPlace: at, text: p.text, dir: m.dir(p.dir), estates: moveAll(m, p.estates)}
}

// byText returns what was used last by its text; of many with one text it does
// not matter which. It has only those with which nothing is wrong.
func (c *Cache) byText() map[string]*part {
	if c.texts == nil {
		c.texts = make(map[string]*part, len(c.last))
		for _, p := range c.last {
			if len(p.list) == 0 && !p.unread {
				c.texts[p.text] = p
			}
		}
	}
	return c.texts
}

// addFile cuts a file into documents and adds what each says.
func (r *reader) addFile(text []byte) {
	for _, doc := range split(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))) {
		if r.full {
			return
		}
		if p := r.cache.read(r.file, doc); p != nil {
			r.add(p)
		}
	}
}

// add appends what a document says to what those before it say.
func (r *reader) add(p *part) {
	d := r.dir
	d.Zones = append(d.Zones, p.dir.Zones...)
	d.Services = append(d.Services, p.dir.Services...)
	d.Policies = append(d.Policies, p.dir.Policies...)
	d.Guardrails = append(d.Guardrails, p.dir.Guardrails...)
	d.Exceptions = append(d.Exceptions, p.dir.Exceptions...)
	d.Cases = append(d.Cases, p.dir.Cases...)
	for _, x := range p.dir.Externals {
		if !r.madeBefore(x) {
			d.Externals = append(d.Externals, x)
		}
	}
	r.estates = append(r.estates, p.estates...)
	r.unread = r.unread || p.unread
	room := maxDiagnostics - len(r.list)
	r.full = p.full || len(p.list) > room
	r.list = append(r.list, p.list[:min(room, len(p.list))]...)
}

// madeBefore reports whether an External was made for a cidr for which there
// is one already; otherwise it is remembered.
func (r *reader) madeBefore(x *External) bool {
	if !strings.HasPrefix(x.Name, cidrPrefix) {
		return false
	}
	if r.made[x.Name] {
		return true
	}
	if r.made == nil {
		r.made = map[string]bool{}
	}
	r.made[x.Name] = true
	return false
}
