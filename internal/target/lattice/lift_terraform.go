package lattice

import (
	"slices"

	"firebreak/internal/live/terraform"
)

// fields are the arguments and attributes of the resources that are read; all
// others make what they stand in unknown. Those that change nothing about who
// reaches what are read by nobody: names, tags, numbers, health checks.
// registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/vpclattice_service
var irrelevant = []string{
	"id", "arn", "name", "status", "tags", "tags_all", "timeouts", "region", "state", "dns_entry", "custom_domain_name", "certificate_arn",
	"created_at", "last_updated_at", "created_by", "owner_id", "domain_name", "hosted_zone_id", "sharing_config",
	"lifecycle", "depends_on", "provider", "count", "for_each", "private_dns_enabled", "dns_options",
	"service_arn", "service_network_arn", "listener_id", "service_network_resource_association_arn",
	"number_of_associated_services", "number_of_associated_vpcs", "description",
}

func (r *reader) terraformAll() {
	for _, x := range r.tf.Of("aws_vpclattice_service_network") {
		r.out.nets = append(r.out.nets, &network{guarded: r.guard(x)})
		r.strange(x, "auth_type")
		r.mark(x)
	}
	for _, x := range r.tf.Sources("aws_vpclattice_service_network") {
		n := &network{guarded: r.guard(x)}
		n.id, _ = r.known(x, "service_network_identifier").String()
		r.elsewhere(n)
		r.out.nets = append(r.out.nets, n)
	}
	for _, x := range r.tf.Of("aws_vpclattice_service") {
		r.out.services = append(r.out.services, &service{guarded: r.guard(x)})
		r.strange(x, "auth_type")
		r.mark(x)
	}
	for _, x := range r.tf.Of("aws_vpclattice_target_group") {
		r.out.groups = append(r.out.groups, r.group(x))
		r.mark(x)
	}
	for _, x := range r.tf.Of("aws_vpclattice_target_group_attachment") {
		r.attachment(x)
	}
	for _, x := range r.tf.Of("aws_vpclattice_service_network_vpc_association") {
		r.vpcAssociation(x)
	}
	for _, x := range r.tf.Of("aws_vpclattice_service_network_service_association") {
		r.serviceAssociation(x)
	}
	for _, x := range r.tf.Of("aws_vpclattice_listener") {
		r.listener(x)
	}
	for _, x := range r.tf.Of("aws_vpclattice_listener_rule") {
		r.listenerRule(x)
	}
	for _, x := range r.tf.Of("aws_vpclattice_auth_policy", "aws_vpclattice_resource_policy") {
		if x.Type == "aws_vpclattice_auth_policy" {
			r.authPolicy(x)
		}
	}
}

func (r *reader) known(x *terraform.Resource, field string) terraform.Value {
	return r.tf.Known(x.Attribute(field))
}

// mark counts a resource as ours if it has the estate's tag.
func (r *reader) mark(x *terraform.Resource) {
	for _, field := range []string{"tags", "tags_all"} {
		if s, ok := r.known(x, field).Field("firebreak:estate").String(); ok && s == r.estate {
			r.out.ours++
			return
		}
	}
	r.out.foreign++
}

// strange makes everything unknown that a resource with unread fields is about.
func (r *reader) strange(x *terraform.Resource, read ...string) {
	for name, v := range x.Body.Fields {
		if v.Set() && !slices.Contains(irrelevant, name) && !slices.Contains(read, name) {
			r.unknown(x.Address, x.Pos, "%s has an argument %s that is not understood", x.Address, name)
		}
	}
}

func (r *reader) guard(x *terraform.Resource) guarded {
	g := guarded{handle: handle{key: x.Address, id: x.ID}, name: x.Name, pos: x.Pos}
	if name, ok := r.known(x, "name").String(); ok && name != "" {
		g.name = name
	}
	g.arn, _ = r.known(x, "arn").String()
	v := r.known(x, "auth_type")
	auth, ok := v.String()
	switch {
	case v.Kind == terraform.Null:
		g.auth = "NONE" // the default
	case ok && (auth == "NONE" || auth == "AWS_IAM"):
		g.auth = auth
	default:
		g.why = "the auth type of " + x.Address + " is not known"
	}
	return g
}

// elsewhere completes a network that is only named here. With nothing but the
// rendered files at hand the inventory's word is taken for it: each VPC says in
// net/service-network to which one it is joined.
func (r *reader) elsewhere(n *network) {
	n.auth = ""
	if !r.alone {
		n.why = "the service network " + n.id + " is not in what was read"
		n.open, n.silent = n.why, n.why
		return
	}
	n.auth = "AWS_IAM"
	for _, v := range r.inventory.Networks {
		if v.Within == "" && v.Labels["net/service-network"] == n.id && n.id != "" {
			n.vpcs = append(n.vpcs, v.Name)
		}
	}
}

// find returns what of a list a value names: by reference, id, ARN or name.
func find[T interface{ handles() *handle }](r *reader, v terraform.Value, list []T) (T, bool) {
	var none T
	if v.Kind == terraform.Reference {
		if to, _, ok := r.tf.Resolve(v.Ref); ok {
			for _, x := range list {
				if x.handles().key == to.Address {
					return x, true
				}
			}
		}
		v = r.tf.Known(v)
	}
	text, ok := v.String()
	for _, x := range list {
		if h := x.handles(); ok && text != "" && (text == h.id || text == h.arn) {
			return x, true
		}
	}
	return none, false
}

func (r *reader) vpcAssociation(x *terraform.Resource) {
	r.strange(x, "service_network_identifier", "vpc_identifier", "security_group_ids")
	n, ok := find(r, x.Attribute("service_network_identifier"), r.out.nets)
	if !ok {
		r.unknown(x.Address, x.Pos, "%s is about a service network that is not in what was read", x.Address)
		return
	}
	vpc, ok := r.vpc(x.Attribute("vpc_identifier"))
	if !ok {
		n.open = "it is not known which VPC " + x.Address + " is about"
		return
	}
	n.vpcs = append(n.vpcs, vpc)
}

// vpc returns the name under which the inventory knows a VPC: its id, or where
// that is not known yet the address of the resource in Terraform.
func (r *reader) vpc(v terraform.Value) (string, bool) {
	if text, ok := r.tf.Known(v).String(); ok && text != "" {
		return text, true
	}
	if v.Kind == terraform.Reference {
		if to, attr, ok := r.tf.Resolve(v.Ref); ok && attr == "id" {
			for _, n := range r.inventory.Networks {
				if n.Name == to.Address || n.Name == to.ID && to.ID != "" {
					return n.Name, true
				}
			}
		}
	}
	return "", false
}

func (r *reader) serviceAssociation(x *terraform.Resource) {
	r.strange(x, "service_network_identifier", "service_identifier")
	s, ok := find(r, x.Attribute("service_identifier"), r.out.services)
	if !ok {
		r.unknown(x.Address, x.Pos, "%s is about a service that is not in what was read", x.Address)
		return
	}
	n, ok := find(r, x.Attribute("service_network_identifier"), r.out.nets)
	if !ok {
		s.open = x.Address + " is about a service network that is not in what was read"
		return
	}
	s.nets = append(s.nets, n)
}

func (r *reader) group(x *terraform.Resource) *group {
	r.strange(x, "type", "config")
	g := &group{handle: handle{key: x.Address, id: x.ID}, pos: x.Pos}
	g.arn, _ = r.known(x, "arn").String()
	g.kind, _ = r.known(x, "type").String()
	config := x.Attribute("config")
	if n, ok := r.tf.Known(config.Field("port")).Int(); ok && n > 0 && n < 1<<16 {
		g.port = uint16(n)
	}
	g.vpc, _ = r.vpc(config.Field("vpc_identifier"))
	return g
}

func (r *reader) attachment(x *terraform.Resource) {
	r.strange(x, "target_group_identifier", "target")
	g, ok := find(r, x.Attribute("target_group_identifier"), r.out.groups)
	if !ok {
		r.unknown(x.Address, x.Pos, "%s is about a target group that is not in what was read", x.Address)
		return
	}
	e := endpoint{port: g.port, pos: x.Pos}
	id, known := r.tf.Known(x.Attribute("target").Field("id")).String()
	if e.id = id; !known {
		e.why = "it is not known which target " + x.Address + " is"
	}
	switch v := r.tf.Known(x.Attribute("target").Field("port")); {
	case v.Kind == terraform.Null:
	default:
		n, ok := v.Int()
		if e.port = uint16(n); !ok || n < 1 || n >= 1<<16 {
			e.port, e.why = 0, "the port of "+x.Address+" is not known"
		}
	}
	g.targets = append(g.targets, e)
}

func (r *reader) listener(x *terraform.Resource) {
	r.strange(x, "protocol", "port", "service_identifier", "default_action")
	s, ok := find(r, serviceOf(x), r.out.services)
	if !ok {
		r.unknown(x.Address, x.Pos, "%s is about a service that is not in what was read", x.Address)
		return
	}
	protocol, known := r.known(x, "protocol").String()
	l := listener{passthrough: protocol == "TLS_PASSTHROUGH"}
	switch port := r.known(x, "port"); {
	case port.Kind != terraform.Null:
		if n, ok := port.Int(); ok && n > 0 && n < 1<<16 {
			l.port = uint16(n)
		}
	case known && protocol == "HTTP":
		l.port = 80
	case known:
		l.port = 443
	}
	if l.port == 0 || !known {
		l.why = "the port or the protocol of " + x.Address + " is not known"
	}
	r.action(&l, x.Attribute("default_action"), x, false)
	s.listeners = append(s.listeners, l)
}

func serviceOf(x *terraform.Resource) terraform.Value {
	if v := x.Attribute("service_identifier"); v.Set() {
		return v
	}
	return x.Attribute("service_arn")
}

// action reads where requests are sent. A fixed answer sends them nowhere.
func (r *reader) action(l *listener, v terraform.Value, x *terraform.Resource, part bool) {
	for _, f := range v.Field("forward").Items() {
		for _, t := range f.Field("target_groups").Items() {
			g, ok := find(r, t.Field("target_group_identifier"), r.out.groups)
			if !ok {
				l.why = x.Address + " leads to a target group that is not in what was read"
				continue
			}
			if n, ok := r.tf.Known(t.Field("weight")).Int(); ok && n == 0 && t.Field("weight").Set() {
				continue
			}
			l.to = append(l.to, forward{g, part})
		}
	}
	if why, _ := v.Doubt(); why != "" {
		l.why = why
	}
}

// listenerRule is a way for some requests only.
func (r *reader) listenerRule(x *terraform.Resource) {
	s, ok := find(r, serviceOf(x), r.out.services)
	if !ok {
		r.unknown(x.Address, x.Pos, "%s is about a service that is not in what was read", x.Address)
		return
	}
	for i := range s.listeners {
		r.action(&s.listeners[i], x.Attribute("action"), x, true)
	}
}

func (r *reader) authPolicy(x *terraform.Resource) {
	r.strange(x, "resource_identifier", "policy")
	v := x.Attribute("resource_identifier")
	var g *guarded
	if s, ok := find(r, v, r.out.services); ok {
		g = &s.guarded
	} else if n, ok := find(r, v, r.out.nets); ok {
		g = &n.guarded
	} else {
		r.unknown(x.Address, x.Pos, "%s is about something that is not in what was read", x.Address)
		return
	}
	if g.silent = ""; g.policy != nil { // AWS has the one that was put last
		g.silent = "two auth policies are attached to " + g.name
	}
	r.attach(g, x.Address, r.tf.Document(x.Attribute("policy")), x.Pos)
}
