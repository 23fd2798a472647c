package scaffold

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"firebreak/internal/lang"
)

var now = time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)

func TestTemplatesAreWhole(t *testing.T) {
	entries, err := os.ReadDir("templates")
	if err != nil || len(entries) != len(Templates()) {
		t.Errorf("%d folders, %d templates (%v)", len(entries), len(Templates()), err)
	}
	for _, tpl := range Templates() {
		files, err := Files(tpl.Name, now)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, f := range files {
			names = append(names, f.Name)
			if strings.Contains(string(f.Text), farDay) {
				t.Errorf("%s/%s: an exception that never ends", tpl.Name, f.Name)
			}
			if filepath.Ext(f.Name) != ".yaml" {
				continue
			}
			if out, list := lang.Format(f.Name, f.Text); len(list) > 0 || !bytes.Equal(out, f.Text) {
				t.Errorf("%s/%s is not formatted: %v", tpl.Name, f.Name, list)
			}
		}
		for _, want := range []string{"README.md", "cases.yaml", "estate.yaml", "guardrails.yaml", "policy.yaml", "services.yaml", "zones.yaml"} {
			if !slices.Contains(names, want) {
				t.Errorf("%s has no %s", tpl.Name, want)
			}
		}
		if !slices.IsSorted(names) {
			t.Errorf("%s: %v", tpl.Name, names)
		}
	}
}

func TestReadmesNameEveryFile(t *testing.T) {
	for _, tpl := range Templates() {
		files, err := Files(tpl.Name, now)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(files, func(f File) bool { return f.Name == "README.md" })
		for _, f := range files {
			name, _, _ := strings.Cut(f.Name, "/")
			if f.Name != "README.md" && !bytes.Contains(files[i].Text, []byte("`"+name)) {
				t.Errorf("the README of %s does not say what %s is", tpl.Name, name)
			}
		}
	}
}

func TestExceptionsEndThreeMonthsFromNow(t *testing.T) {
	files, err := Files("kubernetes", now)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(files, func(f File) bool { return bytes.Contains(f.Text, []byte("expires: 2027-02-20T00:00:00Z")) }) {
		t.Error("no exception ends on 2027-02-20")
	}
}

func TestUnknownTemplate(t *testing.T) {
	for _, name := range []string{"", "nothing", "..", "empty/..", "kubernetes/manifests"} {
		if files, err := Files(name, now); err == nil || len(files) > 0 || errors.Is(err, os.ErrNotExist) {
			t.Errorf("%q: %d files, %v", name, len(files), err)
		}
	}
}
