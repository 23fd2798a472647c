package layout

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"firebreak/internal/flow"
)

// DumpDecisions are the decisions of local ends that all decide alike, in one
// direction, in few bytes. Text is a list, in which a semicolon ends what is said
// to some peers: their numbers, a colon, and pairs of a class and a rule, like
// "16 17: 0 -20 18 21;0: 0 -20;". A rule denies if a minus is before it; an "@"
// and an instant behind it are its Until; behind a slash stands what is said under
// the policy to come, where that is something else.
type DumpDecisions struct {
	Locals    []uint32       `json:"locals"`
	Direction flow.Direction `json:"direction"`
	Text      string         `json:"peers"`

	// Said is what Text says. ParseDump fills it.
	Said []*Said `json:"-"`
}

// Said is what an end says to some peers: entries in which only the class and what
// is decided count. Whoever reads it may not change it: where the text of peers is
// the same, all of one dump share them, and so with entries, and with both.
type Said struct {
	Peers   []uint32
	Entries []DumpEntry
}

// AppendSaid writes what is said to some peers as DumpDecisions have it; entries is
// what AppendEntries made of them. There must be a peer and an entry.
func AppendSaid(text []byte, peers []uint32, entries []byte) []byte {
	for i, n := range peers {
		if i > 0 {
			text = append(text, ' ')
		}
		text = strconv.AppendUint(text, uint64(n), 10)
	}
	return append(append(append(text, ':'), entries...), ';')
}

// AppendEntries writes the class and the decision of entries.
func AppendEntries(text []byte, entries []DumpEntry) []byte {
	for i := range entries {
		e := &entries[i]
		text = append(strconv.AppendUint(append(text, ' '), uint64(e.Class), 10), ' ')
		text = appendVerdict(text, DumpCome{e.Allow, e.Rule, e.Until})
		if e.Come != nil {
			text = appendVerdict(append(text, '/'), *e.Come)
		}
	}
	return text
}

func appendVerdict(text []byte, v DumpCome) []byte {
	if !v.Allow {
		text = append(text, '-')
	}
	text = strconv.AppendUint(text, uint64(v.Rule), 10)
	if v.Until != 0 {
		text = strconv.AppendInt(append(text, '@'), v.Until, 10)
	}
	return text
}

// each visits the decisions of those ends, one by one.
func (x *DumpDecisions) each(visit func(*DumpEntry)) {
	for _, local := range x.Locals {
		for _, s := range x.Said {
			for _, peer := range s.Peers {
				for _, e := range s.Entries {
					e.Local, e.Direction, e.Peer = local, x.Direction, peer
					visit(&e)
				}
			}
		}
	}
}

// Of lists what one of the ends says, as entries of Dump.Policy.
func (x *DumpDecisions) Of(local uint32) []DumpEntry {
	var out []DumpEntry
	one := DumpDecisions{Locals: []uint32{local}, Direction: x.Direction, Said: x.Said}
	one.each(func(e *DumpEntry) { out = append(out, *e) })
	return out
}

// among returns those of some of the ends; none if it has no Locals.
func (x DumpDecisions) among(locals map[uint32]bool) DumpDecisions {
	x.Locals = slices.DeleteFunc(slices.Clone(x.Locals), func(n uint32) bool { return !locals[n] })
	return x
}

// saidParser reads what stands often in a dump once.
type saidParser struct {
	whole   map[string]*Said
	peers   map[string][]uint32
	entries map[string][]DumpEntry
}

// parse fills Said.
func (p *saidParser) parse(x *DumpDecisions) error {
	for text := x.Text; text != ""; {
		one, rest, ended := strings.Cut(text, ";")
		text = rest
		s, err := p.one(one)
		if err == nil && !ended {
			err = errors.New("it ends early")
		}
		if err != nil {
			return fmt.Errorf("decisions of %d cannot be read: %w", x.Locals, err)
		}
		x.Said = append(x.Said, s)
	}
	return nil
}

func (p *saidParser) one(text string) (*Said, error) {
	if s, known := p.whole[text]; known {
		return s, nil
	}
	who, what, _ := strings.Cut(text, ": ")
	s := &Said{}
	var err error
	if s.Peers, err = memo(p.peers, who, readPeers); err != nil {
		return nil, err
	}
	if s.Entries, err = memo(p.entries, what, readEntries); err != nil {
		return nil, err
	}
	p.whole[text] = s
	return s, nil
}

func memo[T any](known map[string]T, text string, read func(string) (T, error)) (T, error) {
	if out, is := known[text]; is {
		return out, nil
	}
	out, err := read(text)
	if err == nil {
		known[text] = out
	}
	return out, err
}

func readPeers(text string) (out []uint32, err error) {
	for word := range strings.SplitSeq(text, " ") {
		n, err := strconv.ParseUint(word, 10, 32)
		if err != nil {
			return nil, err
		}
		out = append(out, uint32(n))
	}
	return out, nil
}

func readEntries(text string) (out []DumpEntry, err error) {
	for more := true; more; {
		var class, rule string
		class, text, _ = strings.Cut(text, " ")
		rule, text, more = strings.Cut(text, " ")
		n, err := strconv.ParseUint(class, 10, 16)
		if err != nil {
			return nil, err
		}
		now, come, differs := strings.Cut(rule, "/")
		v, err := readVerdict(now)
		if err != nil {
			return nil, err
		}
		e := DumpEntry{Class: uint16(n), Allow: v.Allow, Rule: v.Rule, Until: v.Until}
		if differs {
			if v, err = readVerdict(come); err != nil {
				return nil, err
			}
			e.Come = &v
		}
		out = append(out, e)
	}
	return out, nil
}

func readVerdict(text string) (v DumpCome, err error) {
	number, denies := strings.CutPrefix(text, "-")
	number, until, ends := strings.Cut(number, "@")
	n, err := strconv.ParseUint(number, 10, 32)
	if err == nil && ends {
		v.Until, err = strconv.ParseInt(until, 10, 64)
	}
	v.Allow, v.Rule = !denies, uint32(n)
	return v, err
}
