package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"firebreak/internal/diag"
	"firebreak/internal/lang"
)

// Config is an agent's configuration. Paths are absolute or relative to the
// working directory: ReadConfig has joined those that were relative to the
// file.
type Config struct {
	Policy     string        // the policy directory
	Inventory  []string      // "file:F" or "kube:DIR"; empty means the Estate's own
	Cgroups    []CgroupEntry // which cgroup is which workload
	CgroupRoot string        // where programs attach; empty means the longest common ancestor of Cgroups
	Interfaces []string      // guarded against packet sockets; empty means all but loopback
	Namespaces []string      // paths of network namespaces; empty means the agent's own
	Zone       string        // of the processes that no cgroup attributes
	State      string        // a directory of the agent's own
	Pins       string        // a directory on a bpffs
	Wire       string        // the server's socket; empty means nobody is told
	Name       string        // the host's name
}

// CgroupEntry attributes a cgroup, and everything below it, to a workload.
// Path is as written: below the cgroup v2 mount, with or without its path.
type CgroupEntry struct {
	Path     string
	Workload string
	Pos      diag.Pos
}

// Where things are if the configuration does not say.
const (
	defaultState = "/var/lib/firebreak"
	defaultPins  = "/sys/fs/bpf/firebreak"
	maxConfig    = 1 << 20 // bytes
)

// ReadConfig reads a configuration file. Everything that is wrong with it is
// reported at once; with errors the Config is not usable.
func ReadConfig(path string) (*Config, diag.List) {
	c := &configReader{file: path, dir: filepath.Dir(path)}
	text, err := readRegular(path, maxConfig)
	if err != nil {
		c.diags.Errorf(diag.Pos{File: path}, "unreadable", "the configuration cannot be read: %v", err).
			WithHelp("write one: {policy: DIR, cgroups: [{path: P, workload: W}], zone: NAME, state: DIR, pins: DIR, wire: SOCKET}")
		return nil, c.diags
	}
	var doc yaml.Node
	if err := decode(text, &doc); err != nil {
		c.diags.Errorf(diag.Pos{File: path}, "yaml-syntax", "%s", strings.TrimPrefix(err.Error(), "yaml: "))
		return nil, c.diags
	}
	cfg := &Config{}
	if len(doc.Content) == 1 {
		c.top(doc.Content[0], cfg)
	}
	c.defaults(cfg)
	return cfg, c.diags
}

// decode turns a panic of the YAML reader into an error: it is not ours, and
// what it reads may be anything.
func decode(text []byte, doc *yaml.Node) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("the YAML reader gave up: %v", v)
		}
	}()
	return yaml.Unmarshal(text, doc)
}

func readRegular(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, cause(err)
	case !info.Mode().IsRegular():
		return nil, errors.New("it is not a regular file")
	case info.Size() > limit:
		return nil, errors.New("it is too large")
	}
	text, err := os.ReadFile(path)
	return text, cause(err)
}

// cause leaves out the path, which messages name already.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

type configReader struct {
	file, dir string
	diags     diag.List
}

func (c *configReader) pos(n *yaml.Node) diag.Pos {
	return diag.Pos{File: c.file, Line: n.Line, Col: n.Column}
}

func (c *configReader) top(n *yaml.Node, cfg *Config) {
	c.fields(n, map[string]func(*yaml.Node){
		"policy":     c.path(&cfg.Policy),
		"inventory":  c.list(func(n *yaml.Node) { c.source(n, cfg) }),
		"cgroups":    c.list(func(n *yaml.Node) { c.cgroup(n, cfg) }),
		"cgroupRoot": c.text(&cfg.CgroupRoot),
		"interfaces": c.list(c.texts(&cfg.Interfaces)),
		"namespaces": c.list(func(n *yaml.Node) { c.namespace(n, cfg) }),
		"zone":       c.text(&cfg.Zone),
		"state":      c.path(&cfg.State),
		"pins":       c.path(&cfg.Pins),
		"wire":       c.path(&cfg.Wire),
		"name":       c.text(&cfg.Name),
	})
}

// fields calls the reader of each field there is and refuses others.
func (c *configReader) fields(n *yaml.Node, known map[string]func(*yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		c.diags.Errorf(c.pos(n), "bad-type", "fields are wanted here, like policy: DIR")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		read, ok := known[key.Value]
		switch {
		case !ok:
			d := c.diags.Errorf(c.pos(key), "unknown-field", "unknown field %q", key.Value)
			names := make([]string, 0, len(known))
			for name := range known {
				names = append(names, name)
			}
			if near := diag.Nearest(key.Value, names); near != "" {
				d.WithHelp("did you mean %q?", near)
			}
		case seen[key.Value]:
			c.diags.Errorf(c.pos(key), "duplicate-name", "field %q is there twice", key.Value)
		default:
			read(value)
		}
		seen[key.Value] = true
	}
}

func (c *configReader) scalar(n *yaml.Node) (string, bool) {
	if n.Kind == yaml.ScalarNode && n.Tag != "!!null" && n.Value != "" {
		return n.Value, true
	}
	c.diags.Errorf(c.pos(n), "bad-type", "one word is wanted here")
	return "", false
}

func (c *configReader) text(to *string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if s, ok := c.scalar(n); ok {
			*to = s
		}
	}
}

func (c *configReader) texts(to *[]string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if s, ok := c.scalar(n); ok {
			*to = append(*to, s)
		}
	}
}

func (c *configReader) path(to *string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if s, ok := c.scalar(n); ok {
			*to = c.join(s)
		}
	}
}

func (c *configReader) join(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(c.dir, path)
}

func (c *configReader) list(item func(*yaml.Node)) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if n.Kind != yaml.SequenceNode {
			c.diags.Errorf(c.pos(n), "bad-type", "a list is wanted here, like [a, b]")
			return
		}
		for _, e := range n.Content {
			item(e)
		}
	}
}

func (c *configReader) source(n *yaml.Node, cfg *Config) {
	s, ok := c.scalar(n)
	if !ok {
		return
	}
	kind, path, ok := strings.Cut(s, ":")
	if !ok || path == "" || kind != "file" && kind != "kube" {
		c.diags.Errorf(c.pos(n), "bad-source", "%q is no inventory source", s).WithHelp("write file:FILE or kube:DIR")
		return
	}
	cfg.Inventory = append(cfg.Inventory, kind+":"+c.join(path))
}

func (c *configReader) cgroup(n *yaml.Node, cfg *Config) {
	e := CgroupEntry{Pos: c.pos(n)}
	before := len(c.diags)
	c.fields(n, map[string]func(*yaml.Node){"path": c.text(&e.Path), "workload": c.text(&e.Workload)})
	if len(c.diags) == before && (e.Path == "" || e.Workload == "") {
		c.diags.Errorf(e.Pos, "missing-field", "a cgroup needs a path and a workload").WithHelp("write {path: P, workload: W}")
	}
	cfg.Cgroups = append(cfg.Cgroups, e)
}

// namespace takes a path, or a name as ip-netns gives it.
func (c *configReader) namespace(n *yaml.Node, cfg *Config) {
	s, ok := c.scalar(n)
	if !ok {
		return
	}
	if !strings.Contains(s, "/") {
		s = "/run/netns/" + s
	}
	cfg.Namespaces = append(cfg.Namespaces, c.join(s))
}

func (c *configReader) defaults(cfg *Config) {
	if cfg.Policy == "" && !c.diags.HasErrors() {
		c.diags.Errorf(diag.Pos{File: c.file}, "missing-field", "no policy directory is given").WithHelp("write policy: DIR")
	}
	if cfg.State != "" && cfg.State == cfg.Policy {
		c.diags.Errorf(diag.Pos{File: c.file}, "bad-state", "the state directory is the policy directory").WithHelp("give the agent a directory of its own")
	}
	if cfg.Zone == "" {
		cfg.Zone = lang.Unassigned
	}
	if cfg.State == "" {
		cfg.State = defaultState
	}
	if cfg.Pins == "" {
		cfg.Pins = defaultPins
	}
	if cfg.Name == "" {
		cfg.Name, _ = os.Hostname()
	}
}
