package lang

import "go.yaml.in/yaml/v3"

// exception reads an allow that ends. Ticket, approver and end are not left to
// custom: an exception without them is a rule that nobody will remove.
func (r *reader) exception(n *yaml.Node) {
	e := &Exception{}
	e.Meta = r.body(n, "Exception", func(n *yaml.Node) {
		r.object(n, "an Exception's spec",
			need("from", func(n *yaml.Node) { e.From = r.endpoint(n, "from", inRule) }),
			need("to", func(n *yaml.Node) { e.To = r.endpoint(n, "to", inRule) }),
			may("ports", func(n *yaml.Node) { e.Ports = r.ports(n) }),
			may("http", func(n *yaml.Node) { e.HTTP = r.https(n) }),
			need("ticket", r.textTo(&e.Ticket, "the ticket")),
			need("approver", r.textTo(&e.Approver, "the approver")),
			need("expires", func(n *yaml.Node) { e.ExpiresPos, e.Expires = r.pos(n), r.moment(n, "expires") }),
			may("reason", r.textTo(&e.Reason, "the reason")))
	})
	if e.Expires.IsZero() || e.HTTP != nil && len(e.HTTP) == 0 {
		e.Ports = []Port{} // what does not say when it ends, or for what it is, allows nothing
	}
	if e.Name != "" {
		r.dir.Exceptions = append(r.dir.Exceptions, e)
	}
}
