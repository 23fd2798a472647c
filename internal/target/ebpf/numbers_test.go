package ebpf

import (
	"encoding/json"
	"maps"
	"testing"

	"pgregory.net/rapid"

	"firebreak/internal/datapath/layout"
)

func TestNumbersSurviveASaveAndAreNeverReused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, known, owner := &Numbers{}, map[string]uint32{}, map[uint32]string{}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			if rapid.IntRange(0, 5).Draw(t, "restart") == 0 {
				saved, err := json.Marshal(n)
				if err != nil {
					t.Fatal(err)
				}
				n = &Numbers{}
				if err := json.Unmarshal(saved, n); err != nil {
					t.Fatal(err)
				}
			}
			key := identityKey(rapid.StringN(0, 3, -1).Draw(t, "key"))
			number := n.peer(key)
			if before, ok := known[key]; ok && before != number || number < layout.FirstIdentity {
				t.Fatalf("%q was %d and is %d", key, before, number)
			}
			if other, ok := owner[number]; ok && other != key {
				t.Fatalf("%d is %q and %q", number, other, key)
			}
			known[key], owner[number] = number, key
		}
	})
}

func TestSavedNumbersThatWouldCollideAreRefused(t *testing.T) {
	for _, saved := range []string{
		`{"version":2}`,
		`{"version":1,"nextPeer":20,"peers":{"a":16,"b":16}}`,
		`{"version":1,"nextPeer":16,"peers":{"a":16}}`,
		`{"version":1,"nextPeer":20,"peers":{"a":3}}`,
		`{"version":1,"nextRule":4294967295}`,
		`{"version":1,"nextRu`,
	} {
		n := &Numbers{}
		n.peer("kept")
		before := maps.Clone(n.peers)
		if err := n.UnmarshalJSON([]byte(saved)); err == nil {
			t.Errorf("%s was taken", saved)
		}
		if !maps.Equal(before, n.peers) {
			t.Errorf("%s left traces", saved)
		}
	}
}

func TestKeysOfDifferentThingsDiffer(t *testing.T) {
	keys := []string{
		identityKey("a"), externalsKey([]string{"a"}), externalsKey([]string{"a", "b"}), externalsKey([]string{`a" "b`}),
		strictestKey([]string{"a", "b"}), loosestKey([]string{"a", "b"}),
	}
	seen := map[string]bool{}
	for _, k := range keys {
		if seen[k] {
			t.Errorf("%s names two things", k)
		}
		seen[k] = true
	}
}
