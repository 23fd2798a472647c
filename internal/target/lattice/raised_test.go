package lattice_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"firebreak/internal/target"
	"firebreak/internal/target/lattice"
)

// TestRaisedQuotasAreUsed renders what the default does not hold, where the Estate
// says that AWS granted more; a forward action never names more than 10 groups.
func TestRaisedQuotasAreUsed(t *testing.T) {
	for _, row := range []struct {
		addresses, ports int
		quotas           string
		services, groups int
		text             string // of what is refused
	}{
		{10_001, 1, "targets-per-group: 1000", 0, 0, "at most 1000 in a group), of at most 10"},
		{10_001, 1, "groups-per-service: 20", 0, 0, "would lead to 11 target groups (10001 targets, at most 1000 in a group), of at most 10"},
		{10_001, 1, "targets-per-group: 2000", 1, 6, ""},
		{2001, 2, "groups-per-service: 10", 1, 6, ""},
		{5100, 2, "groups-per-service: 12", 1, 12, ""},
		{10, 4, "listeners-per-service: 4", 1, 4, ""},
		{10, 4, "services-per-region: 500", 2, 4, ""},
	} {
		files, diags := lattice.Target{}.Render(largeOf(t, row.addresses, 0, row.ports, ", quotas: {lattice: {"+row.quotas+"}}").wanted)
		if row.text != "" {
			if len(files) > 0 || len(diags) != 1 || diags[0].Code != "over-quota" || !strings.Contains(diags[0].Message, row.text) || !strings.Contains(diags[0].Help, "quotas: {lattice: {targets-per-group: N") {
				t.Errorf("%s: %v", row.quotas, diags)
			}
			continue
		}
		if diags.HasErrors() {
			t.Fatalf("%s: %v", row.quotas, diags)
		}
		got := map[string]int{}
		for _, r := range tinyRead(t, files) {
			got[r.kind]++
		}
		if got["aws_vpclattice_service"] != row.services || got["aws_vpclattice_target_group"] != row.groups {
			t.Errorf("%s: %v", row.quotas, got)
		}
		if row.quotas == "targets-per-group: 2000" {
			for _, w := range weights(files) {
				if w < 600 || w > 999 {
					t.Errorf("a group of six that share 10,001 targets has the weight %d", w)
				}
			}
		}
	}
}

// weights lists those of target groups.
func weights(files []target.File) []int {
	var out []int
	for _, f := range files {
		for _, m := range regexp.MustCompile(`weight += (\d+)`).FindAllSubmatch(f.Data, -1) {
			n, _ := strconv.Atoi(string(m[1]))
			out = append(out, n)
		}
	}
	return out
}
