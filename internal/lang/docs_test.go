package lang

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var yamlBlock = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")

// TestTheReferenceIsTrue reads every example of docs/language.md.
func TestTheReferenceIsTrue(t *testing.T) {
	text, err := os.ReadFile("../../docs/language.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := yamlBlock.FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 7 {
		t.Fatalf("found %d examples; the search is broken", len(blocks))
	}
	for _, b := range blocks {
		if _, list := parseBeside(b[1]); len(list) > 0 {
			t.Errorf("an example of the reference is refused:\n%s\n%s", texts(list), b[1])
		}
	}
}

// TestTheReferenceIsWhole looks for every field that can be written.
func TestTheReferenceIsWhole(t *testing.T) {
	text, err := os.ReadFile("../../docs/language.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range strings.Fields("inventory networks labels authority targets quotas select sensitivity scope stage default ports protocol cidrs reason owner tier priority rules effect from to expect port inForce service zone external principal any workload ip file kube map fqdns http methods paths headers hosts grpc require mtls when hours days timeZone never only must rule have controls ticket approver expires at method path host template with web app data appPorts dataPorts clients database") {
		if !regexp.MustCompile(`\b` + word + `\b`).Match(text) {
			t.Errorf("docs/language.md does not speak of %q", word)
		}
	}
}
