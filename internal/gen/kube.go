package gen

import (
	"fmt"
	"io"
	"math"
	"testing/fstest"
)

// KubeOptions say how large a Kubernetes estate is to be. A field that is 0
// takes a default, but for Seed.
type KubeOptions struct {
	Workloads int // exactly so many Deployments; 1,000 if 0
	Rules     int // exactly so many NetworkPolicies; three for ten workloads if 0
	Seed      uint64
}

// The shape of a Kubernetes estate: as many namespaces as applications come to
// some twenty workloads each, and three NetworkPolicies for ten workloads.
const (
	perNamespace     = 25
	perNode          = 30
	rulesPerWorkload = 0.3
	maxKube          = 200_000 // workloads; rules likewise
)

// Complete returns o with defaults for what is 0. It fails if an estate like
// that cannot be.
func (o KubeOptions) Complete() (KubeOptions, error) {
	if o.Workloads < 0 || o.Rules < 0 {
		return o, fmt.Errorf("%d workloads and %d rules cannot be", o.Workloads, o.Rules)
	}
	if o.Workloads == 0 {
		o.Workloads = defaultWorkloads
	}
	if o.Rules == 0 {
		o.Rules = max(1, int(math.Round(rulesPerWorkload*float64(o.Workloads))))
	}
	if o.Workloads > maxKube || o.Rules > maxKube {
		return o, fmt.Errorf("at most %d workloads and %d rules find room in a cluster's manifests", maxKube, maxKube)
	}
	return o, nil
}

// Kube writes a cluster's manifests as any tool reads them: nodes, namespaces with
// labels, Deployments, Services and NetworkPolicies of the kinds that people
// write. create is called with each file's name after the one before it was
// closed. The same options give the same bytes.
func Kube(o KubeOptions, create func(name string) (io.WriteCloser, error)) error {
	o, err := o.Complete()
	if err != nil {
		return err
	}
	c := newCluster(o)
	w := &writer{create: create}
	w.begin("nodes.yaml", "the nodes, and the addresses that they give to pods")
	for i := range o.Workloads/perNode + 1 {
		w.printf("---\napiVersion: v1\nkind: Node\nmetadata:\n  name: node-%d\nspec:\n  podCIDR: 10.%d.%d.0/24\n  podCIDRs: [10.%d.%d.0/24]\n", i, 128+i/256, i%256, 128+i/256, i%256)
	}
	w.begin("namespaces.yaml", "the namespaces")
	for i := range c.spaces {
		c.spaces[i].manifest(w)
	}
	for i := range c.spaces {
		s := &c.spaces[i]
		w.begin(s.name+"/workloads.yaml", "what runs in "+s.name)
		for j := range s.apps {
			s.apps[j].manifest(w, s)
		}
		w.begin(s.name+"/services.yaml", "what is served in "+s.name)
		for j := range s.apps {
			s.apps[j].service(w, s)
		}
		if len(s.rules) > 0 {
			w.begin(s.name+"/networkpolicies.yaml", "who may talk to whom in "+s.name)
		}
		for j, r := range s.rules {
			r.manifest(w, s, j)
		}
	}
	w.end()
	return w.err
}

// KubeFiles returns them as files in memory.
func KubeFiles(o KubeOptions) (fstest.MapFS, error) {
	files := fstest.MapFS{}
	err := Kube(o, func(name string) (io.WriteCloser, error) {
		return &memory{name: name, files: files}, nil
	})
	return files, err
}

// cluster is what is to be written.
type cluster struct{ spaces []space }

// space is a namespace.
type space struct {
	name, team, env string
	guarded         bool // holds restricted data
	apps            []kubeApp
	rules           []kubeRule
}

// kubeApp is a Deployment and the Service before it.
type kubeApp struct {
	name     string
	role     *role
	critical bool
	replicas int
	version  string
}

func newCluster(o KubeOptions) *cluster {
	r := &random{o.Seed ^ 0x6b756265}
	n := (o.Workloads + perNamespace - 1) / perNamespace
	c := &cluster{spaces: make([]space, n)}
	for i := range c.spaces {
		domain, copies := domains[i%len(domains)], i/len(domains)
		s := &c.spaces[i]
		s.name, s.team, s.env, s.guarded = domain, "team-"+domain, envs[0], sensitive[domain]
		if copies > 0 {
			s.env = envs[copies%len(envs)]
			s.name = fmt.Sprintf("%s-%s-%d", domain, s.env, copies)
		}
	}
	for i := range o.Workloads {
		s := &c.spaces[i%n]
		number := len(s.apps)
		role := &roles[number%len(roles)]
		name := s.name + "-" + role.name
		if number >= len(roles) {
			name += fmt.Sprintf("-%d", number/len(roles)+1)
		}
		s.apps = append(s.apps, kubeApp{name, role, r.chance(20), 1 + r.skewed(12), fmt.Sprintf("v%d", 1+r.below(3))})
	}
	c.ruleOut(o.Rules, r)
	return c
}

func (s *space) manifest(w *writer) {
	w.printf("---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: %s\n  labels:\n    kubernetes.io/metadata.name: %s\n    team: %s\n    env: %s\n",
		s.name, s.name, s.team, s.env)
	if s.guarded {
		w.printf("    data-class: restricted\n")
	}
}

func (a *kubeApp) labels(s *space, indent string) string {
	out := indent + "app: " + a.name + "\n" + indent + "role: " + a.role.name + "\n" + indent + "tier: " + a.role.tier + "\n" + indent + "app.kubernetes.io/part-of: " + s.name + "\n"
	if a.critical {
		out += indent + "critical: \"true\"\n"
	}
	return out
}

func (a *kubeApp) manifest(w *writer, s *space) {
	w.printf("---\napiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: %s\n  namespace: %s\n", a.name, s.name)
	w.printf("---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: %s\n  namespace: %s\n  labels:\n%s", a.name, s.name, a.labels(s, "    "))
	w.printf("spec:\n  replicas: %d\n  selector:\n    matchLabels:\n      app: %s\n  template:\n    metadata:\n      labels:\n%s        version: %s\n",
		a.replicas, a.name, a.labels(s, "        "), a.version)
	w.printf("    spec:\n      serviceAccountName: %s\n      containers:\n      - name: main\n        image: registry.example/%s:%s\n        ports:\n", a.name, a.name, a.version)
	for _, p := range a.role.ports {
		w.printf("        - name: %s\n          containerPort: %d\n          protocol: TCP\n", p.name, p.number)
	}
}

func (a *kubeApp) service(w *writer, s *space) {
	w.printf("---\napiVersion: v1\nkind: Service\nmetadata:\n  name: %s\n  namespace: %s\nspec:\n  selector:\n    app: %s\n  ports:\n", a.name, s.name, a.name)
	for _, p := range a.role.ports {
		w.printf("  - name: %s\n    port: %d\n    targetPort: %s\n    protocol: TCP\n", p.name, p.number, p.name)
	}
}
