package lattice

import (
	"fmt"
	"strings"

	"firebreak/internal/diag"
	"firebreak/internal/live/terraform"
)

// misbeliefs says of a policy what its author seems to believe and is not so.
func (r *reader) misbeliefs(g *guarded, v terraform.Value, pos diag.Pos) {
	if g.auth == "NONE" {
		r.diags.Warnf(pos, "lattice-misread", "%s has an auth policy, and the auth type NONE: the policy does nothing", g.name).
			WithHelp("set auth_type to AWS_IAM; to remove a policy, first set NONE: deleting it before lets nobody in")
	}
	statements := v.Field("Statement")
	list := statements.Items()
	if statements.Kind == terraform.Object {
		list = []terraform.Value{statements}
	}
	for i, s := range list {
		r.misbelief(g, i, s, pos)
	}
}

func (r *reader) misbelief(g *guarded, i int, s terraform.Value, pos diag.Pos) {
	if s.Pos.File != "" {
		pos = s.Pos
	}
	warn := func(format string, args ...any) *diag.Diagnostic {
		return r.diags.Warnf(pos, "lattice-misread", "statement %d of the auth policy of %s: %s", i+1, g.name, fmt.Sprintf(format, args...))
	}
	actions, _ := texts(s.Field("Action"))
	for _, a := range actions {
		switch lower := strings.ToLower(a); {
		case strings.HasPrefix(lower, "vpc-lattice:"):
			warn("%s manages Lattice, and is no request to a service", a).WithHelp("the action of a request is vpc-lattice-svcs:Invoke")
		case strings.HasPrefix(lower, "aws::"):
			warn("%s is a type of CloudFormation, and no action", a).WithHelp("the action of a request is vpc-lattice-svcs:Invoke; the types are AWS::VpcLattice::…")
		}
	}
	for _, field := range []string{"Priority", "RuleOrder", "Order"} {
		if s.Field(field).Kind != terraform.Null {
			warn("auth policies have no order").WithHelp("an explicit Deny beats every Allow, wherever it stands")
		}
	}
	r.misreadKeys(s, warn)
	all := s.Field("Principal")
	text, _ := all.String()
	aws, _ := texts(all.Field("AWS"))
	open := text == "*" || len(aws) == 1 && aws[0] == "*"
	if effect, _ := s.Field("Effect").String(); effect == "Allow" && open && s.Field("Condition").Kind == terraform.Null {
		warn("the Principal \"*\" lets in callers that do not say who they are, too").
			WithHelp(`name the roles, or add {"StringNotEquals": {"aws:PrincipalType": "Anonymous"}}`)
	}
}

func (r *reader) misreadKeys(s terraform.Value, warn func(string, ...any) *diag.Diagnostic) {
	for _, keys := range s.Field("Condition").Fields {
		for key, value := range keys.Fields {
			switch lower := strings.ToLower(key); {
			case lower == "aws:sourceaccount":
				warn("aws:SourceAccount does not name the caller").WithHelp("use vpc-lattice-svcs:SourceVpcOwnerAccount or aws:PrincipalAccount")
			case strings.HasPrefix(lower, "vpc-lattice:"):
				warn("%s is no condition key of requests", key).WithHelp("the keys of requests begin with vpc-lattice-svcs:")
			case lower == "vpc-lattice-svcs:port":
				if list, _ := texts(value); len(list) == 1 && (list[0] == "5432" || list[0] == "3306" || list[0] == "1433") {
					warn("port %s is no HTTP: auth policies do not cover resource configurations", list[0]).WithHelp("say who may reach a database with security groups")
				}
			}
		}
	}
}
