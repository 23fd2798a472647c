// Package cgroup finds the cgroup v2 hierarchy of this machine.
package cgroup

import (
	"bufio"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
)

// ErrNone is returned where no cgroup v2 hierarchy can be used; its text says
// what to do.
var ErrNone = errors.New("no writable cgroup v2 is mounted; mount it with: mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 none /sys/fs/cgroup/unified")

// Mount returns where the hierarchy is mounted, be it beside version 1.
func Mount() (string, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	defer f.Close()
	return find(f)
}

// find reads the text of mountinfo (proc_pid_mountinfo(5)). Of several mounts
// it takes the one that shows the most of the tree.
func find(mountinfo io.Reader) (string, error) {
	best, bestRoot := "", ""
	lines := bufio.NewScanner(mountinfo)
	for lines.Scan() {
		before, after, ok := strings.Cut(lines.Text(), " - ")
		fields := strings.Fields(before)
		if !ok || len(fields) < 6 || !strings.HasPrefix(after, "cgroup2 ") || !slices.Contains(strings.Split(fields[5], ","), "rw") {
			continue
		}
		if best == "" || len(fields[3]) < len(bestRoot) {
			best, bestRoot = unescape(fields[4]), fields[3]
		}
	}
	if err := lines.Err(); err != nil {
		return "", err
	}
	if best == "" {
		return "", ErrNone
	}
	return best, nil
}

// unescape undoes what mountinfo does to blanks and backslashes.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}
