package gen

import (
	"net/netip"
	"strconv"

	"firebreak/internal/inventory"
	"firebreak/internal/netset"
)

// pair is a label.
type pair struct{ key, value string }

// record is what a group's workloads have in common, and one of them at a time.
type record struct {
	e       *estate
	g       *group
	s       *service
	a       *app
	p       *place
	shared  []pair
	owner   string // principal
	prefix  string // of names
	subnets [zones]string

	// of one workload
	name   string
	labels []pair
	addrs  []netip.Addr
	host   string
}

func (e *estate) record(g *group) *record {
	r := &record{e: e, g: g, s: &e.services[g.service], p: &e.places[g.place]}
	r.a = &e.apps[r.s.app]
	r.prefix = r.s.name + "-" + g.region + "-"
	for z := range r.subnets {
		r.subnets[z] = e.subnetName(r.p, r.a.class*zones+z)
	}
	r.shared = r.common()
	return r
}

// common are the labels of all workloads of a group. What selectors speak of
// is among them: otherwise a group would be more than one identity.
func (r *record) common() []pair {
	a, p := r.a, r.p
	out := []pair{
		{"cloud/account", p.account}, {"cloud/provider", p.provider}, {"cloud/region", p.region}, {"net/vpc", p.vpc},
		{"team", r.e.teams[a.team].name}, {"tier", a.role.tier}, {"data-class", classes[a.class]},
	}
	if !a.role.vm {
		r.owner = "spiffe://corp.example/ns/" + a.domain + "/sa/" + r.s.name
		return append(out,
			pair{appLabel(a), a.name}, pair{"app.kubernetes.io/part-of", a.domain}, pair{"env", envs[r.s.env]},
			pair{"k8s/cluster", p.cluster}, pair{"k8s/namespace", a.domain}, pair{"k8s/serviceaccount", r.s.name})
	}
	if p.provider == "aws" {
		r.owner = "arn:aws:iam::" + p.account + ":role/" + r.s.name
	}
	return append(out, pair{appLabel(a), a.name}, pair{"Environment", rawEnvs[r.s.env]})
}

// appLabel is the label that has the application's name.
func appLabel(a *app) string {
	if a.role.vm {
		return "app"
	}
	return "app.kubernetes.io/name"
}

// rollouts are how many versions of a service run side by side.
const rollouts = 2

// workload makes the record that of the i-th workload of the group.
func (r *record) workload(i int) {
	n := r.g.from + i // within the place
	subnet, seat := r.g.seat(r.a.class, i)
	r.name = r.prefix + strconv.Itoa(i)
	r.labels = append(r.labels[:0], r.shared...)
	r.labels = append(r.labels, pair{"net/subnet", r.subnets[i%zones]})
	if !r.a.role.vm {
		version := hash(r.e.Seed, 400_000+r.g.service*rollouts+i%7/6)
		r.labels = append(r.labels, pair{"pod-template-hash", strconv.FormatUint(version>>28, 36)})
		r.host = r.p.cluster + "-node-" + strconv.Itoa(n/30)
	} else {
		r.host = r.name
	}
	r.addrs = append(r.addrs[:0], r.p.address(subnet, seat))
	if r.p.dual && !r.a.role.vm {
		r.addrs = append(r.addrs, r.p.address6(subnet, seat))
	}
}

// write appends the record as a document of an inventory file.
func (r *record) write(b []byte) []byte {
	b = append(b, "---\nkind: Workload\nmetadata:\n  name: "...)
	b = append(b, r.name...)
	if !r.a.role.vm {
		b = append(append(b, "\n  namespace: "...), r.a.domain...)
	}
	b = append(b, "\n  labels:\n"...)
	for _, l := range r.labels {
		b = append(append(append(b, "    "...), l.key...), ": "...)
		b = append(quoted(b, l.value), '\n')
	}
	b = append(b, "spec:\n  addresses: ["...)
	for i, a := range r.addrs {
		if i > 0 {
			b = append(b, ", "...)
		}
		if a.Is6() {
			b = append(a.AppendTo(append(b, '"')), '"')
		} else {
			b = a.AppendTo(b)
		}
	}
	b = append(b, "]\n  ports:\n"...)
	for _, p := range r.a.role.ports {
		b = append(append(append(b, "  - {name: "...), p.name...), ", port: "...)
		b = append(strconv.AppendInt(b, int64(p.number), 10), "}\n"...)
	}
	if r.owner != "" {
		b = append(append(append(b, "  principal: "...), r.owner...), '\n')
	}
	return append(append(append(b, "  host: "...), r.host...), '\n')
}

// quoted appends a label's value, in quotes where YAML could take it for
// something else than text.
func quoted(b []byte, s string) []byte {
	if s[0] >= 'a' && s[0] <= 'z' && s[0] != 'n' && s[0] != 'y' || s[0] >= 'A' && s[0] <= 'Z' {
		return append(b, s...)
	}
	return append(append(append(b, '"'), s...), '"')
}

// value is the record as an inventory reader makes it.
func (r *record) value() inventory.Workload {
	w := inventory.Workload{Name: r.name, Labels: make(map[string]string, len(r.labels)), Principal: r.owner, Host: r.host}
	if !r.a.role.vm {
		w.Namespace = r.a.domain
	}
	for _, l := range r.labels {
		w.Labels[l.key] = l.value
	}
	w.Addresses = append(w.Addresses, r.addrs...)
	for _, p := range r.a.role.ports {
		w.Ports = append(w.Ports, inventory.Port{Name: p.name, Number: uint16(p.number), Protocol: netset.TCP})
	}
	return w
}
