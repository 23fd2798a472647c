package nftables

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"firebreak/internal/corpus"
	"firebreak/internal/demo/lab"
	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
	"firebreak/internal/plan"
	"firebreak/internal/policy"
	"firebreak/internal/verify"
)

// onOneHost plans a case with every workload on one host.
func onOneHost(t testing.TB, c corpus.Case, toCome bool) *plan.Wanted {
	t.Helper()
	inv := &inventory.Snapshot{Frontends: c.Inv.Frontends, Networks: c.Inv.Networks, Workloads: slices.Clone(c.Inv.Workloads)}
	for i := range inv.Workloads {
		inv.Workloads[i].Host = "a"
	}
	p, diags := policy.Resolve(c.Dir, inv)
	if p == nil {
		t.Fatal(diags)
	}
	e, err := verify.New(p, verify.Options{At: corpus.Noon})
	if err != nil {
		t.Fatal(err)
	}
	return plan.Make(c.Dir, p, e, plan.Options{At: corpus.Noon, ToCome: toCome})
}

// partyAt is who is at an address; false if it has several owners.
func partyAt(w *plan.Wanted, a netip.Addr) (out layer.Party, one bool) {
	owners := 0
	for i := range w.Policy.Inventory.Workloads {
		if slices.Contains(w.Policy.Inventory.Workloads[i].Addresses, a) {
			out.Workload = &w.Policy.Inventory.Workloads[i]
			owners++
		}
	}
	if owners == 0 {
		out.Addr = a
	}
	return out, owners < 2
}

// corpusField is a lab in which host a has all addresses of a case's workloads
// and host c all others that its lines speak of.
func corpusField(t *testing.T, c corpus.Case) *field {
	t.Helper()
	f := newField(t, "fbnftc", map[string][]netip.Prefix{
		"a": {netip.MustParsePrefix("198.18.1.11/24"), netip.MustParsePrefix("fd5a:0:0:1::11/64")},
		"c": {netip.MustParsePrefix("198.18.2.11/24"), netip.MustParsePrefix("fd5a:0:0:2::11/64")},
	})
	f.quiet()
	at := map[netip.Addr]string{}
	for _, x := range c.Flows {
		for _, a := range []netip.Addr{x.From, x.To} {
			if a.IsValid() && a.IsGlobalUnicast() {
				at[a] = "c"
			}
		}
	}
	for _, w := range c.Inv.Workloads {
		for _, a := range w.Addresses {
			at[a] = "a"
		}
	}
	lines := map[string]*strings.Builder{"a": {}, "c": {}, "router": {}}
	for a, host := range at {
		fmt.Fprintf(lines[host], "address add %s/%d dev eth0%s\n", a, a.BitLen(), map[bool]string{true: " nodad"}[a.Is6()])
		via := f.hosts[host].Addresses()
		i := slices.IndexFunc(via, func(p netip.Prefix) bool { return p.Addr().Is4() == a.Is4() })
		fmt.Fprintf(lines["router"], "route add %s/%d via %s\n", a, a.BitLen(), via[i].Addr())
	}
	for name, h := range map[string]*lab.Host{"a": f.hosts["a"], "c": f.hosts["c"], "router": f.lab.Router()} {
		cmd := exec.Command("ip", "-batch", "-")
		cmd.Stdin = strings.NewReader(lines[name].String())
		var errs bytes.Buffer
		cmd.Stderr = &errs
		if err := h.Start("", cmd); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Fatalf("%s: %v: %s", name, err, errs.String())
		}
	}
	return f
}

// lineOf is a line of a case that both rendered files and packets can judge.
type lineOf struct {
	question
	line int
	want bool
}

// judgeable lists the lines of a case that speak of nothing which files of nft
// cannot say, and of no address that several have.
func judgeable(c corpus.Case, w *plan.Wanted) (out []*lineOf) {
	for _, x := range c.Flows {
		from, one := partyAt(w, x.From)
		to, also := partyAt(w, x.To)
		_, builtin := w.Engine.OfAddress(x.From)
		_, toBuiltin := w.Engine.OfAddress(x.To)
		if c.Beyond(x, corpus.HTTP, corpus.MTLS, corpus.Name, corpus.Frontend, corpus.Time) != "" || !one || !also ||
			builtin != "" || toBuiltin != "" || from.Workload == nil && to.Workload == nil {
			continue
		}
		q := &lineOf{question{probe: probe{host: "c", from: x.From, to: x.To, port: port{x.Protocol, x.Port}}, a: from, b: to}, x.Line, x.InForce != flow.Dropped}
		if from.Workload != nil {
			q.host = "a"
		}
		if w.ToCome {
			q.want = x.ToCome != flow.Dropped
		}
		out = append(out, q)
	}
	return out
}

// Rendered files, read back, are one more judge of the corpus.
func TestLiftJudgesTheCorpus(t *testing.T) {
	cases, err := corpus.Load(os.DirFS("../../../testdata/corpus"))
	if err != nil {
		t.Fatal(err)
	}
	judged, unsure := 0, 0
	for _, c := range cases {
		for _, toCome := range []bool{false, true} {
			w := onOneHost(t, c, toCome)
			l := liftOf(t, w, rendered(t, w), true)
			for _, q := range judgeable(c, w) {
				lower, upper := says(l, w.Policy.Networks, q.a, q.b, q.port)
				if doubts(l, w, &q.question) || lower != upper && lower == layer.Deny {
					unsure++
					continue
				}
				judged++
				if (lower != layer.Deny) != q.want || (upper != layer.Deny) != q.want {
					t.Errorf("%s, flows:%d, to come %v: %s to %s, want %v", c.Name, q.line, toCome, lower, upper, q.want)
				}
			}
		}
	}
	t.Logf("%d conversations judged, %d unsure", judged, unsure)
	if judged < 200 || unsure > judged/10 {
		t.Errorf("only %d conversations were judged, and %d were unsure", judged, unsure)
	}
}

// So is the kernel that they are loaded into, by packets.
func TestPacketsJudgeTheCorpus(t *testing.T) {
	needLab(t)
	cases, err := corpus.Load(os.DirFS("../../../testdata/corpus"))
	if err != nil {
		t.Fatal(err)
	}
	judged, passed := 0, 0
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			f := corpusField(t, c)
			for _, toCome := range []bool{false, true} {
				w := onOneHost(t, c, toCome)
				if err := f.load("a", rendered(t, w)["a/firebreak.nft.json"]); err != nil {
					t.Fatal(err)
				}
				lines := slices.DeleteFunc(judgeable(c, w), func(q *lineOf) bool { // what a socket can send and is answered
					return q.port.protocol == netset.SCTP || q.port.protocol == netset.Other || q.from.Is4() != q.to.Is4()
				})
				var probes []*probe
				for _, q := range lines {
					probes = append(probes, &q.probe)
				}
				f.send(probes)
				for _, q := range lines {
					if q.passed != q.want && (q.passed || !f.passes(&q.probe)) {
						t.Errorf("flows:%d, to come %v: %s: packet %v, want %v", q.line, toCome, q.describe(), q.passed, q.want)
					}
					judged++
					if q.passed {
						passed++
					}
				}
			}
		})
	}
	t.Logf("%d conversations judged, of which %d passed", judged, passed)
	if judged < 150 {
		t.Errorf("only %d conversations were judged", judged)
	}
}
