package cli

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"firebreak/internal/ask"
	"firebreak/internal/inventory"
	"firebreak/internal/netset"
	"firebreak/internal/semantics"
	"firebreak/internal/verify"
)

// tally counts the pairs of each answer.
func (s *survey) tally(froms, tos []kind) {
	questions := len(froms) * len(tos)
	if s.tos[0].Frontend != nil {
		questions *= fewQuestions // the reference asks about everyone
	}
	if questions > s.few && s.engine() != nil {
		s.name(froms, s.froms)
		s.name(tos, s.tos)
	}
	s.share(froms, tos)
	of := map[sameAnswer]*answers{}
	verdicts := map[sameQuestion]ask.Verdict{}
	for i := range froms {
		for j := range tos {
			from, to, n := s.pairs(froms, i, &tos[j])
			if n == 0 {
				continue
			}
			key := sameAnswer{asked: !tos[j].asked.IsEmpty()}
			switch through, ok := s.through(&froms[i], &tos[j]); {
			case ok:
				key.through = through
			case froms[i].peer == verify.None || tos[j].peer == verify.None:
				key.alone = [2]int{i + 1, j + 1}
			case key.asked:
				key.verdict = s.verdict(&froms[i], &tos[j], verdicts)
			}
			known := of[key]
			if known == nil {
				known = &answers{from: from, to: to}
				of[key] = known
				s.answers = append(s.answers, known)
			}
			known.n += n
			if cmp.Or(cmp.Compare(from, known.from), cmp.Compare(to, known.to)) < 0 {
				known.from, known.to = from, to
			}
		}
	}
}

// engine is nil where the policy tells too much apart for it.
func (s *survey) engine() *verify.Engine {
	if !s.tried {
		s.tried = true
		s.e, _ = verify.New(s.l.p, verify.Options{At: s.in.At})
	}
	return s.e
}

// name finds what the engine calls the kinds.
func (s *survey) name(kinds []kind, parties []semantics.Party) {
	for i := range kinds {
		kinds[i].peer = s.l.peer(s.e, parties[kinds[i].members[0]])
	}
}

// through tells sources apart that go to a frontend, which is the only
// destination then. Those are told the same of which every backend says the
// same, or, where that is not all there is to it, of which the same rules speak
// at every backend and at what the address is otherwise. ok is false where the
// engine cannot say.
func (s *survey) through(from, to *kind) (key string, ok bool) {
	p := s.tos[to.members[0]]
	if p.Frontend == nil || s.e == nil || from.peer == verify.None {
		return "", false
	}
	if s.behind == nil {
		s.frontends = ask.NewFrontends(s.e)
		s.behind = s.backends(p)
	}
	if p.Frontend.Rewrites == "destination" {
		if key := s.plainly(from, to); key != "" {
			return key, true
		}
	}
	text := []byte(strconv.Itoa(s.e.Zone(from.peer)))
	for _, x := range s.behind {
		text = strconv.AppendInt(append(text, ' '), int64(s.e.Class(from.peer, x)), 10)
	}
	return string(text), len(s.behind) > 0
}

// plainly is what all backends say where one port was asked about and no answer
// depends on the request; empty otherwise.
func (s *survey) plainly(from, to *kind) string {
	proto, port := semantics.First(to.asked)
	if !to.asked.Equal(netset.Of(proto, port, port)) {
		return ""
	}
	var key strings.Builder
	for _, v := range s.frontends.Judge(from.peer, s.tos[to.members[0]].Frontend, proto, port, s.in, s.inForce) {
		if v.Requests {
			return ""
		}
		fmt.Fprintf(&key, "%v;", v.Decision)
	}
	return key.String()
}

// backends are the peers behind a frontend, and what its address would be
// without it; empty if the engine knows of no such address.
func (s *survey) backends(p semantics.Party) []verify.Peer {
	f := p.Frontend
	p.Frontend = nil
	address := s.l.peer(s.e, p)
	if address == verify.None || !p.Addr.IsValid() || s.e.Unknown(address) != p.Unknown || len(s.e.Externals(address)) != len(p.Externals) {
		return []verify.Peer{}
	}
	return append(s.frontends.Backends(f), address)
}

// share finds who is a source and a destination. Who is, is of one kind of each.
func (s *survey) share(froms, tos []kind) {
	if len(s.froms)*len(s.tos) == 1 {
		return
	}
	kindOf := make(map[*inventory.Workload]int, len(s.froms))
	for i := range froms {
		for _, m := range froms[i].members {
			if w := one(s.froms[m]); w != nil {
				kindOf[w] = i
			}
		}
	}
	for j := range tos {
		for _, m := range tos[j].members {
			if i, both := kindOf[one(s.tos[m])]; both {
				tos[j].shared++
				tos[j].sharedWith = i
			}
		}
	}
}

// one is the workload that a party is, if it is one.
func one(p semantics.Party) *inventory.Workload {
	if len(p.Owners) == 1 {
		return p.Owners[0]
	}
	return nil
}

// pairs counts the pairs of two kinds, and returns the first.
func (s *survey) pairs(froms []kind, i int, to *kind) (a, b, n int) {
	from := &froms[i]
	n = len(from.members) * len(to.members)
	if to.shared == 0 || to.sharedWith != i {
		return from.members[0], to.members[0], n
	}
	for _, a = range from.members {
		for _, b = range to.members {
			if one(s.froms[a]) != one(s.tos[b]) {
				return a, b, n - to.shared
			}
		}
	}
	return 0, 0, 0
}

// sameQuestion is what verdicts depend on.
type sameQuestion struct {
	class, fromZone, toZone int
	asked                   string
}

func (s *survey) verdict(from, to *kind, known map[sameQuestion]ask.Verdict) ask.Verdict {
	q := sameQuestion{s.e.Class(from.peer, to.peer), s.e.Zone(from.peer), s.e.Zone(to.peer), to.kindKey.asked}
	v, again := known[q]
	if !again {
		v = ask.Judge(s.e, from.peer, to.peer, to.asked, s.in, s.inForce)
		if s.inForce { // by what the other policy decides makes no difference
			v.Decision.ToComeBy = 0
		} else {
			v.Decision.InForceBy = 0
		}
		known[q] = v
	}
	return v
}
