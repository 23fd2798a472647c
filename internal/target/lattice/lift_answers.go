package lattice

import (
	"fmt"
	"slices"

	"firebreak/internal/diag"
	"firebreak/internal/live/aws"
	"firebreak/internal/live/terraform"
)

// answersAll reads the answers of AWS. What Terraform's files say of the same
// things is passed over: an answer is what there is.
func (r *reader) answersAll() {
	a := r.aws
	for _, x := range a.ServiceNetworks {
		n := &network{guarded: r.answered(x.Id, x.Arn, x.Name, x.AuthType, x.Pos)}
		for _, v := range a.VpcAssociations {
			if (v.ServiceNetworkId == x.Id || v.ServiceNetworkArn == x.Arn) && lives(v.Status) {
				n.vpcs = append(n.vpcs, v.VpcId)
			}
		}
		if r.unasked("list-service-network-vpc-associations", x.Id, x.Arn) {
			n.open = "nobody asked list-service-network-vpc-associations"
		}
		r.out.nets = append(r.out.nets, n)
	}
	for _, x := range a.TargetGroups {
		r.out.groups = append(r.out.groups, r.answeredGroup(&x))
	}
	for _, x := range a.Services {
		s := &service{guarded: r.answered(x.Id, x.Arn, x.Name, x.AuthType, x.Pos)}
		for _, v := range a.ServiceAssociations {
			if (v.ServiceId != x.Id && v.ServiceArn != x.Arn) || !lives(v.Status) {
				continue
			}
			i := slices.IndexFunc(r.out.nets, func(n *network) bool { return n.id == v.ServiceNetworkId || n.arn == v.ServiceNetworkArn })
			if i < 0 {
				s.open = "it is in a service network that list-service-networks does not name"
				continue
			}
			s.nets = append(s.nets, r.out.nets[i])
		}
		if r.unasked("list-service-network-service-associations", x.Id, x.Arn) {
			s.open = "nobody asked list-service-network-service-associations"
		}
		r.answeredListeners(s)
		r.out.services = append(r.out.services, s)
	}
}

// unasked reports whether a question was asked neither of everything nor of one
// thing.
func (r *reader) unasked(question, id, arn string) bool {
	return r.aws.Missing(question) && r.aws.Missing(question+"."+id) && r.aws.Missing(question+"."+arn)
}

// lives reports whether an association is in force, or still is while it goes.
func lives(status string) bool {
	return status != "CREATE_FAILED"
}

func (r *reader) answered(id, arn, name, auth string, pos diag.Pos) guarded {
	g := guarded{handle: handle{id, id, arn}, name: name, auth: auth, pos: pos}
	if auth != "NONE" && auth != "AWS_IAM" {
		g.auth, g.why = "", fmt.Sprintf("the auth type of %s is not known", name)
	}
	r.out.foreign++
	for _, p := range r.aws.AuthPolicies {
		if p.Resource != id && p.Resource != arn {
			continue
		}
		if p.Policy != "" {
			r.attach(&g, "auth policy of "+name, r.tf.Document(terraform.Value{Kind: terraform.String, Text: p.Policy, Pos: p.Pos}), p.Pos)
		}
		return g
	}
	if auth != "NONE" && r.aws.Missing("get-auth-policy."+id) && r.aws.Missing("get-auth-policy."+arn) {
		g.silent = "nobody asked get-auth-policy of " + name
	}
	return g
}

func (r *reader) answeredGroup(x *aws.TargetGroup) *group {
	g := &group{handle: handle{x.Id, x.Id, x.Arn}, kind: x.Type, vpc: x.VpcIdentifier, pos: x.Pos}
	if x.Port != nil {
		g.port = uint16(*x.Port)
	}
	if !x.TargetsKnown {
		g.open = "nobody asked list-targets of " + x.Name
	}
	for _, t := range x.Targets {
		e := endpoint{id: t.Id, port: g.port, pos: t.Pos}
		if t.Port != nil {
			e.port = uint16(*t.Port)
		}
		g.targets = append(g.targets, e)
	}
	return g
}

// answeredListeners gives a service its listeners. Which of them leads to which
// of several target groups no list says.
func (r *reader) answeredListeners(s *service) {
	var to []forward
	for i, x := range r.aws.TargetGroups {
		if slices.Contains(x.ServiceArns, s.arn) {
			to = append(to, forward{r.out.groups[i], false})
		}
	}
	for _, x := range r.aws.Listeners {
		if x.Service != s.id && x.Service != s.arn {
			continue
		}
		l := listener{passthrough: x.Protocol == "TLS_PASSTHROUGH", to: to}
		if x.Port != nil {
			l.port = uint16(*x.Port)
		}
		s.listeners = append(s.listeners, l)
	}
	if s.listeners == nil && to != nil && r.unasked("list-listeners", s.id, s.arn) {
		s.listeners = []listener{{to: to, why: "nobody asked at which ports " + s.name + " is called (list-listeners)"}}
	}
}
