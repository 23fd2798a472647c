package plan

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"firebreak/internal/inventory"
	"firebreak/internal/policy"
)

// Relay leads conversations over TCP between workloads that exchange no packets.
// The initiator sends to the relay's addresses, and the responder sees those, so
// that every other layer at either end meets the relay and not the other end.
type Relay interface {
	// Name is that of the target that it belongs to.
	Name() string
	// Prefixes are the relay's addresses, of both families.
	Prefixes() []netip.Prefix
	// From names the place from which a workload calls the relay; empty if it
	// cannot.
	From(w *inventory.Workload) string
	// To names the place where the relay finds a workload (an index into the
	// policy's inventory), and its ports that it leads to; none if to nothing.
	To(workload int) (place string, ports []RelayPort)
	// Leads reports whether it leads from a place to another.
	Leads(from, to string) bool
}

// RelayPort is a TCP port behind a relay.
type RelayPort struct {
	Number uint16
	Calls  []uint16 // ports of the relay that lead to it; ascending, never empty
}

// Relayed knows between which identities of a policy a relay leads. It is
// immutable and safe for concurrent use.
type Relayed struct {
	Relay Relay

	p        *policy.Policy
	from, to []int32       // by workload: its class, -1 for none
	fromOf   [][]int32     // by identity: the classes of its workloads
	toOf     [][]int32     // by identity
	kindOf   []int32       // by identity: see Kind
	ports    [][]RelayPort // by class of those that are called
	leads    [][]bool      // by class of callers, then of those that are called
	spoken   [2]bool       // by family: some workload that it leads from or to has an address of it
	family   [][2]bool     // by workload: families of its addresses
}

// NewRelayed asks a relay about every workload of a policy; it returns nil if
// the relay leads from nobody to nobody.
func NewRelayed(p *policy.Policy, r Relay) *Relayed {
	n := len(p.Inventory.Workloads)
	l := &Relayed{Relay: r, p: p, from: make([]int32, n), to: make([]int32, n), fromOf: make([][]int32, len(p.Identities)), toOf: make([][]int32, len(p.Identities)), kindOf: make([]int32, len(p.Identities)), family: make([][2]bool, n)}
	var callers, called []string
	froms, tos, known := map[string]int32{}, map[string]int32{}, map[alike]int32{}
	for i := range n {
		w := &p.Inventory.Workloads[i]
		l.from[i], l.to[i] = -1, -1
		if place := r.From(w); place != "" {
			l.from[i] = class(froms, &callers, place, place)
		}
		if place, ports := r.To(i); place != "" && len(ports) > 0 {
			key := alike{place, &ports[0], len(ports)}
			if t, is := known[key]; is {
				l.to[i] = t
				continue
			}
			l.to[i] = class(tos, &called, place+"\x00"+fmt.Sprint(ports), place)
			known[key] = l.to[i]
			if int(l.to[i]) == len(l.ports) {
				l.ports = append(l.ports, ports)
			}
		}
	}
	some := false
	l.leads = make([][]bool, len(callers))
	for f, from := range callers {
		l.leads[f] = make([]bool, len(called))
		for t, to := range called {
			l.leads[f][t] = r.Leads(from, to)
			some = some || l.leads[f][t]
		}
	}
	if !some {
		return nil
	}
	l.gather()
	return l
}

// alike is a place and a list of ports, known by where it is.
type alike struct {
	place string
	first *RelayPort
	n     int
}

// class numbers what has one key.
func class(known map[string]int32, list *[]string, key, place string) int32 {
	n, is := known[key]
	if !is {
		n = int32(len(*list))
		known[key] = n
		*list = append(*list, place)
	}
	return n
}

// gather notes the classes of each identity, and the families that are spoken.
// Who is led nowhere has no class.
func (l *Relayed) gather() {
	for i := range l.from {
		if f := l.from[i]; f >= 0 && !slices.Contains(l.leads[f], true) {
			l.from[i] = -1
		}
		if t := l.to[i]; t >= 0 && !slices.ContainsFunc(l.leads, func(row []bool) bool { return row[t] }) {
			l.to[i] = -1
		}
		id := l.p.IdentityOf[i]
		if f := l.from[i]; f >= 0 && !slices.Contains(l.fromOf[id], f) {
			l.fromOf[id] = append(l.fromOf[id], f)
		}
		if t := l.to[i]; t >= 0 && !slices.Contains(l.toOf[id], t) {
			l.toOf[id] = append(l.toOf[id], t)
		}
		for _, a := range l.p.Inventory.Workloads[i].Addresses {
			l.family[i][familyOf(a.Unmap())] = true
		}
		if l.from[i] >= 0 || l.to[i] >= 0 {
			l.spoken[0], l.spoken[1] = l.spoken[0] || l.family[i][0], l.spoken[1] || l.family[i][1]
		}
	}
	kinds := map[string]int32{}
	for id := range l.kindOf {
		if l.kindOf[id] = -1; len(l.fromOf[id])+len(l.toOf[id]) == 0 {
			continue
		}
		key := fmt.Sprint(l.fromOf[id], l.toOf[id])
		n, known := kinds[key]
		if !known {
			n = int32(len(kinds))
			kinds[key] = n
		}
		l.kindOf[id] = n
	}
}

func familyOf(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}

// Between lists the ports of identity to that the relay leads to from identity
// from; nil if it does not lead there. Identities are indices into the policy's.
func (l *Relayed) Between(from, to int) []RelayPort {
	var out []RelayPort
	for _, f := range l.fromOf[from] {
		for _, t := range l.toOf[to] {
			if !l.leads[f][t] {
				continue
			}
			if out == nil {
				out = l.ports[t]
				continue
			}
			for _, p := range l.ports[t] {
				out = withPort(out, p)
			}
		}
	}
	return out
}

// withPort returns a list with a port more, without changing it.
func withPort(list []RelayPort, p RelayPort) []RelayPort {
	at, known := slices.BinarySearchFunc(list, p.Number, func(x RelayPort, n uint16) int { return int(x.Number) - int(n) })
	if !known {
		return slices.Insert(slices.Clone(list), at, p)
	}
	calls := slices.Concat(list[at].Calls, p.Calls)
	slices.Sort(calls)
	if calls = slices.Compact(calls); len(calls) == len(list[at].Calls) {
		return list
	}
	out := slices.Clone(list)
	out[at].Calls = calls
	return out
}

// Kind numbers identities, in their order from 0 on, by the places from where they
// call and where they are called: two of one kind are alike to the relay. It is -1
// of one that the relay has nothing to do with.
func (l *Relayed) Kind(identity int) int { return int(l.kindOf[identity]) }

// Prefixes are the relay's addresses, of the families that are spoken by those
// that it leads from and to.
func (l *Relayed) Prefixes() []netip.Prefix { return l.of(l.spoken) }

func (l *Relayed) of(families [2]bool) []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(l.Relay.Prefixes()), func(p netip.Prefix) bool { return !families[familyOf(p.Addr())] })
}

// RelayedBy asks relays; those that lead nobody are left out. They come by name.
func RelayedBy(p *policy.Policy, relays []Relay) []*Relayed {
	var out []*Relayed
	for _, r := range relays {
		if l := NewRelayed(p, r); l != nil {
			out = append(out, l)
		}
	}
	slices.SortFunc(out, func(a, b *Relayed) int { return strings.Compare(a.Relay.Name(), b.Relay.Name()) })
	return out
}
