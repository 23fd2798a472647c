package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"firebreak/internal/adopt"
)

// newDir is where a new policy directory is to be. The directory is made beside
// it and proven there, and only takes the place when it is whole, so that
// whatever goes wrong before leaves nothing behind that the next try would find.
type newDir struct {
	given string // as the user wrote it
	dir   string // without symbolic links, so that paths seen from it are true
	stage string // the directory until it takes its place; empty before and after
	there bool   // dir exists, and is empty: it may be a mount, or somebody's
}

// placeFor refuses a directory that holds something.
func placeFor(given string) (*newDir, error) {
	p := &newDir{given: given, dir: filepath.Clean(given)}
	real, err := filepath.EvalSymlinks(given)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return nil, misusef("%v", err)
	}
	if p.dir, err = filepath.Abs(real); err != nil {
		return nil, misusef("%v", err)
	}
	p.there = true
	return p, p.mustBeEmpty()
}

func (p *newDir) mustBeEmpty() error {
	entries, err := os.ReadDir(p.dir)
	switch {
	case err != nil:
		return misusef("%v", err)
	case len(entries) > 0:
		return misusef("%s is not empty: adopt writes a new policy directory and changes nothing that is there", p.given)
	}
	return nil
}

// prepare writes the files beside the place: what they say of paths holds there
// as well.
func (p *newDir) prepare(files []adopt.File) error {
	parent := filepath.Dir(p.dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return misusef("%v", err)
	}
	stage, err := os.MkdirTemp(parent, "."+filepath.Base(p.dir)+".firebreak-")
	if err != nil {
		return misusef("%s is made beside its place first, which cannot be done: %v", p.given, err)
	}
	p.stage = stage
	if err := os.Chmod(stage, 0o755); err != nil {
		return misusef("%v", err)
	}
	return writeAll(stage, files)
}

// take puts what was prepared into its place. A directory that is there stays
// the same one and is filled; it is empty again if that fails.
func (p *newDir) take(files []adopt.File) error {
	if !p.there {
		if err := os.Rename(p.stage, p.dir); err != nil {
			return misusef("%v", err)
		}
		p.stage = ""
		return nil
	}
	if err := p.mustBeEmpty(); err != nil { // somebody was faster
		return err
	}
	err := writeAll(p.dir, files)
	if err != nil {
		for _, f := range files {
			_ = os.Remove(filepath.Join(p.dir, f.Name)) // the error says why it may be there still
		}
	}
	return err
}

// discard removes what did not take its place.
func (p *newDir) discard() {
	if p.stage != "" {
		_ = os.RemoveAll(p.stage) // its name begins with a dot and is nobody else's
	}
}

func writeAll(dir string, files []adopt.File) error {
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Text, 0o644); err != nil {
			return misusef("%v", err)
		}
	}
	return nil
}

// shellWord writes a text so that a shell takes it for one word, as it is.
func shellWord(s string) string {
	plain := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("/._-+,:@%=", c) || c > 127
	}
	if s != "" && strings.IndexFunc(s, func(c rune) bool { return !plain(c) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
