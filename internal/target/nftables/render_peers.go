package nftables

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"firebreak/internal/verify"
)

// peers is a set of addresses of one family, shared by all that speak of the
// same peers.
type peers struct {
	name string
	text string // the command that makes it
}

// peersOf are the addresses that one answer is about, by family; nil where there
// are none.
func (r *renderer) peersOf(v *verdicts, n int) [2]*peers {
	var key []byte
	for _, x := range v.of[n].peers {
		key = binary.AppendUvarint(key, uint64(x)<<2)
	}
	for f := range v.mixed {
		for _, i := range v.mixed[f][n] {
			key = binary.AppendUvarint(key, uint64(i)<<2+1+uint64(f))
		}
	}
	if known, is := r.known[string(key)]; is {
		return known
	}
	var out [2]*peers
	name := r.nameOf(v.of[n].peers)
	for f, s := range r.space {
		at := slices.Clone(v.mixed[f][n])
		for _, x := range v.of[n].peers {
			at = append(at, s.of[x]...)
		}
		if len(at) == 0 {
			continue
		}
		slices.Sort(at)
		elements, flags := s.runs(at)
		full := r.name(name + "_" + family[f])
		if c := full[0]; c < 'A' { // nft's own language wants a letter
			full = r.name("peers_" + full)
		}
		out[f] = &peers{name: full, text: object("add", "set") + `"name":"` + full + `","type":"` + keyType[f] + `",` + flags + `"elem":[` + elements + `]}}}`}
	}
	r.known[string(key)] = out
	return out
}

// runs writes stretches, neighbours as one, and what a set needs to hold them.
func (s *space) runs(at []int32) (elements, flags string) {
	var b []byte
	for i := 0; i < len(at); {
		j := i
		for j+1 < len(at) && s.stretches[at[j]].hi.Next() == s.stretches[at[j+1]].lo {
			j++
		}
		lo, hi := s.stretches[at[i]].lo, s.stretches[at[j]].hi
		if lo != hi {
			flags = `"flags":["interval"],`
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = appendAddresses(b, lo, hi)
		i = j + 1
	}
	return string(b), flags
}

// nameOf names peers by their services or externals: the first, how many more,
// and a sum of all names, so that the name stays when others come and go.
func (r *renderer) nameOf(list []verify.Peer) string {
	var names []string
	for _, x := range list {
		names = append(names, r.peerName(x))
	}
	slices.Sort(names)
	names = slices.Compact(names)
	switch len(names) {
	case 0:
		return "shared" // addresses that several have, each of which may this and more
	case 1:
		return names[0]
	}
	sum := sha256.Sum256([]byte(strings.Join(names, "\x00")))
	return names[0][:min(len(names[0]), maxName-80)] + "_and_" + strconv.Itoa(len(names)-1) + "_more_" + hex.EncodeToString(sum[:4])
}

func (r *renderer) peerName(x verify.Peer) string {
	if name, is := r.space[0].names[x]; is {
		return name
	}
	if r.w.Engine.Unknown(x) {
		return "unknown"
	}
	var in []string
	for _, i := range r.w.Engine.Externals(x) {
		in = append(in, r.w.Policy.Externals[i].Name)
	}
	if len(in) == 0 {
		return "elsewhere"
	}
	return strings.Join(in, "_")
}
