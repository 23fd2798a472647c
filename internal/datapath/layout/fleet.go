package layout

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"firebreak/internal/flow"
)

// DumpDecisions are decisions of one local end in one direction, in few bytes.
// A semicolon ends what is about one peer: its number, then pairs of a class and
// a rule, all apart by a space; rules above zero permit, those below deny. ToCome
// lists, in the same form, those that are otherwise under the policy to come.
type DumpDecisions struct {
	Local     uint32         `json:"local"`
	Direction flow.Direction `json:"direction"`
	Peers     string         `json:"peers"`
	ToCome    string         `json:"toCome,omitempty"`
}

// Shorten returns entries of one local end and direction, which are sorted by
// peer, in the short form. What that cannot say (an end in time) is the rest.
func Shorten(entries []DumpEntry) (short DumpDecisions, rest []DumpEntry) {
	short.Local, short.Direction = entries[0].Local, entries[0].Direction
	var now, come shortener
	for i := range entries {
		e := &entries[i]
		if e.Rule == 0 || e.Until != 0 || e.Come != nil && (e.Come.Rule == 0 || e.Come.Until != 0) {
			rest = append(rest, *e)
			continue
		}
		now.add(e.Peer, e.Class, e.Rule, e.Allow)
		if e.Come != nil {
			come.add(e.Peer, e.Class, e.Come.Rule, e.Come.Allow)
		}
	}
	short.Peers, short.ToCome = now.done(), come.done()
	return short, rest
}

// shortener writes the short form.
type shortener struct {
	text []byte
	peer uint32 // of which the text speaks at its end
}

func (s *shortener) add(peer uint32, class uint16, rule uint32, allow bool) {
	if len(s.text) == 0 || s.peer != peer {
		if len(s.text) > 0 {
			s.text = append(s.text, ';')
		}
		s.text = strconv.AppendUint(s.text, uint64(peer), 10)
		s.peer = peer
	}
	s.text = append(strconv.AppendUint(append(s.text, ' '), uint64(class), 10), ' ')
	if !allow {
		s.text = append(s.text, '-')
	}
	s.text = strconv.AppendUint(s.text, uint64(rule), 10)
}

func (s *shortener) done() string {
	if len(s.text) > 0 {
		s.text = append(s.text, ';')
	}
	return string(s.text)
}

// entries appends what the short form says.
func (x *DumpDecisions) entries(out []DumpEntry) ([]DumpEntry, error) {
	first := len(out)
	err := x.each(x.Peers, func(e DumpEntry) { out = append(out, e) })
	if err != nil || x.ToCome == "" {
		return out, err
	}
	at := map[[2]uint32]int{}
	for i := first; i < len(out); i++ {
		at[[2]uint32{out[i].Peer, uint32(out[i].Class)}] = i
	}
	missing := false
	err = x.each(x.ToCome, func(e DumpEntry) {
		if i, is := at[[2]uint32{e.Peer, uint32(e.Class)}]; is {
			out[i].Come = &DumpCome{Allow: e.Allow, Rule: e.Rule}
		} else {
			missing = true
		}
	})
	if missing {
		err = fmt.Errorf("a decision to come of %d has none in force", x.Local)
	}
	return out, err
}

func (x *DumpDecisions) each(text string, visit func(DumpEntry)) error {
	for text != "" {
		one, rest, ended := strings.Cut(text, ";")
		text = rest
		n, one, err := number(one, 32)
		if err == nil && (!ended || one == "") { // every peer has a decision
			err = errors.New("it ends early")
		}
		e := DumpEntry{Local: x.Local, Direction: x.Direction, Peer: n}
		for err == nil && one != "" {
			var class uint32
			if class, one, err = number(one, 16); err != nil {
				break
			}
			e.Class = uint16(class)
			one, e.Allow = strings.CutPrefix(one, "-")
			e.Allow = !e.Allow
			if e.Rule, one, err = number(one, 32); err == nil && e.Rule == 0 {
				err = errors.New("there is no rule 0")
			}
			if err == nil {
				visit(e)
			}
		}
		if err != nil {
			return fmt.Errorf("decisions of %d cannot be read: %w", x.Local, err)
		}
	}
	return nil
}

// number reads a number of so many bits and the space behind it, if more follows.
func number(text string, bits int) (n uint32, rest string, err error) {
	word, rest, more := strings.Cut(text, " ")
	if more && rest == "" {
		return 0, "", errors.New("it ends in a space")
	}
	wide, err := strconv.ParseUint(word, 10, bits)
	return uint32(wide), rest, err
}

// With returns the tables of a host whose file says only in what they are not
// those of a fleet: its addresses hold instead of the fleet's with the same
// prefix, and of the fleet's decisions it has those of its own local ends.
func (d *Dump) With(fleet *Dump) *Dump {
	out := *d
	out.Fleet = ""
	own := make(map[string]bool, len(d.Addresses))
	locals := map[uint32]bool{d.Default: true}
	for _, a := range d.Addresses {
		own[a.Prefix.String()] = true
		locals[a.Local] = true
	}
	for _, n := range d.Locals {
		locals[n] = true
	}
	for _, c := range d.Cgroups {
		locals[c.Local] = true
	}
	out.Addresses = slices.Concat(slices.DeleteFunc(slices.Clone(fleet.Addresses), func(a DumpAddress) bool { return own[a.Prefix.String()] }), d.Addresses)
	out.Classes = slices.Concat(fleet.Classes, d.Classes)
	out.Identities, out.Rules = maps.Clone(fleet.Identities), maps.Clone(fleet.Rules)
	if out.Identities == nil {
		out.Identities = map[uint32]DumpIdentity{}
	}
	maps.Copy(out.Identities, d.Identities)
	if out.Rules == nil {
		out.Rules = map[uint32]flow.Rule{}
	}
	maps.Copy(out.Rules, d.Rules)
	out.Policy = slices.Concat(slices.DeleteFunc(slices.Clone(fleet.Policy), func(e DumpEntry) bool { return !locals[e.Local] }), d.Policy)
	return &out
}
