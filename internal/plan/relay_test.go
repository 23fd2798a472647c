package plan_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/netset"
	"firebreak/internal/plan"
)

// gateway leads from workloads at one site to port 8080 of those at another, by
// its port 443.
type gateway struct{ sites map[string]string } // by workload

func (gateway) Name() string { return "gateway" }
func (gateway) Prefixes() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/64")}
}
func (g gateway) From(w *inventory.Workload) string { return g.sites[w.Name] }
func (g gateway) To(i int) (string, []plan.RelayPort) {
	// the inventory's order: audit, orders, stray, web-1, web-2
	name := []string{"audit", "orders", "stray", "web-1", "web-2"}[i]
	return g.sites[name], []plan.RelayPort{{Number: 53, Calls: []uint16{53}}, {Number: 8080, Calls: []uint16{443, 8080}}}
}
func (gateway) Leads(from, to string) bool { return from == "one" && to == "two" }

func TestWhatPassesThroughARelay(t *testing.T) {
	w := want(t, shopPolicy, shopInventory, plan.Options{Relays: []plan.Relay{gateway{map[string]string{"web-1": "one", "orders": "two", "stray": "one"}}}})
	for _, c := range []struct {
		subject   string
		workloads []string
		direction flow.Direction
		want      string
	}{
		{"orders", nil, flow.Ingress, "gateway TCP 8080 [192.0.2.0/24] 1"}, // 53 is permitted by UDP
		{"orders", nil, flow.Egress, ""},
		{"web", nil, flow.Egress, "gateway TCP 443,8080 [192.0.2.0/24] 1"},
		{"web", []string{"web-1"}, flow.Egress, "gateway TCP 443,8080 [192.0.2.0/24] 1"},
		{"web", []string{"web-2"}, flow.Egress, ""}, // at no site
		{"web", nil, flow.Ingress, ""},
		{"zone-back", nil, flow.Egress, ""}, // may send nothing
	} {
		s := subject(t, w, c.subject)
		got := ""
		list := w.ThroughOf(s, c.direction)
		if c.workloads != nil {
			list = w.Through(indices(w, c.workloads), c.direction)
		}
		for _, x := range list {
			got += fmt.Sprint(x.Relay, " ", x.Traffic, " ", x.Prefixes, " ", len(x.Peers))
		}
		if got != c.want {
			t.Errorf("%s %s of %v: %q, want %q", c.subject, c.direction, c.workloads, got, c.want)
		}
	}
	if l := w.Relays(); len(l) != 1 || len(l[0].Prefixes()) != 1 {
		t.Errorf("relays %+v", l)
	}
}

func TestARelayThatLeadsNobodyIsNone(t *testing.T) {
	for _, sites := range []map[string]string{nil, {"web-1": "one", "orders": "one"}, {"web-1": "two", "orders": "one"}} {
		w := want(t, shopPolicy, shopInventory, plan.Options{Relays: []plan.Relay{gateway{sites}}})
		for i := range w.Subjects {
			for _, d := range []flow.Direction{flow.Ingress, flow.Egress} {
				for _, x := range w.ThroughOf(&w.Subjects[i], d) {
					if x.Traffic.Contains(netset.TCP, 8080) {
						t.Errorf("%v: %s %s %s", sites, w.Subjects[i].Name, d, x.Traffic)
					}
				}
			}
		}
	}
}

func indices(w *plan.Wanted, names []string) []int {
	var out []int
	for i, x := range w.Policy.Inventory.Workloads {
		if slices.Contains(names, x.Name) {
			out = append(out, i)
		}
	}
	return out
}
