// Command extract writes the schema that the stand-in provider has: names, types
// and what is required of the resources and data sources in types.txt.
//
// Its source is the npm package @cdktf/provider-aws 21.22.1 (MPL-2.0), whose code
// is generated from the schema of the real provider, version 6.25. Every module
// carries the TypeScript that it was made of in its source map, and there each
// argument has a comment like
//
//	// vpc_id - computed: true, optional: true, required: false
//
// To make schema.json anew:
//
//	npm pack @cdktf/provider-aws@21.22.1 && tar xzf cdktf-provider-aws-21.22.1.tgz
//	go run ./extract package > standin/schema.json
package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
)

//go:embed types.txt
var types string

// schema is what the stand-in reads.
type schema struct {
	Data      map[string]body `json:"data"`
	Resources map[string]body `json:"resources"`
}

type body struct {
	Attributes map[string]attribute `json:"attributes"`
	Blocks     map[string]body      `json:"blocks,omitempty"`
	Nesting    string               `json:"nesting,omitempty"`  // of a block: list, set, single
	Required   bool                 `json:"required,omitempty"` // of a block
	One        bool                 `json:"one,omitempty"`      // no more than one of a block
}

type attribute struct {
	Type     string               `json:"type"`
	Of       map[string]attribute `json:"of,omitempty"` // of objects
	Required bool                 `json:"required,omitempty"`
	Optional bool                 `json:"optional,omitempty"`
	Computed bool                 `json:"computed,omitempty"`
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: extract PACKAGE > schema.json")
	}
	wanted := map[string]bool{}
	for line := range strings.Lines(types) {
		wanted[strings.TrimSpace(line)] = true
	}
	out := schema{map[string]body{}, map[string]body{}}
	files, err := filepath.Glob(filepath.Join(os.Args[1], "lib", "*", "index.js"))
	if err != nil {
		log.Fatal(err)
	}
	for _, name := range files {
		m, err := open(name)
		if err != nil {
			log.Fatal(err)
		}
		key := m.kind
		if m.data {
			key = "data " + key
		}
		if m.kind == "" || !wanted[key] {
			continue
		}
		delete(wanted, key)
		if m.data {
			out.Data[m.kind] = m.body(m.root, 0)
		} else {
			out.Resources[m.kind] = m.body(m.root, 0)
		}
	}
	for name := range wanted {
		log.Fatalf("the package has no %s", name)
	}
	text, err := json.Marshal(out)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(text))
}
