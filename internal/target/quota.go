package target

import (
	"fmt"
	"slices"
	"strings"

	"firebreak/internal/diag"
	"firebreak/internal/lang"
	"firebreak/internal/plan"
)

// Quota is a limit of a platform, counted as the platform counts.
type Quota struct {
	Name string // "rules of a group for each direction and each IP family"
	// Key is the Estate's word for it, unique in its target: "rules-per-group". It
	// is empty of what no Estate need speak of.
	Key   string
	Limit int  // what everybody is granted
	Hard  bool // the platform does not raise it
	Most  int  // it is raised up to this; 0: as far as the platform likes
	// Of are keys of other quotas of the target, for whose product this limit is. It
	// is hard then. One of them may be granted less, so that another can be more.
	Of     []string
	Source string
}

// Limit returns the limit that holds for what is rendered: what the Estate says
// was granted, never beyond what the platform grants at all, else what everybody
// is granted. It is 0 of a key that the target does not have.
func Limit(w *plan.Wanted, t Target, key string) int {
	return limit(w.Quotas[t.Name()], t.Quotas(), key)
}

func limit(raised map[string]int, quotas []Quota, key string) int {
	i := find(quotas, key)
	if i < 0 {
		return 0
	}
	n := granted(raised, quotas[i])
	for _, q := range quotas {
		if !slices.Contains(q.Of, key) {
			continue
		}
		others := 1
		for _, other := range q.Of {
			if j := find(quotas, other); j >= 0 && other != key {
				others *= granted(raised, quotas[j])
			}
		}
		n = max(1, min(n, q.Limit/max(1, others)))
	}
	return n
}

// granted is a quota's own limit, whatever others demand.
func granted(raised map[string]int, q Quota) int {
	n, said := raised[q.Key]
	switch {
	case !said || q.Hard || n < 1:
		return q.Limit
	case q.Most > 0:
		return min(n, q.Most)
	}
	return n
}

func find(quotas []Quota, key string) int {
	return slices.IndexFunc(quotas, func(q Quota) bool { return key != "" && q.Key == key })
}

// CheckQuotas finds what is wrong with the quotas of an Estate: targets and words
// that there are not, limits that nobody raises, and numbers that no account has.
// A nil Estate has none.
func CheckQuotas(e *lang.Estate, targets []Target) diag.List {
	var c checker
	if e == nil {
		return nil
	}
	for _, q := range e.Quotas {
		i := slices.IndexFunc(targets, func(t Target) bool { return t.Name() == q.Target.Text })
		if i >= 0 {
			c.check(targets[i], q)
			continue
		}
		if !c.unknown[q.Target.Text] {
			c.unknownTarget(q.Target, targets)
		}
	}
	for _, t := range targets {
		c.products(t, e)
	}
	return c.diags
}

type checker struct {
	diags   diag.List
	unknown map[string]bool
}

func (c *checker) unknownTarget(word lang.Word, targets []Target) {
	if c.unknown == nil {
		c.unknown = map[string]bool{}
	}
	c.unknown[word.Text] = true
	var names []string
	for _, t := range targets {
		names = append(names, t.Name())
	}
	c.diags.Errorf(word.Pos, "unknown-target", "there is no target %q", word.Text).WithHelp("%s", oneOf(word.Text, names))
}

func (c *checker) check(t Target, q lang.Quota) {
	quotas := t.Quotas()
	var words []string
	factor := false // of a product
	for _, x := range quotas {
		if x.Key != "" && !x.Hard {
			words = append(words, x.Key)
		}
		factor = factor || slices.Contains(x.Of, q.Name.Text)
	}
	i := find(quotas, q.Name.Text)
	switch {
	case len(words) == 0:
		c.diags.Errorf(q.Name.Pos, "bad-quota", "%s has no quota that can be raised", t.Name()).WithHelp("leave it out; firebreak targets lists the quotas that there are")
	case i < 0:
		c.diags.Errorf(q.Name.Pos, "bad-quota", "%s has no quota %q", t.Name(), q.Name.Text).WithHelp("%s", oneOf(q.Name.Text, words))
	case quotas[i].Hard:
		c.diags.Errorf(q.Name.Pos, "bad-quota", "the quota %s of %s is %d and is raised for nobody", q.Name.Text, t.Name(), quotas[i].Limit).WithHelp("leave it out; see %s", quotas[i].Source)
	case quotas[i].Most > 0 && q.Limit > quotas[i].Most:
		c.diags.Errorf(q.Pos, "bad-quota", "the quota %s of %s is raised to %d at most, not to %d", q.Name.Text, t.Name(), quotas[i].Most, q.Limit).WithHelp("see %s", quotas[i].Source)
	case q.Limit < quotas[i].Limit && !factor:
		c.diags.Errorf(q.Pos, "bad-quota", "the quota %s of %s is %d for everybody: %d would be less", q.Name.Text, t.Name(), quotas[i].Limit, q.Limit).WithHelp("write what was granted, or leave it out; see %s", quotas[i].Source)
	}
}

// products refuses limits that are each possible, and not together.
func (c *checker) products(t Target, e *lang.Estate) {
	raised := map[string]int{}
	var last diag.Pos
	quotas := t.Quotas()
	for _, x := range quotas {
		if len(x.Of) == 0 {
			continue
		}
		clear(raised)
		for _, q := range e.Quotas {
			if q.Target.Text == t.Name() && slices.Contains(x.Of, q.Name.Text) {
				raised[q.Name.Text], last = q.Limit, q.Pos
			}
		}
		if len(raised) == 0 {
			continue
		}
		product, text := int64(1), []string{}
		for _, key := range x.Of {
			n := granted(raised, quotas[find(quotas, key)])
			product = min(product*int64(n), 1<<31)
			text = append(text, fmt.Sprintf("%s %d", key, n))
		}
		if product > int64(x.Limit) {
			c.diags.Errorf(last, "bad-quota", "%s of %s, multiplied, are more than %d, which is granted to nobody", strings.Join(text, " and "), t.Name(), x.Limit).
				WithHelp("write both as they were granted: who is granted more of one has less of the other; see %s", x.Source)
		}
	}
}

// oneOf says what a word was probably meant to be, and what it may be.
func oneOf(word string, words []string) string {
	help := "it is one of " + strings.Join(words, ", ")
	if near := diag.Meant(word, words); near != "" {
		help = "did you mean " + near + "? " + help
	}
	return help
}

// Raise says in which words of an Estate a quota can be raised, for the help of
// an error about it: empty if it cannot.
func Raise(t Target, keys ...string) string {
	var words []string
	for _, key := range keys {
		if i := find(t.Quotas(), key); i >= 0 && !t.Quotas()[i].Hard {
			words = append(words, key+": N")
		}
	}
	if len(words) == 0 {
		return ""
	}
	return fmt.Sprintf("if more was granted, write it into the Estate: quotas: {%s: {%s}}", t.Name(), strings.Join(words, ", "))
}
