package semantics_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/label"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
	"firebreak/internal/semantics"
)

// The oracle knows no tiers, loops or stages. All rules of this universe speak
// about the one conversation from a to b, so that a policy is a word: which
// rules it has, in a fixed order. Two letters are a rule: where it stands (G:
// guardrail; P and Q: platform with priorities 1 and 2; E: exception; A:
// application; B: baseline) and what it says (a: allow, d: deny, p: pass). The
// first line that fits decides, and its last letters are the rule that is
// named; no letters: the default.
var truth = []struct{ word, effect, rule string }{
	{`^Gd`, "deny", "Gd"},
	{`^Pd`, "deny", "Pd"},
	{`^Pa`, "allow", "Pa"},
	{`^Pp.*Ea`, "allow", "Ea"},
	{`^Pp.*Ad`, "deny", "Ad"},
	{`^Pp.*Aa`, "allow", "Aa"},
	{`^Pp.*Bd`, "deny", "Bd"},
	{`^Pp.*Ba`, "allow", "Ba"},
	{`^Pp`, "default", ""},
	{`^Qd`, "deny", "Qd"},
	{`^Qa`, "allow", "Qa"},
	{`^(Qp)?Ea`, "allow", "Ea"},
	{`^(Qp)?(Aa)?Ad`, "deny", "Ad"},
	{`^(Qp)?Aa`, "allow", "Aa"},
	{`^(Qp)?(Ba)?Bd`, "deny", "Bd"},
	{`^(Qp)?Ba`, "allow", "Ba"},
	{`^(Qp)?$`, "default", ""},
}

type line struct {
	fits         *regexp.Regexp
	effect, rule string
}

func compiled() []line {
	var out []line
	for _, t := range truth {
		out = append(out, line{regexp.MustCompile(t.word), t.effect, t.rule})
	}
	return out
}

func lookup(lines []line, word string) (effect, rule string) {
	for _, l := range lines {
		if l.fits.MatchString(word) {
			return l.effect, l.rule
		}
	}
	panic("the table has no line for " + word)
}

// zoneKind is the default and the stage of a zone, as two letters: a or d, and
// o(bserve) or e(nforce).
var zoneKinds = []string{"ao", "ae", "do", "de"}

// rulesWanted is one policy of the universe: what stands in each place, and
// with which stage; "" is nothing.
type rulesWanted []struct{ rule, stage string }

// words are the policy to come and the one in force.
func (r rulesWanted) words() (toCome, inForce string) {
	for _, x := range r {
		toCome += x.rule
		if x.stage == "e" {
			inForce += x.rule
		}
	}
	return toCome, inForce
}

// The universes: what may stand in each place. Together they have every tier
// beside every other; one that had all of it would be too large to ask.
var (
	rulesOnly = [][]string{{"", "Pa", "Pd", "Pp"}, {"", "Qa", "Qd", "Qp"}, {"", "Aa"}, {"", "Ad"}, {"", "Ba"}, {"", "Bd"}}
	allTiers  = [][]string{{"", "Gd"}, {"", "Pa", "Pd", "Pp"}, {"", "Ea"}, {"", "Aa"}, {"", "Ad"}, {"", "Ba"}}
)

// everyPolicy visits all policies of a universe.
func everyPolicy(places [][]string, visit func(rulesWanted)) {
	var build func(int, rulesWanted)
	build = func(i int, sofar rulesWanted) {
		if i == len(places) {
			visit(sofar)
			return
		}
		for _, rule := range places[i] {
			for _, stage := range []string{"o", "e"} {
				if rule == "Ea" && stage == "o" {
					continue // exceptions have no stage
				}
				if rule != "" {
					build(i+1, append(sofar[:i:i], struct{ rule, stage string }{rule, stage}))
				} else if stage == "o" {
					build(i+1, append(sofar[:i:i], struct{ rule, stage string }{}))
				}
			}
		}
	}
	build(0, nil)
}

func selector(t testing.TB, text string) *lang.Select {
	t.Helper()
	s, err := label.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return &lang.Select{Selector: s}
}

func zone(t testing.TB, name, kind string) *lang.Zone {
	z := &lang.Zone{Meta: lang.Meta{Name: name, Pos: diag.Pos{File: name}}, Select: selector(t, "z="+name), Default: lang.Deny}
	if kind[0] == 'a' {
		z.Default = lang.Allow
	}
	switch {
	case kind[1] == 'e':
		z.Stage = lang.Enforce
	case name == "b":
		z.Stage = lang.Alert // observe that also tells someone
	}
	return z
}

// tree writes a policy down: each place is a policy of its own. They stand in
// reverse, since the order of the text must not matter.
func tree(t testing.TB, want rulesWanted, kinds [2]string) *lang.Dir {
	d := &lang.Dir{Zones: []*lang.Zone{zone(t, "a", kinds[0]), zone(t, "b", kinds[1])}}
	for _, x := range want {
		if x.rule == "" {
			continue
		}
		end := []lang.Endpoint{{Kind: lang.ByAny}}
		switch x.rule {
		case "Gd":
			g := &lang.Guardrail{Meta: lang.Meta{Name: x.rule}, From: end, To: end}
			if x.stage == "e" {
				g.Stage = lang.Enforce
			}
			d.Guardrails = append(d.Guardrails, g)
			continue
		case "Ea":
			d.Exceptions = append(d.Exceptions, &lang.Exception{Meta: lang.Meta{Name: x.rule}, From: end[0], To: end[0], Expires: end2027})
			continue
		}
		p := &lang.Policy{Tier: map[byte]lang.Tier{'P': lang.Platform, 'Q': lang.Platform, 'A': lang.Application, 'B': lang.Baseline}[x.rule[0]]}
		p.Name, p.Priority = "p", map[byte]int{'P': 1, 'Q': 2}[x.rule[0]]
		r := &lang.Rule{Name: x.rule, From: lang.Endpoint{Kind: lang.ByAny}, To: lang.Endpoint{Kind: lang.ByAny}}
		r.Effect = map[byte]lang.Effect{'a': lang.Allow, 'd': lang.Deny, 'p': lang.Pass}[x.rule[1]]
		switch {
		case x.stage == "e":
			r.Stage = lang.Enforce
		case x.rule[0] != 'A':
			r.Stage = lang.Alert
		}
		p.Rules = []*lang.Rule{r}
		d.Policies = append([]*lang.Policy{p}, d.Policies...)
	}
	return d
}

// defaultOf names the default that decides: the first zone's that refuses,
// else the first zone's.
func defaultOf(kinds [2]string, refuses string) string {
	for i, zone := range []string{"a", "b"} {
		if strings.HasPrefix(kinds[i], refuses) {
			return "default-deny " + zone
		}
	}
	return "default-allow a"
}

// expected is what the oracle says about a to b.
func expected(lines []line, want rulesWanted, kinds [2]string) (inForce, toCome flow.Verdict, inForceRule, toComeRule string) {
	wordToCome, wordInForce := want.words()
	effect, toComeRule := lookup(lines, wordToCome)
	toCome = flow.Forwarded
	if effect == "deny" || effect == "default" && (kinds[0][0] == 'd' || kinds[1][0] == 'd') {
		toCome = flow.Dropped
	}
	if effect == "default" {
		toComeRule = defaultOf(kinds, "d")
	}
	effect, inForceRule = lookup(lines, wordInForce)
	if effect == "default" {
		inForceRule = defaultOf(kinds, "de")
	}
	switch {
	case effect == "deny" || effect == "default" && (kinds[0] == "de" || kinds[1] == "de"):
		inForce = flow.Dropped
	case toCome == flow.Dropped:
		inForce = flow.Audited
	default:
		inForce = flow.Forwarded
	}
	return inForce, toCome, inForceRule, toComeRule
}

var ab = []inventory.Workload{{Name: "a", Labels: map[string]string{"z": "a"}}, {Name: "b", Labels: map[string]string{"z": "b"}}}

var end2027 = time.Date(2027, 12, 31, 0, 0, 0, 0, time.UTC)

// compare runs a universe and returns how many questions were asked and the
// first answer that differs, after which it asks no more. sabotage may change
// what the evaluator is given.
func compare(t testing.TB, places [][]string, sabotage func(*lang.Dir)) (questions int, wrong string) {
	lines := compiled()
	everyPolicy(places, func(want rulesWanted) {
		for _, za := range zoneKinds {
			for _, zb := range zoneKinds {
				if wrong == "" {
					questions++
					wrong = ask(t, lines, want, [2]string{za, zb}, sabotage)
				}
			}
		}
	})
	return questions, wrong
}

// ask puts one question to both and returns how they differ.
func ask(t testing.TB, lines []line, want rulesWanted, kinds [2]string, sabotage func(*lang.Dir)) string {
	d := tree(t, want, kinds)
	sabotage(d)
	e := semantics.New(d, &inventory.Snapshot{Workloads: ab})
	from, _ := e.Workload("a")
	to, _ := e.Workload("b")
	got := e.Decide(from, to, netset.TCP, 1, flow.Circumstances{At: end2027.Add(-1)})
	inForce, toCome, inForceRule, toComeRule := expected(lines, want, kinds)
	if got.InForce == inForce && got.ToCome == toCome && name(got.InForceRule) == inForceRule && name(got.ToComeRule) == toComeRule {
		return ""
	}
	return fmt.Sprintf("rules %v, zones %v: got %v by %v and %v by %v; want %v by %s and %v by %s", want, kinds,
		got.InForce, got.InForceRule, got.ToCome, got.ToComeRule, inForce, inForceRule, toCome, toComeRule)
}

// name is that of a rule, guardrail or exception, or of a default and its zone.
func name(r flow.Rule) string {
	if r.Policy != "" && r.Policy != "p" {
		return r.Policy
	}
	return strings.TrimSpace(r.Rule + " " + r.File)
}

func TestEveryPolicyOfATinyUniverse(t *testing.T) {
	for _, c := range []struct {
		places    [][]string
		questions int
	}{{rulesOnly, 7 * 7 * 3 * 3 * 3 * 3 * 16}, {allTiers, 3 * 7 * 2 * 3 * 3 * 3 * 16}} {
		questions, wrong := compare(t, c.places, func(*lang.Dir) {})
		if wrong != "" {
			t.Error(wrong)
		}
		if questions != c.questions {
			t.Errorf("%d questions were asked, want %d", questions, c.questions)
		}
	}
}

// A judge that agrees with everything proves nothing: each of these faults
// must be found.
func TestPlantedFaultsAreFound(t *testing.T) {
	rules := func(change func(*lang.Policy, *lang.Rule)) func(*lang.Dir) {
		return func(d *lang.Dir) {
			for _, p := range d.Policies {
				for _, r := range p.Rules {
					change(p, r)
				}
			}
		}
	}
	without := func(drop func(*lang.Dir, *lang.Policy, *lang.Rule) bool) func(*lang.Dir) {
		return func(d *lang.Dir) {
			var kept []*lang.Policy
			for _, p := range d.Policies {
				if !drop(d, p, p.Rules[0]) {
					kept = append(kept, p)
				}
			}
			d.Policies = kept
		}
	}
	has := func(d *lang.Dir, name string) bool {
		for _, p := range d.Policies {
			if p.Rules[0].Name == name {
				return true
			}
		}
		return false
	}
	for name, fault := range map[string]func(*lang.Dir){
		"stages are ignored":           rules(func(_ *lang.Policy, r *lang.Rule) { r.Stage = lang.Enforce }),
		"nothing is in force":          rules(func(_ *lang.Policy, r *lang.Rule) { r.Stage = lang.Observe }),
		"priorities are reversed":      rules(func(p *lang.Policy, _ *lang.Rule) { p.Priority = -p.Priority }),
		"baseline is application":      rules(func(p *lang.Policy, _ *lang.Rule) { p.Tier = min(p.Tier, lang.Application) }),
		"application is baseline":      rules(func(p *lang.Policy, _ *lang.Rule) { p.Tier = (p.Tier + 1) / 2 * 2 }),
		"pass is nothing":              without(func(_ *lang.Dir, _ *lang.Policy, r *lang.Rule) bool { return r.Effect == lang.Pass }),
		"pass is allow":                rules(func(_ *lang.Policy, r *lang.Rule) { r.Effect %= lang.Pass }),
		"baseline is ignored":          without(func(_ *lang.Dir, p *lang.Policy, _ *lang.Rule) bool { return p.Tier == lang.Baseline }),
		"allow beats deny":             without(func(d *lang.Dir, _ *lang.Policy, r *lang.Rule) bool { return r.Name == "Ad" && has(d, "Aa") }),
		"allow beats deny in baseline": without(func(d *lang.Dir, _ *lang.Policy, r *lang.Rule) bool { return r.Name == "Bd" && has(d, "Ba") }),
		"the source's default is lost": func(d *lang.Dir) { d.Zones[0].Default = lang.Allow },
		"the target's default is lost": func(d *lang.Dir) { d.Zones[1].Default = lang.Allow },
		"an observing zone drops":      func(d *lang.Dir) { d.Zones[0].Stage = lang.Enforce },
		"an enforcing zone observes":   func(d *lang.Dir) { d.Zones[1].Stage = lang.Observe },
		"the zones are the other's":    func(d *lang.Dir) { d.Zones[0].Select, d.Zones[1].Select = d.Zones[1].Select, d.Zones[0].Select },
		"guardrails are ignored":       func(d *lang.Dir) { d.Guardrails = nil },
		"guardrails have no stage": func(d *lang.Dir) {
			for _, g := range d.Guardrails {
				g.Stage = lang.Enforce
			}
		},
		"guardrails are application": func(d *lang.Dir) {
			for range d.Guardrails {
				p := &lang.Policy{Meta: lang.Meta{Name: "Gd"}, Tier: lang.Application}
				p.Rules = []*lang.Rule{{Name: "never", Effect: lang.Deny, Stage: d.Guardrails[0].Stage, From: lang.Endpoint{Kind: lang.ByAny}, To: lang.Endpoint{Kind: lang.ByAny}}}
				d.Policies = append(d.Policies, p)
			}
			d.Guardrails = nil
		},
		"exceptions are ignored": func(d *lang.Dir) { d.Exceptions = nil },
		"exceptions have expired": func(d *lang.Dir) {
			for _, x := range d.Exceptions {
				x.Expires = end2027.Add(-1)
			}
		},
		"exceptions are application": func(d *lang.Dir) {
			for range d.Exceptions {
				p := &lang.Policy{Meta: lang.Meta{Name: "Ea"}, Tier: lang.Application}
				p.Rules = []*lang.Rule{{Name: "exception", Stage: lang.Enforce, From: lang.Endpoint{Kind: lang.ByAny}, To: lang.Endpoint{Kind: lang.ByAny}}}
				d.Policies = append(d.Policies, p)
			}
			d.Exceptions = nil
		},
		"one rule in enforce is dropped": without(func(_ *lang.Dir, _ *lang.Policy, r *lang.Rule) bool { return r.Name == "Bd" && r.Stage == lang.Enforce }),
	} {
		t.Run(name, func(t *testing.T) {
			questions, wrong := compare(t, allTiers, fault)
			if wrong == "" {
				_, wrong = compare(t, rulesOnly, fault)
			}
			if wrong == "" {
				t.Errorf("%d answers and more, and none of them was found to be wrong", questions)
			}
		})
	}
}
