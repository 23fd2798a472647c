package datapath

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Detach removes everything that an agent with these options has put into the
// kernel: programs, maps, the guard. It refuses while that agent runs. Nothing
// being there is no error.
func Detach(o Options) error {
	if _, err := os.Stat(o.Pins); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	var spaces []namespace
	if o.Namespaces == nil {
		o.Namespaces = []string{"/proc/thread-self/ns/net"}
	}
	for _, p := range o.Namespaces {
		// A namespace that is gone took its hooks along.
		if s, err := openNamespace(p); err == nil {
			spaces = append(spaces, s)
		}
	}
	d := &Datapath{opts: o, spaces: spaces, grace: make(chan struct{})}
	close(d.grace)
	if _, err := os.Stat(o.Cgroup); err != nil {
		o.Cgroup = ""
	}
	locks, err := lockAll(o, spaces)
	d.locks = locks
	if err == nil {
		err = d.removeAll()
	}
	if err == nil {
		for _, l := range locks {
			err = errors.Join(err, os.Remove(l.Name()))
		}
	}
	return errors.Join(err, d.Close())
}

func (d *Datapath) removeAll() error {
	var errs []error
	links, err := filepath.Glob(filepath.Join(d.linkDir(), "*"))
	errs = append(errs, err)
	for _, pin := range links {
		errs = append(errs, removeLink(pin))
	}
	for _, s := range d.spaces {
		errs = append(errs, unguard(s))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("detach: %w", err)
	}
	return os.RemoveAll(d.opts.Pins)
}
