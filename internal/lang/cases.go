package lang

import "go.yaml.in/yaml/v3"

func (r *reader) caseOf(n *yaml.Node) {
	c := &Case{}
	var expect *yaml.Node
	inForce := false
	c.Meta = r.body(n, "Case", func(n *yaml.Node) {
		r.object(n, "a Case's spec",
			may("inForce", func(n *yaml.Node) { inForce, _ = r.truth(n, "inForce") }),
			need("expect", func(n *yaml.Node) { expect = n }))
	})
	if expect != nil {
		r.each(expect, "expect", func(n *yaml.Node) { r.expectation(n, c, inForce) })
	}
	if c.Name != "" {
		r.dir.Cases = append(r.dir.Cases, c)
	}
}

func (r *reader) expectation(n *yaml.Node, c *Case, inForce bool) {
	x := &Expectation{InForce: inForce, Pos: r.pos(n)}
	r.object(n, "an expectation",
		need("from", func(n *yaml.Node) { x.From = r.endpoint(n, "from", inCase) }),
		need("to", func(n *yaml.Node) { x.To = r.endpoint(n, "to", inCase) }),
		may("port", func(n *yaml.Node) {
			p, _ := r.port(n)
			x.Port = &p
		}),
		may("http", func(n *yaml.Node) { x.HTTP = r.request(n) }),
		may("at", func(n *yaml.Node) { x.At = r.moment(n, "at") }),
		may("mtls", func(n *yaml.Node) {
			if value, ok := r.truth(n, "mtls"); ok {
				x.NoMTLS = !value
			}
		}),
		need("effect", choiceTo(r, &x.Effect, "bad-effect", "effect of an expectation", effects[:Pass])),
		may("inForce", func(n *yaml.Node) {
			if value, ok := r.truth(n, "inForce"); ok {
				x.InForce = value
			}
		}))
	c.Expect = append(c.Expect, x)
}
