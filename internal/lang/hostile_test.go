package lang

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
)

// hostile are inputs that try to take all memory, all stack or all time.
func hostile() map[string]string {
	const mega = 1 << 20
	deepMap := strings.Repeat("{a: ", 9000)
	bomb := "kind: Policy\nmetadata: {name: p}\nspec:\n  rules:\n  - &r {name: r, effect: allow, from: {any: true}, to: {any: true}, ports: &p [" +
		strings.Repeat("80/TCP,", 5000) + "]}\n" + strings.Repeat("  - {name: r, effect: allow, from: {any: true}, to: {any: true}, ports: *p}\n", 900)
	laughs := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'k'; c++ {
		laughs += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", c-1), 9), ","))
	}
	rule := func(field string) string {
		return "kind: Policy\nmetadata: {name: p}\nspec:\n  rules:\n  - {name: r, effect: allow, from: {any: true}, to: {any: true}, " + field + "}\n"
	}
	many := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	return map[string]string{
		"many headers":          rule("http: [{headers: {" + many(60_000, "x-%d: true,") + "}}], reson: x"),
		"many methods":          rule("http: [{methods: [" + many(60_000, "M%d-LONG-ENOUGH-TO-COMPARE,") + "]}], reson: x"),
		"many bad methods":      rule("http: [{methods: [" + many(60_000, "m%d,") + "]}]"),
		"many paths":            rule("http: [{paths: [" + many(100_000, "/%d/*,") + "]}], reson: x"),
		"a path of stars":       rule("http: [{paths: [\"/" + strings.Repeat("*a", 2000) + "\"]}], reson: x"),
		"many alternatives":     rule("http: [" + many(50_000, "{hosts: [h%d]},") + "], reson: x"),
		"many time zones":       strings.Repeat("---\n"+rule("when: {days: [mon], timeZone: Antarctica/Dumont-DUrville-and-further}"), 1200),
		"an alternative bomb":   rule("http: &h ["+strings.Repeat("{grpc: [a.B/C]},", 5000)+"]") + strings.Repeat("  - {name: r, effect: deny, from: {any: true}, to: {any: true}, http: *h}\n", 900),
		"deep headers":          rule("http: [{headers: {a: " + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + "}}]"),
		"deep parameters":       rule("template: three-tiers, with: " + strings.Repeat("{web: ", 9000) + strings.Repeat("}", 9000)),
		"a bomb of clients":     "kind: Policy\nmetadata: {name: p}\nspec:\n  rules:\n  - {name: r, template: shared-logging, with: {to: {any: true}, ports: [1/TCP], from: &c [" + strings.Repeat("{any: true},", 10_000) + "]}}\n" + strings.Repeat("  - {name: s, template: shared-logging, with: {to: {any: true}, ports: [1/TCP], from: *c}}\n", 900),
		"a bomb of rules":       "kind: Policy\nmetadata: {name: p}\nspec:\n  rules:\n  - &r {" + many(100_000, "a%d: b,") + "}\n" + strings.Repeat("  - *r\n", 100_000),
		"many only":             "kind: Guardrail\nmetadata: {name: g}\nspec: {only: {to: {any: true}, from: [" + strings.Repeat("{any: true},", 60_000) + "]}, must: x}",
		"many controls":         "kind: Guardrail\nmetadata: {name: g}\nspec: {never: {from: {any: true}, to: {any: true}}, controls: [" + many(100_000, "c%d,") + "], must: x}",
		"many names":            "kind: External\nmetadata: {name: g}\nspec: {fqdns: [" + many(60_000, "h%d.example,") + "], cidr: x}",
		"many service ports":    "kind: Service\nmetadata: {name: s}\nspec: {select: a=b, port: x, ports: [" + many(50_000, "{port: %d},") + many(50_000, "{protocol: UDP, port: %d},") + "]}",
		"many request headers":  "kind: Case\nmetadata: {name: c}\nspec: {expect: [{from: {any: true}, to: {any: true}, effect: deny, x: y, http: {method: GET, path: /, headers: {" + many(60_000, "x-%d: y,") + "}}}]}",
		"exceptions":            strings.Repeat("kind: Exception\nmetadata: {name: e}\nspec: {expires: x}\n---\n", 10*mega/60),
		"10 MB of rules":        "kind: Policy\nmetadata: {name: p}\nspec:\n  rules:\n" + strings.Repeat("  - {name: r, effect: allow}\n", 10*mega/29),
		"10 MB of one line":     "kind: Zone\nmetadata: {name: " + strings.Repeat("a", 10*mega) + "}",
		"10 MB of unknown kind": strings.Repeat("kind: Nothing\n---\n", 10*mega/18),
		"question marks":        "kind: Zone\n" + strings.Repeat("?\n", 2*mega),
		"many keys":             "kind: Zone\nspec: {" + strings.Repeat("a: b,", 100_000) + "}",
		"deep lists":            "kind: Zone\nspec: " + strings.Repeat("[", 2*mega),
		"deep enough lists":     "kind: Zone\nspec: " + strings.Repeat("[", 9000) + strings.Repeat("]", 9000),
		"deep mappings":         "kind: Zone\nspec: " + deepMap + strings.Repeat("}", 9000),
		"deep indentation":      "kind: Zone\nspec:\n" + strings.Repeat("- ", mega),
		"alias bomb":            bomb,
		"billion laughs":        "kind: Zone\nmetadata: {name: z}\nspec:\n  select: x\n" + laughs,
		"self-reference":        "kind: Zone\nmetadata: &m {name: *m, owner: *m}\nspec: *m",
		"self-referring list":   "kind: Policy\nmetadata: {name: p}\nspec:\n  rules: &r [*r, *r]",
		"zeros":                 strings.Repeat("\x00", 10*mega),
		"noise":                 noise(mega),
		"separators":            strings.Repeat("---\n", mega),
		"directives":            strings.Repeat("%YAML 1.2\n", 1000) + "---\nkind: Zone",
		"utf-16":                "\xff\xfek\x00i\x00n\x00d\x00:\x00 \x00Z\x00",
		"carriage returns":      strings.Repeat("kind: Zone\r---\r", 1000),
		"long anchor":           "kind: &" + strings.Repeat("a", mega) + " Zone",
		"long tag":              "kind: !" + strings.Repeat("a", mega) + " Zone",
		"long selector":         "kind: Zone\nmetadata: {name: z}\nspec: {select: \"" + strings.Repeat("a=b,", 900) + "a=b\"}",
	}
}

// noise is bytes of every value, the same in every run.
func noise(n int) string {
	b, x := make([]byte, n), uint32(1)
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return string(b)
}

func TestHostileInputIsBounded(t *testing.T) {
	for name, text := range hostile() {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			d, list := parseBeside(text)
			runtime.ReadMemStats(&after)
			if took := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 600 {
				t.Errorf("%d MiB were allocated", took)
			}
			if d == nil {
				t.Fatal("no Dir")
			}
			if len(list) > maxDiagnostics+1 {
				t.Errorf("%d diagnostics", len(list))
			}
			for _, one := range list {
				if len(one.String()) > 2000 {
					t.Errorf("a diagnostic of %d bytes: %.200s", len(one.String()), one)
				}
			}
			if name != "separators" && name != "long anchor" && !list.HasErrors() && name != "long selector" {
				t.Errorf("taken without an error:\n%.500s", texts(list))
			}
		})
	}
}

func TestAliasesAreCounted(t *testing.T) {
	_, list := parseBeside(hostile()["alias bomb"])
	for _, d := range list {
		if d.Code == "too-large" && strings.Contains(d.Message, "aliases") {
			return
		}
	}
	t.Errorf("4.5 million entries by alias were read:\n%.500s", texts(list))
}

func TestTooManyDiagnosticsSaysSo(t *testing.T) {
	_, list := parseBeside(strings.Repeat("kind: Nothing\n---\n", 3*maxDiagnostics))
	if n := len(list); n != maxDiagnostics+1 || list[n-1].Code != "too-many-diagnostics" {
		t.Errorf("%d diagnostics, the last is %s", n, list[n-1])
	}
	_, list = parseBeside(strings.Repeat("kind: Nothing\n---\n", maxDiagnostics-1))
	if n := len(list); n != maxDiagnostics-1 {
		t.Errorf("%d diagnostics, want %d", n, maxDiagnostics-1)
	}
}

// tenThousandRules is an estate with one large policy.
func tenThousandRules() string {
	var b strings.Builder
	b.WriteString(estate + "---\nkind: Policy\nmetadata: {name: big}\nspec:\n  rules:\n")
	for i := range 10_000 {
		fmt.Fprintf(&b, "  - name: rule-%d\n    effect: allow\n    from: {select: \"app=a%d,env in (prod,stage)\"}\n    to: {service: s%d}\n    ports: [http, 8080/TCP]\n    owner: team-%d\n    reason: the page needs what that service has\n", i, i, i, i%40)
	}
	return b.String()
}

func TestATreeOfTenThousandRulesIsRead(t *testing.T) {
	d, list := parseText(tenThousandRules())
	if len(list) > 0 || len(d.Policies) != 1 || len(d.Policies[0].Rules) != 10_000 {
		t.Fatalf("%d policies:\n%.500s", len(d.Policies), texts(list))
	}
	if r := d.Policies[0].Rules[9999]; r.Name != "rule-9999" || r.Pos.Line != 4+4+9999*7+1 {
		t.Errorf("the last rule is %s at %s", r.Name, r.Pos)
	}
}

// broken is a tree in which some things cannot be read.
type broken struct{ fstest.MapFS }

func (b broken) Open(name string) (fs.File, error) {
	if name == "secret.yaml" {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return b.MapFS.Open(name)
}

func TestWhatCannotBeReadIsNamed(t *testing.T) {
	fsys := broken{fstest.MapFS{
		"a.yaml":         {Data: []byte(estate)},
		"locked/b.yaml":  {Data: []byte("kind: Zone")},
		"pipe.yaml":      {Mode: fs.ModeNamedPipe},
		"secret.yaml":    {Data: []byte("kind: Zone")},
		"z.yml":          {Data: []byte("kind: Zoned")},
		"folder.yaml/x":  {Data: []byte("kind: [")},
		".git/x.yaml":    {Data: []byte("kind: [")},
		".hidden.yaml":   {Data: []byte("kind: [")},
		"notes.yaml.txt": {Data: []byte("kind: [")},
	}}
	d, list := Parse(fsys)
	var got []string
	for _, d := range list {
		got = append(got, d.Pos.File+" "+d.Code)
	}
	if !d.Incomplete {
		t.Error("what could not be read may hold any name")
	}
	want := "locked unreadable-file, pipe.yaml unreadable-file, secret.yaml unreadable-file, z.yml unknown-kind"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
}

func (b broken) ReadDir(name string) ([]fs.DirEntry, error) {
	if name == "locked" {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return b.MapFS.ReadDir(name)
}

// gone is a directory that cannot be opened at all.
type gone struct{}

func (gone) Open(string) (fs.File, error) { return nil, errors.New("it is gone") }

func TestADirectoryThatIsNotThere(t *testing.T) {
	d, list := Parse(gone{})
	if d == nil || len(list) != 1 || list[0].Code != "unreadable-file" {
		t.Errorf("got %s", texts(list))
	}
	d, list = Parse(fstest.MapFS{})
	if d == nil || len(list) != 1 || list[0].Code != "no-estate" {
		t.Errorf("an empty directory: %s", texts(list))
	}
}

// TestHalfWritten cuts a good tree at every byte: no cut may panic, and none
// may be taken for a whole document with a rule of less than was written.
func TestHalfWritten(t *testing.T) {
	whole := estate + "---\nkind: Policy\nmetadata: {name: p}\nspec:\n  stage: enforce\n  rules:\n  - name: r\n    effect: allow\n    from: {service: a}\n    to: {service: b}\n    ports: [80/TCP]\n"
	for n := range len(whole) {
		d, list := parseText(whole[:n])
		if d == nil {
			t.Fatalf("cut at %d: no Dir", n)
		}
		cutInPolicy := n > len(estate)+4 && n < len(whole)-1
		if cutInPolicy && !list.HasErrors() && !(len(d.Policies) == 1 && strings.HasSuffix(strings.TrimSpace(whole[:n]), "{service: b}")) {
			t.Errorf("cut at %d is taken as whole: …%q", n, whole[max(0, n-30):n])
		}
	}
}
