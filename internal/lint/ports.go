package lint

import (
	"fmt"
	"slices"
	"strings"

	"firebreak/internal/inventory"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
)

// servicePorts finds ports of Services that none of their workloads has. Where
// one of them does not tell its ports, nothing is known.
func (l *linter) servicePorts() {
	for i, s := range l.p.Services {
		doc := l.dir.Services[i]
		for _, p := range s.Ports {
			if l.serves(s.Workloads, p) {
				continue
			}
			whose := "its workload does not have"
			if n := len(s.Workloads); n > 1 {
				whose = fmt.Sprintf("none of its %d workloads has", n)
			}
			d := l.about(doc.Accepts, "service-port-unserved").Warnf(doc.Pos, "service-port-unserved", "service %s declares %d/%s, which %s", s.Name, p.Number, p.Protocol, whose)
			if mapped := l.mapping(s.Workloads, p.Protocol, p.Number); mapped != "" {
				d.WithHelp("%s; rules and Services mean the port that workloads listen on", mapped)
			} else {
				d.WithHelp("write the port that they listen on (in Kubernetes the containerPort), or add it to the inventory")
			}
		}
	}
}

// serves reports whether one of the workloads has the port, or may have it.
func (l *linter) serves(workloads []int, p inventory.Port) bool {
	for _, w := range workloads {
		has := l.p.Inventory.Workloads[w].Ports
		if len(has) == 0 || slices.ContainsFunc(has, func(h inventory.Port) bool { return h.Protocol == p.Protocol && h.Number == p.Number }) {
			return true
		}
	}
	return len(workloads) == 0
}

// mapping says which frontend before one of the workloads (ascending) leads from
// that port to another, "" if none does: the number was then taken from the
// wrong side.
func (l *linter) mapping(workloads []int, proto netset.Protocol, number uint16) string {
	for i := range l.p.Inventory.Frontends {
		f := &l.p.Inventory.Frontends[i]
		for _, p := range f.Ports {
			if p.Protocol != proto || p.Number != number || p.TargetName == "" && p.Target == number {
				continue
			}
			for _, w := range l.behind(i) {
				if _, wanted := slices.BinarySearch(workloads, w); !wanted {
					continue
				}
				if to := l.target(p, w); to != 0 && to != number {
					return fmt.Sprintf("%s maps %d to %d", frontendName(f), number, to)
				}
			}
		}
	}
	return ""
}

// behind lists the workloads behind a frontend. It is worked out for all of
// them when it is first asked for.
func (l *linter) behind(frontend int) []int {
	if l.behindAll == nil {
		find := l.p.Behind()
		l.behindAll = make([][]int, len(l.p.Inventory.Frontends))
		for i := range l.p.Inventory.Frontends {
			l.behindAll[i] = find.Workloads(&l.p.Inventory.Frontends[i])
		}
	}
	return l.behindAll[frontend]
}

// target is the port of the workload that a port of a frontend leads to; 0 if
// nothing is known of it.
func (l *linter) target(p inventory.FrontendPort, w int) uint16 {
	if p.TargetName == "" {
		return p.Target
	}
	for _, h := range l.p.Inventory.Workloads[w].Ports {
		if h.Name == p.TargetName && h.Protocol == p.Protocol {
			return h.Number
		}
	}
	return 0
}

func frontendName(f *inventory.Frontend) string {
	if name, found := strings.CutSuffix(f.Name, "[Service]"); found {
		return "Kubernetes Service " + name
	}
	return "frontend " + f.Name
}

// members lists the workloads of identities, ascending.
func (l *linter) members(identities []int) []int {
	var out []int
	for _, id := range identities {
		out = append(out, l.p.Identities[id].Workloads...)
	}
	slices.Sort(out)
	return out
}

// mappingOf is mapping for the first port of traffic that some frontend leads
// to another.
func (l *linter) mappingOf(g *policy.Grant, open netset.Traffic) string {
	workloads := l.members(g.To.Identities)
	for proto := range netset.NumProtocols {
		for _, run := range open.Ranges(proto) {
			for n := int(run.Lo); proto.HasPorts() && n <= int(run.Hi); n++ {
				if text := l.mapping(workloads, proto, uint16(n)); text != "" {
					return text
				}
			}
		}
	}
	return ""
}
