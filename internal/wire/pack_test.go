package wire

import (
	"bytes"
	"errors"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"firebreak/internal/flow"
)

func TestAnyFlowSurvivesTheWire(t *testing.T) {
	word := rapid.SampledFrom([]string{"", "web", "app", "ns/name[Pod]", "ä"})
	addr := rapid.SampledFrom([]netip.Addr{{}, netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("::1"), netip.MustParseAddr("::ffff:10.0.0.1")})
	rule := rapid.Custom(func(t *rapid.T) flow.Rule {
		return flow.Rule{Policy: word.Draw(t, "policy"), Rule: word.Draw(t, "rule"), File: word.Draw(t, "file"), Line: rapid.IntRange(0, 3).Draw(t, "line")}
	})
	one := rapid.Custom(func(t *rapid.T) flow.Flow {
		f := flow.Flow{
			Host: word.Draw(t, "host"), Direction: flow.Direction(rapid.IntRange(0, 1).Draw(t, "direction")),
			Src: addr.Draw(t, "src"), Dst: addr.Draw(t, "dst"), SrcPort: rapid.Uint16().Draw(t, "srcPort"), DstPort: rapid.Uint16().Draw(t, "dstPort"), Protocol: rapid.Uint8().Draw(t, "protocol"),
			From: word.Draw(t, "from"), FromService: word.Draw(t, "fromService"), FromZone: word.Draw(t, "fromZone"),
			To: word.Draw(t, "to"), ToService: word.Draw(t, "toService"), ToZone: word.Draw(t, "toZone"),
			Verdict: flow.Verdict(rapid.IntRange(0, 3).Draw(t, "verdict")), Rule: rule.Draw(t, "rule"),
			ToCome: flow.Verdict(rapid.IntRange(0, 3).Draw(t, "toCome")), ToComeRule: rule.Draw(t, "toComeRule"),
			Reason: flow.Reason(rapid.IntRange(0, 9).Draw(t, "reason")), Revision: rapid.Uint64().Draw(t, "revision"),
		}
		if ns := rapid.Int64().Draw(t, "time"); ns != 0 {
			f.Time = time.Unix(0, ns).UTC()
		}
		return f
	})
	rapid.Check(t, func(t *rapid.T) {
		want := Message{Version: Version, Flows: &Flows{Host: word.Draw(t, "agent"), Flows: rapid.SliceOfN(one, 0, 5).Draw(t, "flows")}}
		if want.Flows.Flows == nil {
			want.Flows.Flows = []flow.Flow{}
		}
		b, err := Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Unmarshal(b)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, %v\nwant %+v", got.Flows, err, want.Flows)
		}
	})
}

func TestEveryFieldOfAFlowTravels(t *testing.T) {
	// Lag is for measuring only. Whoever adds a field must pack it as well.
	if n := reflect.TypeFor[flow.Flow]().NumField(); n != reflect.TypeFor[packedFlow]().NumField()+1 {
		t.Fatalf("flow.Flow has %d fields, packedFlow %d", n, reflect.TypeFor[packedFlow]().NumField())
	}
}

func TestWordsThatAreNotThereAreMalformed(t *testing.T) {
	for name, p := range map[string]packed{
		"word":            {Words: []string{"a"}, Flows: []packedFlow{{From: 2}}},
		"rule":            {Flows: []packedFlow{{Rule: 1}}},
		"word of a rule":  {Rules: []packedRule{{File: 9}}},
		"largest number":  {Flows: []packedFlow{{From: 1<<32 - 1}}},
		"half an address": {Flows: []packedFlow{{Src: []byte{1, 2}}}},
	} {
		b, err := encMode.Marshal(map[string]any{"version": Version, "flows": p})
		if err != nil {
			t.Fatal(err)
		}
		_, err = NewDecoder(bytes.NewReader(b)).Decode()
		var bad *MalformedError
		if !errors.As(err, &bad) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// BenchmarkFlows shows what a report costs the agent and the server.
func BenchmarkFlows(b *testing.B) {
	m := Message{Flows: &Flows{Host: "h", Flows: make([]flow.Flow, 100)}}
	for i := range m.Flows.Flows {
		m.Flows.Flows[i] = aFlow(uint16(i))
	}
	raw, err := Marshal(m)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("marshal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Marshal(m); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*100), "ns/flow")
		b.ReportMetric(float64(len(raw))/100, "bytes/flow")
	})
	b.Run("unmarshal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Unmarshal(raw); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*100), "ns/flow")
	})
}
