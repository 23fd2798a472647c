package ebpf

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/flow"
)

// Numbers gives things that the kernel knows by number the same number in
// every revision: identities, sets of Externals and composites of one space
// (peers), rules of another. A number is never used for something else as
// long as the Numbers live, also across a MarshalJSON and UnmarshalJSON. The
// zero value is empty and ready to use. It is not safe for concurrent use.
type Numbers struct {
	peers   map[string]uint32
	rules   map[string]uint32
	classes map[uint32]uint16 // by the class's first point; may be reused, see assignClasses
	next    struct{ peer, rule uint32 }
}

// highestNumber leaves room so that counting up never wraps around.
const highestNumber = 1 << 31

func (n *Numbers) peer(key string) uint32 {
	return take(&n.peers, &n.next.peer, layout.FirstIdentity, key)
}

func (n *Numbers) rule(key string) uint32 {
	return take(&n.rules, &n.next.rule, layout.FirstRule, key)
}

func take(m *map[string]uint32, next *uint32, first uint32, key string) uint32 {
	if number, ok := (*m)[key]; ok {
		return number
	}
	if *m == nil {
		*m = map[string]uint32{}
	}
	*next = max(*next, first)
	number := *next
	(*m)[key] = number
	*next++
	return number
}

// The keys. Each part is quoted, so that no two things share a key.

func identityKey(key string) string { return "identity " + strconv.Quote(key) }

func externalsKey(names []string) string { return "externals " + quoted(names) }

func frontendKey(namespace, name string, externals []string) string {
	return "frontend " + strconv.Quote(namespace) + " " + strconv.Quote(name) + " in " + quoted(externals)
}

func relayKey(name string, externals []string) string {
	return "relay " + strconv.Quote(name) + " in " + quoted(externals)
}

func strictestKey(keys []string) string { return "strictest " + quoted(keys) }

func loosestKey(keys []string) string { return "loosest " + quoted(keys) }

func quoted(parts []string) string {
	parts = slices.Sorted(slices.Values(parts))
	for i, p := range parts {
		parts[i] = strconv.Quote(p)
	}
	return strings.Join(parts, " ")
}

// ruleKey leaves out the place, which changes with every edit above the rule.
// Defaults have no name of their own: theirs is their zone's.
func ruleKey(r flow.Rule) string {
	return strconv.Quote(r.Policy) + " " + strconv.Quote(r.Rule)
}

func defaultKey(word, zone string) string {
	return "default " + word + " " + strconv.Quote(zone)
}

type savedNumbers struct {
	Version  int               `json:"version"`
	NextPeer uint32            `json:"nextPeer"`
	NextRule uint32            `json:"nextRule"`
	Peers    map[string]uint32 `json:"peers"`
	Rules    map[string]uint32 `json:"rules"`
	Classes  map[uint32]uint16 `json:"classes"`
}

const savedVersion = 1

// MarshalJSON writes everything that a successor needs to go on with.
func (n *Numbers) MarshalJSON() ([]byte, error) {
	return json.Marshal(savedNumbers{savedVersion, n.next.peer, n.next.rule, n.peers, n.rules, n.classes})
}

// UnmarshalJSON reads what MarshalJSON wrote and refuses what would make two
// things share a number. On error the receiver is unchanged.
func (n *Numbers) UnmarshalJSON(b []byte) error {
	var s savedNumbers
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	if s.Version != savedVersion {
		return fmt.Errorf("numbers of version %d, not %d", s.Version, savedVersion)
	}
	if err := checkSaved(s.Peers, layout.FirstIdentity, s.NextPeer); err != nil {
		return err
	}
	if err := checkSaved(s.Rules, layout.FirstRule, s.NextRule); err != nil {
		return err
	}
	n.peers, n.rules, n.classes = s.Peers, s.Rules, s.Classes
	n.next.peer, n.next.rule = s.NextPeer, s.NextRule
	return nil
}

func checkSaved(m map[string]uint32, first, next uint32) error {
	if next > highestNumber {
		return fmt.Errorf("next number %d is out of range", next)
	}
	seen := make(map[uint32]bool, len(m))
	for _, number := range m {
		if number < first || number >= next || seen[number] {
			return fmt.Errorf("number %d is out of range or used twice", number)
		}
		seen[number] = true
	}
	return nil
}

// Clone returns an independent copy, so that a render that is refused leaves
// no trace.
func (n *Numbers) Clone() *Numbers {
	c := &Numbers{peers: maps.Clone(n.peers), rules: maps.Clone(n.rules), classes: maps.Clone(n.classes)}
	c.next = n.next
	return c
}
