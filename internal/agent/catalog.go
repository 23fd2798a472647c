package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/load"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/target/ebpf"
	"firebreak/internal/wire"
)

// catalog describes a policy to those who look at it.
func catalog(l *load.Loaded, dir string) *wire.Catalog {
	text := &cutter{dir: dir, lines: map[string][]string{}}
	return &wire.Catalog{
		Estate:   l.Policy.Estate,
		Zones:    zoneInfos(l.Policy),
		Services: serviceInfos(l.Policy),
		Rules:    slices.Concat(ruleInfos(l, text), defaultInfos(l.Policy, text), builtinInfos()),
	}
}

func zoneInfos(p *policy.Policy) []wire.ZoneInfo {
	out := make([]wire.ZoneInfo, 0, len(p.Zones))
	for _, z := range p.Zones {
		out = append(out, wire.ZoneInfo{
			Name: z.Name, Owner: z.Owner, Sensitivity: z.Sensitivity,
			Stage: lang.Stage(z.Stage).String(), Default: defaultWord(z.DefaultAllow),
			File: z.Pos.File, Line: z.Pos.Line,
		})
	}
	return out
}

func defaultWord(allow bool) string {
	if allow {
		return "allow"
	}
	return "deny"
}

// serviceInfos lists services, then the workloads that no service selects.
func serviceInfos(p *policy.Policy) []wire.ServiceInfo {
	out := make([]wire.ServiceInfo, 0, len(p.Services))
	for _, s := range p.Services {
		info := wire.ServiceInfo{Name: s.Name, Ports: portWords(s.Ports)}
		for _, w := range s.Workloads {
			info.Workloads = append(info.Workloads, p.Inventory.Workloads[w].Name)
			if info.Zone == "" {
				info.Zone = p.Zones[p.ZoneOf[w]].Name
			}
		}
		out = append(out, info)
	}
	for i := range p.Inventory.Workloads {
		if w := &p.Inventory.Workloads[i]; len(p.ServicesOf[i]) == 0 {
			out = append(out, wire.ServiceInfo{
				Name: w.Name, Zone: p.Zones[p.ZoneOf[i]].Name, Workloads: []string{w.Name},
				Ports: portWords(w.Ports), Loose: true,
			})
		}
	}
	return out
}

func portWords(ports []inventory.Port) []string {
	var out []string
	for _, p := range ports {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %d/%s", p.Name, p.Number, p.Protocol)))
	}
	return out
}

func ruleInfos(l *load.Loaded, text *cutter) []wire.RuleInfo {
	out := make([]wire.RuleInfo, 0, len(l.Policy.Rules))
	for i := range l.Policy.Rules {
		r := &l.Policy.Rules[i]
		info := wire.RuleInfo{
			Rule: r.Ref, Effect: lang.Effect(r.Effect).String(), Stage: lang.Stage(r.Stage).String(),
			Tier: r.Tier.String(), Ports: traffic(r).String(), Reason: r.Reason, Owner: r.Owner,
			From: r.FromText, To: r.ToText,
		}
		if r.Tier == policy.Guardrails || r.Tier == policy.Exceptions {
			info.Text = text.document(r.Ref.File, r.Ref.Line)
		} else {
			info.Text = text.rule(r.Ref)
		}
		out = append(out, info)
	}
	return out
}

func traffic(r *policy.Rule) netset.Traffic {
	var t netset.Traffic
	for _, g := range r.Grants {
		t = t.Union(g.Traffic)
	}
	return t
}

// defaultInfos lists what each zone's default may be called in a verdict: a
// zone that does not enforce yet allows in force what it will deny.
func defaultInfos(p *policy.Policy, text *cutter) []wire.RuleInfo {
	var out []wire.RuleInfo
	for i := range p.Zones {
		z := &p.Zones[i]
		words := []bool{z.DefaultAllow}
		if !z.DefaultAllow && z.Stage != policy.Enforce {
			words = append(words, true)
		}
		for _, allow := range words {
			reason := "what no rule decides in zone " + z.Name
			if allow != z.DefaultAllow {
				reason = "zone " + z.Name + " does not enforce yet"
			}
			out = append(out, wire.RuleInfo{
				Rule: ebpf.DefaultRule(z, allow), Effect: defaultWord(allow), Stage: lang.Stage(z.Stage).String(), Tier: "default",
				From: "zone " + z.Name, To: "zone " + z.Name, Ports: netset.All().String(),
				Reason: reason, Owner: z.Owner, Text: text.document(z.Pos.File, z.Pos.Line),
			})
		}
	}
	return out
}

// builtinReasons say why a host needs what is always permitted.
var builtinReasons = map[string]string{
	"loopback":             "a host talks to itself",
	"metadata":             "the cloud's instance metadata service",
	"resolver":             "the cloud's name resolver",
	"neighbour-discovery":  "ARP's successor in IPv6: without it a host finds no neighbour",
	"dhcp":                 "a host gets its address",
	"icmp-errors":          "errors that belong to a permitted conversation, path MTU among them",
	"multicast-membership": "IGMP and MLD, without which switches do not deliver neighbour discovery",
}

func builtinInfos() []wire.RuleInfo {
	var out []wire.RuleInfo
	for _, r := range layout.BuiltinRules() {
		out = append(out, wire.RuleInfo{
			Rule: r, Effect: "allow", Stage: lang.Enforce.String(), Tier: "builtin",
			From: "any", To: "any", Ports: netset.All().String(), Reason: builtinReasons[r.Rule],
		})
	}
	slices.SortFunc(out, func(a, b wire.RuleInfo) int { return strings.Compare(a.Rule.Rule, b.Rule.Rule) })
	return out
}

// cutter cuts rules out of the files that they were written in.
type cutter struct {
	dir   string
	lines map[string][]string
}

// file returns a file's lines; none if it has gone.
func (c *cutter) file(name string) []string {
	lines, ok := c.lines[name]
	if !ok && name != "" {
		text, _ := os.ReadFile(filepath.Join(c.dir, filepath.FromSlash(name)))
		lines = strings.Split(string(text), "\n")
		c.lines[name] = lines
	}
	return lines
}

// rule returns the list item that begins on the line, without its indentation
// and without the comments after it.
func (c *cutter) rule(r flow.Rule) string {
	lines := c.file(r.File)
	if r.Line < 1 || r.Line > len(lines) {
		return ""
	}
	first := lines[r.Line-1]
	indent := len(first) - len(strings.TrimLeft(first, " "))
	end := r.Line
	for end < len(lines) && (blank(lines[end]) || indentOf(lines[end]) > indent) {
		end++
	}
	return cut(lines[r.Line-1:end], indent)
}

// document returns the document that begins on or contains the line.
func (c *cutter) document(name string, line int) string {
	lines := c.file(name)
	if line < 1 || line > len(lines) {
		return ""
	}
	end := line
	for end < len(lines) && !strings.HasPrefix(lines[end], "---") {
		end++
	}
	return cut(lines[line-1:end], 0)
}

func blank(line string) bool {
	line = strings.TrimSpace(line)
	return line == "" || line[0] == '#'
}

func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

func cut(lines []string, indent int) string {
	for len(lines) > 0 && blank(lines[len(lines)-1]) {
		lines = lines[:len(lines)-1]
	}
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = strings.TrimRight(l[min(indent, indentOf(l)):], " \r")
	}
	return strings.Join(out, "\n")
}
