package lattice_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/netset"
	"firebreak/internal/target"
	"firebreak/internal/target/lattice"
)

// samples are requests that the random policies tell apart.
func samples() []request {
	var out []request
	for _, method := range []string{"GET", "POST", "PUT", "DELETE", "PATCH"} {
		for _, path := range []string{"/", "/api/x", "/api/v1/y", "/a/b", "/c", "/api/admin", "/zz", "//", "/api/%2e%2e/a", "/a/b/./c", "/a/b/.."} {
			for _, headers := range []map[string]string{nil, {"x-team": "red"}, {"x-team": "green"}} {
				for _, at := range []time.Time{noon, noon.AddDate(0, 6, 0)} {
					out = append(out, request{method, path, headers, at})
				}
			}
		}
	}
	return out
}

// few are some of them, with every method, path, header and time.
func few() (out []request) {
	for i, q := range samples() {
		if i%7 == 0 || i%23 == 0 {
			out = append(out, q)
		}
	}
	return out
}

// differs asks the judge whether what was rendered, perhaps changed, permits
// something else than the policy means.
func (e *estate) differs(t *testing.T, files []target.File, quick []request) (over, under int) {
	tiny := &tinyEstate{inv: e.inv, all: tinyRead(t, files)}
	engine := e.wanted.Engine
	near := map[string][]string{}
	for _, n := range e.inv.Networks {
		near[n.Name] = n.Peers
	}
	for i := range e.inv.Workloads {
		for j := range e.inv.Workloads {
			from, to := &e.inv.Workloads[i], &e.inv.Workloads[j]
			a, b := from.Labels["net/vpc"], to.Labels["net/vpc"]
			if a == "" || b == "" || a == b || slices.Contains(near[b], a) {
				continue
			}
			x, y := engine.OfWorkload(i), engine.OfWorkload(j)
			arriving, _ := engine.Arriving(x, y, true)
			permitted, _ := engine.Permitted(x, y, true)
			for _, p := range to.Ports {
				if !strings.HasPrefix(p.Name, "http") {
					continue
				}
				for _, q := range quick {
					at := engine.Locate(flow.Circumstances{At: q.at, HTTP: &flow.Request{Method: q.method, Path: q.path, Headers: q.headers}})
					passes := tiny.permits(from, to, int(p.Number), q)
					if passes && !arriving.Contains(netset.TCP, p.Number, at) {
						over++
					}
					if !passes && permitted.Contains(netset.TCP, p.Number, at) {
						under++
					}
				}
			}
		}
	}
	return over, under
}

// mutation changes rendered text in one place.
type mutation struct {
	name string
	find *regexp.Regexp
	put  string // "$1" and so on; empty: deleted
}

// mutations are changes of lines or blocks. What each does to the meaning the
// judge says, from AWS's documentation.
var mutations = []mutation{
	{"a port condition is lost", regexp.MustCompile(`(?m)^ *"vpc-lattice-svcs:Port" += (\[[^\]]*\]|"\d+")\n`), ""},
	{"another port", regexp.MustCompile(`("vpc-lattice-svcs:Port" += \[?")8080`), "${1}8443"},
	{"another port", regexp.MustCompile(`("vpc-lattice-svcs:Port" += \[?")8443`), "${1}443"},
	{"a condition on methods is lost", regexp.MustCompile(`(?m)^ *"vpc-lattice-svcs:RequestMethod" += (\[[^\]]*\]|"\w+")\n`), ""},
	{"another method", regexp.MustCompile(`("vpc-lattice-svcs:RequestMethod" += \[?")\w+"`), `${1}PATCH"`},
	{"a condition on paths is lost", regexp.MustCompile(`(?m)^ *"vpc-lattice-svcs:RequestPath" += "/[^"]*"\n`), ""},
	{"a wider path", regexp.MustCompile(`("vpc-lattice-svcs:RequestPath" += \[?")/[^"]*"`), `${1}/*"`},
	{"a shorter path", regexp.MustCompile(`/api/v1/\*"`), `/api/*"`},
	{"a condition on a header is lost", regexp.MustCompile(`(?m)^ *"vpc-lattice-svcs:RequestHeader/x-team" += (\[[^\]]*\]|"\w+")\n`), ""},
	{"a header that is not there", regexp.MustCompile(`("vpc-lattice-svcs:RequestHeader/x-team" += )"false"`), `${1}"true"`},
	{"a not is put in", regexp.MustCompile(`StringEquals = \{`), "StringNotEquals = {"},
	{"a not is put in", regexp.MustCompile(`StringLike = \{`), "StringNotLike = {"},
	{"a not is lost", regexp.MustCompile(`StringNotEquals = \{`), "StringEqualsIgnoreCase = {"},
	{"a deny allows", regexp.MustCompile(`Effect( +)= "Deny"`), `Effect$1= "Allow"`},
	{"an allow denies", regexp.MustCompile(`Effect( +)= "Allow"`), `Effect$1= "Deny"`},
	{"everybody, anonymous callers too", regexp.MustCompile(`Principal = \{\s+AWS = (\[[^\]]*\]|"[^"]*")\s+\}`), `Principal = "*"`},
	{"an account instead of a role", regexp.MustCompile(`(AWS = \[?)"arn:aws:iam::111122223333:role/\w"`), `$1"111122223333"`},
	{"another role", regexp.MustCompile(`role/a"`), `role/b"`},
	{"another role", regexp.MustCompile(`role/c"`), `role/d"`},
	{"another action", regexp.MustCompile(`"vpc-lattice-svcs:Invoke"`), `"vpc-lattice:Invoke"`},
	{"authentication is off", regexp.MustCompile(`auth_type = "AWS_IAM"`), `auth_type = "NONE"`},
	{"a policy is gone", block("aws_vpclattice_auth_policy"), ""},
	{"a service is in no network", block("aws_vpclattice_service_network_service_association"), ""},
	{"a VPC is detached", block("aws_vpclattice_service_network_vpc_association"), ""},
	{"a listener is gone", block("aws_vpclattice_listener"), ""},
	{"all targets are gone", block("aws_vpclattice_target_group_attachment"), ""},
	{"a target is gone", regexp.MustCompile(`(?m)^    "10\.\d\.\d\.\d",\n`), ""},
	{"another target", regexp.MustCompile(`("10\.\d\.\d\.)1"`), `${1}2"`},
	{"a listener on another port", regexp.MustCompile(`(?m)^(  port += )8080$`), "${1}80"},
	{"an end is later", regexp.MustCompile(`2026-09-01T00:00:00Z`), "2027-09-01T00:00:00Z"},
	{"an end is lost", regexp.MustCompile(`DateLessThan = \{[^}]*\}`), ""},
	{"an ambiguous path is forgotten", regexp.MustCompile(`"\*//\*", `), ""},
	{"an ambiguous path is forgotten", regexp.MustCompile(`"\*%2e\*", `), ""},
	{"an ambiguous path is forgotten", regexp.MustCompile(`"\*/\.\.", `), ""},
	{"another VPC", regexp.MustCompile(`(vpc_identifier += "vpc-)\d"\n  tags`), "${1}9\"\n  tags"},
}

func block(kind string) *regexp.Regexp {
	return regexp.MustCompile(`(?ms)^resource "` + kind + `" .*?^\}\n`)
}

// mutants makes every mutant of some files that a mutation makes in one place.
func mutants(files []target.File, m mutation) [][]target.File {
	var out [][]target.File
	for i, f := range files {
		text := string(f.Data)
		for _, at := range m.find.FindAllStringSubmatchIndex(text, -1) {
			changed := text[:at[0]] + string(m.find.ExpandString(nil, m.put, text, at)) + text[at[1]:]
			mutant := slices.Clone(files)
			mutant[i].Data = []byte(changed)
			out = append(out, mutant)
		}
	}
	return out
}

func (e *estate) verdict(t *testing.T, files []target.File) (proven bool, summary string) {
	for _, r := range e.proofs(t, files).Results {
		if !r.Result.Proven() {
			summary += fmt.Sprint(r.Result, " ", r.Reason, "; ")
		}
		for _, l := range append(r.Over, r.Under...) {
			summary += fmt.Sprint(l.From, l.To, l.Traffic)
		}
	}
	return summary == "", summary
}

func TestJudgeAgreesOnWhatIsRendered(t *testing.T) {
	agreed, conversations := 0, 0
	for seed := range uint64(30) {
		e, err := random(seed)
		if err != nil {
			t.Fatal(err)
		}
		files, _ := lattice.Target{}.Render(e.wanted)
		if len(files) == 0 {
			continue
		}
		if over, under := e.differs(t, files, samples()); over+under > 0 {
			t.Errorf("seed %d: the judge finds %d over and %d under", seed, over, under)
		}
		agreed++
		conversations += len(samples()) * len(e.inv.Workloads)
	}
	t.Logf("%d rendered estates, at least %d requests", agreed, conversations)
}

func TestMutantsAreCaught(t *testing.T) {
	made, other, caught, alarms := map[string]int{}, 0, 0, 0
	quick := few()
	total := 0
	for seed := range uint64(30) {
		e, err := random(seed)
		if err != nil {
			t.Fatal(err)
		}
		files, _ := lattice.Target{}.Render(e.wanted)
		if len(files) == 0 {
			continue
		}
		for _, m := range mutations {
			list := mutants(files, m)
			for k, mutant := range list {
				if k > 1 || made[m.name] > 17 {
					break
				}
				made[m.name]++
				total++
				over, under := e.differs(t, mutant, quick)
				proven, summary := e.verdict(t, mutant)
				switch {
				case over+under > 0 && proven:
					t.Errorf("seed %d: %s: %d over and %d under, and nobody saw\n%s", seed, m.name, over, under, changedFile(files, mutant))
				case over+under > 0:
					caught++
				case !proven:
					alarms++
					t.Logf("seed %d: %s changes nothing that was tried: %s", seed, m.name, summary)
				}
				if over+under > 0 {
					other++
				}
			}
		}
	}
	t.Logf("%d mutants, %d permit something else, %d of them caught; %d others reported; %v", total, other, caught, alarms, made)
	if other < 200 || caught != other {
		t.Errorf("%d mutants of which %d permit something else, %d caught", total, other, caught)
	}
	for _, m := range mutations {
		if made[m.name] == 0 {
			t.Errorf("%s: never tried", m.name)
		}
	}
}

func changedFile(a, b []target.File) string {
	for i := range a {
		if string(a[i].Data) != string(b[i].Data) {
			return string(b[i].Data)
		}
	}
	return ""
}

// TestInventoryMutants changes labels behind the back of what was rendered.
func TestInventoryMutants(t *testing.T) {
	made, other := 0, 0
	for seed := range uint64(6) {
		e, err := random(seed)
		if err != nil {
			t.Fatal(err)
		}
		files, _ := lattice.Target{}.Render(e.wanted)
		if len(files) == 0 {
			continue
		}
		for k := range e.inv.Workloads {
			for _, change := range []struct{ key, value string }{{"aws/role", "arn:aws:iam::111122223333:role/zz"}, {"aws/role", "arn:aws:iam::111122223333:role/a"}, {"net/vpc", "vpc-3"}, {"app", "b"}} {
				inv := *e.inv
				inv.Workloads = slices.Clone(inv.Workloads)
				w := &inv.Workloads[k]
				w.Labels = maps.Clone(w.Labels)
				if w.Labels[change.key] == change.value {
					continue
				}
				w.Labels[change.key] = change.value
				mutant, err := resolve(e.text, &inv)
				if err != nil {
					continue
				}
				made++
				over, under := mutant.differs(t, files, few())
				if over+under == 0 {
					continue
				}
				other++
				if proven, _ := mutant.verdict(t, files); proven {
					t.Errorf("seed %d: %s has %s=%s: %d over and %d under, and nobody saw", seed, w.Name, change.key, change.value, over, under)
				}
			}
		}
	}
	t.Logf("%d changed inventories, %d of them permit something else", made, other)
	if other < 30 {
		t.Errorf("only %d of %d changed inventories permit something else", other, made)
	}
}
