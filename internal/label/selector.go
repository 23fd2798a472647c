// Package label holds label selectors: Kubernetes' syntax with Kubernetes'
// meaning, parsed by our own code.
package label

import (
	"slices"
	"strings"
)

// Op is what a requirement demands of a label.
type Op uint8

// The operators. NotIn is also met by a workload that lacks the label, as in
// Kubernetes. a=b, a==b is In with one value; a!=b is NotIn with one value.
const (
	In Op = iota
	NotIn
	Exists
	NotExists
)

// Requirement is one condition on one label. Values is sorted, without
// repeats; non-empty for In and NotIn, nil for the others.
type Requirement struct {
	Key    string
	Op     Op
	Values []string
}

// Matches reports whether labels meet the requirement.
func (r Requirement) Matches(labels map[string]string) bool {
	v, has := labels[r.Key]
	switch r.Op {
	case In:
		return has && slices.Contains(r.Values, v)
	case NotIn:
		return !has || !slices.Contains(r.Values, v)
	case Exists:
		return has
	default:
		return !has
	}
}

// String renders the requirement so that Parse reads it back.
func (r Requirement) String() string {
	switch {
	case r.Op == Exists:
		return r.Key
	case r.Op == NotExists:
		return "!" + r.Key
	case r.Op == In && len(r.Values) == 1:
		return r.Key + "=" + r.Values[0]
	case r.Op == In:
		return r.Key + " in (" + strings.Join(r.Values, ",") + ")"
	case len(r.Values) == 1:
		return r.Key + "!=" + r.Values[0]
	default:
		return r.Key + " notin (" + strings.Join(r.Values, ",") + ")"
	}
}

// Selector is a conjunction of requirements. It is an immutable value, safe
// for concurrent use. The zero Selector has none and matches everything.
type Selector struct {
	requirements []Requirement // sorted by key, then operator, then values; no repeats
}

// Requirements returns a copy of the conditions, sorted by key.
func (s Selector) Requirements() []Requirement { return slices.Clone(s.requirements) }

// IsZero reports whether the selector has no requirement.
func (s Selector) IsZero() bool { return len(s.requirements) == 0 }

// Matches reports whether labels meet every requirement. A nil map is a
// workload without labels.
func (s Selector) Matches(labels map[string]string) bool {
	for _, r := range s.requirements {
		if !r.Matches(labels) {
			return false
		}
	}
	return true
}

// Keys returns the label keys that the selector mentions, sorted, each once.
func (s Selector) Keys() []string {
	var keys []string
	for _, r := range s.requirements {
		keys = append(keys, r.Key)
	}
	return slices.Compact(keys)
}

// MatchesAbsence reports whether the selector could match a workload by its
// lacking a label that the selector mentions: by a!=b, a notin (…) or !a,
// unless another requirement on the same key needs the label to be there.
func (s Selector) MatchesAbsence() bool {
	return slices.ContainsFunc(s.Keys(), s.toleratesAbsence)
}

func (s Selector) toleratesAbsence(key string) bool {
	for _, r := range s.requirements {
		if r.Key == key && (r.Op == In || r.Op == Exists) {
			return false
		}
	}
	return true
}

// String renders the selector in canonical form: sorted by key, values sorted.
// Parse reads it back. The zero Selector is "".
func (s Selector) String() string {
	words := make([]string, len(s.requirements))
	for i, r := range s.requirements {
		words[i] = r.String()
	}
	return strings.Join(words, ",")
}
