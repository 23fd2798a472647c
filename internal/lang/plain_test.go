package lang

import (
	"os"
	"reflect"
	"testing"

	"firebreak/internal/diag"
	"firebreak/internal/plainyaml"
)

// readChunk reads one document by the YAML library alone, or first as plain.
func readChunk(text []byte, plain *plainyaml.Reader) (*Dir, diag.List, bool) {
	r := &reader{dir: &Dir{}, cache: &Cache{}, plain: plain, file: "p.yaml"}
	r.chunk(chunk{text, 3})
	return r.dir, r.list, r.whole != ""
}

// TestPlainDocumentsSayWhatTheLibrarySays reads every document of the tests in
// both ways.
func TestPlainDocumentsSayWhatTheLibrarySays(t *testing.T) {
	all := []string{everything, long("application"), tenThousandRules()}
	for _, c := range allDiagnosticCases() {
		all = append(all, c.text)
	}
	for _, name := range []string{"estate.yaml", "policy.yaml"} {
		text, err := os.ReadFile("testdata/shop/" + name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(text))
	}
	plain := 0
	for _, text := range all {
		for _, c := range split([]byte(text)) {
			d, list, wasPlain := readChunk(c.text, &plainyaml.Reader{})
			want, wantList, _ := readChunk(c.text, nil)
			if !reflect.DeepEqual(d, want) || !reflect.DeepEqual(list, wantList) {
				t.Errorf("%.500s\nplain:\n%s\nlibrary:\n%s", c.text, texts(list), texts(wantList))
			}
			if wasPlain {
				plain++
			}
		}
	}
	if plain < 50 {
		t.Errorf("%d documents are plain; the test says little", plain)
	}
}
