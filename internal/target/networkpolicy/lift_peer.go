package networkpolicy

import (
	"net/netip"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"firebreak/internal/inventory"
	"firebreak/internal/label"
	"firebreak/internal/layer"
	"firebreak/internal/manifest"
)

// parties are the other ends that a rule speaks of: any of its peers.
type parties struct {
	sure   layer.Match
	doubts []doubt
	// Addresses without exceptions, and those of them that may be a pod's: one term
	// for all of a rule's, since they mean together what each does.
	plain, podPlain []netip.Prefix
	cut             []layer.Term // addresses with exceptions
}

// done adds the addresses.
func (p *parties) done(r *reader) {
	all := layer.Term{Prefixes: p.plain}
	for i, t := range p.cut {
		if p.reached(t.Except, i) {
			r.addresses(t, p)
			continue
		}
		all.Prefixes = append(slices.Clip(all.Prefixes), t.Prefixes...)
		all.Except = append(all.Except, t.Except...)
	}
	if all.Prefixes != nil {
		r.addresses(all, p)
	}
	if p.podPlain != nil {
		pods := layer.Term{Prefixes: p.podPlain, Select: r.pointer(label.Requirement{Key: namespaceKey, Op: label.Exists})}
		p.doubts = append(p.doubts, doubt{layer.Match{pods}, blockOfPods})
	}
}

// reached reports whether another block of a rule has some of what one leaves out:
// then the two cannot be said in one term.
func (p *parties) reached(except []netip.Prefix, one int) bool {
	overlaps := func(list []netip.Prefix) bool {
		return slices.ContainsFunc(list, func(q netip.Prefix) bool {
			return slices.ContainsFunc(except, func(x netip.Prefix) bool { return x.Overlaps(q) })
		})
	}
	for i := range p.cut {
		if i != one && overlaps(p.cut[i].Prefixes) {
			return true
		}
	}
	return overlaps(p.plain)
}

// doubt are ends of which it is not known whether a rule speaks of them.
type doubt struct {
	match layer.Match
	why   string
}

// peer reads one item of from or to. Its two selectors have to match both; two
// items are alternatives.
func (r *reader) peer(n *yaml.Node, p *parties) {
	o := manifest.NewObject(r.policy.Document, n, "a peer", &r.refused)
	if o == nil {
		return
	}
	hasPods, hasSpaces, hasBlock := o.Field("podSelector") != nil, o.Field("namespaceSelector") != nil, o.Field("ipBlock") != nil
	pods, spaces, block := o.Object("podSelector"), o.Object("namespaceSelector"), o.Object("ipBlock")
	o.Done()
	switch {
	case hasBlock && (hasPods || hasSpaces):
		r.refuse(n, "an ipBlock beside a selector in one peer")
	case hasBlock:
		r.block(block, p)
	case hasSpaces:
		r.spaces(n, r.selector(spaces), r.selector(pods), p)
	case hasPods:
		list := append(r.selector(pods), label.Requirement{Key: namespaceKey, Op: label.In, Values: []string{r.policy.namespace}})
		if len(r.refused) == 0 {
			p.sure = append(p.sure, r.estate.match(list...)...)
		}
	default:
		r.refuse(n, "a peer with nothing in it: it does not stand for everybody, and a cluster refuses it")
	}
}

func (r *reader) spaces(n *yaml.Node, spaces, pods []label.Requirement, p *parties) {
	for _, q := range spaces {
		if err := label.CheckKey(translated(q.Key)); err != nil {
			r.refuse(n, "the namespace label %s is too long for an inventory", q.Key)
		}
	}
	if len(r.refused) > 0 {
		return
	}
	sure, unsure, unknown := r.estate.inSpaces(spaces, pods)
	p.sure = append(p.sure, sure...)
	if unsure != nil {
		p.doubts = append(p.doubts, doubt{unsure, "the labels of the namespaces " + strings.Join(unknown, ", ") + " are not known, and this rule selects namespaces by them"})
	}
}

const blockOfPods = "an ipBlock holds addresses of pods, or may (Nodes in the folder say which addresses pods get): some network plugins let it match pods (Calico), others do not (Cilium)"

// block reads addresses. They are those of what is no pod. Whether an ipBlock
// matches pods too is said by no document: it is "intended" for addresses
// outside of the cluster, and plugins differ.
// https://kubernetes.io/docs/concepts/services-networking/network-policies/#behavior-of-to-and-from-selectors
// https://docs.cilium.io/en/stable/security/policy/language/#ip-cidr-based
func (r *reader) block(o *manifest.Object, p *parties) {
	cidr := o.Field("cidr")
	if cidr == nil {
		r.refuse(o.Node, "an ipBlock without cidr")
		return
	}
	whole, ok := r.prefix(cidr)
	t := layer.Term{Prefixes: []netip.Prefix{whole}}
	for _, n := range o.Items("except") {
		x, good := r.prefix(manifest.Resolve(n))
		if good && ok && (x.Bits() <= whole.Bits() || !whole.Contains(x.Addr())) {
			r.refuse(n, "%s is not a part of %s", x, whole)
		}
		ok = ok && good
		t.Except = append(t.Except, x)
	}
	o.Done()
	if !ok || len(r.refused) > 0 {
		return
	}
	pods := t
	pods.Select = r.pointer(label.Requirement{Key: namespaceKey, Op: label.Exists})
	if t.Except != nil {
		p.cut = append(p.cut, t)
		if r.mayMatchPods(pods) {
			p.doubts = append(p.doubts, doubt{layer.Match{pods}, blockOfPods})
		}
		return
	}
	may, known := r.estate.mayBePods[whole]
	if !known {
		may = r.mayMatchPods(pods)
		r.estate.mayBePods[whole] = may
	}
	p.plain = append(p.plain, whole)
	if may {
		p.podPlain = append(p.podPlain, whole)
	}
}

// addresses adds what is no pod.
func (r *reader) addresses(t layer.Term, p *parties) {
	outside, hosts := t, t
	outside.Address = true
	hosts.Select = r.pointer(label.Requirement{Key: namespaceKey, Op: label.NotExists})
	p.sure = append(p.sure, outside, hosts)
}

func (r *reader) pointer(q label.Requirement) *label.Selector {
	return r.estate.match(q)[0].Select
}

// mayMatchPods reports whether a term's addresses could be those of a pod: of
// one that is there, or of one that could be anywhere in the estate's networks.
func (r *reader) mayMatchPods(t layer.Term) bool {
	m := layer.Match{t}
	some := &inventory.Workload{Labels: map[string]string{namespaceKey: ""}}
	if m.Matches(layer.Party{Workload: some}, r.source.Networks) != layer.No {
		return true
	}
	for _, w := range r.estate.outside(r.source.Networks) {
		if m.Matches(layer.Party{Workload: w}, r.source.Networks) != layer.No {
			return true
		}
	}
	return false
}
