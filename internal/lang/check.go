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
	r.checkNames(true, metas(nil, "Zone", r.dir.Zones, func(z *Zone) Meta { return z.Meta }))
	r.checkNames(true, metas(nil, "Service", r.dir.Services, func(s *Service) Meta { return s.Meta }))
	r.checkNames(true, metas(nil, "External", r.dir.Externals, func(e *External) Meta { return e.Meta }))
	// What decides is named in verdicts, whatever its kind.
	deciding := metas(nil, "Policy", r.dir.Policies, func(p *Policy) Meta { return p.Meta })
	deciding = metas(deciding, "Guardrail", r.dir.Guardrails, func(g *Guardrail) Meta { return g.Meta })
	deciding = metas(deciding, "Exception", r.dir.Exceptions, func(e *Exception) Meta { return e.Meta })
	r.checkNames(true, deciding)
	r.checkNames(false, metas(nil, "Case", r.dir.Cases, func(c *Case) Meta { return c.Meta }))
	r.checkExternals()
}

// named is a document with its kind.
type named struct {
	kind string
	Meta
}

func metas[T any](out []named, kind string, all []T, meta func(T) Meta) []named {
	for _, one := range all {
		out = append(out, named{kind, meta(one)})
	}
	return out
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
			WithHelp("keep one").WithSee(r.dir.Estate.Pos)
	}
}

// checkNames demands that documents which share a namespace have names of
// their own.
func (r *reader) checkNames(mayClash bool, all []named) {
	first := make(map[string]*named, len(all))
	for i := range all {
		m := &all[i]
		if meaning, taken := reserved[m.Name]; taken && mayClash {
			r.errorAt(m.NamePos, "reserved-name", "%q cannot be the name of %s: it stands for %s", m.Name, aKind(m.kind), meaning).
				WithHelp("choose another name")
		}
		other := first[m.Name]
		switch {
		case other == nil:
			first[m.Name] = m
		case other.kind == m.kind:
			r.errorAt(m.NamePos, "duplicate-name", "there are two documents of kind %s called %q", m.kind, m.Name).
				WithHelp("give each its own name").WithSee(other.NamePos)
		default:
			r.errorAt(m.NamePos, "duplicate-name", "%s and %s are both called %q, so a verdict could not tell them apart", aKind(other.kind), aKind(m.kind), m.Name).
				WithHelp("give each its own name").WithSee(other.NamePos)
		}
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
