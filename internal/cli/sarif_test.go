package cli

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"firebreak/internal/lint"
)

// TestUnwiseCodes demands that the help of a finding leads to the page that
// explains it.
func TestUnwiseCodes(t *testing.T) {
	text, err := os.ReadFile("../../docs/lint.md")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, m := range regexp.MustCompile(`(?m)^## ([a-z0-9-]+)$`).FindAllStringSubmatch(string(text), -1) {
		want = append(want, m[1])
	}
	if slices.Sort(want); !slices.Equal(want, lint.Codes) {
		t.Errorf("docs/lint.md explains\n%q, and the help leads there for\n%q", want, lint.Codes)
	}
}
