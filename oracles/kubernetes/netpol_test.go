package kubernetes

import (
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"firebreak/internal/lang"
	"firebreak/internal/load"
	"firebreak/internal/plan"
	"firebreak/internal/scaffold"
	"firebreak/internal/target/networkpolicy"
	"firebreak/internal/verify"
	"firebreak/oracles/clusters"
)

var (
	separator = regexp.MustCompile(`(?m)^---\n`)
	inSpace   = regexp.MustCompile(`(?m)^  namespace: "?([a-z0-9-]+)"?$`)
)

// take gives every rendered object to the server, and returns how many it took.
func take(t *testing.T, s *server, spaces map[string]bool, name string, w *plan.Wanted) int {
	t.Helper()
	files, diags := networkpolicy.Target{}.Render(w)
	if diags.HasErrors() {
		return 0
	}
	n := 0
	for _, f := range files {
		for _, doc := range separator.Split(string(f.Data), -1)[1:] {
			m := inSpace.FindStringSubmatch(doc)
			if m == nil {
				t.Fatalf("%s: %s has no namespace:\n%s", name, f.Path, doc)
			}
			if !spaces[m[1]] {
				spaces[m[1]] = true
				if code, said := s.create(t, "/api/v1/namespaces", []byte("apiVersion: v1\nkind: Namespace\nmetadata: {name: "+m[1]+"}\n"), false); code != http.StatusCreated && code != http.StatusConflict {
					t.Fatal(said)
				}
			}
			code, said := s.create(t, "/apis/networking.k8s.io/v1/namespaces/"+m[1]+"/networkpolicies", []byte(doc), true)
			if code != http.StatusCreated {
				t.Fatalf("%s: the server refuses %s: %s\n%s", name, f.Path, said, doc)
			}
			n++
		}
	}
	return n
}

func wanted(t *testing.T, dir string, sources ...string) *plan.Wanted {
	t.Helper()
	l, diags := load.Dir(dir, sources)
	if l.Policy == nil {
		t.Fatalf("%s: %v", dir, diags)
	}
	return wantedOf(t, l.Tree, l)
}

func wantedOf(t *testing.T, tree *lang.Dir, l *load.Loaded) *plan.Wanted {
	t.Helper()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	e, err := verify.New(l.Policy, verify.Options{At: now})
	if err != nil {
		t.Fatal(err)
	}
	return plan.Make(tree, l.Policy, e, plan.Options{ToCome: true, At: now})
}

// TestServerTakesWhatIsRendered renders all templates, Online Boutique and
// random policies.
func TestServerTakesWhatIsRendered(t *testing.T) {
	s, spaces := start(t), map[string]bool{}
	n := 0
	for _, x := range scaffold.Templates() {
		dir := t.TempDir()
		files, err := scaffold.Files(x.Name, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(f.Name)), 0o755); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, f.Name), string(f.Text))
		}
		if l, _ := load.Dir(dir, nil); l.Policy != nil { // one is but comments
			n += take(t, s, spaces, x.Name, wantedOf(t, l.Tree, l))
		}
	}
	templates := n
	n += take(t, s, spaces, "online-boutique", wanted(t, "../../examples/online-boutique", "file:../../internal/target/networkpolicy/testdata/online-boutique.yaml"))
	shop := n - templates
	for seed := range uint64(150) {
		c := clusters.New(seed)
		if r := c.Resolve(c.Policy(), seed%2 == 0); r != nil {
			n += take(t, s, spaces, "a random policy", r.Wanted)
		}
	}
	t.Logf("the API server takes %d objects: %d of templates, %d of Online Boutique, the rest of random policies", n, templates, shop)
	if templates == 0 || shop == 0 || n < 200 {
		t.Error("too few")
	}
	t.Run("random foreign ones", func(t *testing.T) { foreign(t, s) })
	t.Run("refusals", func(t *testing.T) { refusals(t, s) })
}

// foreign makes sure that the NetworkPolicies on which other judges are asked
// are such as a cluster takes.
func foreign(t *testing.T, s *server) {
	n := 0
	for _, space := range []string{"data", "ops"} {
		s.create(t, "/api/v1/namespaces", []byte("apiVersion: v1\nkind: Namespace\nmetadata: {name: "+space+"}\n"), false)
	}
	for seed := range uint64(60) {
		for _, doc := range separator.Split(clusters.New(seed).NetworkPolicies(), -1)[1:] {
			space := regexp.MustCompile(`namespace: ([a-z]+)}`).FindStringSubmatch(doc)[1]
			if code, said := s.create(t, "/apis/networking.k8s.io/v1/namespaces/"+space+"/networkpolicies", []byte(doc), true); code != http.StatusCreated {
				t.Fatalf("seed %d: %s\n%s", seed, said, doc)
			}
			n++
		}
	}
	t.Logf("the API server takes %d random ones", n)
}

// refusals asks the server about every object that our reader says no cluster
// takes, and about those that it reads although they look odd.
func refusals(t *testing.T, s *server) {
	dir := os.DirFS("../../internal/target/networkpolicy/testdata/refused")
	names, err := fs.Glob(dir, "*.yaml")
	if err != nil || len(names) < 10 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(dir, name)
		if err != nil {
			t.Fatal(err)
		}
		code, said := s.create(t, "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies", text, true)
		if takes := strings.HasPrefix(name, "taken-"); takes != (code == http.StatusCreated) {
			t.Errorf("%s: %s", name, said)
		}
	}
}
