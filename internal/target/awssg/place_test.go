package awssg

import (
	"fmt"
	"testing"
)

// TestWhatCountsForSeveralIsPlacedFirst: the list of Lattice's addresses counts
// for ten rules, so that groups may have room for its rules one by one and not
// for it. What finds no room is never left in a group that is full.
func TestWhatCountsForSeveralIsPlacedFirst(t *testing.T) {
	several := func(ones, lists int) []rule {
		var out []rule
		for i := range ones {
			out = append(out, rule{name: fmt.Sprintf("a-%d", i), cidr: "192.0.2.0/24"})
		}
		for i := range lists {
			out = append(out, rule{name: fmt.Sprintf("z-%d", i), list: true})
		}
		return out
	}
	for _, row := range []struct {
		ones, lists, parts, most int
		fits                     bool
	}{{14, 1, 2, 12, true}, {15, 1, 2, 12, false}, {10, 2, 2, 15, true}, {0, 3, 2, 15, false}, {1, 1, 5, 9, false}} {
		rules := several(row.ones, row.lists)
		if fits := place(rules, row.parts, row.most, true); fits != row.fits {
			t.Errorf("%+v: %v", row, fits)
		}
		held := make([]int, row.parts)
		for i := range rules {
			n, _ := size(rules[i : i+1])
			held[rules[i].part] += n
		}
		for _, n := range held {
			if row.fits && n > row.most {
				t.Errorf("%+v: %v", row, held)
			}
		}
	}
	// A group with rules that fit by their number and not one by one is refused.
	r := &renderer{most: limits{rules: 15, groups: 2}}
	g := &group{cell: &cell{name: "db", vpc: "vpc-1"}}
	g.rules[0] = several(0, 3)
	(&network{r: r}).split(g)
	if len(r.diags) != 1 || r.diags[0].Code != "over-quota" {
		t.Errorf("%v", r.diags)
	}
}
