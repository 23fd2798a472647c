package agent

import (
	"math"
	"slices"
	"testing"
	"time"

	"firebreak/internal/target/ebpf"
	"firebreak/internal/wire"
)

func TestCatalog(t *testing.T) {
	r := newTrial(t)
	c := considered(t, r, &ebpf.Numbers{}).catalog
	rule := func(name string) wire.RuleInfo {
		i := slices.IndexFunc(c.Rules, func(x wire.RuleInfo) bool { return x.Rule.Rule == name })
		if i < 0 {
			t.Fatalf("no rule %s", name)
		}
		return c.Rules[i]
	}
	db := rule("web-to-db")
	wantText := "- name: web-to-db\n  effect: allow\n  from: {zone: web}\n  to: {service: orders-db}\n  ports: [postgres]\n  reason: it stores orders"
	if db.Text != wantText {
		t.Errorf("text is\n%s", db.Text)
	}
	if db.From != "zone web" || db.To != "service orders-db" || db.Ports != "TCP 5432" || db.Effect != "allow" || db.Stage != "enforce" || db.Tier != "application" || db.Owner != "orders-team" {
		t.Errorf("%+v", db)
	}
	psp := rule("web-to-psp")
	if psp.Text != "- {name: web-to-psp, effect: allow, from: {zone: web}, to: {external: psp}}" || psp.To != "external psp" || psp.Ports != "all" {
		t.Errorf("%+v", psp)
	}
	if deny := rule("default-deny"); deny.Policy != "" || deny.Text == "" || deny.File != "policy.yaml" || deny.Line == 0 {
		t.Errorf("%+v", deny)
	}
	rule("default-allow") // zone data only observes
	if b := rule("neighbour-discovery"); b.Policy != "builtin" || b.Reason == "" {
		t.Errorf("%+v", b)
	}
	if len(c.Zones) != 3 || c.Zones[1].Name != "data" || c.Zones[1].Stage != "observe" || c.Zones[1].Default != "deny" {
		t.Errorf("%+v", c.Zones)
	}
	service := func(name string) wire.ServiceInfo {
		i := slices.IndexFunc(c.Services, func(x wire.ServiceInfo) bool { return x.Name == name })
		if i < 0 {
			t.Fatalf("no service %s", name)
		}
		return c.Services[i]
	}
	if s := service("orders-db"); s.Zone != "data" || !slices.Equal(s.Ports, []string{"postgres 5432/TCP"}) || !slices.Equal(s.Workloads, []string{"db-1"}) || s.Loose {
		t.Errorf("%+v", s)
	}
	if s := service("web-1"); s.Zone != "web" || !s.Loose {
		t.Errorf("%+v", s)
	}
}

func TestLags(t *testing.T) {
	for _, ns := range []uint64{0, 1, 3, 4, 7, 8, 9, 1000, 123456789, math.MaxInt64} {
		b := bucketOf(ns)
		if b >= len(lags{}.buckets) {
			t.Fatalf("%d has bucket %d", ns, b)
		}
		if up := upper(b); up < time.Duration(ns) || float64(up) > float64(ns)*1.26+1 {
			t.Errorf("%d has a bucket up to %d", ns, up)
		}
	}
	var l lags
	if l.p99() != 0 {
		t.Error("nothing has a p99")
	}
	for range 990 {
		l.add(time.Millisecond)
	}
	for range 10 {
		l.add(time.Second)
	}
	if got := l.p99(); got < time.Millisecond || got > 1300*time.Microsecond {
		t.Errorf("p99 is %s", got)
	}
	for range 99 {
		l.add(time.Millisecond)
	}
	l.add(time.Second)
	l.add(time.Second)
	if got := l.p99(); got < time.Second {
		t.Errorf("p99 is %s", got)
	}
}
