package load

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// Revision is what a git repository held at one revision. It is a file system
// whose root is the repository's; see Open in gitfs.go. It reads with the git
// binary, never from the network, and runs nothing that the repository brings.
type Revision struct {
	dir     string // where git is run: the nearest directory that is there
	tree    string // the object
	entries map[string]*gitEntry
	blobs   *blobs
}

// OpenRevision finds the repository that a directory is or was in, and returns
// what it held at a revision, and the path of the directory in it. The
// directory need not exist any more. Close ends what Open began.
func OpenRevision(rev, dir string) (r *Revision, within string, err error) {
	if err := validRevision(rev); err != nil {
		return nil, "", err
	}
	there, rest, err := nearest(dir)
	if err != nil {
		return nil, "", err
	}
	r = &Revision{dir: there}
	prefix, err := r.git("rev-parse", "--show-prefix")
	if err != nil {
		return nil, "", fmt.Errorf("%s is in no git repository: %w", dir, err)
	}
	if r.tree, err = r.git("rev-parse", "--verify", "--quiet", rev+"^{tree}"); err != nil {
		return nil, "", fmt.Errorf("the repository of %s has no revision %s", dir, rev)
	}
	return r, path.Clean(path.Join(prefix, filepath.ToSlash(rest))), r.list()
}

// validRevision keeps away what git could take for an option, and what is no
// name of a revision in one line.
func validRevision(rev string) error {
	switch {
	case rev == "":
		return errors.New("the revision is empty: write git:REV:DIR, such as git:HEAD~1:policy")
	case strings.HasPrefix(rev, "-"):
		return fmt.Errorf("%q is no revision: it begins with '-'", rev)
	case strings.ContainsFunc(rev, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Errorf("%q is no revision", rev)
	}
	return nil
}

// nearest splits a path into the part that is a directory and the rest.
func nearest(dir string) (there, rest string, err error) {
	there, err = filepath.Abs(dir)
	for err == nil {
		if info, statErr := os.Stat(there); statErr == nil && info.IsDir() {
			return there, rest, nil
		}
		if there == filepath.Dir(there) {
			break
		}
		there, rest = filepath.Dir(there), filepath.Join(filepath.Base(there), rest)
	}
	return "", "", fmt.Errorf("%s is nowhere: %w", dir, err)
}

// command is git in the repository; what the caller's git was told about
// another one does not count.
func (r *Revision) command(args ...string) *exec.Cmd {
	c := exec.Command("git", append([]string{"-C", r.dir, "--no-pager"}, args...)...)
	for _, v := range os.Environ() {
		switch name, _, _ := strings.Cut(v, "="); name {
		case "GIT_DIR", "GIT_WORK_TREE", "GIT_PREFIX", "GIT_INDEX_FILE":
		default:
			c.Env = append(c.Env, v)
		}
	}
	c.Env = append(c.Env, "GIT_NO_LAZY_FETCH=1", "GIT_TERMINAL_PROMPT=0", "GIT_OPTIONAL_LOCKS=0", "LC_ALL=C")
	return c
}

// git returns what git prints, without the end of the line.
func (r *Revision) git(args ...string) (string, error) {
	out, err := r.command(args...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = errors.New(strings.TrimPrefix(strings.TrimSpace(string(exit.Stderr)), "fatal: "))
	}
	return strings.TrimSuffix(string(out), "\n"), err
}
