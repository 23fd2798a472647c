package cgroup

import (
	"errors"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	const hybrid = `31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
39 31 0:38 / /readonly ro,relatime shared:1 - cgroup2 cgroup2 rw
40 31 0:38 /docker/x /mnt/part\040of rw,relatime shared:1 - cgroup2 cgroup2 rw
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:1 - cgroup2 cgroup2 rw
`
	lines := strings.SplitAfter(hybrid, "\n")
	for _, c := range []struct {
		text, want string
		err        error
	}{
		{hybrid, "/sys/fs/cgroup/unified", nil},
		{strings.Join(lines[:4], ""), "/mnt/part of", nil},
		{strings.Join(lines[:3], ""), "", ErrNone},
		{"", "", ErrNone},
	} {
		if got, err := find(strings.NewReader(c.text)); got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%q gives %q, %v; want %q, %v", c.text, got, err, c.want, c.err)
		}
	}
}
