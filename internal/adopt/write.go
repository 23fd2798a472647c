package adopt

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// write renders what was found as the files of a policy directory.
func (a *adopter) write() *Policy {
	p := &Policy{Zones: len(a.zoneList), Rules: len(a.made), Notes: a.notes}
	add := func(name, text string) { p.Files = append(p.Files, File{name, []byte(text)}) }
	add("estate.yaml", a.estate())
	if len(a.labelled) > 0 {
		add("labels.yaml", a.labelText())
	}
	add("policy.yaml", a.policy())
	add("services.yaml", a.services())
	add("zones.yaml", a.zoneText())
	return p
}

func (a *adopter) estate() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# What runs here was read from the sources below. Give the estate an owner.\nkind: Estate\nmetadata: {name: %s}\nspec:\n  inventory:\n", a.o.Estate)
	for _, s := range a.o.Sources {
		fmt.Fprintf(&b, "  - {%s: %q}\n", s.Kind, s.Path)
	}
	if len(a.labelled) > 0 {
		b.WriteString("  - {file: labels.yaml}\n")
	}
	switch {
	case len(a.o.Networks) == 0:
	case a.strangersAtHome():
		fmt.Fprintf(&b, "  # Rules here speak of addresses in these networks that no workload has, as they do of the\n  # internet. Declared as networks, such addresses could do nothing: do so when that is meant.\n  # networks: [%s]\n", list(a.o.Networks))
	default:
		fmt.Fprintf(&b, "  networks: [%s]\n", list(a.o.Networks))
	}
	if len(a.o.Targets) > 0 {
		fmt.Fprintf(&b, "  targets: [%s]\n", list(a.o.Targets))
	}
	return b.String()
}

// strangersAtHome reports whether something passes from or to addresses in the
// estate's own networks that no workload has. No External means those once the
// networks are declared.
func (a *adopter) strangersAtHome() bool {
	networks := prefixes(a.o.Networks)
	asked := map[int]bool{}
	for _, x := range a.r.Edges {
		for _, end := range [2]int{x.From, x.To} {
			if a.r.Ends[end].Workloads != nil || asked[end] {
				continue
			}
			asked[end] = true
			for _, i := range a.ofEnd[end] {
				if slices.ContainsFunc(a.cidrsOf(i), func(p netip.Prefix) bool { return slices.ContainsFunc(networks, p.Overlaps) }) {
					return true
				}
			}
		}
	}
	return false
}

// labelText writes the inventory file that tells apart what no label does.
func (a *adopter) labelText() string {
	var names []string
	for n := range a.labelled {
		names = append(names, n)
	}
	slices.Sort(names)
	var b strings.Builder
	b.WriteString("# Workloads that are treated differently today although no label of theirs says so.\n")
	for i, n := range names {
		if i > 0 {
			b.WriteString("---\n")
		}
		fmt.Fprintf(&b, "kind: Workload\nmetadata: {name: %q, labels: {%s: %s}}\nspec: {}\n", n, labelKey, a.labelled[n])
	}
	return b.String()
}

func (a *adopter) zoneText() string {
	var b strings.Builder
	b.WriteString("# Zones observe: what they would drop passes, and is shown. Promote one by one to\n# stage: enforce.\n")
	first := true
	for _, z := range a.zoneList {
		if z.selector == "" {
			continue
		}
		if !first {
			b.WriteString("---\n")
		}
		first = false
		fmt.Fprintf(&b, "kind: Zone\nmetadata: {name: %s}\nspec: {select: %q, stage: observe, default: deny}\n", z.name, z.selector)
	}
	if !first {
		b.WriteString("---\n")
	}
	b.WriteString("kind: Zone\nmetadata: {name: unassigned}\nspec: {stage: observe, default: deny}\n")
	return b.String()
}

func (a *adopter) services() string {
	used := map[string]bool{}
	for _, r := range a.made {
		used[r.from], used[r.to] = true, true
	}
	var docs []string
	for _, g := range a.groups() {
		docs = append(docs, fmt.Sprintf("kind: Service\nmetadata: {name: %s}\nspec: {select: %q}\n", g.name, text([]pair{g.label})))
	}
	for i := range a.all[:a.places] {
		if x := &a.all[i]; used["{service: "+x.name+"}"] {
			docs = append(docs, fmt.Sprintf("kind: Service\nmetadata: {name: %s}\nspec: {select: %q%s}\n", x.name, x.selector, a.servedBy(x)))
		}
	}
	slices.SortFunc(a.outsides, func(x, y outside) int { return strings.Compare(x.name, y.name) })
	for _, x := range a.outsides {
		docs = append(docs, fmt.Sprintf("kind: External\nmetadata: {name: %s}\nspec: {cidrs: [%s], reason: adopted as it was found}\n", x.name, lines(x.cidrs)))
	}
	head := "# What the rules speak of.\n"
	if len(a.groups()) > 0 {
		head += "# A service by aws/group.NAME is whatever is in that security group: who joins the group\n# gets what it may. Before the group is taken away, select by a label of your own.\n"
	}
	return head + strings.Join(docs, "---\n")
}

// lines lists CIDRs, many of them one a line.
func lines(cidrs []netip.Prefix) string {
	if len(cidrs) <= 8 {
		return list(cidrs)
	}
	var b strings.Builder
	for i := range cidrs {
		b.WriteString("\n  " + list(cidrs[i:i+1]) + ",")
	}
	return b.String()
}

// servedBy writes the ports that all workloads of a service serve.
func (a *adopter) servedBy(x *atom) string {
	var ports []string
	for _, p := range a.inv.Workloads[x.workloads[0]].Ports {
		if p.Number == 0 || !p.Protocol.HasPorts() {
			continue
		}
		name := ""
		if p.Name != "" && !strings.ContainsAny(p.Name, " :#,{}[]\"'") && slug(p.Name) == p.Name {
			name = "name: " + p.Name + ", "
		}
		ports = append(ports, fmt.Sprintf("{%sport: %d, protocol: %s}", name, p.Number, p.Protocol))
	}
	if len(ports) == 0 {
		return ""
	}
	return ", ports: [" + strings.Join(ports, ", ") + "]"
}

func (a *adopter) policy() string {
	var b strings.Builder
	b.WriteString("# Every rule was found in what the estate's layers permit today. Give each a reason,\n# or take it out: check, diff and simulate say what that changes.\n")
	if len(a.made) == 0 {
		return b.String()
	}
	b.WriteString("kind: Policy\nmetadata: {name: adopted}\nspec:\n  tier: application\n  stage: observe\n  rules:\n")
	for _, r := range a.made {
		effect := "allow"
		if r.what.deny {
			effect = "deny"
		}
		fmt.Fprintf(&b, "  - name: %s\n    effect: %s\n    from: %s\n    to: %s\n", r.name, effect, r.from, r.to)
		if r.what.ports != "" {
			fmt.Fprintf(&b, "    ports: [%s]\n", r.what.ports)
		}
		if r.what.mtls {
			b.WriteString("    require: mtls\n")
		}
		if r.what.http != "" {
			fmt.Fprintf(&b, "    http: [%s]\n", r.what.http)
		}
		b.WriteString("    reason: adopted as it was found\n")
	}
	return b.String()
}
