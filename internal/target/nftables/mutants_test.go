package nftables

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"firebreak/internal/layer"
	"firebreak/internal/plan"
)

// mutants is how many are made; `make oracles` makes many.
var mutants = flag.Int("mutants", 40, "how many mutants the kernel judges, of files and of inventories each")

// mutations change the text of a rendered file, without any knowledge of what
// it means beside nft's own words.
var mutations = []struct {
	name string
	find *regexp.Regexp
	put  string
}{
	{"a verdict is turned", regexp.MustCompile(`\{"drop":null\}`), `{"accept":null}`},
	{"a policy is turned", regexp.MustCompile(`"policy":"accept"`), `"policy":"drop"`},
	{"a port is widened", regexp.MustCompile(`"field":"dport"\}\},"right":(\d+)\}`), `"field":"dport"}},"right":{"range":[0,65535]}}`},
	{"a range is widened", regexp.MustCompile(`\{"range":\[(\d+),(\d+)\]\}`), `{"range":[1,65000]}`},
	{"a protocol is changed", regexp.MustCompile(`"protocol":"udp","field":"dport"`), `"protocol":"tcp","field":"dport"`},
	{"another port", regexp.MustCompile(`"right":80\}`), `"right":9}`},
	{"another port of several", regexp.MustCompile(`"set":\[80,`), `"set":[9,`},
	{"an address is another", regexp.MustCompile(`"10\.91\.1\.11"`), `"10.91.1.12"`},
	{"a prefix is wider", regexp.MustCompile(`"len":(\d)\d\}`), `"len":$1}`},
	{"a goto leads elsewhere", regexp.MustCompile(`"target":"in_([a-z0-9-]+)"`), `"target":"out_$1"`},
	{"ends are swapped", regexp.MustCompile(`"field":"saddr"`), `"field":"daddr"`},
	{"ends are swapped back", regexp.MustCompile(`"field":"daddr"`), `"field":"saddr"`},
	{"a condition is lost", regexp.MustCompile(`\{"match":[^@\n]*?"dport"\}\},"right":[^@\n]*?\},(\{"match":[^\n]*?"@)`), `$1`},
	{"peers are lost", regexp.MustCompile(`\{"match":\{"op":"==","left":\{"payload":\{"protocol":"ip6?","field":"[sd]addr"\}\},"right":"@[^"]*"\}\},`), ``},
	{"peers are all others", regexp.MustCompile(`"op":"==","left":(\{"payload":\{"protocol":"ip6?","field":"[sd]addr"\}\},"right":"@)`), `"op":"!=","left":$1`},
	{"peers are others", regexp.MustCompile(`(?s)("name":"([a-z0-9_-]+_4)".*)"right":"@[a-z0-9_-]+_4"`), `$1"right":"@$2"`},
	{"a not is lost", regexp.MustCompile(`"op":"!="`), `"op":"=="`},
	{"a not is put", regexp.MustCompile(`"op":"=="`), `"op":"!="`},
	{"established is new", regexp.MustCompile(`\["established","related"\]`), `["established","related","new"]`},
	{"established is lost", regexp.MustCompile(`\["established","related"\]`), `["related"]`},
	{"a hook is another", regexp.MustCompile(`"hook":"input"`), `"hook":"forward"`},
	{"a hook is another way", regexp.MustCompile(`"hook":"output"`), `"hook":"forward"`},
	{"a rule goes", regexp.MustCompile(`(?m)^\{"add":\{"rule".*\n`), ``},
	{"an element goes", regexp.MustCompile(`\["10\.91[^\]]*?\{"target":"[^"]*"\}\}\],`), ``},
	{"an element accepts", regexp.MustCompile(`\{"goto":\{"target":"(in|out)_[^"]*"\}\}`), `{"accept":null}`},
	{"a peer more", regexp.MustCompile(`"elem":\["10\.91\.`), `"elem":["203.0.113.11","10.91.`},
	{"icmp is esp", regexp.MustCompile(`"right":"(icmp|ipv6-icmp)"`), `"right":"esp"`},
	{"icmp is tcp", regexp.MustCompile(`"right":"(icmp|ipv6-icmp)"`), `"right":"tcp"`},
	{"rules stand in front", regexp.MustCompile(`\{"add":\{"rule":\{"family":"inet","table":"firebreak","chain":"(in|out)_([a-z0-9_-]+)"`), `{"add":{"rule":{"family":"inet","table":"firebreak","chain":"$1_$2","expr":[{"accept":null}]}}},` + "\n" + `{"add":{"rule":{"family":"inet","table":"firebreak","chain":"$1_$2"`},
	{"a jump is a goto", regexp.MustCompile(`\{"jump"`), `{"goto"`},
	{"a chain asks the other way", regexp.MustCompile(`"target":"entering"`), `"target":"leaving"`},
}

// mutate changes the n-th place that a mutation fits; nil if there is none.
func mutate(data []byte, m int, n int) []byte {
	at := mutations[m].find.FindAllSubmatchIndex(data, -1)
	if n >= len(at) {
		return nil
	}
	var out []byte
	out = append(out, data[:at[n][0]]...)
	out = mutations[m].find.Expand(out, []byte(mutations[m].put), data, at[n])
	return append(out, data[at[n][1]:]...)
}

// tally is what came of mutants.
type tally struct {
	total, loaded, beyond, caught, unproven, agreed int
	kinds                                           map[string]int
}

// Every mutant that lets something pass that was not meant to is seen in what is
// lifted of it, and no proof of it passes: the kernel says what passes, by
// packets.
func TestMutantsAreCaught(t *testing.T) {
	sum := &tally{kinds: map[string]int{}}
	f := newField(t, "fbnftm", ground())
	f.quiet()
	r := rand.New(rand.NewPCG(4, 0))
	for seed := uint64(100); sum.loaded < *mutants && !t.Failed(); seed++ {
		mutantsOf(t, f, r, seed, sum)
	}
	t.Logf("%d mutants, %d loaded, %d permit more, %d of them caught in the layer, %d in the proof; %d conversations agreed; %v", sum.total, sum.loaded, sum.beyond, sum.caught, sum.unproven, sum.agreed, sum.kinds)
	if sum.beyond < *mutants/10 || sum.caught < sum.beyond || sum.unproven < sum.beyond {
		t.Errorf("%d mutants, %d permit more, %d and %d are caught", sum.total, sum.beyond, sum.caught, sum.unproven)
	}
}

// mutantsOf makes some of one random policy.
func mutantsOf(t *testing.T, f *field, r *rand.Rand, seed uint64, sum *tally) {
	w := wantedText(t, randomPolicy(seed), inventoryText())
	files := rendered(t, w)
	original := proofOf(t, w, liftOf(t, w, files, true))
	if !original.proven {
		t.Errorf("seed %d: %s", seed, original.text)
	}
	qs := questions(w, f)
	for range 16 {
		name := []string{"a", "b"}[r.IntN(2)] + "/firebreak.nft.json"
		m := r.IntN(len(mutations))
		data := mutate(files[name], m, r.IntN(4))
		if data == nil || bytes.Equal(data, files[name]) {
			continue
		}
		sum.total++
		changed := maps.Clone(files)
		changed[name] = data
		if loadBoth(f, changed) { // else the kernel refuses it
			sum.loaded++
			before := sum.beyond
			judge(t, f, w, qs, changed, original, fmt.Sprintf("seed %d, %s: %s", seed, name, mutations[m].name), sum)
			sum.kinds[mutations[m].name] += sum.beyond - before
		}
	}
}

// judge sends packets through a mutant and compares.
func judge(t *testing.T, f *field, w *plan.Wanted, qs []*question, files map[string][]byte, original proof, what string, sum *tally) {
	f.send(probesOf(qs))
	l, _ := Target{}.Lift(source(w, files, true))
	if over := beyondMeant(w, qs); len(over) > 0 {
		sum.beyond++
		if seen(l, w, over) {
			sum.caught++
		} else {
			t.Errorf("%s: %s passes, and the layer does not say so", what, over[0].describe())
		}
		if said := proofOf(t, w, l); said.catches(original) {
			sum.unproven++
		} else {
			t.Errorf("%s: %s passes, and is proven:\n%s", what, over[0].describe(), said.text)
		}
	}
	for _, q := range qs {
		lower, upper := says(l, w.Policy.Networks, q.a, q.b, q.port)
		if !doubts(l, w, q) && (lower != layer.Deny && !f.passes(&q.probe) || upper == layer.Deny && q.passed) {
			t.Errorf("%s: %s: packet %v, lifted %s to %s", what, q.describe(), q.passed, lower, upper)
			return
		}
		sum.agreed++
	}
}

func (q *question) describe() string {
	return fmt.Sprintf("%s → %s %s %d", q.from, q.to, q.port.protocol, q.port.number)
}

func loadBoth(f *field, files map[string][]byte) bool {
	for _, host := range []string{"a", "b"} {
		if err := f.load(host, files[host+"/firebreak.nft.json"]); err != nil {
			return false
		}
	}
	return true
}

// beyondMeant are the conversations that passed and were not meant to.
func beyondMeant(w *plan.Wanted, qs []*question) []*question {
	var out []*question
	for _, q := range qs {
		if q.passed && !intended(w, q) {
			out = append(out, q)
		}
	}
	return out
}

func doubts(l *layer.Layer, w *plan.Wanted, q *question) bool {
	for _, u := range l.Unknown {
		if u.Concerns.Matches(q.a, w.Policy.Networks) != layer.No || u.Concerns.Matches(q.b, w.Policy.Networks) != layer.No {
			return true
		}
	}
	return false
}

// seen reports whether a layer permits, or may permit, all of that.
func seen(l *layer.Layer, w *plan.Wanted, over []*question) bool {
	for _, q := range over {
		if _, upper := says(l, w.Policy.Networks, q.a, q.b, q.port); upper == layer.Deny && !doubts(l, w, q) {
			return false
		}
	}
	return true
}

// Tables of others, by hand: several base chains, jumps and returns, sets and
// maps, as other tools write them.
func TestPacketsJudgeForeignRules(t *testing.T) {
	f := newField(t, "fbnftf", ground())
	f.quiet()
	w := wantedText(t, strings.ReplaceAll(randomPolicy(1), "enforce", "observe"), inventoryText())
	agreed, unsure := 0, 0
	for n, rules := range foreign {
		live := map[string][]byte{}
		for _, host := range []string{"a", "b"} {
			if err := f.load(host, nil); err != nil {
				t.Fatal(err)
			}
			if host == "a" {
				if _, err := f.nft(host, []byte(rules), "-f", "-"); err != nil {
					t.Fatalf("rules %d: %v", n, err)
				}
			}
			out, err := f.nft(host, nil, "-j", "list", "ruleset")
			if err != nil {
				t.Fatal(err)
			}
			live[host+".nft.json"] = out
		}
		l := liftOf(t, w, live, false)
		qs := questions(w, f)
		f.send(probesOf(qs))
		for _, q := range qs {
			lower, upper := says(l, w.Policy.Networks, q.a, q.b, q.port)
			switch {
			case doubts(l, w, q) || lower != upper:
				unsure++
			case lower == layer.Deny && q.passed, lower != layer.Deny && !f.passes(&q.probe):
				t.Errorf("rules %d: %s: packet %v, lifted %s to %s", n, q.describe(), q.passed, lower, upper)
			default:
				agreed++
			}
		}
		if l.Ours != 0 || l.Foreign == 0 {
			t.Errorf("rules %d: %d ours, %d foreign", n, l.Ours, l.Foreign)
		}
	}
	t.Logf("%d conversations agreed, %d unsure", agreed, unsure)
	if unsure > agreed/3 {
		t.Error("too much is unsure")
	}
}

var foreign = []string{
	// a plain stateful firewall
	`table inet filter {
 chain input { type filter hook input priority 0; policy drop;
  ct state established,related accept
  iif lo accept
  meta l4proto { icmp, ipv6-icmp } accept
  tcp dport { 80, 400-500 } accept
 }
}`,
	// two base chains on one hook: an accept of the first does not help
	`table inet one { chain in { type filter hook input priority -10; policy accept; tcp dport 80 accept; udp dport 53 accept; }; }
table ip two { chain in { type filter hook input priority 10; policy accept; ct state { established, related } accept; ip saddr 10.91.2.11 drop; tcp dport 80 ip daddr 10.91.1.12 drop; }; }`,
	// jumps, returns and a verdict map, IPv4 only
	`table ip fw {
 map services { type inet_service : verdict; flags interval; elements = { 80 : jump web, 443 : drop, 5000-6000 : goto db } }
 set friends { type ipv4_addr; flags interval; elements = { 10.91.2.0/28, 203.0.113.0-203.0.113.100 } }
 chain web { ip saddr != @friends return; ip saddr 10.91.2.12 return; accept; }
 chain db { ip saddr 10.91.2.12 accept; counter drop; }
 chain input { type filter hook input priority 0; policy drop;
  ct state vmap { established : accept, related : accept, invalid : drop }
  tcp dport vmap @services
  tcp dport 80 ip saddr 203.0.113.211 accept
  icmp type echo-request accept
  udp dport != 53 accept
 }
}`,
	// what goes out, by concatenation
	`table inet out {
 set allowed { type ipv4_addr . inet_proto . inet_service; flags interval; elements = { 10.91.2.11 . tcp . 80, 10.91.2.0/24 . udp . 50-60, 203.0.113.11 . tcp . 443 } }
 chain output { type filter hook output priority 0; policy accept;
  ct state established,related accept
  oifname "lo" accept
  icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit } accept
  ip daddr . meta l4proto . th dport @allowed accept
  meta nfproto ipv6 tcp dport >= 400 accept
  ip daddr 10.91.2.12 meta l4proto icmp accept
  counter drop
 }
}`,
	// as Docker writes them: tables of NAT and forwarding beside
	`table ip nat {
 chain DOCKER { iifname "docker0" return; }
 chain POSTROUTING { type nat hook postrouting priority srcnat; policy accept; ip saddr 172.17.0.0/16 oifname != "docker0" masquerade; }
 chain PREROUTING { type nat hook prerouting priority dstnat; policy accept; fib daddr type local jump DOCKER; }
}
table ip filter {
 chain DOCKER-USER { counter return; }
 chain FORWARD { type filter hook forward priority filter; policy drop; jump DOCKER-USER; }
 chain INPUT { type filter hook input priority filter; policy accept; ip saddr 203.0.113.0/24 tcp dport 5432 drop; }
}`,
}
