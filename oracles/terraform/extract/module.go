package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// module is one resource or data source as the package has it.
type module struct {
	kind    string // aws_vpc
	data    bool
	root    string              // the name of its class
	structs map[string][]*field // by class, in order
	forms   map[string]form     // by class and name
}

// field is what a class says of one argument.
type field struct {
	name                         string
	computed, optional, required bool
	text                         string // the code that follows
}

// form is how an argument is written in HCL.
type form struct {
	block       bool
	kind, class string // simple, list, set, map, struct; of what
}

var (
	mapped = regexp.MustCompile(`sourceMappingURL=data:application/json;base64,([A-Za-z0-9+/=]+)`)
	marker = regexp.MustCompile(`^  // (\w+) - computed: (true|false), optional: (true|false), required: (true|false)$`)
	class  = regexp.MustCompile(`^export class (\w+) extends cdktf\.(\w+)`)
	toHCL  = regexp.MustCompile(`^export function (\w+)ToHclTerraform\(`)
	kind   = regexp.MustCompile(`tfResourceType = "(\w+)"`)
	entry  = regexp.MustCompile(`(?m)^ +(\w+): \{\n +value: (.*),\n +isBlock: (true|false),\n +type: "(\w+)",\n +storageClassType: "(\w+)",`)
)

// open reads the TypeScript that a module was made of.
func open(name string) (*module, error) {
	js, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	m := &module{structs: map[string][]*field{}, forms: map[string]form{}}
	found := mapped.FindSubmatch(js)
	if found == nil {
		return m, nil // it only names others
	}
	text, err := base64.StdEncoding.DecodeString(string(found[1]))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var source struct{ SourcesContent []string }
	if err := json.Unmarshal(text, &source); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	m.read(strings.Join(source.SourcesContent, "\n"))
	return m, nil
}

// read takes the source apart into classes and what belongs to them.
func (m *module) read(source string) {
	at, from := "", 0
	lines := strings.SplitAfter(source, "\n")
	offset := 0
	end := func(to int) {
		for _, e := range entry.FindAllStringSubmatch(source[from:to], -1) {
			m.forms[at+"."+e[1]] = form{e[3] == "true" && !strings.Contains(e[2], ", false)("), e[4], e[5]}
		}
		from = to
	}
	for _, line := range lines {
		if c := class.FindStringSubmatch(line); c != nil {
			end(offset)
			at = strings.TrimSuffix(c[1], "OutputReference")
			if c[2] == "TerraformResource" || c[2] == "TerraformDataSource" {
				m.root, m.data = c[1], c[2] == "TerraformDataSource"
			}
		} else if f := toHCL.FindStringSubmatch(line); f != nil {
			end(offset)
			at = strings.ToUpper(f[1][:1]) + f[1][1:]
		} else if strings.HasPrefix(line, "export ") {
			end(offset)
			at = ""
		}
		if k := kind.FindStringSubmatch(line); k != nil {
			m.kind = k[1]
		}
		if f := marker.FindStringSubmatch(strings.TrimRight(line, "\n")); f != nil {
			m.structs[at] = append(m.structs[at], &field{name: f[1], computed: f[2] == "true", optional: f[3] == "true", required: f[4] == "true"})
		} else if n := len(m.structs[at]); n > 0 {
			m.structs[at][n-1].text += line
		}
		offset += len(line)
	}
	end(offset)
}

// deepest bounds nesting: some statements of firewalls hold themselves.
const deepest = 8

var nested = regexp.MustCompile(`= new (\w+?)(List|OutputReference|Map)\(this, "\w+"(?:, (true|false))?\)`)

// body is that of a resource, or of a block.
func (m *module) body(of string, depth int) body {
	out := body{Attributes: map[string]attribute{}, Blocks: map[string]body{}}
	for _, f := range m.structs[of] {
		x, known := m.forms[of+"."+f.name]
		if known && x.block && depth < deepest {
			b := m.body(strings.TrimSuffix(x.class, "List"), depth+1)
			b.Nesting, b.Required = x.kind, f.required
			b.One = x.kind != "struct" && strings.Contains(f.text, "OutputReference(this, ")
			if x.kind == "struct" {
				b.Nesting = "single"
			}
			out.Blocks[f.name] = b
			continue
		}
		out.Attributes[f.name] = m.attribute(of, f, depth)
	}
	return out
}

func (m *module) attribute(of string, f *field, depth int) attribute {
	a := attribute{Type: "string", Required: f.required, Optional: f.optional, Computed: f.computed}
	x, known := m.forms[of+"."+f.name]
	switch plain := simple(x); {
	case known && plain != "":
		a.Type = plain
		return a
	case strings.Contains(f.text, "new cdktf.StringMap("):
		a.Type = "map(string)"
		return a
	}
	if n := nested.FindStringSubmatch(f.text); n != nil && n[1] != "cdktf" && depth < deepest {
		a.Type, a.Of = "list(object)", map[string]attribute{}
		if n[3] == "true" || known && x.kind == "set" {
			a.Type = "set(object)"
		} else if n[2] == "OutputReference" && (!known || x.kind == "struct") {
			a.Type = "object"
		}
		for _, g := range m.structs[n[1]] {
			a.Of[g.name] = m.attribute(n[1], g, depth+1)
		}
		return a
	}
	for _, g := range [][2]string{{"tolist(this.getListAttribute", "set(string)"}, {"this.getListAttribute", "list(string)"}, {"this.getNumberAttribute", "number"}, {"this.getBooleanAttribute", "bool"}} {
		if strings.Contains(f.text, g[0]) {
			a.Type = g[1]
			break
		}
	}
	return a
}

// simple is the type of what holds no objects; empty for what does.
func simple(x form) string {
	of := map[string]string{"string": "string", "number": "number", "boolean": "bool"}
	switch x.kind {
	case "simple":
		return of[x.class]
	case "list", "set":
		if t := of[strings.TrimSuffix(x.class, "List")]; t != "" {
			return x.kind + "(" + t + ")"
		}
	case "map":
		if t := of[strings.TrimSuffix(x.class, "Map")]; t != "" {
			return "map(" + t + ")"
		}
	}
	return ""
}
