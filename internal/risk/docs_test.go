package risk

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestDocsHaveTheTables demands that docs/risk.md says what the tables say.
func TestDocsHaveTheTables(t *testing.T) {
	b, err := os.ReadFile("../../docs/risk.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	var lines []string
	for _, s := range append(append(lateral(), inward()...), outward()...) {
		var ids []string
		for _, q := range s.techniques {
			seen[q.ID] = true
			ids = append(ids, fmt.Sprintf("[%s](%s)", q.ID, q.URL()))
		}
		lines = append(lines, fmt.Sprintf("| %s | %s | %s |", s.name, s.traffic, strings.Join(ids, ", ")))
	}
	for _, q := range []Technique{rdp, smb, dcom, ssh, vnc, winrm, remote, container, deploy, software, hijackSSH, hijackRDP, transfer, taint,
		exploit, databases, mib, scan, ping, public, external, webC2, dnsC2, otherC2, leak} {
		delete(seen, q.ID)
		lines = append(lines, fmt.Sprintf("| [%s](%s) | %s | %d |", q.ID, q.URL(), q.Name, q.Cost))
	}
	if len(seen) > 0 {
		t.Errorf("this test does not know %v", seen)
	}
	var missing []string
	for _, l := range lines {
		if !strings.Contains(string(b), l+"\n") {
			missing = append(missing, l)
		}
	}
	if missing != nil {
		t.Errorf("docs/risk.md lacks\n%s", strings.Join(missing, "\n"))
	}
}
