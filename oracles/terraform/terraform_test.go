package terraform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	reader "firebreak/internal/live/terraform"
)

// mirror holds the stand-in where terraform init looks for providers, and nothing
// else does: no registry is asked.
var mirror string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "firebreak-terraform")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	place := filepath.Join(dir, "registry.terraform.io", "hashicorp", "aws", "6.25.0", runtime.GOOS+"_"+runtime.GOARCH)
	build := exec.Command("go", "build", "-o", filepath.Join(place, "terraform-provider-aws_v6.25.0"), "./standin")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%s%v\n", out, err)
		return 1
	}
	config := fmt.Sprintf("provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", dir)
	if err := os.WriteFile(filepath.Join(dir, "rc"), []byte(config), 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	mirror = dir
	return m.Run()
}

// terraform runs the program in a folder; the error has what it said.
func terraform(t *testing.T, dir string, args ...string) ([]byte, error) {
	t.Helper()
	cmd := exec.Command("terraform", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TF_CLI_CONFIG_FILE="+filepath.Join(mirror, "rc"), "TF_IN_AUTOMATION=1", "CHECKPOINT_DISABLE=1", "TF_DATA_DIR="+filepath.Join(dir, ".terraform"))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("terraform %s: %v\n%s%s", strings.Join(args, " "), err, out.Bytes(), errs.Bytes())
	}
	return out.Bytes(), nil
}

// laid writes files into a new folder.
func laid(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// accepted reports what Terraform says of a configuration: validate, then plan.
func accepted(t *testing.T, dir string) error {
	t.Helper()
	for _, args := range [][]string{{"init", "-input=false", "-backend=false"}, {"validate"}, {"plan", "-input=false", "-out=plan", "-lock=false"}} {
		if _, err := terraform(t, dir, args...); err != nil {
			return err
		}
	}
	return nil
}

// judge plans and applies a configuration, and reads configuration, plan and
// state: the three must agree, and nothing that the configuration says may be lost.
func judge(t *testing.T, dir string) (resources int) {
	t.Helper()
	if err := accepted(t, dir); err != nil {
		t.Error(err)
		return 0
	}
	plan, err := terraform(t, dir, "show", "-json", "plan")
	if err != nil {
		t.Error(err)
		return 0
	}
	if _, err := terraform(t, dir, "apply", "-input=false", "-lock=false", "plan"); err != nil {
		t.Error(err)
		return 0
	}
	state, err := terraform(t, dir, "show", "-json")
	if err != nil {
		t.Error(err)
		return 0
	}
	raw, err := os.ReadFile(filepath.Join(dir, "terraform.tfstate"))
	if err != nil {
		t.Error(err)
		return 0
	}
	config := set(t, dir, nil)
	for name, dump := range map[string][]byte{"x.tfplan.json": plan, "x.tfstate.json": state, "raw.tfstate.json": raw} {
		both := set(t, dir, map[string][]byte{name: dump})
		alone := set(t, "", map[string][]byte{name: dump})
		if len(both.Resources) < len(config.Resources) || len(alone.Of(typesOf(config)...)) != len(config.Of(typesOf(config)...)) {
			t.Errorf("%s: %d resources with the configuration, %d alone, of %d", name, len(both.Resources), len(alone.Resources), len(config.Resources))
		}
		for i := range config.Resources {
			c := &config.Resources[i]
			if c.Data {
				continue
			}
			compare(t, name+" beside the configuration", c, both.At(c.Address), config, both)
			compare(t, name, c, alone.At(c.Address), config, alone)
		}
	}
	return len(config.Resources)
}

func typesOf(s *reader.Set) []string {
	var out []string
	for i := range s.Resources {
		if r := &s.Resources[i]; !r.Data && !slices.Contains(out, r.Type) {
			out = append(out, r.Type)
		}
	}
	return out
}

// compare looks whether each reference of the configuration is still one, and
// each text still there.
func compare(t *testing.T, where string, want, got *reader.Resource, config, set *reader.Set) {
	t.Helper()
	if got == nil {
		t.Errorf("%s has no %s", where, want.Address)
		return
	}
	for name, v := range want.Body.Fields {
		x := got.Body.Field(name)
		switch v.Kind {
		case reader.Reference:
			if r, _, ok := set.Resolve(v.Ref); !ok || r.Data {
				continue
			} else if !set.Same(x, r) && x.Kind != reader.Unresolved {
				t.Errorf("%s: %s of %s is %+v, not %s", where, name, want.Address, x, v.Ref)
			} else if x.Kind == reader.Unresolved && strings.HasSuffix(name, "_id") {
				t.Errorf("%s: %s of %s is not known (%s), but is %s", where, name, want.Address, x.Why, v.Ref)
			}
		case reader.String, reader.Number, reader.Bool:
			a, _ := v.String()
			if b, ok := x.String(); !ok || a != b && !sameJSON(a, b) {
				t.Errorf("%s: %s of %s is %q, not %q", where, name, want.Address, b, a)
			}
		case reader.List:
			if len(x.Items()) != len(v.Items()) && x.Kind != reader.Unresolved {
				t.Errorf("%s: %s of %s has %d elements, not %d", where, name, want.Address, len(x.Items()), len(v.Items()))
			}
		}
	}
}

func sameJSON(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	return fmt.Sprint(x) == fmt.Sprint(y)
}

// set reads the configuration of a folder, and dumps beside it. An empty dir has
// no configuration.
func set(t *testing.T, dir string, more map[string][]byte) *reader.Set {
	t.Helper()
	files := map[string][]byte{}
	if dir != "" {
		err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(p, ".tf") {
				rel, _ := filepath.Rel(dir, p)
				files[filepath.ToSlash(rel)], err = os.ReadFile(p)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, data := range more {
		files[name] = data
	}
	return read(t, files)
}
