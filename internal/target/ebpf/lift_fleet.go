package ebpf

import (
	"fmt"
	"io/fs"
	"net/netip"
	"path"

	"firebreak/internal/datapath/layout"
)

// commons is what the tables of the hosts of a fleet have in common.
type commons struct {
	dump   *layout.Dump
	err    error
	far    map[netip.Prefix]layout.DumpAddress
	reader *reader
}

// readerOf is what reads a host's tables. Those of a fleet's hosts share one
// where they only say who is there.
func (l *lifter) readerOf(dump *layout.Dump, file string) (*reader, error) {
	if dump.Fleet == "" {
		return newReader(l, dump, file), nil
	}
	name := path.Join(path.Dir(file), dump.Fleet)
	c := l.fleets[name]
	if c == nil {
		c = l.readFleet(name)
		l.fleets[name] = c
	}
	if c.err != nil {
		return nil, fmt.Errorf("%s: %w", name, c.err)
	}
	if !c.onlyPlaces(dump) {
		return newReader(l, dump.With(c.dump), file), nil
	}
	if c.reader == nil {
		c.reader = newReader(l, c.dump, name)
	}
	r := *c.reader
	r.dump = dump
	r.file = file
	r.locals = &trie{}
	r.locals.fill(dump.Addresses)
	r.shared = c.reader
	return &r, nil
}

func (l *lifter) readFleet(name string) *commons {
	if !fs.ValidPath(name) {
		return &commons{err: fmt.Errorf("this is no path in the folder")}
	}
	data, err := fs.ReadFile(l.src.Folder.FS(), name)
	if err != nil {
		return &commons{err: err}
	}
	dump, err := layout.ParseDump(data)
	if err == nil && dump.Fleet != "" {
		err = fmt.Errorf("a fleet's tables are to be whole")
	}
	return &commons{dump: dump, err: err}
}

// onlyPlaces reports whether a host's file says nothing but which of the fleet's
// ends are there. The decisions of ends that are not do not matter, since nobody
// there is judged by them.
func (c *commons) onlyPlaces(d *layout.Dump) bool {
	if len(d.Classes) > 0 || len(d.Identities) > 0 || len(d.Rules) > 0 || len(d.Policy) > 0 || len(d.Cgroups) > 0 {
		return false
	}
	if c.far == nil {
		c.far = make(map[netip.Prefix]layout.DumpAddress, len(c.dump.Addresses))
		for _, a := range c.dump.Addresses {
			c.far[a.Prefix] = a
		}
	}
	for _, a := range d.Addresses {
		if far, is := c.far[a.Prefix]; !is || !a.Prefix.IsSingleIP() || far.Peer != a.Peer || far.Flags&layout.Workload != a.Flags&layout.Workload {
			return false
		}
	}
	return true
}
