package nacl_test

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/layer"
	"firebreak/internal/live"
	"firebreak/internal/prove"
	"firebreak/internal/target"
	"firebreak/internal/target/nacl"
)

const mutatedPolicy = `kind: Estate
metadata: {name: e}
spec: {inventory: [{file: inventory.yaml}], networks: [10.0.0.0/8]}
---
{kind: Zone, metadata: {name: web}, spec: {select: tier=web, stage: enforce, default: deny}}
---
{kind: Zone, metadata: {name: app}, spec: {select: tier=app, stage: enforce, default: deny}}
---
{kind: Zone, metadata: {name: data}, spec: {select: tier=data, stage: enforce, default: deny}}
---
{kind: External, metadata: {name: inet}, spec: {cidrs: [0.0.0.0/0], reason: x}}
---
{kind: External, metadata: {name: office}, spec: {cidrs: [203.0.113.0/24], reason: x}}
---
kind: Policy
metadata: {name: p}
spec:
  stage: enforce
  rules:
  - {name: r1, effect: allow, from: {external: office}, to: {zone: web}, ports: [8443/TCP, 443/TCP]}
  - {name: r2, effect: allow, from: {zone: web}, to: {zone: app}, ports: [8444/TCP]}
  - {name: r3, effect: allow, from: {zone: app}, to: {zone: data}, ports: [5432/TCP]}
  - {name: r4, effect: allow, from: {zone: app}, to: {external: office}, ports: [53/UDP]}
---
{kind: Guardrail, metadata: {name: g1}, spec: {stage: enforce, never: {from: {zone: web}, to: {zone: data}}}}
---
{kind: Guardrail, metadata: {name: g2}, spec: {stage: enforce, never: {from: {external: inet}, to: {any: true}, ports: [22/TCP, 161/UDP]}}}
---
{kind: Guardrail, metadata: {name: g3}, spec: {stage: enforce, never: {from: {zone: data}, to: {external: inet}}}}
---
{kind: Guardrail, metadata: {name: g4}, spec: {stage: enforce, never: {from: {any: true}, to: {zone: app}, ports: [3306/TCP]}}}
`

const mutatedInventory = `{kind: Workload, metadata: {name: w, labels: {tier: web, net/vpc: vpc-1, net/subnet: subnet-1-0}}, spec: {addresses: [10.1.0.10]}}
---
{kind: Workload, metadata: {name: a, labels: {tier: app, net/vpc: vpc-1, net/subnet: subnet-1-1}}, spec: {addresses: [10.1.1.10]}}
---
{kind: Workload, metadata: {name: d, labels: {tier: data, net/vpc: vpc-2, net/subnet: subnet-2-0}}, spec: {addresses: [10.2.0.10]}}
`

var resources = regexp.MustCompile(`(?ms)^resource "([a-z_]+)" "([^"]+)" \{\n.*?^\}\n`)

func argument(block, name string) string {
	m := regexp.MustCompile(`(?m)^  ` + name + ` += "?([^"\n]*)"?$`).FindStringSubmatch(block)
	if m == nil {
		return ""
	}
	return m[1]
}

func set(block, name, value string) string {
	return regexp.MustCompile(`(?m)^(  `+name+` += )"?[^"\n]*"?$`).ReplaceAllString(block, "${1}"+value)
}

// A judge that knows nothing of the reader: packets against numbered entries, as
// docs.aws.amazon.com/vpc/latest/userguide/nacl-rules.html says.
type judge struct {
	entries map[string][]judged // by ACL
	acl     map[string]string   // by subnet
}

type judged struct {
	number, lo, hi, kind int
	egress, allow        bool
	proto                string
	cidr                 netip.Prefix
}

func newJudge(files fstest.MapFS) judge {
	j := judge{map[string][]judged{}, map[string]string{}}
	for _, f := range files {
		for _, m := range resources.FindAllStringSubmatch(string(f.Data), -1) {
			number := func(name string) int { n, _ := strconv.Atoi(argument(m[0], name)); return n }
			acl := strings.TrimSuffix(strings.TrimPrefix(argument(m[0], "network_acl_id"), "aws_network_acl."), ".id")
			switch m[1] {
			case "aws_network_acl_association":
				j.acl[argument(m[0], "subnet_id")] = acl
			case "aws_network_acl_rule":
				cidr := argument(m[0], "cidr_block")
				if cidr == "" {
					cidr = argument(m[0], "ipv6_cidr_block")
				}
				j.entries[acl] = append(j.entries[acl], judged{
					number("rule_number"), number("from_port"), number("to_port"), number("icmp_type"),
					argument(m[0], "egress") == "true", argument(m[0], "rule_action") == "allow", argument(m[0], "protocol"), netip.MustParsePrefix(cidr).Masked(),
				})
			}
		}
	}
	for _, list := range j.entries {
		slices.SortFunc(list, func(a, b judged) int { return a.number - b.number })
	}
	return j
}

func (j judge) passes(subnet string, egress bool, proto string, port int, peer netip.Addr) bool {
	acl, governed := j.acl[subnet]
	if !governed {
		return true
	}
	for _, e := range j.entries[acl] {
		switch {
		case e.egress != egress || !e.cidr.Contains(peer):
		case e.proto != "-1" && e.proto != proto:
		case (e.proto == "6" || e.proto == "17") && (port < e.lo || port > e.hi):
		case (e.proto == "1" || e.proto == "58") && e.kind != -1:
		default:
			return e.allow
		}
	}
	return false
}

var places = []struct{ subnet, addr string }{
	{"subnet-1-0", "10.1.0.10"}, {"subnet-1-1", "10.1.1.10"}, {"subnet-2-0", "10.2.0.10"},
	{"", "203.0.113.7"}, {"", "203.0.112.7"}, {"", "8.8.8.8"}, {"", "10.9.9.9"}, {"", "10.1.77.1"}, {"", "200.0.0.1"}, {"", "10.2.1.9"}, {"", "203.0.113.200"},
	{"", "10.200.0.1"}, {"", "11.0.0.1"}, {"", "130.0.0.1"}, {"", "2001:db8::1"}, {"", "9000::1"},
}

// outcome writes down what becomes of every conversation with a workload that is
// probed, at both ends, with its replies to several of the clients' ports.
func (j judge) outcome() string {
	var b strings.Builder
	for from, x := range places {
		for to, y := range places {
			a, z := netip.MustParseAddr(x.addr), netip.MustParseAddr(y.addr)
			if from == to || from > 2 && to > 2 || a.Is4() != z.Is4() {
				continue
			}
			for _, proto := range []string{"6", "17", "1", "132", "47"} {
				for _, port := range []int{0, 21, 22, 23, 52, 53, 54, 160, 161, 162, 443, 1023, 1024, 3305, 3306, 3307, 5431, 5432, 5433, 8443, 8444, 8445, 65534, 65535} {
					if port > 0 && proto != "6" && proto != "17" {
						continue
					}
					ok := (x.subnet == "" || j.passes(x.subnet, true, proto, port, z)) && (y.subnet == "" || j.passes(y.subnet, false, proto, port, a))
					for _, client := range []int{1024, 1025, 3306, 5432, 8443, 8444, 65534, 65535} {
						back := ok && (y.subnet == "" || j.passes(y.subnet, true, proto, client, a)) && (x.subnet == "" || j.passes(x.subnet, false, proto, client, z))
						b.WriteByte("01"[map[bool]int{true: 1}[back]])
					}
				}
			}
		}
	}
	return b.String()
}

// finding is what a proof says, in a text; "" where the files cannot be read.
func finding(t *testing.T, files fstest.MapFS, inventory string) string {
	t.Helper()
	e := open(t, fstest.MapFS{"policy.yaml": {Data: []byte(mutatedPolicy)}, "inventory.yaml": {Data: []byte(inventory)}}, networks...)
	l, diags := nacl.Target{}.Lift(&target.Source{Folder: live.Open(files), Inventory: e.policy.Inventory, Networks: e.policy.Networks, Estate: "e", Alone: true})
	if diags.HasErrors() {
		return ""
	}
	r, err := prove.Prove(prove.Intent{Policy: e.policy}, []*layer.Layer{l}, prove.Options{At: noon, Lines: 1000})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, x := range r.Results {
		fmt.Fprintln(&b, x.Point, x.Result)
		for _, o := range append(x.Over, x.Under...) {
			fmt.Fprintln(&b, o.From, o.To, o.Traffic, o.Pairs)
		}
		if x.Result == prove.Unknown {
			fmt.Fprintln(&b, x.Reason)
		}
	}
	return b.String()
}

// TestMutants changes entries and the inventory; where the judge says that
// something else passes, the proof must not say what it said before.
func TestMutants(t *testing.T) {
	e := open(t, fstest.MapFS{"policy.yaml": {Data: []byte(mutatedPolicy)}, "inventory.yaml": {Data: []byte(mutatedInventory)}}, networks...)
	rendered, diags := nacl.Target{}.Render(e.wanted(false))
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	whole := folder(rendered)
	base, was := finding(t, whole, mutatedInventory), newJudge(whole).outcome()
	differ, caught, same := 0, 0, 0
	try := func(name, file, old, text string) {
		if old == text {
			return
		}
		fs := folder(rendered)
		fs[file] = &fstest.MapFile{Data: []byte(strings.Replace(string(fs[file].Data), old, text, 1))}
		differs, now := newJudge(fs).outcome() != was, finding(t, fs, mutatedInventory)
		switch {
		case !differs:
			same++
		case now == base:
			differ++
			t.Errorf("not caught: %s\n%s", name, text)
		default:
			differ++
			caught++
		}
	}
	for _, f := range rendered {
		for _, m := range resources.FindAllStringSubmatch(string(f.Data), -1) {
			block := m[0]
			change := func(kind, argument, value string) {
				try(kind+" "+m[2], f.Path, block, set(block, argument, value))
			}
			if m[1] == "aws_network_acl_association" {
				try("no association "+m[2], f.Path, block, "")
			}
			if m[1] != "aws_network_acl_rule" {
				continue
			}
			try("delete "+m[2], f.Path, block, "")
			change("other action", "rule_action", map[string]string{"allow": `"deny"`, "deny": `"allow"`}[argument(block, "rule_action")])
			change("other direction", "egress", map[string]string{"true": "false", "false": "true"}[argument(block, "egress")])
			for _, n := range []string{"1", "20000", "32766"} {
				change("number "+n, "rule_number", n)
			}
			for _, p := range []string{`"6"`, `"17"`, `"1"`, `"132"`, `"-1"`} {
				text := set(block, "protocol", p)
				if argument(block, "from_port") == "" && (p == `"6"` || p == `"17"`) {
					text = strings.Replace(text, "  rule_number", "  from_port = 0\n  to_port = 65535\n  rule_number", 1)
				}
				if argument(block, "icmp_type") == "" && p == `"1"` {
					text = strings.Replace(text, "  rule_number", "  icmp_type = -1\n  icmp_code = -1\n  rule_number", 1)
				}
				try("protocol "+p+" "+m[2], f.Path, block, text)
			}
			if from, err := strconv.Atoi(argument(block, "from_port")); err == nil {
				to, _ := strconv.Atoi(argument(block, "to_port"))
				change("one port more", "to_port", fmt.Sprint(min(to+1, 65535)))
				change("one port more below", "from_port", fmt.Sprint(max(from-1, 0)))
				change("all ports", "to_port", "65535")
			}
			for _, c := range []string{"0.0.0.0/0", "203.0.113.0/25", "203.0.112.0/23", "10.1.0.0/16", "10.0.0.0/8"} {
				change("range "+c, "cidr_block", `"`+c+`"`)
			}
			for _, s := range []string{"subnet-1-0", "subnet-1-1", "subnet-2-0"} {
				if to := "aws_network_acl." + s + ".id"; strings.HasPrefix(f.Path, "vpc-"+s[7:8]) {
					change("into the ACL of "+s, "network_acl_id", to)
				}
			}
		}
	}
	for _, tier := range []string{"web", "app", "data"} { // what was meant is another thing then
		for i, line := range strings.Split(mutatedInventory, "\n") {
			if strings.HasPrefix(line, "{") && !strings.Contains(line, "tier: "+tier) {
				lines := strings.Split(mutatedInventory, "\n")
				lines[i] = regexp.MustCompile("tier: [a-z]+").ReplaceAllString(line, "tier: "+tier)
				differ++
				if finding(t, whole, strings.Join(lines, "\n")) == base {
					t.Errorf("not caught: %s is labelled %s", line[:40], tier)
				} else {
					caught++
				}
			}
		}
	}
	t.Logf("%d mutants let something else pass, %d of them are caught; %d let the same pass", differ, caught, same)
	if differ < 200 {
		t.Errorf("%d mutants are too few", differ)
	}
}
