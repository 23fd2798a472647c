package awssg_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"

	"firebreak/internal/target"
	"firebreak/internal/target/awssg"
)

// TestWrittenAsHCLWriteWould compares every file, byte by byte, with what
// hclwrite makes of it.
func TestWrittenAsHCLWriteWould(t *testing.T) {
	check := func(files []target.File) int {
		n := 0
		for _, f := range files {
			if _, diags := hclsyntax.ParseConfig(f.Data, f.Path, hcl.InitialPos); diags.HasErrors() {
				t.Fatalf("%s: %v", f.Path, diags)
			}
			if want := hclwrite.Format(f.Data); !bytes.Equal(f.Data, want) {
				t.Fatalf("%s is\n%s\nand hclwrite writes\n%s", f.Path, f.Data, want)
			}
			n += strings.Count(string(f.Data), "why =")
		}
		return n
	}
	rules := 0
	for seed := range uint64(25) {
		w := randomEstate(t, seed).wanted(true)
		w.Policy.Estate = []string{"e", `a"b`, "${x}", "ä\n", `\`}[seed%5]
		files, _ := awssg.Target{}.Render(w)
		rules += check(files)
	}
	for _, name := range []string{"three-tier-aws", "multi-account-shop"} {
		files, _ := awssg.Target{}.Render(template(t, name).wanted(true))
		rules += check(files)
	}
	if rules < 300 {
		t.Errorf("only %d rules were compared", rules)
	}
}
