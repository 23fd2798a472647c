package wire

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"firebreak/internal/flow"
)

func aFlow(port uint16) flow.Flow {
	return flow.Flow{
		Time: time.Date(2026, 11, 21, 12, 0, 0, 123456789, time.UTC), Host: "h", Direction: flow.Ingress,
		Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("fd00::2"), SrcPort: port, DstPort: 443, Protocol: 6,
		From: "web-1", FromService: "web", FromZone: "dmz", To: "world",
		Verdict: flow.Audited, Rule: flow.Rule{Policy: "p", Rule: "r", File: "f.yaml", Line: 7},
		ToCome: flow.Dropped, ToComeRule: flow.Rule{Rule: "default-deny", File: "z.yaml", Line: 1},
		Reason: flow.Spoofed, Revision: 9,
	}
}

func samples() []Message {
	return []Message{
		{Version: Version, Hello: &Hello{Host: "h", Kernel: "6.12", Tier: "full"}},
		{Version: Version, Catalog: &Catalog{Host: "h", Estate: "shop", Revision: 3,
			Zones:    []ZoneInfo{{Name: "dmz", Stage: "enforce", Default: "deny", File: "z.yaml", Line: 1}},
			Services: []ServiceInfo{{Name: "web", Zone: "dmz", Workloads: []string{"web-1"}, Ports: []string{"http 80/TCP"}}},
			Rules:    []RuleInfo{{Rule: flow.Rule{Policy: "p", Rule: "r", File: "f.yaml", Line: 7}, Effect: "allow", Ports: "TCP 80"}}}},
		{Version: Version, Flows: &Flows{Host: "h", Flows: []flow.Flow{aFlow(1), aFlow(2)}}},
		{Version: Version, Bins: &Bins{Host: "h", Bins: []Bin{{Tick: 179538768000, From: "a", To: "b", Direction: flow.Ingress, Verdict: flow.Dropped, Packets: 3, Bytes: 180}}}},
		{Version: Version, Status: &Status{Host: "h", Lost: 4, Lag: time.Millisecond, Time: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)}},
		{Version: Version, Unsent: &Unsent{Host: "h", Flows: 2}},
		{Version: Version, Refusal: &Refusal{Reason: "no"}},
	}
}

func TestRoundTripOfEveryKind(t *testing.T) {
	var stream bytes.Buffer
	enc := NewEncoder(&stream)
	for _, m := range samples() {
		if err := enc.Encode(m); err != nil {
			t.Fatal(err)
		}
	}
	for name, r := range map[string]io.Reader{"whole": bytes.NewReader(stream.Bytes()), "byte by byte": iotestOneByte{bytes.NewReader(stream.Bytes())}} {
		dec := NewDecoder(r)
		for i, want := range samples() {
			got, err := dec.Decode()
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("%s: message %d: got %+v, %v, want %+v", name, i, got, err, want)
			}
		}
		if _, err := dec.Decode(); err != io.EOF {
			t.Fatalf("%s: at the end: %v", name, err)
		}
	}
}

type iotestOneByte struct{ r io.Reader }

func (o iotestOneByte) Read(p []byte) (int, error) { return o.r.Read(p[:min(1, len(p))]) }

func TestAnotherVersionIsRefusedAndNamed(t *testing.T) {
	b, err := cbor.Marshal(map[string]any{"version": 2, "hello": "of another shape"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = NewDecoder(bytes.NewReader(b)).Decode()
	var v *VersionError
	if !errors.As(err, &v) || v.Got != 2 || !strings.Contains(err.Error(), "version 2") {
		t.Fatalf("got %v", err)
	}
}

func TestUnknownFieldsAndKindsAreTolerated(t *testing.T) {
	b, err := cbor.Marshal(map[string]any{"version": Version, "novelty": []int{1}, "hello": map[string]any{"host": "h", "colour": "red"}})
	if err != nil {
		t.Fatal(err)
	}
	m, err := Unmarshal(b)
	if err != nil || m.Hello == nil || m.Hello.Host != "h" {
		t.Fatalf("got %+v, %v", m, err)
	}
}

func TestMalformedMessagesAreNamed(t *testing.T) {
	flowWith := func(v flow.Verdict) *Flows {
		f := aFlow(1)
		f.Verdict = v
		return &Flows{Flows: []flow.Flow{f}}
	}
	for name, m := range map[string]Message{
		"two kinds":         {Hello: &Hello{Host: "h"}, Unsent: &Unsent{}},
		"no host":           {Hello: &Hello{}},
		"verdict beyond":    {Flows: flowWith(9)},
		"bin verdict":       {Bins: &Bins{Bins: []Bin{{Verdict: 7}}}},
		"bin direction":     {Bins: &Bins{Bins: []Bin{{Direction: 7}}}},
		"no message at all": {},
	} {
		b, err := Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if name == "no message at all" {
			b = []byte{0xff, 0x00}
		}
		_, err = NewDecoder(bytes.NewReader(b)).Decode()
		var bad *MalformedError
		if !errors.As(err, &bad) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestMessageInHalves(t *testing.T) {
	b, err := Marshal(samples()[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewDecoder(bytes.NewReader(b[:len(b)-1])).Decode(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("got %v", err)
	}
}

// endless claims an enormous byte string and then sends for ever.
type endless struct{ sent int }

func (e *endless) Read(p []byte) (int, error) {
	n := 0
	if e.sent == 0 {
		n = copy(p, []byte{0x5a, 0x7f, 0xff, 0xff, 0xff})
	}
	for i := n; i < len(p); i++ {
		p[i] = 0
	}
	e.sent += len(p)
	return len(p), nil
}

func TestSizeIsBoundedAtBothEnds(t *testing.T) {
	src := &endless{}
	if _, err := NewDecoder(src).Decode(); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("got %v", err)
	}
	if src.sent > 4*MaxMessage {
		t.Fatalf("read %d bytes of one message", src.sent)
	}
	big := Message{Refusal: &Refusal{Reason: strings.Repeat("x", MaxMessage)}}
	if _, err := Marshal(big); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("Marshal: %v", err)
	}
	b, err := encMode.Marshal(Message{Version: Version, Refusal: big.Refusal})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewDecoder(bytes.NewReader(b)).Decode(); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("Decode just above the limit: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, m := range samples() {
		b, err := Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		dec := NewDecoder(bytes.NewReader(b))
		for range len(b) + 1 {
			m, err := dec.Decode()
			var v *VersionError
			if errors.As(err, &v) {
				continue
			}
			if err != nil {
				return
			}
			if m.Version != Version {
				t.Fatalf("took version %d", m.Version)
			}
			if again, err := Marshal(m); err == nil {
				if back, err := Unmarshal(again); err != nil {
					t.Fatalf("%+v does not survive its own encoding: %v", back, err)
				}
			}
		}
		t.Fatal("more messages than bytes")
	})
}
