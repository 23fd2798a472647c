package wire

import (
	"fmt"
	"net/netip"
	"time"

	"firebreak/internal/flow"
)

// packed is Flows as it travels: every word and every rule once, and the flows
// speak of them by number. Number 0 is the empty word or the empty rule. There
// are many flows and few names, and both ends are spared most of the bytes.
// Fields may be added under new numbers; a reader ignores those it does not
// know.
type packed struct {
	Host  string       `cbor:"host"`
	Words []string     `cbor:"words"`
	Rules []packedRule `cbor:"rules"`
	Flows []packedFlow `cbor:"flows"`
}

type packedRule struct {
	Policy uint32 `cbor:"1,keyasint,omitempty"`
	Rule   uint32 `cbor:"2,keyasint,omitempty"`
	File   uint32 `cbor:"3,keyasint,omitempty"`
	Line   int    `cbor:"4,keyasint,omitempty"`
}

type packedFlow struct {
	Time        int64          `cbor:"1,keyasint,omitempty"` // ns since 1970; 0 means none
	Host        uint32         `cbor:"2,keyasint,omitempty"`
	Direction   flow.Direction `cbor:"3,keyasint,omitempty"`
	Src         []byte         `cbor:"4,keyasint,omitempty"` // 4 or 16 bytes
	Dst         []byte         `cbor:"5,keyasint,omitempty"`
	SrcPort     uint16         `cbor:"6,keyasint,omitempty"`
	DstPort     uint16         `cbor:"7,keyasint,omitempty"`
	Protocol    uint8          `cbor:"8,keyasint,omitempty"`
	From        uint32         `cbor:"9,keyasint,omitempty"`
	FromService uint32         `cbor:"10,keyasint,omitempty"`
	FromZone    uint32         `cbor:"11,keyasint,omitempty"`
	To          uint32         `cbor:"12,keyasint,omitempty"`
	ToService   uint32         `cbor:"13,keyasint,omitempty"`
	ToZone      uint32         `cbor:"14,keyasint,omitempty"`
	Verdict     uint8          `cbor:"15,keyasint,omitempty"`
	Rule        uint32         `cbor:"16,keyasint,omitempty"`
	ToCome      uint8          `cbor:"17,keyasint,omitempty"`
	ToComeRule  uint32         `cbor:"18,keyasint,omitempty"`
	Reason      uint8          `cbor:"19,keyasint,omitempty"`
	Revision    uint64         `cbor:"20,keyasint,omitempty"`
}

// packer collects the words and rules of one message.
type packer struct {
	out   packed
	words map[string]uint32
	rules map[flow.Rule]uint32
}

func (p *packer) word(s string) uint32 {
	if s == "" {
		return 0
	}
	n, ok := p.words[s]
	if !ok {
		p.out.Words = append(p.out.Words, s)
		n = uint32(len(p.out.Words))
		p.words[s] = n
	}
	return n
}

func (p *packer) rule(r flow.Rule) uint32 {
	if r == (flow.Rule{}) {
		return 0
	}
	n, ok := p.rules[r]
	if !ok {
		p.out.Rules = append(p.out.Rules, packedRule{p.word(r.Policy), p.word(r.Rule), p.word(r.File), r.Line})
		n = uint32(len(p.out.Rules))
		p.rules[r] = n
	}
	return n
}

// MarshalCBOR packs the flows. An IPv6 zone does not travel.
func (f *Flows) MarshalCBOR() ([]byte, error) {
	p := packer{words: map[string]uint32{}, rules: map[flow.Rule]uint32{}}
	p.out.Host = f.Host
	p.out.Flows = make([]packedFlow, len(f.Flows))
	for i := range f.Flows {
		p.flow(&p.out.Flows[i], &f.Flows[i])
	}
	return encMode.Marshal(p.out)
}

func (p *packer) flow(out *packedFlow, f *flow.Flow) {
	*out = packedFlow{
		Host: p.word(f.Host), Direction: f.Direction, Src: f.Src.AsSlice(), Dst: f.Dst.AsSlice(),
		SrcPort: f.SrcPort, DstPort: f.DstPort, Protocol: f.Protocol,
		From: p.word(f.From), FromService: p.word(f.FromService), FromZone: p.word(f.FromZone),
		To: p.word(f.To), ToService: p.word(f.ToService), ToZone: p.word(f.ToZone),
		Verdict: uint8(f.Verdict), Rule: p.rule(f.Rule), ToCome: uint8(f.ToCome), ToComeRule: p.rule(f.ToComeRule),
		Reason: uint8(f.Reason), Revision: f.Revision,
	}
	if !f.Time.IsZero() {
		out.Time = f.Time.UnixNano()
	}
}

// unpacker looks up words and rules and remembers the first that is missing.
type unpacker struct {
	words []string
	rules []flow.Rule
	err   error
}

func (u *unpacker) word(n uint32) string {
	switch {
	case n == 0:
		return ""
	case int64(n) > int64(len(u.words)):
		u.err = fmt.Errorf("word %d of %d", n, len(u.words))
		return ""
	}
	return u.words[n-1]
}

func (u *unpacker) rule(n uint32) flow.Rule {
	switch {
	case n == 0:
		return flow.Rule{}
	case int64(n) > int64(len(u.rules)):
		u.err = fmt.Errorf("rule %d of %d", n, len(u.rules))
		return flow.Rule{}
	}
	return u.rules[n-1]
}

func (u *unpacker) addr(b []byte) netip.Addr {
	a, ok := netip.AddrFromSlice(b)
	if !ok && len(b) > 0 {
		u.err = fmt.Errorf("an address of %d bytes", len(b))
	}
	return a
}

// UnmarshalCBOR unpacks flows. They share their words.
func (f *Flows) UnmarshalCBOR(b []byte) error {
	var p packed
	if err := decMode.Unmarshal(b, &p); err != nil {
		return err
	}
	u := unpacker{words: p.Words, rules: make([]flow.Rule, len(p.Rules))}
	for i, r := range p.Rules {
		u.rules[i] = flow.Rule{Policy: u.word(r.Policy), Rule: u.word(r.Rule), File: u.word(r.File), Line: r.Line}
	}
	f.Host, f.Flows = p.Host, make([]flow.Flow, len(p.Flows))
	for i := range p.Flows {
		u.flow(&f.Flows[i], &p.Flows[i])
	}
	return u.err
}

func (u *unpacker) flow(out *flow.Flow, f *packedFlow) {
	*out = flow.Flow{
		Host: u.word(f.Host), Direction: f.Direction, Src: u.addr(f.Src), Dst: u.addr(f.Dst),
		SrcPort: f.SrcPort, DstPort: f.DstPort, Protocol: f.Protocol,
		From: u.word(f.From), FromService: u.word(f.FromService), FromZone: u.word(f.FromZone),
		To: u.word(f.To), ToService: u.word(f.ToService), ToZone: u.word(f.ToZone),
		Verdict: flow.Verdict(f.Verdict), Rule: u.rule(f.Rule), ToCome: flow.Verdict(f.ToCome), ToComeRule: u.rule(f.ToComeRule),
		Reason: flow.Reason(f.Reason), Revision: f.Revision,
	}
	if f.Time != 0 {
		out.Time = time.Unix(0, f.Time).UTC()
	}
}
