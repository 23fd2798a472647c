package policy

import (
	"encoding/binary"
	"maps"
	"slices"
	"strconv"

	"firebreak/internal/inventory"
	"firebreak/internal/lang"
)

// relevant is what rules can tell workloads apart by.
type relevant struct {
	labels    []string // keys that some selector mentions, sorted
	ports     []string // port names that some rule mentions, sorted
	principal bool     // some rule mentions a principal
}

func (rel *relevant) equal(other *relevant) bool {
	return rel.principal == other.principal && slices.Equal(rel.labels, other.labels) && slices.Equal(rel.ports, other.ports)
}

// mention is what one text contributes to relevant. The lists may have repeats.
type mention struct {
	keys, ports []string
	principal   bool
}

func (s *spoken) mention() mention {
	var m mention
	for _, e := range slices.Concat(s.from.list, s.to.list) {
		m.keys = append(m.keys, e.Selector.Keys()...)
		m.principal = m.principal || e.Kind == lang.ByPrincipal
	}
	for _, p := range s.ports {
		if p.Name != "" {
			m.ports = append(m.ports, p.Name)
		}
	}
	return m
}

func (r *resolver) relevant() relevant {
	keys, ports := map[string]bool{}, map[string]bool{}
	var out relevant
	add := func(m *mention) {
		for _, k := range m.keys {
			keys[k] = true
		}
		for _, p := range m.ports {
			ports[p] = true
		}
		out.principal = out.principal || m.principal
	}
	add(&r.mentions)
	for _, rec := range r.records {
		add(&rec.mentions)
	}
	out.labels, out.ports = slices.Sorted(maps.Keys(keys)), slices.Sorted(maps.Keys(ports))
	return out
}

// key is the canonical text of everything relevant about w but its zone, which
// follows from the rest, unless the workload was assigned outright.
func (rel *relevant) key(w *inventory.Workload) string {
	var b []byte
	word := func(what, name string) {
		b = append(append(append(b, ' '), what...), name...)
	}
	for _, k := range rel.labels {
		if v, ok := w.Labels[k]; ok {
			word("label:", k)
			b = strconv.AppendQuote(append(b, '='), v)
		}
	}
	for _, name := range rel.ports {
		for _, p := range w.Ports {
			if p.Name == name {
				word("port:", strconv.Quote(name))
				b = strconv.AppendUint(append(b, '='), uint64(p.Number), 10)
				b = append(append(b, '/'), p.Protocol.String()...)
			}
		}
	}
	if rel.principal {
		for _, name := range w.Principals() {
			word("principal:", strconv.Quote(name))
		}
	}
	if w.Zone != "" {
		word("assigned:", strconv.Quote(w.Zone))
	}
	return string(b)
}

// raw appends to b what tells as much as key, and is made faster. It only means
// something beside others of the same rel.
func (rel *relevant) raw(b []byte, w *inventory.Workload) []byte {
	word := func(b []byte, what byte, s string) []byte {
		return append(binary.AppendUvarint(append(b, what), uint64(len(s))), s...)
	}
	for i, k := range rel.labels {
		if v, ok := w.Labels[k]; ok {
			b = word(binary.AppendUvarint(append(b, 'l'), uint64(i)), '=', v)
		}
	}
	for i, name := range rel.ports {
		for _, p := range w.Ports {
			if p.Name == name {
				b = binary.AppendUvarint(append(b, 'p'), uint64(i))
				b = append(b, byte(p.Number>>8), byte(p.Number), byte(p.Protocol))
			}
		}
	}
	if rel.principal {
		for _, name := range w.Principals() {
			b = word(b, 'r', name)
		}
	}
	if w.Zone != "" {
		b = word(b, 'z', w.Zone)
	}
	return b
}
