package nftables

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/plan"
	"firebreak/internal/target"
)

type renderer struct {
	w     *plan.Wanted
	space [2]*space // of IPv4, of IPv6
	ends  map[string]*end
	names map[string]bool      // of ends and of sets of peers
	known map[string][2]*peers // by what they are made of; see peersOf
	bases map[string]string    // by what they are for; see base
	diags diag.List
}

func render(w *plan.Wanted) ([]target.File, diag.List) {
	r := &renderer{w: w, ends: map[string]*end{}, names: map[string]bool{}, known: map[string][2]*peers{}, bases: map[string]string{}}
	hosts := r.hosts()
	if len(hosts) > 0 {
		r.space = [2]*space{spaceOf(w, true), spaceOf(w, false)}
	}
	var files []target.File
	for _, h := range hosts {
		if data := r.host(h); data != nil {
			files = append(files, target.File{Path: folder(h.name) + "/firebreak.nft.json", Data: data})
		}
	}
	r.warnOfNames()
	slices.SortFunc(files, func(a, b target.File) int { return strings.Compare(a.Path, b.Path) })
	return files, r.diags
}

// host is one of the estate, with the subjects at each local address.
type host struct {
	name string
	at   map[netip.Addr][]*plan.Subject
}

// hosts finds them, by name, and warns of workloads that are on none.
func (r *renderer) hosts() []*host {
	byName := map[string]*host{}
	var homeless []string
	for i := range r.w.Policy.Inventory.Workloads {
		w := &r.w.Policy.Inventory.Workloads[i]
		if len(w.Addresses) == 0 {
			continue
		}
		if w.Host == "" {
			homeless = append(homeless, w.Name)
			continue
		}
		h := byName[w.Host]
		if h == nil {
			h = &host{w.Host, map[netip.Addr][]*plan.Subject{}}
			byName[w.Host] = h
		}
		s := r.w.SubjectOf(r.w.Policy.IdentityOf[i])
		for _, a := range w.Addresses {
			a = a.Unmap().WithZone("")
			if !slices.Contains(h.at[a], s) {
				h.at[a] = append(h.at[a], s)
			}
		}
	}
	if n := len(homeless); n > 0 {
		what := strings.Join(homeless[:min(n, 3)], ", ")
		if n > 3 {
			what += " and " + strconv.Itoa(n-3) + " more"
		}
		r.diags.Warnf(diag.Pos{}, "unenforced", "nftables: it is not known on which host %s runs, so no rules govern it", what).
			WithHelp("give the workload its host in the inventory, or let another target govern it")
	}
	out := make([]*host, 0, len(byName))
	for _, h := range byName {
		out = append(out, h)
	}
	slices.SortFunc(out, func(a, b *host) int { return strings.Compare(a.name, b.name) })
	return out
}

// warnOfNames warns of what is permitted to names only.
func (r *renderer) warnOfNames() {
	for i := range r.w.Policy.Externals {
		x := &r.w.Policy.Externals[i]
		if len(x.FQDNs) > 0 && len(r.ends) > 0 {
			r.diags.Warnf(x.Pos, "unenforced", "nftables: the addresses behind the fqdns of external %s are not known, so nothing is opened to them", x.Name)
		}
	}
}

// endOf is what stands at an address, by its subjects.
func (r *renderer) endOf(subjects []*plan.Subject) *end {
	slices.SortFunc(subjects, func(a, b *plan.Subject) int { return strings.Compare(a.Name, b.Name) })
	var parts []string
	for _, s := range subjects {
		parts = append(parts, s.Name)
	}
	key := strings.Join(parts, "\x00")
	if e := r.ends[key]; e != nil {
		return e
	}
	e := &end{subjects: subjects, name: r.name(strings.Join(parts, "_or_"))}
	r.ends[key] = e
	return e
}

// name makes a name of letters that nft takes without quotes, not used before
// and short enough for what is put around it.
func (r *renderer) name(text string) string {
	plain := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' {
			return c
		}
		return '_'
	}, text)
	plain = plain[:min(len(plain), maxName-40)]
	name := plain
	for n := 2; r.names[name]; n++ {
		name = plain + "_" + strconv.Itoa(n)
	}
	r.names[name] = true
	return name
}

// folder is a host's name as the name of a folder.
func folder(name string) string {
	escaped := url.PathEscape(name)
	if strings.HasPrefix(escaped, ".") {
		escaped = "%2E" + escaped[1:]
	}
	return escaped
}

// host returns a host's file, nil if nothing on it is governed.
func (r *renderer) host(h *host) []byte {
	local := make([]netip.Addr, 0, len(h.at))
	for a := range h.at {
		local = append(local, a)
	}
	slices.SortFunc(local, netip.Addr.Compare)
	var ends []*end
	has := map[*end][2]bool{}
	var l locals
	for _, a := range local {
		e := r.endOf(h.at[a])
		l.self(a)
		for _, d := range directions {
			if r.say(e, d); e.open[d] {
				continue
			}
			if !slices.Contains(ends, e) {
				ends = append(ends, e)
			}
			families := has[e]
			families[familyIndex(a)] = true
			has[e] = families
			l.lead(a, d, e.name)
		}
	}
	if len(ends) == 0 {
		return nil
	}
	slices.SortFunc(ends, func(a, b *end) int { return strings.Compare(a.name, b.name) })
	return r.file(ends, has, &l)
}

var directions = [2]flow.Direction{flow.Ingress, flow.Egress}

// file is one transaction: the table is made if it is not there, so that
// deleting it cannot fail, and made anew. has says of which families each end
// has addresses.
func (r *renderer) file(ends []*end, has map[*end][2]bool, l *locals) []byte {
	parts := []string{"{\"nftables\": [\n" + object("add", "table") + "\"name\":\"firebreak\"}}},\n" +
		object("delete", "table") + "\"name\":\"firebreak\"}}},\n" + object("add", "table") + "\"name\":\"firebreak\"}}}"}
	seen := map[*peers]bool{}
	for _, e := range ends {
		for _, d := range directions {
			for f, is := range has[e] {
				for _, p := range e.peers[d][f] {
					if is && !seen[p] {
						seen[p] = true
						parts = append(parts, p.text)
					}
				}
			}
		}
	}
	for _, e := range ends {
		for _, d := range directions {
			if e.open[d] {
				continue
			}
			parts = append(parts, e.first[d])
			for f, is := range has[e] {
				if is {
					parts = append(parts, e.text[d][f])
				}
			}
			parts = append(parts, e.last[d])
		}
	}
	parts = append(parts, l.text(), r.base(l), "\n]}\n")
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	out := make([]byte, 0, n)
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}
