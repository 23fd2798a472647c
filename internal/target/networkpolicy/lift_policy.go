package networkpolicy

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/label"
	"firebreak/internal/layer"
	"firebreak/internal/manifest"
	"firebreak/internal/netset"
)

// reader reads one NetworkPolicy. What the API server would refuse, and what is
// no field of it, goes to refused.
type reader struct {
	*lifter
	policy  *netpol
	refused diag.List
}

func (r *reader) refuse(n *yaml.Node, format string, args ...any) {
	r.refused.Errorf(r.policy.Pos(n), "networkpolicy-refused", format, args...)
}

func (r *reader) read() {
	o := manifest.NewObject(r.policy.Document, r.policy.Root, "a NetworkPolicy", &r.refused)
	// Who the object is, and what servers and tools note on it, changes nothing
	// that it permits; status has been empty since 1.28.
	for _, field := range []string{"apiVersion", "kind", "metadata", "status"} {
		o.Field(field)
	}
	spec := o.Object("spec")
	o.Done()
	if r.policy.name == "*" {
		r.refuse(r.policy.Root, "a NetworkPolicy without metadata.name")
	}
	if spec == nil { // as the server reads it: all pods, Ingress, no rules
		r.subject(nil)
		r.policy.isolates[flow.Ingress] = true
		return
	}
	r.subject(spec.Object("podSelector"))
	ingress, egress := spec.Items("ingress"), spec.Items("egress")
	r.types(spec, ingress, egress)
	spec.Done()
	for i, n := range ingress {
		r.rule(flow.Ingress, i, n)
	}
	for i, n := range egress {
		r.rule(flow.Egress, i, n)
	}
}

// metadata looks whether the fields of metadata that count are there once, and not
// merged in from elsewhere (<<), which readers of YAML take differently.
func (r *reader) metadata() {
	o := manifest.NewObject(r.policy.Document, r.policy.Root, "a NetworkPolicy", &diag.List{})
	if o == nil || o.Field("metadata") == nil {
		return
	}
	meta := manifest.NewObject(r.policy.Document, o.Field("metadata"), "metadata", &r.refused)
	if n := meta.Field("<<"); n != nil {
		r.refuse(n, "metadata is merged in from elsewhere")
	}
}

// subject is the pods that the policy selects: all of its namespace if the
// selector is empty or absent.
func (r *reader) subject(o *manifest.Object) {
	before := len(r.refused)
	list := append(r.selector(o), label.Requirement{Key: namespaceKey, Op: label.In, Values: []string{r.policy.namespace}})
	if len(r.refused) == before {
		r.policy.subject = r.estate.match(list...)
	}
}

// types says in which directions the policy isolates. Without policyTypes that
// is Ingress, and Egress if there is any egress rule:
// SetDefaults_NetworkPolicy in pkg/apis/networking/v1/defaults.go.
func (r *reader) types(spec *manifest.Object, ingress, egress []*yaml.Node) {
	list, isolates := spec.Texts("policyTypes"), &r.policy.isolates
	if len(list) == 0 {
		isolates[flow.Ingress], isolates[flow.Egress] = true, len(egress) > 0
	}
	if len(list) > 2 {
		r.refuse(spec.Field("policyTypes"), "policyTypes has more than two entries")
	}
	for _, t := range list {
		switch t {
		case "Ingress":
			isolates[flow.Ingress] = true
		case "Egress":
			isolates[flow.Egress] = true
		default:
			r.refuse(spec.Field("policyTypes"), "%q is no policyType: it is Ingress or Egress", t)
		}
	}
	r.warnOfTypes(spec, list, ingress, egress)
}

// warnOfTypes tells of what is often meant otherwise.
func (r *reader) warnOfTypes(spec *manifest.Object, list []string, ingress, egress []*yaml.Node) {
	at := r.policy.Pos(spec.Node)
	switch {
	case len(ingress) > 0 && !r.policy.isolates[flow.Ingress]:
		r.diags.Warnf(at, "networkpolicy-misread", "the ingress rules have no effect, since policyTypes does not list Ingress").WithHelp("add Ingress to policyTypes, or remove the rules")
	case len(egress) > 0 && !r.policy.isolates[flow.Egress]:
		r.diags.Warnf(at, "networkpolicy-misread", "the egress rules have no effect, since policyTypes does not list Egress").WithHelp("add Egress to policyTypes, or remove the rules")
	}
	if slices.Contains(list, "Egress") && len(egress) == 0 {
		r.diags.Infof(at, "networkpolicy-misread", "policyTypes lists Egress without a rule for it: this policy lets its pods ask nobody, the cluster's DNS neither").
			WithHelp("if another policy does not let them, add an egress rule for port 53 to the DNS pods")
	}
}

// selector reads a label selector; nil and the empty one select everything.
func (r *reader) selector(o *manifest.Object) []label.Requirement {
	var out []label.Requirement
	labels := o.Labels("matchLabels")
	for k, v := range labels {
		out = append(out, label.Requirement{Key: k, Op: label.In, Values: []string{v}})
	}
	slices.SortFunc(out, func(a, b label.Requirement) int { return strings.Compare(a.Key, b.Key) })
	for _, n := range o.Items("matchExpressions") {
		out = append(out, r.expression(n))
	}
	o.Done()
	for _, q := range out {
		if label.IsBuiltin(q.Key) {
			r.refuse(o.Node, "the label %s cannot be told from those that inventories add", q.Key)
		}
	}
	return out
}

func (r *reader) expression(n *yaml.Node) label.Requirement {
	o := manifest.NewObject(r.policy.Document, n, "an expression", &r.refused)
	q := label.Requirement{Key: o.Text("key"), Values: o.Texts("values")}
	op := o.Text("operator")
	o.Done()
	slices.Sort(q.Values)
	q.Values = slices.Compact(q.Values)
	ops := map[string]label.Op{"In": label.In, "NotIn": label.NotIn, "Exists": label.Exists, "DoesNotExist": label.NotExists}
	var known bool
	if q.Op, known = ops[op]; !known {
		r.refuse(n, "%q is no operator: it is In, NotIn, Exists or DoesNotExist", op)
	}
	if needs := q.Op == label.In || q.Op == label.NotIn; needs != (len(q.Values) > 0) {
		r.refuse(n, "In and NotIn need values, and no other operator has them")
	}
	if err := label.CheckKey(q.Key); err != nil {
		r.refuse(n, "%v", err)
	}
	for _, v := range q.Values {
		if err := label.CheckValue(q.Key, v); err != nil {
			r.refuse(n, "%v", err)
		}
	}
	return q
}

// rule reads one item of ingress or egress. Without peers it speaks of
// everybody, without ports of all traffic.
func (r *reader) rule(dir flow.Direction, i int, n *yaml.Node) {
	o := manifest.NewObject(r.policy.Document, n, "a rule", &r.refused)
	peers := "from"
	if dir == flow.Egress {
		peers = "to"
	}
	var p parties
	list := o.Items(peers)
	for _, n := range list {
		r.peer(n, &p)
	}
	p.done(r)
	if len(list) == 0 {
		p.sure = layer.Everything()
		if n := o.Field(peers); n != nil {
			r.diags.Warnf(r.policy.Pos(n), "networkpolicy-misread", "an empty %s lets everybody pass, not nobody", peers).
				WithHelp("leave it out if that is meant; for nobody, leave out the rule")
		}
	}
	traffic, named := r.ports(o.Items("ports"))
	o.Done()
	if len(r.refused) > 0 || r.policy.subject == nil {
		return
	}
	ref := r.policy.ref(fmt.Sprintf("%s[%d]", dir, i), n)
	r.emit(dir, layer.Rule{Ref: ref, Effect: layer.Allow, Subject: r.policy.subject, Traffic: traffic}, &p)
	for _, x := range named {
		r.emitNamed(dir, ref, x, &p)
	}
}

func (r *reader) emit(dir flow.Direction, rule layer.Rule, p *parties) {
	if rule.Traffic.IsEmpty() {
		return
	}
	if p.sure != nil {
		rule.Peer = p.sure
		r.policy.rules = append(r.policy.rules, rule)
	}
	for _, d := range p.doubts {
		rule.Peer, rule.Unknown = d.match, d.why
		r.policy.rules = append(r.policy.rules, rule)
	}
}

// emitNamed makes a rule for each number that a port's name means. A name is
// one of the responder's: the subject of an ingress rule, the peer of an egress
// rule. An address that is no pod has no names.
func (r *reader) emitNamed(dir flow.Direction, ref flow.Rule, x namedPort, p *parties) {
	byNumber := r.estate.serving(x)
	for _, number := range slices.Sorted(keys(byNumber)) {
		rule := layer.Rule{Ref: ref, Effect: layer.Allow, Subject: r.policy.subject, Traffic: netset.Of(x.protocol, number, number)}
		of := *p
		if dir == flow.Ingress {
			rule.Subject = restrict(rule.Subject, byNumber[number])
		} else {
			of = parties{sure: restrict(p.sure, byNumber[number])}
			for _, d := range p.doubts {
				if m := restrict(d.match, byNumber[number]); m != nil {
					of.doubts = append(of.doubts, doubt{m, d.why})
				}
			}
		}
		if rule.Subject != nil {
			r.emit(dir, rule, &of)
		}
	}
}

func keys[K comparable, V any](m map[K]V) func(yield func(K) bool) {
	return func(yield func(K) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// restrict narrows a match to workloads of those names, which are sorted.
func restrict(m layer.Match, names []string) layer.Match {
	var out layer.Match
	for _, t := range m {
		if t.Address {
			continue
		}
		if t.Workloads == nil {
			t.Workloads = names
		} else {
			t.Workloads = slices.DeleteFunc(slices.Clone(t.Workloads), func(n string) bool { return !slices.Contains(names, n) })
		}
		out = append(out, t)
	}
	return out
}

// namedPort is a port by the name that the responder's container gives it.
type namedPort struct {
	protocol netset.Protocol
	name     string
}

// ports reads a rule's ports; none are all traffic, of every protocol.
func (r *reader) ports(list []*yaml.Node) (netset.Traffic, []namedPort) {
	if len(list) == 0 {
		return netset.All(), nil
	}
	out := netset.None()
	var named []namedPort
	for _, n := range list {
		o := manifest.NewObject(r.policy.Document, n, "a port", &r.refused)
		if o == nil {
			continue
		}
		proto, port, end := r.protocol(o), o.Field("port"), o.Field("endPort")
		o.Done()
		switch {
		case port == nil && end == nil:
			out = out.Union(netset.Of(proto, 0, 65535))
		case port == nil:
			r.refuse(end, "an endPort without a port")
		case port.Tag == "!!str":
			named = append(named, namedPort{proto, port.Value})
			if end != nil {
				r.refuse(end, "an endPort beside a named port")
			}
			if !portName(port.Value) {
				r.refuse(port, "%q is no name of a port", port.Value)
			}
		default:
			lo := r.number(port)
			hi := lo
			if end != nil {
				if hi = r.number(end); hi < lo {
					r.refuse(end, "the endPort is below the port")
				}
				if lo == 1 {
					// Nothing can be sent to port 0 that a socket would get, and no policy
					// can name it: a range from 1 is one from the beginning.
					lo = 0
				}
			}
			out = out.Union(netset.Of(proto, lo, hi))
		}
	}
	return out, named
}

func (r *reader) protocol(o *manifest.Object) netset.Protocol {
	switch s := o.Text("protocol"); s {
	case "", "TCP":
		return netset.TCP
	case "UDP":
		return netset.UDP
	case "SCTP":
		return netset.SCTP
	default:
		r.refuse(o.Field("protocol"), "%q is no protocol of a NetworkPolicy: it is TCP, UDP or SCTP", s)
		return netset.TCP
	}
}

func (r *reader) number(n *yaml.Node) uint16 {
	v, err := strconv.ParseUint(n.Value, 10, 16)
	if err != nil || v == 0 || n.Tag != "!!int" || n.Value[0] == '0' { // a leading zero makes it octal, or not, by whoever reads it
		r.refuse(n, "%q is no port from 1 to 65535", n.Value)
		return 1
	}
	return uint16(v)
}

// portName follows IsValidPortName: at most 15 small letters, digits and
// hyphens, with a letter, without two hyphens in a row or one at either end.
func portName(s string) bool {
	if len(s) == 0 || len(s) > 15 || s[0] == '-' || s[len(s)-1] == '-' || strings.Contains(s, "--") {
		return false
	}
	letter := false
	for _, c := range []byte(s) {
		isLetter := c >= 'a' && c <= 'z'
		if !isLetter && (c < '0' || c > '9') && c != '-' {
			return false
		}
		letter = letter || isLetter
	}
	return letter
}

// prefix reads a CIDR. The server warns of host bits and ignores them.
func (r *reader) prefix(n *yaml.Node) (netip.Prefix, bool) {
	p, err := netip.ParsePrefix(n.Value)
	if err != nil || p.Addr().Is4In6() {
		r.refuse(n, "%q is no CIDR", n.Value)
		return netip.Prefix{}, false
	}
	return p.Masked(), true
}
