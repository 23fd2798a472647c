package semantics

import (
	"maps"
	"slices"
	"strings"

	"firebreak/internal/flow"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
)

// Requests lists examples of all requests that the policy can tell apart on
// some of the traffic between two parties: none where no rule about them
// speaks of requests, so that every request is like what is no HTTP.
//
// Each field varies over every value that a rule mentions and one that none
// does, and every combination that the rules tell apart is there once. That is
// exact for methods, hosts and headers. Of paths there are examples: each
// pattern filled with nothing, with a word, and with the pieces of the other
// patterns, segment by segment, so that paths which several patterns match are
// found; of patterns with several "*" in one segment an overlap may be missed.
func (e *Evaluator) Requests(from, to Party, asked netset.Traffic) []*flow.Request {
	narrow := e.From(from)
	if to.Frontend != nil && to.Frontend.Rewrites != "destination" {
		narrow = e.whole() // what others may do matters
	}
	narrow = narrow.To(to)
	var list []spoken
	for _, k := range narrow.clauses {
		for _, h := range k.http {
			if to.Frontend != nil || slices.ContainsFunc(to.alternatives(), func(p Party) bool { return !e.traffic(k, p).Intersect(asked).IsEmpty() }) {
				list = append(list, spoken{HTTP: h, deny: k.effect == lang.Deny})
			}
		}
	}
	return examples(list)
}

// spoken is one alternative of a clause.
type spoken struct {
	lang.HTTP
	deny bool
}

// examples begins with a request of which nothing is said and sets one field
// after the other. Of all that the alternatives answer alike so far, and that
// differ only in fields already set, one is kept.
func examples(list []spoken) []*flow.Request {
	if len(list) == 0 {
		return nil
	}
	out := []*flow.Request{{}}
	settled := make([]spoken, len(list)) // the alternatives, of the fields that are set
	for i, s := range list {
		settled[i].deny = s.deny
	}
	vary := func(values []string, set func(*flow.Request, string), settle func(to, of *spoken)) {
		for i := range list {
			settle(&settled[i], &list[i])
		}
		var next []*flow.Request
		seen := map[string]bool{}
		for _, r := range out {
			for _, v := range values {
				changed := *r
				changed.Headers = maps.Clone(r.Headers)
				set(&changed, v)
				if key := answers(settled, &changed); !seen[key] {
					seen[key] = true
					next = append(next, &changed)
				}
			}
		}
		out = next
	}
	paths, headers := pathExamples(list), headerValues(list)
	vary(paths, func(r *flow.Request, v string) { r.Path = v }, func(to, of *spoken) { to.Paths = of.Paths })
	vary(methods(list), func(r *flow.Request, v string) { r.Method = v }, func(to, of *spoken) { to.Methods = of.Methods })
	vary(hosts(list), func(r *flow.Request, v string) { r.Host = v }, func(to, of *spoken) { to.Hosts = of.Hosts })
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		set := func(r *flow.Request, v string) {
			if v == absent {
				return
			}
			if r.Headers == nil {
				r.Headers = map[string]string{}
			}
			r.Headers[name] = v
		}
		vary(headers[name], set, func(to, of *spoken) {
			for _, h := range of.Headers {
				if h.Name == name {
					to.Headers = append(to.Headers, h)
				}
			}
		})
	}
	return out
}

// answers writes down which alternatives mean a request.
func answers(list []spoken, r *flow.Request) string {
	key := make([]byte, len(list))
	for i, s := range list {
		key[i] = '-'
		if means(s.HTTP, r, s.deny) {
			key[i] = '+'
		}
	}
	return string(key)
}

// absent stands for a header that is not there.
const absent = "\x00"

// other is a word that no policy is likely to mention; it is lengthened until
// none of the given does.
func other(word string, mentioned []string) string {
	for slices.ContainsFunc(mentioned, func(m string) bool { return strings.Contains(m, word) }) {
		word += "z"
	}
	return word
}

func methods(list []spoken) []string {
	var out []string
	for _, s := range list {
		out = append(out, s.Methods...)
	}
	return append(distinct(out), other("OTHER", out))
}

// hosts has, for each "*.x.y", one and two labels before it.
func hosts(list []spoken) []string {
	var out []string
	for _, s := range list {
		out = append(out, s.Hosts...)
	}
	label := other("other", out)
	for i, h := range out {
		if suffix, ok := strings.CutPrefix(h, "*"); ok {
			out[i] = label + suffix
			out = append(out, label+"."+label+suffix)
		}
	}
	return append(distinct(out), label+".invalid", "")
}

// headerValues has, by name, every value that is mentioned, one that is not,
// and that the header is not there.
func headerValues(list []spoken) map[string][]string {
	out := map[string][]string{}
	for _, s := range list {
		for _, h := range s.Headers {
			out[h.Name] = append(out[h.Name], h.Values...)
		}
	}
	for name, values := range out {
		out[name] = append(distinct(values), other("other", values), absent)
	}
	return out
}

func distinct(in []string) []string {
	out := slices.Clone(in)
	slices.Sort(out)
	return slices.Compact(out)
}
