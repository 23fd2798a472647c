package awssg_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/layer"
	"firebreak/internal/live"
	"firebreak/internal/prove"
	"firebreak/internal/target"
	"firebreak/internal/target/awssg"
	"firebreak/internal/verify"
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
{kind: Service, metadata: {name: shop}, spec: {select: tier=web, ports: [{name: https, port: 8443}]}}
---
{kind: Service, metadata: {name: orders}, spec: {select: tier=app, ports: [{name: https, port: 8444}]}}
---
{kind: Service, metadata: {name: db}, spec: {select: tier=data, ports: [{name: postgres, port: 5432}]}}
---
{kind: External, metadata: {name: office}, spec: {cidrs: [203.0.113.0/24], reason: x}}
---
{kind: External, metadata: {name: partner}, spec: {cidrs: [198.51.100.0/25, 192.0.2.64/26], reason: x}}
---
kind: Policy
metadata: {name: p}
spec:
  stage: enforce
  rules:
  - {name: office-to-shop, effect: allow, from: {external: office}, to: {service: shop}, ports: [8443/TCP, 9000-9010/TCP]}
  - {name: partner-to-orders, effect: allow, from: {external: partner}, to: {service: orders}, ports: [7000-7010/TCP, 500/UDP]}
  - {name: shop-to-orders, effect: allow, from: {service: shop}, to: {service: orders}, ports: [8444/TCP, 6000-6005/UDP]}
  - {name: orders-to-db, effect: allow, from: {service: orders}, to: {service: db}, ports: [5432/TCP]}
  - {name: orders-to-partner, effect: allow, from: {service: orders}, to: {external: partner}, ports: [443/TCP, 8000-8008/TCP]}
  - {name: shop-to-office, effect: allow, from: {service: shop}, to: {external: office}, ports: [514/UDP, 4317/TCP]}
  - {name: db-to-office, effect: allow, from: {service: db}, to: {external: office}, ports: [22/TCP]}
`

const mutatedInventory = `{kind: Workload, metadata: {name: shop-1, labels: {tier: web, net/vpc: vpc-1}}, spec: {addresses: [10.1.0.1]}}
---
{kind: Workload, metadata: {name: shop-2, labels: {tier: web, net/vpc: vpc-1}}, spec: {addresses: [10.1.0.2]}}
---
{kind: Workload, metadata: {name: orders-1, labels: {tier: app, net/vpc: vpc-1}}, spec: {addresses: [10.1.0.3]}}
---
{kind: Workload, metadata: {name: orders-2, labels: {tier: app, net/vpc: vpc-2}}, spec: {addresses: [10.2.0.3]}}
---
{kind: Workload, metadata: {name: db-1, labels: {tier: data, net/vpc: vpc-2}}, spec: {addresses: [10.2.0.4]}}
`

// block is a rule of a rendered file, as one resource would say it.
type block struct {
	file, kind, name, text string
	without                string // the file, less the rule
}

var (
	directions = regexp.MustCompile(`(?ms)^  ([a-z]+)_(from|to) = \[\n(.*?)^  \]\n`)
	headings   = regexp.MustCompile(`(?ms)^    \{ ports = "([^"]+)", protocol = "([^"]+)", from = (\d+), to = (\d+), rules = \[\n(.*?)^    \] \},\n`)
	entries    = regexp.MustCompile(`(?m)^      \{ why = "([^"]+)", peers = \{ (.*) \} \},\n`)
	named      = regexp.MustCompile(`(cidr_ipv4|referenced_security_group_id) = (?:toset\(\[|\{)(.*?)[\]}]`)
)

// blocks takes the lists apart. A peer is `"10.0.0.0/8"`, or `"shop" = aws_security_group.shop.id`.
func blocks(t *testing.T, files []target.File) []block {
	var out []block
	for _, f := range files {
		all := string(f.Data)
		for _, l := range directions.FindAllStringSubmatch(all, -1) {
			kind := "aws_vpc_security_group_" + map[string]string{"from": "ingress", "to": "egress"}[l[2]] + "_rule"
			if n := strings.Count(l[3], "rules = ["); n != len(headings.FindAllString(l[3], -1)) || n == 0 {
				t.Fatalf("%s is written in a way that is not understood:\n%s", f.Path, l[0])
			}
			for _, h := range headings.FindAllStringSubmatch(l[3], -1) {
				if strings.Count(h[5], "why") != len(entries.FindAllString(h[5], -1)) {
					t.Fatalf("%s is written in a way that is not understood:\n%s", f.Path, h[0])
				}
				for _, e := range entries.FindAllStringSubmatch(h[5], -1) {
					for _, m := range named.FindAllStringSubmatch(e[2], -1) {
						for _, peer := range strings.Split(strings.TrimSpace(m[2]), ", ") {
							_, value, byName := strings.Cut(peer, " = ")
							if !byName {
								value = peer
							}
							less := strings.NewReplacer("[, ", "[", ", ]", "]", "{ , ", "{ ", ",  }", " }").Replace(strings.Replace(m[0], peer, "", 1))
							without := strings.Replace(h[0], e[0], strings.Replace(e[0], m[0], less, 1), 1)
							out = append(out, block{
								file: f.Path, kind: kind, name: l[1] + "_" + l[2] + "_" + peer + "_" + h[1],
								without: strings.Replace(all, l[0], strings.Replace(l[0], h[0], without, 1), 1),
								text: fmt.Sprintf("resource %q \"mutant\" {\n  security_group_id = aws_security_group.%s.id\n  description = %q\n  %s = %s\n  ip_protocol = %q\n  from_port = %s\n  to_port = %s\n}\n",
									kind, l[1], e[1], m[1], value, h[2], h[3], h[4]),
							})
						}
					}
				}
			}
		}
	}
	return out
}

// argument finds an argument of a block.
func (b block) argument(name string) string {
	m := regexp.MustCompile(`(?m)^  ` + name + ` += "?([^"\n]*)"?$`).FindStringSubmatch(b.text)
	if m == nil {
		return ""
	}
	return m[1]
}

func (b block) with(name, value string) string {
	return regexp.MustCompile(`(?m)^(  `+name+` += )"?[^"\n]*"?$`).ReplaceAllString(b.text, "${1}"+value)
}

// mutant is what was made of files or of an inventory, and whether something
// else is permitted now.
type mutant struct {
	name      string
	files     fstest.MapFS
	inventory string
	differs   bool
}

// mutants makes them by the table below. Each row is a kind of change and what
// AWS's documentation says of it; where both ends of a conversation are in groups
// a rule that only one of them has permits nothing
// (docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html: inbound at
// the one, outbound at the other).
func mutants(t *testing.T, files []target.File) []mutant {
	var out []mutant
	whole := func() fstest.MapFS {
		fs := fstest.MapFS{}
		for _, f := range files {
			fs[f.Path] = &fstest.MapFile{Data: f.Data}
		}
		return fs
	}
	add := func(b block, kind, text string, differs bool) {
		if text == b.text {
			return
		}
		fs := whole()
		data := strings.Replace(string(fs[b.file].Data), b.text, text, 1)
		if b.without != "" {
			data = b.without + "\n" + text
		}
		fs[b.file] = &fstest.MapFile{Data: []byte(data)}
		out = append(out, mutant{kind + " " + b.name, fs, mutatedInventory, differs})
	}
	for _, f := range files {
		listed(block{file: f.Path, text: string(f.Data)}, add)
	}
	for _, b := range blocks(t, files) {
		cidr := b.argument("cidr_ipv4")
		outside := cidr != "" && !strings.HasSuffix(cidr, "/32")
		var from, to int
		fmt.Sscan(b.argument("from_port"), &from)
		fmt.Sscan(b.argument("to_port"), &to)
		add(b, "delete", "", true) // a rule that is not there allows nothing
		add(b, "to another protocol", b.with("ip_protocol", map[bool]string{true: `"udp"`, false: `"tcp"`}[b.argument("ip_protocol") == "tcp"]), true)
		add(b, "to all protocols", strings.ReplaceAll(strings.ReplaceAll(b.with("ip_protocol", `"-1"`), "from_port", "# from_port"), "to_port", "# to_port"), outside)
		add(b, "one port more", b.with("to_port", fmt.Sprint(to+1)), outside)
		add(b, "one port more below", b.with("from_port", fmt.Sprint(from-1)), outside)
		add(b, "all ports", strings.Replace(b.with("from_port", "0"), fmt.Sprintf("to_port = %d", to), "to_port = 65535", 1), outside)
		add(b, "another port", strings.Replace(b.with("from_port", fmt.Sprint(to+1)), fmt.Sprint(" = ", to, "\n"), fmt.Sprint(" = ", to+1, "\n"), 1), true)
		if to > from {
			add(b, "one port less", b.with("to_port", fmt.Sprint(to-1)), true)
			add(b, "one port less below", b.with("from_port", fmt.Sprint(from+1)), true)
		}
		swapped := map[string]string{"aws_vpc_security_group_ingress_rule": "aws_vpc_security_group_egress_rule", "aws_vpc_security_group_egress_rule": "aws_vpc_security_group_ingress_rule"}[b.kind]
		add(b, "the other direction", strings.Replace(b.text, b.kind, swapped, 1), true)
		for _, other := range []string{"shop", "orders", "db"} {
			id := "aws_security_group." + other + ".id"
			if _, there := whole()[strings.Split(b.file, "/")[0]+"/group_"+other+".tf"]; !there {
				continue
			}
			if b.argument("security_group_id") != id {
				add(b, "into the group "+other+":", b.with("security_group_id", id), true)
			}
			if p := b.argument("referenced_security_group_id"); p != "" && p != id {
				add(b, "about the group "+other+":", b.with("referenced_security_group_id", id), true)
			}
		}
		if cidr != "" {
			add(b, "a range in the unknown", b.with("cidr_ipv4", `"172.16.0.0/12"`), true)
			add(b, "everybody", b.with("cidr_ipv4", `"0.0.0.0/0"`), true)
		}
		if outside {
			add(b, "twice the range", strings.NewReplacer("/24", "/23", "/25", "/24", "/26", "/25").Replace(b.text), true)
			add(b, "half the range", strings.NewReplacer("/24", "/25", "/25", "/26", "/26", "/27").Replace(b.text), true)
		}
		// What nothing depends on.
		add(b, "another description", b.with("description", `"x"`), false)
		add(b, "another name", strings.Replace(b.text, `"mutant"`, `"zmutant"`, 1), false)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Path, "/main.tf") {
			continue
		}
		for _, m := range regexp.MustCompile(`(?m)^    "?([a-z0-9-]+)"? *= \[aws_security_group\.([a-z]+)\.id\]\n`).FindAllStringSubmatch(string(f.Data), -1) {
			b := block{file: f.Path, name: m[1], text: m[0]}
			add(b, "detached", "", true) // what is in no group of ours is let everything that its end can see
			for _, other := range []string{"shop", "orders", "db"} {
				if _, there := whole()[strings.Split(f.Path, "/")[0]+"/group_"+other+".tf"]; there && other != m[2] {
					add(b, "in the group "+other+" instead:", strings.Replace(m[0], "."+m[2]+".", "."+other+".", 1), true)
					add(b, "in the group "+other+" too:", strings.Replace(m[0], ".id]", ".id, aws_security_group."+other+".id]", 1), true)
				}
			}
		}
	}
	for _, tier := range []string{"web", "app", "data"} {
		for i, line := range strings.Split(mutatedInventory, "\n") {
			if strings.HasPrefix(line, "{") && !strings.Contains(line, "tier: "+tier) {
				lines := strings.Split(mutatedInventory, "\n")
				lines[i] = regexp.MustCompile("tier: [a-z]+").ReplaceAllString(line, "tier: "+tier)
				out = append(out, mutant{"labelled " + tier + ": " + line[:40], whole(), strings.Join(lines, "\n"), true})
			}
		}
	}
	for i, a := range []string{"10.1.0.1", "10.1.0.2", "10.1.0.3", "10.2.0.3", "10.2.0.4"} {
		named := false // by its address, in the other VPC
		for _, f := range files {
			named = named || strings.Contains(string(f.Data), a+"/32")
		}
		out = append(out, mutant{"another address than " + a, whole(), strings.Replace(mutatedInventory, "["+a+"]", fmt.Sprintf("[10.%d.9.9]", 1+i/3), 1), named})
	}
	return out
}

// listed makes mutants of what rules share: of the lists, and of the blocks that
// make resources of them. Where the other end is in no group, more is permitted;
// what all peers lose is permitted to none.
func listed(file block, add func(b block, kind, text string, differs bool)) {
	in := func(old, kind, text string, differs bool) {
		b := file
		b.name = strings.SplitN(strings.TrimSpace(old), "\n", 2)[0] + " in " + b.file
		add(b, kind, strings.Replace(file.text, old, text, 1), differs)
	}
	for _, h := range headings.FindAllStringSubmatch(file.text, -1) {
		outside := !strings.Contains(h[0], "/32") && !strings.Contains(h[0], ".id")
		in(h[0], "a list is lost:", "", true)
		in(h[0], "another protocol for a list:", strings.Replace(h[0], `protocol = "`+h[2], `protocol = "`+map[bool]string{true: "udp", false: "tcp"}[h[2] == "tcp"], 1), true)
		in(h[0], "more ports for a list:", strings.Replace(h[0], "to = "+h[4], "to = 65000", 1), outside)
		in(h[0], "a list has another name:", strings.Replace(h[0], `ports = "`, `ports = "x`, 1), false)
		in(h[0], "a list says no protocol:", strings.Replace(h[0], `protocol = "`+h[2]+`", `, "", 1), true)
	}
	for _, r := range regexp.MustCompile(`(?ms)^resource "aws_vpc_security_group_.*?^\}\n`).FindAllString(file.text, -1) {
		in(r, "the other direction for all:", strings.NewReplacer("_ingress_", "_egress_", "_egress_", "_ingress_").Replace(r), true)
		in(r, "no addresses:", regexp.MustCompile(`(?m)^  cidr_ipv4 .*\n`).ReplaceAllString(r, ""), true)
		in(r, "no groups:", regexp.MustCompile(`(?m)^  referenced_security_group_id .*\n`).ReplaceAllString(r, ""), true)
		in(r, "one port for all:", strings.Replace(r, "each.value.of.to", "each.value.of.from", 1), regexp.MustCompile(`_\d+-`).MatchString(between(file.text, r)))
		in(r, "into no group:", regexp.MustCompile(`(?m)^  security_group_id .*\n`).ReplaceAllString(r, ""), true)
		in(r, "all protocols for all:", strings.Replace(r, "each.value.of.protocol", `"-1"`, 1), regexp.MustCompile(`/2\d"`).MatchString(between(file.text, r)))
		in(r, "another for_each:", strings.NewReplacer("_from :", "_to :", "_to :", "_from :").Replace(r), true)
	}
}

// between is the list that a block makes rules of.
func between(text, block string) string {
	name := regexp.MustCompile(`local\.([a-z_]+)`).FindStringSubmatch(block)[1]
	_, after, _ := strings.Cut(text, "\n  "+name+" = [\n")
	list, _, _ := strings.Cut(after, "\n  ]\n")
	return list
}

func proven(t *testing.T, files fstest.MapFS, inventory string) bool {
	t.Helper()
	e := open(t, fstest.MapFS{"policy.yaml": {Data: []byte(mutatedPolicy)}, "inventory.yaml": {Data: []byte(inventory)}}, networks...)
	if files == nil {
		rendered, diags := awssg.Target{}.Render(e.wanted(false))
		if len(diags) > 0 {
			t.Fatal(diags)
		}
		files = folder(rendered)
	}
	l, diags := awssg.Target{}.Lift(&target.Source{Folder: live.Open(files), Inventory: e.policy.Inventory, Networks: e.policy.Networks, Estate: "e", Alone: true})
	if diags.HasErrors() {
		return false
	}
	r, err := prove.Prove(prove.Intent{Policy: e.policy}, []*layer.Layer{l}, prove.Options{At: noon})
	if err != nil {
		t.Fatal(err)
	}
	good := len(r.Results) == 2
	for _, x := range r.Results {
		good = good && (x.Result == prove.Exact || x.Result == prove.ExactToday)
	}
	return good
}

// TestMutants changes rendered files and the inventory, and asks the proof.
func TestMutants(t *testing.T) {
	e := open(t, fstest.MapFS{"policy.yaml": {Data: []byte(mutatedPolicy)}, "inventory.yaml": {Data: []byte(mutatedInventory)}}, networks...)
	if _, err := verify.New(e.policy, verify.Options{At: noon}); err != nil || !proven(t, nil, mutatedInventory) {
		t.Fatal("what is not changed is not proven")
	}
	files, _ := awssg.Target{}.Render(e.wanted(false))
	differ, caught, same := 0, 0, 0
	for _, m := range mutants(t, files) {
		got := proven(t, m.files, m.inventory)
		switch {
		case m.differs && got:
			t.Errorf("not caught: %s", m.name)
		case !m.differs && !got:
			t.Errorf("a false alarm: %s", m.name)
		case !m.differs:
			same++
		default:
			caught++
		}
		if m.differs {
			differ++
		}
	}
	t.Logf("%d mutants permit something else, %d of them are caught; %d permit the same, and are proven", differ, caught, same)
	if differ < 200 {
		t.Errorf("%d mutants are too few", differ)
	}
}
