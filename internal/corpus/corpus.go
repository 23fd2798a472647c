// Package corpus reads the cases that every judge of a policy is asked: text,
// inventory, and conversations with the verdicts that a person has worked out
// by hand. The reference evaluator judges them, and so does everything that
// claims to do the same faster.
//
// A case is a txtar archive. What stands before its first file says what it is
// about. policy.yaml and inventory.yaml are what they are called; each line of
// flows is
//
//	FROM TO PORT IN-FORCE TO-COME [RULE [RULE]] [CIRCUMSTANCE...]
//
// with addresses (TO may be external:NAME, for what is known by its FQDNs), a
// port such as 5432/TCP or icmp, the verdict in force (forwarded, audited,
// dropped, unjudged), the one to come (forwarded, dropped, unjudged), and the
// rules that decide them, as policy/rule or the name of a default; one rule
// stands for both. A # begins a comment. The circumstances are
//
//	at:2027-01-04T12:00:00Z   the time; Noon where not given
//	http:POST:/a/b            the request; what is no HTTP where not given
//	host:api.example          its host
//	header:name=value         one of its headers
//	mtls:no                   the peer proves nothing; it does where not given
//
// A judge that cannot see some of them answers the lines on which they have no
// bearing, and says of the others why it does not: see Beyond.
package corpus

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strconv"
	"strings"
	"testing/fstest"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/inventory/file"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
)

// Case is one file of the corpus.
type Case struct {
	Name  string // of the file, without its ending
	About string
	Dir   *lang.Dir
	Inv   *inventory.Snapshot
	Flows []Flow
}

// Noon is the time of a line that names none: a Monday.
var Noon = time.Date(2027, 1, 4, 12, 0, 0, 0, time.UTC)

// Flow is one conversation and what must become of it. The rules are empty
// where the case does not name them.
type Flow struct {
	Line        int // in the case's file "flows", from 1
	From, To    netip.Addr
	External    string // instead of To, which is invalid then
	In          flow.Circumstances
	Protocol    netset.Protocol
	Port        uint16 // 0 for protocols without ports
	InForce     flow.Verdict
	ToCome      flow.Verdict
	InForceRule string
	ToComeRule  string
}

// Load reads every *.txtar file of fsys, in order of their names. A case that
// is wrong is an error: nothing is left out silently.
func Load(fsys fs.FS) ([]Case, error) {
	names, err := fs.Glob(fsys, "*.txtar")
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, errors.New("the corpus is empty")
	}
	var out []Case
	for _, name := range names {
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, err
		}
		c, err := parse(txtar.Parse(data))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		c.Name = strings.TrimSuffix(name, ".txtar")
		out = append(out, c)
	}
	return out, nil
}

func parse(a *txtar.Archive) (Case, error) {
	c := Case{About: strings.TrimSpace(string(a.Comment))}
	files := fstest.MapFS{}
	flows := ""
	for _, f := range a.Files {
		switch f.Name {
		case "policy.yaml", "inventory.yaml":
			files[f.Name] = &fstest.MapFile{Data: f.Data}
		case "flows":
			flows = string(f.Data)
		default:
			return c, fmt.Errorf("unknown file %q", f.Name)
		}
	}
	dir, diags := lang.Parse(files)
	if diags.HasErrors() {
		return c, fmt.Errorf("policy: %v", diags)
	}
	inv, diags := file.Read(files, "inventory.yaml")
	if diags.HasErrors() {
		return c, fmt.Errorf("inventory: %v", diags)
	}
	c.Dir, c.Inv = dir, inv
	for i, text := range strings.Split(flows, "\n") {
		text, _, _ = strings.Cut(text, "#")
		words := strings.Fields(text)
		if len(words) == 0 {
			continue
		}
		f, err := parseFlow(words)
		if err != nil {
			return c, fmt.Errorf("flows:%d: %w", i+1, err)
		}
		f.Line = i + 1
		c.Flows = append(c.Flows, f)
	}
	if len(c.Flows) == 0 {
		return c, errors.New("no flows")
	}
	return c, nil
}

func parseFlow(words []string) (f Flow, err error) {
	if words, err = f.circumstances(words); err != nil {
		return f, err
	}
	if len(words) < 5 || len(words) > 7 {
		return f, fmt.Errorf("%d words, want FROM TO PORT IN-FORCE TO-COME [RULE [RULE]]", len(words))
	}
	if f.From, err = netip.ParseAddr(words[0]); err != nil {
		return f, err
	}
	if name, ok := strings.CutPrefix(words[1], "external:"); ok {
		f.External = name
	} else if f.To, err = netip.ParseAddr(words[1]); err != nil {
		return f, err
	}
	if f.Protocol, f.Port, err = parsePort(words[2]); err != nil {
		return f, err
	}
	if err = f.InForce.UnmarshalText([]byte(words[3])); err != nil {
		return f, err
	}
	if err = f.ToCome.UnmarshalText([]byte(words[4])); err != nil {
		return f, err
	}
	for _, rule := range words[5:] {
		if strings.Contains(rule, ":") {
			return f, fmt.Errorf("%q is no rule: circumstances come last", rule)
		}
	}
	if len(words) > 5 {
		f.InForceRule, f.ToComeRule = words[5], words[len(words)-1]
	}
	return f, nil
}

func parsePort(s string) (netset.Protocol, uint16, error) {
	number, word, ok := strings.Cut(s, "/")
	if !ok {
		number, word = "0", s
	}
	p, known := netset.ParseProtocol(word)
	n, err := strconv.ParseUint(number, 10, 16)
	if !known || err != nil || p.HasPorts() != ok {
		return 0, 0, fmt.Errorf("%q is not a port", s)
	}
	return p, uint16(n), nil
}
