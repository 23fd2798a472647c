package cli

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"firebreak/internal/diag"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
	"firebreak/internal/semantics"
)

// parties finds what an endpoint on the command line means: workload:NAME,
// service:NAME, zone:NAME, external:NAME, frontend:NAME, ip:ADDRESS, world, or
// the bare name of something if only one thing has it, or all that have it mean
// the same; a frontend is last to be meant by a bare name. end is how a rule
// would say it; it is ByNothing for the world and for a frontend.
func (l *loaded) parties(flag, text string) (end lang.Endpoint, found []semantics.Party, err error) {
	if text == "world" {
		return end, l.world(), nil
	}
	kind, name, isKind := strings.Cut(text, ":")
	if !isKind {
		kind = "" // a bare name, be it "frontend"
	}
	switch kind {
	case "workload", "service", "zone", "external":
		end, err = l.named(flag, kind, name)
	case "ip":
		end, err = address(flag, name)
	case "frontend":
		p, ok := l.evaluator().Frontend(name)
		if !ok {
			return end, nil, misusef("%s: there is no frontend %q%s", flag, name, didYouMean("frontend:", name, l.frontends()))
		}
		return end, []semantics.Party{p}, nil
	default:
		if p, ok := l.evaluator().Frontend(text); ok && !l.hasName(text) {
			return end, []semantics.Party{p}, nil
		}
		end, err = l.bare(flag, text)
	}
	if err != nil {
		return end, nil, err
	}
	found = l.evaluator().Parties(end)
	if len(found) == 0 {
		return end, nil, misusef("%s %s means no workload and no address", flag, text)
	}
	return end, found, nil
}

func address(flag, s string) (lang.Endpoint, error) {
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return lang.Endpoint{}, misusef("%s: %q is not an IP address", flag, s)
	}
	return lang.Endpoint{Kind: lang.ByIP, IP: a.Unmap()}, nil
}

// world are the addresses outside the estate, one of each run that the policy
// cannot tell apart.
func (l *loaded) world() []semantics.Party {
	var out []semantics.Party
	for _, s := range l.evaluator().Spans() {
		if s.Party.IsPlace() && !s.Party.Unknown {
			out = append(out, s.Party)
		}
	}
	return out
}

var endKinds = map[string]lang.EndpointKind{"workload": lang.ByWorkload, "service": lang.ByService, "zone": lang.ByZone, "external": lang.ByExternal}

// names lists what has a name, by kind.
func (l *loaded) names() map[string][]string {
	out := map[string][]string{}
	for _, w := range l.inv.Workloads {
		out["workload"] = append(out["workload"], w.Name)
	}
	for _, s := range l.p.Services {
		out["service"] = append(out["service"], s.Name)
	}
	for _, z := range l.p.Zones {
		out["zone"] = append(out["zone"], z.Name)
	}
	for _, x := range l.p.Externals {
		out["external"] = append(out["external"], x.Name)
	}
	return out
}

func (l *loaded) frontends() []string {
	var out []string
	for _, f := range l.inv.Frontends {
		out = append(out, f.Name)
	}
	return out
}

// hasName reports whether anything but a frontend is called so.
func (l *loaded) hasName(name string) bool {
	for _, known := range l.names() {
		if slices.Contains(known, name) {
			return true
		}
	}
	return false
}

func (l *loaded) named(flag, kind, name string) (lang.Endpoint, error) {
	known := l.names()[kind]
	if slices.Contains(known, name) {
		return lang.Endpoint{Kind: endKinds[kind], Name: name}, nil
	}
	return lang.Endpoint{}, misusef("%s: there is no %s %q%s", flag, kind, name, didYouMean(kind+":", name, known))
}

func didYouMean(prefix, name string, known []string) string {
	if near := diag.Nearest(name, known); near != "" {
		return "; did you mean " + prefix + near + "?"
	}
	return ""
}

// bare resolves a name without its kind.
func (l *loaded) bare(flag, name string) (lang.Endpoint, error) {
	var kinds, all []string
	for _, kind := range []string{"workload", "service", "zone", "external"} {
		known := l.names()[kind]
		all = append(all, known...)
		if slices.Contains(known, name) {
			kinds = append(kinds, kind)
		}
	}
	switch len(kinds) {
	case 1:
		return lang.Endpoint{Kind: endKinds[kinds[0]], Name: name}, nil
	case 0:
		if a, err := netip.ParseAddr(name); err == nil && a.Zone() == "" {
			return lang.Endpoint{Kind: lang.ByIP, IP: a.Unmap()}, nil
		}
		return lang.Endpoint{}, misusef("%s: nothing is called %q%s", flag, name, didYouMean("", name, append(append(all, l.frontends()...), "world")))
	default:
		if end, ok := l.alike(kinds, name); ok {
			return end, nil
		}
		return lang.Endpoint{}, misusef("%s: %q is the name of more than one thing: write %s:%s", flag, name, strings.Join(kinds, ":"+name+" or "), name)
	}
}

// alike finds that a name means the same workloads whichever kind of thing is
// meant, as with a service that is named after its only workload. The service
// is then what is meant: it knows its ports.
func (l *loaded) alike(kinds []string, name string) (lang.Endpoint, bool) {
	var first []string
	for i, kind := range kinds {
		var owners []string
		for _, p := range l.evaluator().Parties(lang.Endpoint{Kind: endKinds[kind], Name: name}) {
			owners = append(owners, p.Name())
		}
		slices.Sort(owners)
		if len(owners) == 0 || (i > 0 && !slices.Equal(owners, first)) {
			return lang.Endpoint{}, false
		}
		first = owners
	}
	kind := kinds[0]
	if slices.Contains(kinds, "service") {
		kind = "service"
	}
	return lang.Endpoint{Kind: endKinds[kind], Name: name}, true
}

// parsePort reads 5432/TCP, 8000-8080/TCP, icmp, other, or the name of a port.
func parsePort(s string) (lang.Port, error) {
	number, word, isNumber := strings.Cut(s, "/")
	if !isNumber {
		if p, ok := netset.ParseProtocol(s); ok && !p.HasPorts() {
			return lang.Port{Traffic: netset.Of(p, 0, 0)}, nil
		}
		if _, err := strconv.Atoi(s); err == nil || s == "" {
			return lang.Port{}, misusef("--port %q has no protocol: write it like 5432/TCP", s)
		}
		return lang.Port{Name: s}, nil
	}
	lo, hi, isRange := strings.Cut(number, "-")
	if !isRange {
		hi = lo
	}
	a, errA := strconv.ParseUint(lo, 10, 16)
	b, errB := strconv.ParseUint(hi, 10, 16)
	p, ok := netset.ParseProtocol(word)
	if errA != nil || errB != nil || !ok || !p.HasPorts() || a > b || a == 0 {
		return lang.Port{}, misusef("--port %q is not a port: write 5432/TCP, 8000-8080/TCP, icmp or the name of a port", s)
	}
	return lang.Port{Traffic: netset.Of(p, uint16(a), uint16(b))}, nil
}
