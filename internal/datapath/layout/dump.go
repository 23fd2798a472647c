package layout

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"

	"firebreak/internal/flow"
)

// Dump is one revision as a file, *.maps.json: tables, and, if somebody knows
// them, the names behind the numbers.
type Dump struct {
	Format  int    `json:"maps"`           // Version of the layout
	Host    string `json:"host,omitempty"` // where it is loaded, or was read
	Estate  string `json:"estate,omitempty"`
	Default uint32 `json:"hostIdentity"`

	// Fleet is the file, by its path from this one's folder, of the tables that
	// this host's are to be completed with; see With. Empty: they are whole.
	Fleet string `json:"fleet,omitempty"`
	// Locals are ends on the host that no address shows.
	Locals []uint32 `json:"locals,omitempty"`

	Addresses  []DumpAddress           `json:"addresses"`
	Cgroups    []DumpCgroup            `json:"cgroups,omitempty"`
	Classes    []DumpClass             `json:"classes"`
	Identities map[uint32]DumpIdentity `json:"identities,omitempty"`
	Rules      map[uint32]flow.Rule    `json:"rules,omitempty"`
	Policy     []DumpEntry             `json:"policy"`

	// Decisions are more decisions, in short. Where Policy says something else, that
	// holds.
	Decisions []DumpDecisions `json:"decisions,omitempty"`
}

// DumpAddress is an Address.
type DumpAddress struct {
	Prefix netip.Prefix `json:"prefix"`
	Peer   uint32       `json:"peer"`
	Local  uint32       `json:"local,omitempty"`
	Flags  AddressFlags `json:"flags,omitempty"`
	Rule   uint32       `json:"rule,omitempty"`
}

// DumpCgroup is a Cgroup.
type DumpCgroup struct {
	ID    uint64 `json:"id"`
	Local uint32 `json:"local"`
}

// DumpClass is a ClassRange.
type DumpClass struct {
	Protocol uint8  `json:"protocol"`
	Lo       uint16 `json:"lo"`
	Hi       uint16 `json:"hi"`
	Class    uint16 `json:"class"`
}

// DumpIdentity says which workloads a number stands for: as a far end, all of
// them, or, of an end on the host, those that are there.
type DumpIdentity struct {
	Workloads []string `json:"workloads,omitempty"`
}

// DumpEntry is a decision. The fields that begin with Come are about the policy
// to come, and left out where they are as those in force.
type DumpEntry struct {
	Local     uint32         `json:"local"`
	Peer      uint32         `json:"peer"`
	Class     uint16         `json:"class"`
	Direction flow.Direction `json:"direction"`
	Allow     bool           `json:"allow"`
	Rule      uint32         `json:"rule"`
	Until     int64          `json:"until,omitempty"`
	Come      *DumpCome      `json:"toCome,omitempty"`
}

// DumpCome is what an entry says under the policy to come.
type DumpCome struct {
	Allow bool   `json:"allow"`
	Rule  uint32 `json:"rule"`
	Until int64  `json:"until,omitempty"`
}

// EntryOf writes a decision down.
func EntryOf(k PolicyKey, v PolicyValue) DumpEntry {
	e := DumpEntry{Local: k.Local, Peer: k.Peer, Class: k.Class, Direction: k.Direction, Allow: v.AllowInForce, Rule: v.InForceRule, Until: v.InForceUntil}
	if come := (DumpCome{v.AllowToCome, v.ToComeRule, v.ToComeUntil}); come != (DumpCome{e.Allow, e.Rule, e.Until}) {
		e.Come = &come
	}
	return e
}

// Decision is the reverse of EntryOf.
func (e *DumpEntry) Decision() (PolicyKey, PolicyValue) {
	k := PolicyKey{Local: e.Local, Peer: e.Peer, Class: e.Class, Direction: e.Direction}
	v := PolicyValue{InForceRule: e.Rule, InForceUntil: e.Until, AllowInForce: e.Allow, ToComeRule: e.Rule, ToComeUntil: e.Until, AllowToCome: e.Allow}
	if e.Come != nil {
		v.ToComeRule, v.ToComeUntil, v.AllowToCome = e.Come.Rule, e.Come.Until, e.Come.Allow
	}
	return k, v
}

// Tables returns what a dump holds in the form in which it is loaded. Of two
// entries with one key the last holds.
func (d *Dump) Tables() *Tables {
	t := &Tables{HostIdentity: d.Default, Policy: make(map[PolicyKey]PolicyValue, len(d.Policy))}
	for _, a := range d.Addresses {
		t.Addresses = append(t.Addresses, Address(a))
	}
	for _, c := range d.Cgroups {
		t.Cgroups = append(t.Cgroups, Cgroup(c))
	}
	for _, c := range d.Classes {
		t.Classes = append(t.Classes, ClassRange(c))
	}
	load := func(e *DumpEntry) {
		k, v := e.Decision()
		t.Policy[k] = v
	}
	for i := range d.Decisions {
		d.Decisions[i].each(load)
	}
	for i := range d.Policy {
		load(&d.Policy[i])
	}
	return t
}

// Text writes a dump as ParseDump reads it, one entry a line. It is for what a
// kernel holds, which is whole: what refers to a fleet is left out.
func (d *Dump) Text() ([]byte, error) {
	var b bytes.Buffer
	var errs []error
	field := func(name string, value any, there bool) {
		if !there {
			return
		}
		text, err := json.Marshal(value)
		errs = append(errs, err)
		fmt.Fprintf(&b, ",\n%q: %s", name, text)
	}
	fmt.Fprintf(&b, "{\n\"maps\": %d", d.Format)
	field("host", d.Host, d.Host != "")
	field("estate", d.Estate, d.Estate != "")
	field("hostIdentity", d.Default, true)
	field("cgroups", d.Cgroups, len(d.Cgroups) > 0)
	field("identities", d.Identities, len(d.Identities) > 0)
	field("rules", d.Rules, len(d.Rules) > 0)
	errs = append(errs, lines(&b, "addresses", d.Addresses), lines(&b, "classes", d.Classes), lines(&b, "policy", d.Policy))
	b.WriteString("\n}\n")
	return b.Bytes(), errors.Join(errs...)
}

// lines writes a list with a line for each item.
func lines[T any](b *bytes.Buffer, name string, items []T) error {
	fmt.Fprintf(b, ",\n%q: [", name)
	for i := range items {
		text, err := json.Marshal(&items[i])
		if err != nil {
			return err
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
		b.Write(text)
	}
	b.WriteString("\n]")
	return nil
}

// ParseDump reads a dump. A field that it does not know, another version, or
// something after the end is an error.
func ParseDump(data []byte) (*Dump, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	var out Dump
	if err := d.Decode(&out); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, fmt.Errorf("something stands after the end")
	}
	if out.Format != Version {
		return nil, fmt.Errorf("maps of layout %d; this version reads %d", out.Format, Version)
	}
	for _, a := range out.Addresses {
		if !a.Prefix.IsValid() || a.Prefix != a.Prefix.Masked() {
			return nil, fmt.Errorf("the address %s is none", a.Prefix)
		}
	}
	for _, c := range out.Classes {
		if c.Protocol > 2 || c.Lo > c.Hi {
			return nil, fmt.Errorf("the class %d of protocol %d, ports %d to %d, is none", c.Class, c.Protocol, c.Lo, c.Hi)
		}
	}
	p := saidParser{map[string]*Said{}, map[string][]uint32{}, map[string][]DumpEntry{}}
	for i := range out.Decisions {
		if err := p.parse(&out.Decisions[i]); err != nil {
			return nil, err
		}
	}
	return &out, nil
}
