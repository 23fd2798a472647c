package gen

import (
	"cmp"
	"slices"
	"strconv"
)

// estate is everything about an estate but its workloads and rules, which are
// made while they are written. It grows with the identities, not with the
// workloads.
type estate struct {
	Options
	apps     []app
	services []service
	groups   []group // by place, so that each inventory file is a run of them
	places   []place
	teams    []team
	zones    []zone
	// The numbers of services by environment, ascending, so that those of one
	// team stand together.
	byEnv [][]int
}

// app is one application, whatever the environment.
type app struct {
	name   string // "orders-db"
	domain string // "orders", a namespace
	team   int
	role   *role
	class  int // index into classes
	bucket int // which accounts it lives in
}

// service is one application in one environment.
type service struct {
	name        string
	app         int
	env         int // index into envs
	zone        int
	first, size int // its groups, as they were before they were sorted by place
	replicas    int
}

// group is the workloads of a service in one region: one identity.
type group struct {
	service int
	region  string
	place   int
	size    int
	from    int        // number of its first workload within its place
	at      [zones]int // and of the first in each zone, within the subnet
}

// team owns the services of one domain: a run of estate.services.
type team struct {
	name        string
	first, size int
}

// zone is a trust zone: an environment and a class of data.
type zone struct {
	name       string
	env, class int
}

func build(o Options) *estate {
	e := &estate{Options: o}
	r := &random{hash(o.Seed, 1)}
	for d := 0; len(e.groups) < o.Identities; d++ {
		e.domain(r, d)
	}
	e.indexZones()
	e.size(r)
	e.settle()
	return e
}

// units are the parts of the company that have domains of the same name.
var units = []string{"", "b2b", "retail", "markets", "labs", "nordics", "iberia", "apac", "latam", "wholesale", "outlet", "travel"}

func domainName(d int) string {
	name := domains[d%len(domains)]
	if u := d / len(domains); u >= len(units) {
		return name + "-" + strconv.Itoa(u)
	} else if u > 0 {
		return name + "-" + units[u]
	}
	return name
}

// domain adds a domain with its applications, its team and their groups, up to
// the number of identities that was asked for.
func (e *estate) domain(r *random, d int) {
	name := domainName(d)
	t := team{name: name, first: len(e.services)}
	secret := sensitive[domains[d%len(domains)]]
	for i := range 2 + r.skewed(len(roles)-1) {
		a := app{name: name + "-" + roles[i].name, domain: name, team: len(e.teams), role: &roles[i], bucket: d / 4 % maxBuckets}
		a.class = classOf(a.role, secret)
		e.apps = append(e.apps, a)
		e.deploy(r, len(e.apps)-1)
		if len(e.groups) == e.Identities {
			break
		}
	}
	t.size = len(e.services) - t.first
	e.teams = append(e.teams, t)
}

func classOf(r *role, secret bool) int {
	class := map[string]int{"edge": public, "app": internal, "data": confidential}[r.tier]
	if secret && class != public {
		class++
	}
	return class
}

// inEnv is how many applications of 100 there are in each environment.
var inEnv = []int{100, 60, 45, 25, 8}

// deploy adds the services and groups of an application.
func (e *estate) deploy(r *random, a int) {
	for env := range envs {
		if !r.chance(inEnv[env]) || len(e.groups) == e.Identities {
			continue
		}
		s := service{name: e.apps[a].name + "-" + envs[env], app: a, env: env, first: len(e.groups)}
		regions := e.providerOf(e.apps[a].bucket).regions
		n := 1
		if env == prod {
			n += r.skewed(len(regions))
		}
		start := r.below(len(regions))
		for i := range min(n, e.Identities-len(e.groups)) {
			e.groups = append(e.groups, group{service: len(e.services), region: regions[(start+i)%len(regions)]})
			s.size++
		}
		e.services = append(e.services, s)
	}
}

// indexZones makes the zones that have a service in them.
func (e *estate) indexZones() {
	known := map[[2]int]int{}
	e.byEnv = make([][]int, len(envs))
	for i := range e.services {
		s := &e.services[i]
		key := [2]int{s.env, e.apps[s.app].class}
		if _, ok := known[key]; !ok {
			known[key] = len(e.zones)
			e.zones = append(e.zones, zone{envs[s.env] + "-" + classes[key[1]], s.env, key[1]})
		}
		s.zone = known[key]
		e.byEnv[s.env] = append(e.byEnv[s.env], i)
	}
}

// size divides the workloads over the groups. The most go to what faces
// customers in production, the fewest to databases and sandboxes.
func (e *estate) size(r *random) {
	heat := make([]int, len(e.groups))
	for i := range heat {
		s := e.services[e.groups[i].service]
		heat[i] = r.below(100) - 15*s.env
		if e.apps[s.app].role.tier == "data" {
			heat[i] -= 40
		}
	}
	order := shuffled(r, len(heat))
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(heat[b], heat[a]) })
	for k, n := range zipf(e.Workloads, len(e.groups)) {
		g := &e.groups[order[k]]
		g.size = n
		e.services[g.service].replicas += n
	}
}
