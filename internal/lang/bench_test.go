package lang

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
)

// BenchmarkParse reads a policy of 10,000 rules (2.2 MB of text).
func BenchmarkParse(b *testing.B) {
	text := tenThousandRules()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, list := parseText(text); len(list) > 0 {
			b.Fatal(texts(list))
		}
	}
}

// BenchmarkCache reads 10,000 rules in 500 documents again, of which one has
// changed in one rule: in 50 files, so that nothing else moves; in one, so
// that half of the rest has moved by a line.
func BenchmarkCache(b *testing.B) {
	for _, c := range []struct {
		name  string
		files int
	}{{"one changed", 50}, {"one changed, others moved", 1}} {
		b.Run(c.name, func(b *testing.B) {
			var cache Cache
			versions := [2]fs.FS{manyDocuments(c.files, ""), manyDocuments(c.files, "\n    stage: enforce")}
			if d, list := cache.Parse(versions[1]); len(list) > 0 || len(d.Policies) != 500 {
				b.Fatal(texts(list))
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if _, list := cache.Parse(versions[i%2]); len(list) > 0 {
					b.Fatal(texts(list))
				}
				i++
			}
		})
	}
}

// BenchmarkManyDocuments reads the same for the first time.
func BenchmarkManyDocuments(b *testing.B) {
	files := manyDocuments(50, "")
	b.ReportAllocs()
	for b.Loop() {
		if _, list := Parse(files); len(list) > 0 {
			b.Fatal(texts(list))
		}
	}
}

// manyDocuments are 500 policies of 20 rules; change is put into one rule in
// the middle.
func manyDocuments(files int, change string) fs.FS {
	out := fstest.MapFS{"estate.yaml": {Data: []byte(estate)}}
	for f := range files {
		var text strings.Builder
		for doc := range 500 / files {
			fmt.Fprintf(&text, "---\nkind: Policy\nmetadata: {name: p-%d-%d}\nspec:\n  rules:\n", f, doc)
			for i := range 20 {
				extra := ""
				if f == files/2 && doc == 500/files/2 && i == 10 {
					extra = change
				}
				fmt.Fprintf(&text, "  - name: rule-%d\n    effect: allow\n    from: {select: \"app=a%d,env in (prod,stage)\"}\n    to: {service: s%d}\n    ports: [http, 8080/TCP]\n    owner: team-%d\n    reason: the page needs what that service has%s\n", i, i, i, i%40, extra)
			}
		}
		out[fmt.Sprintf("p%03d.yaml", f)] = &fstest.MapFile{Data: []byte(text.String())}
	}
	return out
}

// BenchmarkCacheOfOneDocument reads 10,000 rules in one document again, of
// which one in the middle has changed: its text, or its length.
func BenchmarkCacheOfOneDocument(b *testing.B) {
	text := tenThousandRules()
	for name, change := range map[string]string{"one changed": "from: {select: \"app=b5000,", "one longer": "stage: alert\n    from: {select: \"app=a5000,"} {
		b.Run(name, func(b *testing.B) {
			var cache Cache
			versions := [2]fs.FS{
				fstest.MapFS{"p.yaml": {Data: []byte(text)}},
				fstest.MapFS{"p.yaml": {Data: []byte(strings.Replace(text, "from: {select: \"app=a5000,", change, 1))}},
			}
			cache.Parse(versions[1])
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if d, list := cache.Parse(versions[i%2]); len(list) > 0 || len(d.Policies[0].Rules) != 10_000 {
					b.Fatal(texts(list))
				}
				i++
			}
		})
	}
}
