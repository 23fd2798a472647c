package lang

import (
	"net/netip"

	"firebreak/internal/diag"
)

// The names that stand for something already, wherever names are shown.
var reserved = map[string]string{
	"world":   "everything outside the estate that no External names",
	"unknown": "addresses of the estate that no workload owns",
	"builtin": "what a host needs to live",
}

// checkDir finds what only shows when all documents have been read.
func (r *reader) checkDir() {
	r.dir.Incomplete = r.unread || r.full
	r.checkEstate()
	var zones, services, externals, policies, cases []Meta
	for _, z := range r.dir.Zones {
		zones = append(zones, z.Meta)
	}
	for _, s := range r.dir.Services {
		services = append(services, s.Meta)
	}
	for _, e := range r.dir.Externals {
		externals = append(externals, e.Meta)
	}
	for _, p := range r.dir.Policies {
		policies = append(policies, p.Meta)
	}
	for _, c := range r.dir.Cases {
		cases = append(cases, c.Meta)
	}
	r.checkNames("Zone", zones, true)
	r.checkNames("Service", services, true)
	r.checkNames("External", externals, true)
	r.checkNames("Policy", policies, true)
	r.checkNames("Case", cases, false)
	r.checkExternals()
}

// checkEstate demands exactly one Estate: without one nothing is known to be
// ours, and of two it could not be said which holds.
func (r *reader) checkEstate() {
	if len(r.estates) == 0 {
		// A document that could not be read may have been the Estate.
		if !r.unread {
			r.errorAt(diag.Pos{}, "no-estate", "the directory has no document of kind Estate").
				WithHelp("it says where workloads come from and which networks are ours; is this the policy directory?")
		}
		return
	}
	r.dir.Estate = r.estates[0]
	for _, e := range r.estates[1:] {
		r.errorAt(e.Pos, "duplicate-estate", "the directory has more than one Estate").
			WithHelp("the first is at %s; keep one", r.dir.Estate.Pos)
	}
}

func (r *reader) checkNames(kind string, all []Meta, mayClash bool) {
	first := map[string]diag.Pos{}
	for _, m := range all {
		if meaning, taken := reserved[m.Name]; taken && mayClash {
			r.errorAt(m.NamePos, "reserved-name", "%q cannot be the name of %s: it stands for %s", m.Name, aKind(kind), meaning).
				WithHelp("choose another name")
		}
		if pos, twice := first[m.Name]; twice {
			r.errorAt(m.NamePos, "duplicate-name", "there are two documents of kind %s called %q", kind, m.Name).
				WithHelp("the other is at %s; give each its own name", pos)
			continue
		}
		first[m.Name] = m.NamePos
	}
}

// checkExternals warns of addresses that an External names in vain: what lies
// inside the estate's networks is never external.
func (r *reader) checkExternals() {
	if r.dir.Estate == nil {
		return
	}
	for _, e := range r.dir.Externals {
		for _, c := range e.CIDRs {
			for _, ours := range r.dir.Estate.Networks {
				if covers(ours.Prefix, c.Prefix) {
					r.warnAt(c.Pos, "external-inside-estate", "%s lies inside the estate's network %s and will match nothing", c.Prefix, ours.Prefix).
						WithHelp("an External is outside the estate; name workloads of the estate by their labels")
					break
				}
			}
		}
	}
}

// covers reports whether every address of inner is one of outer.
func covers(outer, inner netip.Prefix) bool {
	return outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
}
