package nftables

import (
	"bytes"
	"encoding/json"
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
	space [2][]stretch // of IPv4, of IPv6
	ends  map[string]*end
	names map[string]bool // of ends
	diags diag.List
}

func render(w *plan.Wanted) ([]target.File, diag.List) {
	r := &renderer{w: w, ends: map[string]*end{}, names: map[string]bool{}}
	hosts := r.hosts()
	if len(hosts) > 0 {
		r.space = [2][]stretch{spaceOf(w, true), spaceOf(w, false)}
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
	governed := [2][2][]any{} // by direction and family: elements of the map of local addresses
	for _, a := range local {
		e := r.endOf(h.at[a])
		for _, d := range directions {
			if r.say(e, d); e.open[d] {
				continue
			}
			if !slices.Contains(ends, e) {
				ends = append(ends, e)
			}
			f := 1
			if a.Is4() {
				f = 0
			}
			governed[d][f] = append(governed[d][f], []any{a.String(), object{"goto": object{"target": word[d] + "_" + e.name}}})
		}
	}
	if len(ends) == 0 {
		return nil
	}
	slices.SortFunc(ends, func(a, b *end) int { return strings.Compare(a.name, b.name) })
	return file(commands(ends, governed, local))
}

var directions = [2]flow.Direction{flow.Ingress, flow.Egress}

// commands of one transaction: the table is made if it is not there, so that
// deleting it cannot fail, and made anew.
func commands(ends []*end, governed [2][2][]any, local []netip.Addr) []json.RawMessage {
	table := object{"name": ourTable}
	out := []json.RawMessage{
		add("table", object{"name": ourTable}),
		command("delete", "table", object{"family": "inet", "name": ourTable}),
		add("table", table),
	}
	for _, d := range directions {
		for _, e := range ends {
			if !e.open[d] {
				out = append(out, e.chains[d]...)
			}
		}
	}
	seen := map[string]bool{}
	for _, d := range directions {
		for _, e := range ends {
			for _, c := range e.sets[d] {
				if !e.open[d] && !seen[string(c)] {
					seen[string(c)] = true
					out = append(out, c)
				}
			}
		}
	}
	for _, d := range directions {
		for _, e := range ends {
			if !e.open[d] {
				out = append(out, e.rules[d]...)
			}
		}
	}
	return append(out, hooks(governed, local)...)
}

func file(commands []json.RawMessage) []byte {
	var b bytes.Buffer
	b.WriteString("{\"nftables\": [\n")
	for i, c := range commands {
		if i > 0 {
			b.WriteString(",\n")
		}
		b.Write(c)
	}
	b.WriteString("\n]}\n")
	return b.Bytes()
}
