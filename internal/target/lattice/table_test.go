package lattice_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/live"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/target"
	"firebreak/internal/target/lattice"
)

const (
	operatorsPage = "docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html"
	logicPage     = "docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html"
	principalPage = "docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html"
	authPage      = "docs.aws.amazon.com/vpc-lattice/latest/ug/auth-policies.html"
	setPage       = "docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html"
)

// row is a policy of a service, and which callers it lets through for a request:
// "a" has a role and calls from vpc-1, "b" has another, "n" has none; "?" behind
// a name says that it is not known. source says where AWS does.
type row struct{ statements, request, passes, source string }

const invoke = `"Action":"vpc-lattice-svcs:Invoke","Resource":"*"`

var rows = []row{
	{`{"Effect":"Allow","Principal":"*",` + invoke + `}`, "GET /x", "a b n", authPage},
	{`{"Effect":"Allow","Principal":"*",` + invoke + `,"Condition":{"StringNotEquals":{"aws:PrincipalType":"Anonymous"}}}`, "GET /x", "a b", authPage},
	{`{"Effect":"Allow","Principal":"*",` + invoke + `,"Condition":{"StringNotEqualsIgnoreCase":{"aws:PrincipalType":"anonymous"}}}`, "GET /x", "a b", authPage},
	{`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/a"},` + invoke + `}`, "GET /x", "a", principalPage},
	{`{"Effect":"Allow","Principal":{"AWS":"111122223333"},` + invoke + `}`, "GET /x", "a b", principalPage},
	{`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},` + invoke + `}`, "GET /x", "a b", principalPage},
	{`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999999999999:root"},` + invoke + `}`, "GET /x", "", principalPage},
	{`{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},` + invoke + `}`, "GET /x", "", principalPage},
	{`{"Effect":"Allow","Principal":{"AWS":"arn:aws:sts::111122223333:assumed-role/a/s"},` + invoke + `}`, "GET /x", "a? b?", principalPage},
	{`{"Effect":"Allow","Principal":"*",` + invoke + `},{"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::111122223333:role/a"},` + invoke + `}`, "GET /x", "a b n", "a denied role may still call without saying who it is: " + authPage},
	{`{"Effect":"Allow","Principal":{"AWS":"111122223333"},` + invoke + `},{"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::111122223333:role/a"},` + invoke + `}`, "GET /x", "b", logicPage},
	{`{"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::111122223333:role/a"},` + invoke + `},{"Effect":"Allow","Principal":{"AWS":"111122223333"},` + invoke + `}`, "GET /x", "b", "order means nothing: " + logicPage},
	{`{"Effect":"Allow","Principal":"*",` + invoke + `},{"Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam::111122223333:role/a"},` + invoke + `}`, "GET /x", "a", principalPage},
	{`{"Effect":"Allow","Principal":"*",` + invoke + `},{"Effect":"Deny","Principal":"*",` + invoke + `,"Condition":{"StringEquals":{"aws:PrincipalType":"Anonymous"}}}`, "GET /x", "a b", authPage},
	{`{"Effect":"Allow","Principal":"*",` + invoke + `},{"Effect":"Deny","Principal":"*",` + invoke + `,"Condition":{"StringNotEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/b"}}}`, "GET /x", "b", "a key that is not there meets a negated operator: " + operatorsPage},
	{`{"Effect":"Allow","Principal":"*","Action":"vpc-lattice-svcs:*","Resource":"*"}`, "GET /x", "a b n", authPage},
	{`{"Effect":"Allow","Principal":"*","Action":"VPC-Lattice-Svcs:InVoKe","Resource":"*"}`, "GET /x", "a b n", "docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html"},
	{`{"Effect":"Allow","Principal":"*","Action":"vpc-lattice:Invoke","Resource":"*"}`, "GET /x", "", authPage},
	{`{"Effect":"Allow","Principal":"*","NotAction":"s3:*","Resource":"*"}`, "GET /x", "a b n", "docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notaction.html"},
	{`{"Effect":"Allow","Principal":"*","NotAction":"vpc-lattice-svcs:Invoke","Resource":"*"}`, "GET /x", "", "docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notaction.html"},
	{`{"Effect":"Allow","Principal":"*","Action":"*","Resource":"arn:aws:vpc-lattice:eu-central-1:111122223333:service/svc-1/*"}`, "GET /x", "a b n", authPage + "#auth-policies-resource-format"},
	{`{"Effect":"Allow","Principal":"*","Action":"*","Resource":"arn:aws:vpc-lattice:eu-central-1:111122223333:service/svc-1/x"}`, "GET /y", "", authPage + "#auth-policies-resource-format"},
	{`{"Effect":"Allow","Principal":"*","Action":"*","Resource":"arn:aws:vpc-lattice:eu-central-1:111122223333:service/svc-1/x*"}`, "GET /xy", "a b n", authPage + "#auth-policies-resource-format"},
	{`{"Effect":"Allow","Principal":"*","Action":"*","Resource":"arn:aws:vpc-lattice:eu-central-1:111122223333:service/svc-2/*"}`, "GET /x", "", authPage + "#auth-policies-resource-format"},
	{`{"Effect":"Allow","Principal":"*","Action":"*","NotResource":"arn:aws:vpc-lattice:eu-central-1:111122223333:service/svc-2/*"}`, "GET /x", "a b n", "docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notresource.html"},
}

// conditionRows are Allows of everybody under one condition each.
var conditionRows = []row{
	{`"StringEquals":{"vpc-lattice-svcs:Port":"8080"}`, "GET /x", "a b n", authPage},
	{`"StringEquals":{"vpc-lattice-svcs:Port":"443"}`, "GET /x", "", authPage},
	{`"NumericEquals":{"vpc-lattice-svcs:Port":"8080"}`, "GET /x", "a b n", operatorsPage},
	{`"NumericNotEquals":{"vpc-lattice-svcs:Port":"8080"}`, "GET /x", "", operatorsPage},
	{`"NumericLessThan":{"vpc-lattice-svcs:Port":"8080"}`, "GET /x", "", operatorsPage},
	{`"NumericLessThanEquals":{"vpc-lattice-svcs:Port":"8080"}`, "GET /x", "a b n", operatorsPage},
	{`"NumericGreaterThan":{"vpc-lattice-svcs:Port":"8079"}`, "GET /x", "a b n", operatorsPage},
	{`"NumericGreaterThanEquals":{"vpc-lattice-svcs:Port":"8081"}`, "GET /x", "", operatorsPage},
	{`"Null":{"vpc-lattice-svcs:Port":"true"}`, "GET /x", "", operatorsPage},
	{`"StringEquals":{"vpc-lattice-svcs:RequestMethod":["GET","HEAD"]}`, "GET /x", "a b n", authPage},
	{`"StringEquals":{"vpc-lattice-svcs:RequestMethod":"get"}`, "GET /x", "", operatorsPage},
	{`"StringEqualsIgnoreCase":{"vpc-lattice-svcs:RequestMethod":"get"}`, "GET /x", "a b n", operatorsPage},
	{`"StringLike":{"vpc-lattice-svcs:RequestPath":"/api/*"}`, "GET /api/a/b", "a b n", operatorsPage},
	{`"StringLike":{"vpc-lattice-svcs:RequestPath":"/api/*/c"}`, "GET /api/a/b/c", "a b n", "* spans slashes: " + operatorsPage},
	{`"StringLike":{"vpc-lattice-svcs:RequestPath":"/a?c"}`, "GET /abc", "a b n", operatorsPage},
	{`"StringLike":{"vpc-lattice-svcs:RequestPath":"/a?c"}`, "GET /ac", "", operatorsPage},
	{`"StringEquals":{"vpc-lattice-svcs:RequestPath":"/x"}`, "GET /x/y", "", operatorsPage},
	{`"StringEquals":{"vpc-lattice-svcs:RequestHeader/x-team":"red"}`, "GET /x x-team=red", "a b n", authPage},
	{`"StringEquals":{"vpc-lattice-svcs:RequestHeader/X-Team":"red"}`, "GET /x x-team=red", "a b n", "keys are the same in both cases: docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition.html"},
	{`"StringEquals":{"vpc-lattice-svcs:RequestHeader/x-team":"red"}`, "GET /x", "", operatorsPage},
	{`"Null":{"vpc-lattice-svcs:RequestHeader/x-team":"false"}`, "GET /x x-team=green", "a b n", operatorsPage},
	{`"Null":{"vpc-lattice-svcs:RequestHeader/x-team":"false"}`, "GET /x", "", operatorsPage},
	{`"StringLike":{"vpc-lattice-svcs:RequestHeader/x-team":"*"}`, "GET /x x-team=green", "a b n", operatorsPage},
	{`"ForAnyValue:StringNotEquals":{"vpc-lattice-svcs:RequestHeader/x-team":"red"}`, "GET /x", "a? b? n?", "does not hold where there is none: " + setPage},
	{`"DateLessThan":{"aws:CurrentTime":"2027"}`, "GET /x", "a? b? n?", "a year, not seconds since 1970: www.w3.org/TR/NOTE-datetime"},
	{`"StringEquals":{"aws:PrincipalType":"User"}`, "GET /x", "", "docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html"},
	{`"StringEqualsIfExists":{"vpc-lattice-svcs:RequestHeader/x-team":"red"}`, "GET /x", "a? b? n?", "holds where there is none, which is not modelled"},
	{`"StringNotEquals":{"vpc-lattice-svcs:RequestMethod":"GET"}`, "GET /x", "a? b? n?", "an Allow that leaves out requests is not modelled"},
	{`"StringEquals":{"vpc-lattice-svcs:RequestQueryString/q":"1"}`, "GET /x", "a? b? n?", "queries are not modelled"},
	{`"StringEquals":{"vpc-lattice-svcs:SourceVpc":"vpc-1"}`, "GET /x", "a n", authPage},
	{`"StringNotEquals":{"vpc-lattice-svcs:SourceVpc":"vpc-1"}`, "GET /x", "b", operatorsPage},
	{`"StringEquals":{"vpc-lattice-svcs:SourceVpc":["vpc-1","vpc-2"]}`, "GET /x", "a b n", operatorsPage},
	{`"StringEquals":{"vpc-lattice-svcs:SourceVpcOwnerAccount":"111122223333"}`, "GET /x", "a b n", authPage},
	{`"StringEquals":{"vpc-lattice-svcs:SourceVpcOwnerAccount":"999999999999"}`, "GET /x", "", authPage},
	{`"StringEquals":{"vpc-lattice-svcs:ServiceNetworkArn":"arn:aws:vpc-lattice:eu-central-1:111122223333:servicenetwork/sn-1"}`, "GET /x", "a b n", authPage},
	{`"ArnLike":{"vpc-lattice-svcs:ServiceArn":"arn:aws:vpc-lattice:*:*:service/svc-2"}`, "GET /x", "", authPage},
	{`"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/a"}`, "GET /x", "a", operatorsPage},
	{`"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/*"}`, "GET /x", "a b", operatorsPage},
	{`"StringLike":{"aws:PrincipalArn":"*role/b"}`, "GET /x", "b", operatorsPage},
	{`"ArnNotEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/a"}`, "GET /x", "a b n", "who does not say who it is has no such key: " + operatorsPage},
	{`"ForAnyValue:StringNotEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/a"}`, "GET /x", "b", setPage},
	{`"ForAllValues:StringEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/a"}`, "GET /x", "a b n", "holds where the key is missing: " + setPage},
	{`"StringEqualsIfExists":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/a"}`, "GET /x", "a b n", operatorsPage},
	{`"StringEquals":{"aws:PrincipalAccount":"111122223333"}`, "GET /x", "a b", operatorsPage},
	{`"StringEquals":{"aws:PrincipalOrgID":"o-1"}`, "GET /x", "a? b?", "which organization a role is in, the inventory does not say"},
	{`"Null":{"aws:PrincipalArn":"false"}`, "GET /x", "a b", operatorsPage},
	{`"StringEquals":{"aws:SourceAccount":"111122223333"}`, "GET /x", "a? b? n?", "it does not name the caller"},
	{`"DateLessThan":{"aws:CurrentTime":"2026-06-15T12:00:01Z"}`, "GET /x", "a b n", operatorsPage},
	{`"DateLessThan":{"aws:CurrentTime":"2026-06-15T12:00:00Z"}`, "GET /x", "", operatorsPage},
	{`"DateLessThanEquals":{"aws:CurrentTime":"2026-06-15T12:00:00Z"}`, "GET /x", "a b n", operatorsPage},
	{`"DateGreaterThan":{"aws:CurrentTime":"2026-01-01T00:00:00Z"}`, "GET /x", "a? b? n?", "beginnings are not modelled"},
	{`"Bool":{"aws:SecureTransport":"true"}`, "GET /x", "a? b? n?", "not modelled"},
	{`"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}`, "GET /x", "a? b? n?", "not modelled"},
	{`"StringEquals":{"aws:ResourceTag/x":"y"}`, "GET /x", "a? b? n?", "not modelled"},
	{`"Sometimes":{"aws:PrincipalArn":"x"}`, "GET /x", "a? b? n?", "no operator"},
	{`"StringEquals":{"vpc-lattice-svcs:RequestPath":"/${aws:username}"}`, "GET /x", "a? b? n?", "variables are not modelled"},
}

// caller builds the inventory of the tables: service s in vpc-0.
func tableInventory() *inventory.Snapshot {
	role := func(name, vpc, address, arn string) inventory.Workload {
		w := inventory.Workload{Name: name, Addresses: []netip.Addr{netip.MustParseAddr(address)}, Labels: map[string]string{"net/vpc": vpc}}
		if arn != "" {
			w.Labels["aws/role"] = "arn:aws:iam::111122223333:role/" + arn
		}
		return w
	}
	inv := &inventory.Snapshot{Workloads: []inventory.Workload{role("a", "vpc-1", "10.1.0.1", "a"), role("b", "vpc-2", "10.2.0.1", "b"), role("n", "vpc-1", "10.1.0.2", ""), role("s", "vpc-0", "10.0.0.1", "s"), role("t", "vpc-0", "10.0.0.2", "t")}}
	inv.Workloads[3].Ports = []inventory.Port{{Name: "http", Number: 8080, Protocol: netset.TCP}}
	for v := range 3 {
		inv.Networks = append(inv.Networks, inventory.Network{Name: fmt.Sprint("vpc-", v), Complete: true, Labels: map[string]string{"cloud/account": "111122223333"}})
	}
	return inv
}

// forms writes one estate in every form in which it may be read.
func forms(document, auth string) map[string]fstest.MapFS {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	quoted := strings.ReplaceAll(strconv.Quote(document), "${", "$${")
	config := func(policy string) string {
		return `
resource "aws_vpclattice_service_network" "n" {
  name = "n"
}
resource "aws_vpclattice_service_network_vpc_association" "one" {
  service_network_identifier = aws_vpclattice_service_network.n.id
  vpc_identifier = "vpc-1"
}
resource "aws_vpclattice_service_network_vpc_association" "two" {
  service_network_identifier = aws_vpclattice_service_network.n.id
  vpc_identifier = "vpc-2"
}
resource "aws_vpclattice_service" "s" {
  name = "s"
  auth_type = "` + auth + `"
}
resource "aws_vpclattice_service_network_service_association" "s" {
  service_identifier = aws_vpclattice_service.s.id
  service_network_identifier = aws_vpclattice_service_network.n.id
}
resource "aws_vpclattice_target_group" "s" {
  name = "s"
  type = "IP"
  config {
    port = 8080
    protocol = "HTTP"
    vpc_identifier = "vpc-0"
  }
}
resource "aws_vpclattice_target_group_attachment" "s" {
  target_group_identifier = aws_vpclattice_target_group.s.id
  target {
    id = "10.0.0.1"
  }
}
resource "aws_vpclattice_listener" "s" {
  name = "s"
  service_identifier = aws_vpclattice_service.s.id
  protocol = "HTTP"
  port = 8080
  default_action {
    forward {
      target_groups {
        target_group_identifier = aws_vpclattice_target_group.s.id
      }
    }
  }
}
resource "aws_vpclattice_auth_policy" "s" {
  resource_identifier = aws_vpclattice_service.s.arn
  policy = ` + policy + `
}
`
	}
	arn := "arn:aws:vpc-lattice:eu-central-1:111122223333:"
	answers := fstest.MapFS{
		"list-services.json":         file(`{"items":[{"id":"svc-1","arn":"` + arn + `service/svc-1","name":"s","status":"ACTIVE"}]}`),
		"get-service.svc-1.json":     file(`{"id":"svc-1","arn":"` + arn + `service/svc-1","name":"s","authType":"` + auth + `"}`),
		"list-service-networks.json": file(`{"items":[{"id":"sn-1","arn":"` + arn + `servicenetwork/sn-1","name":"n"}]}`), "get-service-network.sn-1.json": file(`{"id":"sn-1","arn":"` + arn + `servicenetwork/sn-1","name":"n","authType":"NONE"}`),
		"list-service-network-vpc-associations.json":     file(`{"items":[{"id":"x","vpcId":"vpc-1","serviceNetworkId":"sn-1","status":"ACTIVE"},{"id":"y","vpcId":"vpc-2","serviceNetworkId":"sn-1","status":"ACTIVE"}]}`),
		"list-service-network-service-associations.json": file(`{"items":[{"id":"z","serviceId":"svc-1","serviceNetworkId":"sn-1","status":"ACTIVE"}]}`),
		"list-listeners.svc-1.json":                      file(`{"items":[{"id":"l","name":"l","port":8080,"protocol":"HTTP"}]}`),
		"list-target-groups.json":                        file(`{"items":[{"id":"tg-1","arn":"` + arn + `targetgroup/tg-1","name":"s","type":"IP","port":8080,"protocol":"HTTP","vpcIdentifier":"vpc-0","serviceArns":["` + arn + `service/svc-1"]}]}`),
		"list-targets.tg-1.json":                         file(`{"items":[{"id":"10.0.0.1","port":8080,"status":"HEALTHY"}]}`),
		"get-auth-policy.svc-1.json":                     file(`{"policy":` + strconv.Quote(document) + `,"state":"Active"}`),
		"get-auth-policy.sn-1.json":                      file(`{}`),
	}
	return map[string]fstest.MapFS{
		"text":       {"a.tf": file(config(quoted))},
		"jsonencode": {"a.tf": file(config("jsonencode(" + strings.ReplaceAll(document, "${", "$${") + ")"))},
		"answers":    answers,
		"data":       {"a.tf": file(config("data.aws_iam_policy_document.d.json") + asDataSource(document))},
		"plan":       asPlan(document, auth),
		"state":      asState(document, auth),
		"stored":     asStored(document, auth),
	}
}

// says asks a layer about a request of each caller.
func says(l *layer.Layer, inv *inventory.Snapshot, text string) string {
	words := strings.Fields(text)
	q := request{method: words[0], path: words[1], headers: map[string]string{}, at: noon}
	if len(words) > 2 {
		name, value, _ := strings.Cut(words[2], "=")
		q.headers[name] = value
	}
	var out []string
	for _, i := range []int{0, 1, 2} {
		v := l.Decide(layer.Conversation{
			From: layer.Party{Workload: &inv.Workloads[i]}, To: layer.Party{Workload: &inv.Workloads[3]}, Protocol: netset.TCP, Port: 8080,
			Holds: func(r *layer.Rule) bool { return met(r.Cond, q) },
		}, nil)
		switch {
		case v.Lower == layer.Allow && v.Upper == layer.Allow:
			out = append(out, inv.Workloads[i].Name)
		case v.Upper == layer.Allow || v.Lower == layer.Abstain || v.Upper == layer.Abstain:
			out = append(out, inv.Workloads[i].Name+"?")
		}
	}
	return strings.Join(out, " ")
}

// met evaluates a neutral condition of an unambiguous request.
func met(c *policy.Condition, q request) bool {
	if !c.Expires.IsZero() && !q.at.Before(c.Expires) {
		return false
	}
	return c.HTTP == nil || slices.ContainsFunc(c.HTTP, func(h policy.HTTP) bool {
		for _, x := range h.Headers {
			if value, there := q.headers[x.Name]; !there || x.Values != nil && !slices.Contains(x.Values, value) {
				return false
			}
		}
		return (h.Methods == nil || slices.Contains(h.Methods, q.method)) &&
			(h.Paths == nil || slices.ContainsFunc(h.Paths, func(p string) bool { return tinyLike(strings.TrimPrefix(p, "~"), q.path) }))
	})
}

func liftFS(fsys fstest.MapFS, inv *inventory.Snapshot) *layer.Layer {
	l, _ := lattice.Target{}.Lift(&target.Source{Folder: live.Open(fsys), Inventory: inv, Estate: "e"})
	return l
}

// inPlanning reports whether a form tells of what does not exist yet, so that
// nothing has an ARN.
func inPlanning(form string) bool {
	return slices.Contains([]string{"text", "jsonencode", "data", "plan"}, form)
}

// TestDocumentsMeanWhatAWSSays goes through the tables in every form in which a
// policy may be read; all forms must agree.
func TestDocumentsMeanWhatAWSSays(t *testing.T) {
	inv := tableInventory()
	all := slices.Clone(rows)
	for _, r := range slices.Concat(conditionRows, operatorRows) {
		r.statements = `{"Effect":"Allow","Principal":"*",` + invoke + `,"Condition":{` + r.statements + `}}`
		all = append(all, r)
	}
	asked := 0
	for _, r := range all {
		document := `{"Version":"2012-10-17","Statement":[` + r.statements + `]}`
		for form, fsys := range forms(document, "AWS_IAM") {
			if inPlanning(form) && strings.Contains(document, "arn:aws:vpc-lattice") {
				continue // the ARN is not known before the service exists
			}
			asked++
			if got := says(liftFS(fsys, inv), inv, r.request); got != r.passes {
				t.Errorf("%s, %s: %q may pass, want %q (%s)\n%s", form, r.request, got, r.passes, r.source, r.statements)
			}
		}
	}
	t.Logf("%d rows, asked %d times", len(all), asked)
}

// TestAuthTypes: NONE makes a policy inert, AWS_IAM without a policy denies all.
// docs.aws.amazon.com/vpc-lattice/latest/ug/auth-policies.html
func TestAuthTypes(t *testing.T) {
	inv := tableInventory()
	closed := `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*",` + invoke + `}]}`
	for form, fsys := range forms(closed, "NONE") {
		if got := says(liftFS(fsys, inv), inv, "GET /x"); got != "a b n" {
			t.Errorf("%s: %q may pass a policy that does nothing", form, got)
		}
	}
	fsys := forms(closed, "AWS_IAM")["answers"]
	fsys["get-auth-policy.svc-1.json"] = &fstest.MapFile{Data: []byte(`{}`)}
	if got := says(liftFS(fsys, inv), inv, "GET /x"); got != "" {
		t.Errorf("%q may pass without a policy", got)
	}
	delete(fsys, "get-auth-policy.svc-1.json")
	if got := says(liftFS(fsys, inv), inv, "GET /x"); got != "a? b? n?" {
		t.Errorf("%q may pass a policy that nobody asked for", got)
	}
}

// TestTwoAuthPolicies: AWS has one of each service, and files that declare two do
// not say which.
func TestTwoAuthPolicies(t *testing.T) {
	closed := `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*",` + invoke + `}]}`
	fsys := forms(closed, "AWS_IAM")["jsonencode"]
	fsys["b.tf"] = &fstest.MapFile{Data: []byte(`resource "aws_vpclattice_auth_policy" "other" {
  resource_identifier = aws_vpclattice_service.s.arn
  policy = jsonencode({Version = "2012-10-17", Statement = [{Effect = "Allow", Principal = "*", Action = "vpc-lattice-svcs:Invoke", Resource = "*"}]})
}`)}
	if got := says(liftFS(fsys, tableInventory()), tableInventory(), "GET /x"); got != "a? b? n?" {
		t.Errorf("%q may pass one policy or another", got)
	}
}

// TestWaysAround: who reaches the service's VPC without Lattice is not judged by
// it, and where that is not known neither is what it lets pass.
func TestWaysAround(t *testing.T) {
	closed := `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*",` + invoke + `}]}`
	for _, row := range []struct {
		about string
		edit  func([]inventory.Network)
		want  string
	}{
		{"no way", func([]inventory.Network) {}, ""},
		{"peered, as this end says", func(n []inventory.Network) { n[0].Peers = []string{"vpc-1"} }, "a? n?"},
		{"peered, as the other end says", func(n []inventory.Network) { n[1].Peers = []string{"vpc-0"} }, "a? n?"},
		{"nobody asked of the other end, and this one has no peers", func(n []inventory.Network) { n[2].Complete = false }, ""},
		{"nobody asked of this end, and the others have no peers", func(n []inventory.Network) { n[0].Complete = false }, ""},
		{"nobody asked of this end, nor of one other", func(n []inventory.Network) { n[0].Complete, n[2].Complete = false, false }, "b?"},
		{"nothing is known of this end", func(n []inventory.Network) { n[0].Name = "vpc-9" }, "a? b? n?"},
		{"nobody asked", func(n []inventory.Network) { n[0].Complete, n[1].Complete, n[2].Complete = false, false, false }, "a? b? n?"},
	} {
		inv := tableInventory()
		row.edit(inv.Networks)
		for form, fsys := range forms(closed, "AWS_IAM") {
			if got := says(liftFS(fsys, inv), inv, "GET /x"); got != row.want {
				t.Errorf("%s, %s: %q, want %q", row.about, form, got, row.want)
			}
		}
	}
}

// TestListenersNobodyAskedFor: at which ports a service is called is then unknown,
// and so is what comes through it.
func TestListenersNobodyAskedFor(t *testing.T) {
	open := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",` + invoke + `}]}`
	inv := tableInventory()
	fsys := forms(open, "AWS_IAM")["answers"]
	if got := says(liftFS(fsys, inv), inv, "GET /x"); got != "a b n" {
		t.Fatalf("%q with the listeners", got)
	}
	delete(fsys, "list-listeners.svc-1.json")
	if got := says(liftFS(fsys, inv), inv, "GET /x"); got != "a? b? n?" {
		t.Errorf("%q without the listeners, want nothing sure", got)
	}
}

// TestGoingAssociations: what is being deleted still leads packets.
func TestGoingAssociations(t *testing.T) {
	open := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",` + invoke + `}]}`
	inv := tableInventory()
	for status, want := range map[string]string{"DELETE_IN_PROGRESS": "a b n", "DELETE_FAILED": "a b n", "CREATE_FAILED": "b"} {
		fsys := forms(open, "AWS_IAM")["answers"]
		name := "list-service-network-vpc-associations.json"
		fsys[name] = &fstest.MapFile{Data: []byte(strings.Replace(string(fsys[name].Data), "ACTIVE", status, 1))}
		if got := says(liftFS(fsys, inv), inv, "GET /x"); got != want {
			t.Errorf("%s: %q, want %q", status, got, want)
		}
	}
}

func TestMisbeliefsAreSaid(t *testing.T) {
	for statement, want := range map[string]string{
		`{"Effect":"Allow","Principal":"*","Action":"vpc-lattice:Invoke","Resource":"*"}`:                                                                  "vpc-lattice:Invoke manages Lattice",
		`{"Effect":"Allow","Principal":"*","Action":"AWS::Lattice::Invoke","Resource":"*"}`:                                                                "type of CloudFormation",
		`{"Effect":"Allow","Priority":1,"Principal":"*","Action":"*","Resource":"*"}`:                                                                      "have no order",
		`{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:SourceAccount":"1"}}}`:                            "does not name the caller",
		`{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"*","Resource":"*","Condition":{"StringEquals":{"vpc-lattice-svcs:Port":"5432"}}}`:  "do not cover resource configurations",
		`{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"*","Resource":"*"}`:                                                                           "do not say who they are",
		`{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"*","Resource":"*","Condition":{"StringEquals":{"vpc-lattice:SourceVpc":"vpc-1"}}}`: "is no condition key",
	} {
		for form, fsys := range forms(`{"Version":"2012-10-17","Statement":[`+statement+`]}`, "AWS_IAM") {
			if form == "data" && strings.Contains(statement, "Priority") {
				continue // the data source has none
			}
			_, diags := lattice.Target{}.Lift(&target.Source{Folder: live.Open(fsys), Inventory: tableInventory(), Estate: "e"})
			if !strings.Contains(fmt.Sprint(diags), want) {
				t.Errorf("%s: %s: %v", form, statement, diags)
			}
		}
	}
}
