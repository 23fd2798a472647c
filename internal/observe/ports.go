package observe

import (
	"cmp"
	"slices"

	"firebreak/internal/netset"
)

// add counts a conversation.
func (g *graph) add(e *edge, class netset.Protocol, port uint16) {
	e.flows++
	g.sway(e)
	urgent := e.flows == 1
	if !class.HasPorts() {
		e.lumps[class-netset.ICMP]++
		urgent = urgent || e.lumps[class-netset.ICMP] == 1
		g.touch(e, urgent)
		return
	}
	i, found := e.find(class, port)
	switch {
	case found:
		e.ports[class][i].n++
	case g.ports == 0:
		e.unheld++
	default:
		g.ports--
		e.ports[class] = slices.Insert(e.ports[class], i, portCount{port, 1})
		urgent = true
	}
	g.touch(e, urgent)
}

// remove takes a conversation away again.
func (g *graph) remove(e *edge, class netset.Protocol, port uint16) {
	e.flows--
	g.sway(e)
	g.touch(e, true)
	if e.flows == 0 {
		e.first, e.last = 0, 0
	}
	if !class.HasPorts() {
		e.lumps[class-netset.ICMP]--
		return
	}
	i, found := e.find(class, port)
	if !found {
		e.unheld--
		return
	}
	if e.ports[class][i].n--; e.ports[class][i].n == 0 {
		e.ports[class] = slices.Delete(e.ports[class], i, i+1)
		g.ports++
	}
}

func (e *edge) find(class netset.Protocol, port uint16) (int, bool) {
	list := e.ports[class]
	if n := len(list); n == 0 || list[n-1].port < port {
		return n, false
	}
	return slices.BinarySearchFunc(list, port, func(c portCount, p uint16) int { return cmp.Compare(c.port, p) })
}

// traffic returns the first limit ranges of an edge's traffic (0: all) and how
// many are left out.
func (e *edge) traffic(limit int) (netset.Traffic, int) {
	var parts []netset.Traffic
	more := e.unheld
	add := func(p netset.Protocol, lo, hi uint16) {
		if limit > 0 && len(parts) >= limit {
			more++
			return
		}
		parts = append(parts, netset.Of(p, lo, hi))
	}
	for i, n := range e.lumps {
		if n > 0 {
			add(netset.ICMP+netset.Protocol(i), 0, 0)
		}
	}
	for class, list := range e.ports {
		for i := 0; i < len(list); {
			j := i
			for j+1 < len(list) && list[j+1].port == list[j].port+1 {
				j++
			}
			add(netset.Protocol(class), list[i].port, list[j].port)
			i = j + 1
		}
	}
	return union(parts), more
}

// union joins many sets by halves, which costs n log n and not n².
func union(parts []netset.Traffic) netset.Traffic {
	switch len(parts) {
	case 0:
		return netset.None()
	case 1:
		return parts[0]
	default:
		return union(parts[:len(parts)/2]).Union(union(parts[len(parts)/2:]))
	}
}
