package load

import (
	"crypto/sha256"
	"encoding/binary"
	"io"
	"io/fs"
	"reflect"
	"slices"

	"firebreak/internal/diag"
	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/policy"
)

// Cache loads a directory again and again, and reads, joins and resolves only
// what has changed on the disk; what that is, the contents decide. The zero
// value is ready. It is not safe for concurrent use; what it returned is never
// changed. It keeps what the last call used, and nothing older.
type Cache struct {
	text     lang.Cache
	resolver policy.Resolver
	parts    map[partKey]*keptPart
	used     map[partKey]*keptPart
	joined   *joined
}

// Dir returns what the function Dir returns, but that identities may be
// numbered as policy.Resolver numbers them.
func (c *Cache) Dir(dir string, sources []string, extra ...inventory.Workload) (*Loaded, diag.List) {
	c.used = map[partKey]*keptPart{}
	l, diags := (&loader{cache: c}).load(dir, sources, extra)
	c.parts, c.used = c.used, nil
	return l, diags
}

type partKey struct {
	kind, path, shown, cluster string
	pos                        diag.Pos
}

type keptPart struct {
	*part
	digest [sha256.Size]byte
}

// part reads the source unless its bytes are those of the last time. What
// changes while it is read is not kept.
func (c *Cache) part(s source) *part {
	key := partKey{s.kind, s.at.path, s.shown, s.cluster, s.pos}
	before, err := s.digest()
	if kept := c.parts[key]; kept != nil && err == nil && kept.digest == before {
		c.used[key] = kept
		return kept.part
	}
	p := s.read()
	if after, again := s.digest(); err == nil && again == nil && after == before {
		c.used[key] = &keptPart{p, before}
	}
	return p
}

// digest is of all that reading the source could read.
func (s source) digest() (sum [sha256.Size]byte, err error) {
	var fsys fs.FS
	root := "."
	switch {
	case s.isFile():
		if err := s.at.unreadableFile(); err != nil {
			return sum, err
		}
		fsys, root = s.at.file()
	case slices.Contains(sourceKinds(), s.kind):
		if d := s.at.unreadableDir(""); d != nil {
			return sum, fs.ErrInvalid
		}
		fsys = s.at.dir()
	default:
		return sum, fs.ErrInvalid
	}
	hash := sha256.New()
	err = fs.WalkDir(fsys, root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		return digestFile(hash, fsys, name)
	})
	hash.Sum(sum[:0])
	return sum, err
}

func digestFile(hash io.Writer, fsys fs.FS, name string) error {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fs.ErrInvalid // reading a pipe would wait, and take from it
	}
	f, err := fsys.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	var length [8]byte
	hash.Write([]byte(name))
	n, err := io.Copy(hash, f)
	binary.LittleEndian.PutUint64(length[:], uint64(n))
	hash.Write(length[:])
	hash.Write([]byte{byte(len(name)), byte(len(name) >> 8)})
	return err
}

// joined is an inventory and what it was made of.
type joined struct {
	parts  []*inventory.Snapshot
	extra  []inventory.Workload
	labels []inventory.Relabeling
	out    *inventory.Snapshot
	diags  diag.List
}

func (j *joined) make() {
	whole, diags := inventory.Join(append([]*inventory.Snapshot{{Workloads: j.extra}}, j.parts...)...)
	out, more := inventory.Relabel(whole, j.labels)
	j.out, j.diags = out, append(diags, more...)
}

// make takes the inventory of the last time if it would be the same.
func (c *Cache) make(j **joined) {
	if old := c.joined; old != nil && slices.Equal(old.parts, (*j).parts) &&
		reflect.DeepEqual(old.extra, (*j).extra) && reflect.DeepEqual(old.labels, (*j).labels) {
		*j = old
		return
	}
	(*j).make()
	c.joined = *j
}
