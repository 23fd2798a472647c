package terraform

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
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
func judge(t *testing.T, dir string) *tally {
	t.Helper()
	if err := accepted(t, dir); err != nil {
		t.Error(err)
		return &tally{}
	}
	var dumps [][]byte
	for _, args := range [][]string{{"show", "-json", "plan"}, {"apply", "-input=false", "-lock=false", "plan"}, {"show", "-json"}} {
		out, err := terraform(t, dir, args...)
		if err != nil {
			t.Error(err)
			return &tally{}
		}
		dumps = append(dumps, out)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "terraform.tfstate"))
	if err != nil {
		t.Error(err)
		return &tally{}
	}
	config := set(t, dir, nil)
	n := &tally{Resources: len(config.Resources)}
	for name, dump := range map[string][]byte{"x.tfplan.json": dumps[0], "x.tfstate.json": dumps[2], "raw.tfstate.json": raw} {
		n.compareAll(t, name+" beside the configuration", config, set(t, dir, map[string][]byte{name: dump}))
		n.compareAll(t, name, config, set(t, "", map[string][]byte{name: dump}))
	}
	if n.Lost > 0 || n.Open*50 > n.Values {
		t.Errorf("too much is not known: %s", n)
	}
	return n
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
