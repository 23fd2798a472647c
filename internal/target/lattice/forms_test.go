package lattice_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

type object = map[string]any

// managed is a resource of the estate of the tables: what its arguments are, what
// AWS makes of it, and which arguments lead to others.
type managed struct {
	kind, name string
	arguments  object
	computed   object
	refs       map[string]string // by path of an argument: "SERVICE.id"
}

const arnPrefix = "arn:aws:vpc-lattice:eu-central-1:111122223333:"

// managedEstate is the estate of forms as a plan or a state tells of it: with
// every attribute that the provider has, version 6.
func managedEstate(document, auth string) []managed {
	tagged := func(o object) object {
		o["tags"], o["tags_all"], o["region"] = nil, object{}, "eu-central-1"
		return o
	}
	association := func(n int) managed {
		return managed{"aws_vpclattice_service_network_vpc_association", []string{"one", "two"}[n-1],
			object{"vpc_identifier": fmt.Sprint("vpc-", n), "security_group_ids": nil, "timeouts": nil},
			tagged(object{"id": fmt.Sprint("snva-", n), "arn": arnPrefix + fmt.Sprint("servicenetworkvpcassociation/snva-", n), "created_by": "111122223333", "status": "ACTIVE", "private_dns_enabled": false, "dns_options": []any{}}),
			map[string]string{"service_network_identifier": "aws_vpclattice_service_network.n.id"}}
	}
	return []managed{
		{"aws_vpclattice_service_network", "n", object{"name": "n", "auth_type": "NONE"}, tagged(object{"id": "sn-1", "arn": arnPrefix + "servicenetwork/sn-1"}), nil},
		association(1),
		association(2),
		{"aws_vpclattice_service", "s", object{"name": "s", "auth_type": auth, "certificate_arn": nil, "custom_domain_name": nil, "timeouts": nil},
			tagged(object{"id": "svc-1", "arn": arnPrefix + "service/svc-1", "status": "ACTIVE", "dns_entry": []any{object{"domain_name": "s.on.aws", "hosted_zone_id": "Z1"}}}), nil},
		{"aws_vpclattice_service_network_service_association", "s", object{"timeouts": nil},
			tagged(object{"id": "snsa-1", "arn": arnPrefix + "servicenetworkserviceassociation/snsa-1", "created_by": "111122223333", "status": "ACTIVE", "custom_domain_name": nil, "dns_entry": []any{}}),
			map[string]string{"service_identifier": "aws_vpclattice_service.s.id", "service_network_identifier": "aws_vpclattice_service_network.n.id"}},
		{"aws_vpclattice_target_group", "s", object{"name": "s", "type": "IP", "timeouts": nil, "config": []any{object{"port": 8080, "protocol": "HTTP", "protocol_version": "HTTP1", "vpc_identifier": "vpc-0", "ip_address_type": "IPV4", "lambda_event_structure_version": nil,
			"health_check": []any{object{"enabled": true, "port": 0, "path": "/", "protocol": "HTTP", "matcher": []any{object{"value": "200"}}}}}}},
			tagged(object{"id": "tg-1", "arn": arnPrefix + "targetgroup/tg-1", "status": "ACTIVE"}), nil},
		{"aws_vpclattice_target_group_attachment", "s", object{"target": []any{object{"id": "10.0.0.1", "port": 8080}}, "timeouts": nil},
			object{"id": "tg-1/10.0.0.1/8080", "region": "eu-central-1"}, map[string]string{"target_group_identifier": "aws_vpclattice_target_group.s.id"}},
		{"aws_vpclattice_listener", "s", object{"name": "s", "protocol": "HTTP", "port": 8080, "timeouts": nil, "default_action": []any{object{"fixed_response": []any{}, "forward": []any{object{"target_groups": []any{object{"weight": 100}}}}}}},
			tagged(object{"id": "svc-1/listener-1", "arn": arnPrefix + "service/svc-1/listener/listener-1", "listener_id": "listener-1", "created_at": "2026-01-01T00:00:00Z", "last_updated_at": "2026-01-01T00:00:00Z", "service_arn": arnPrefix + "service/svc-1"}),
			map[string]string{"service_identifier": "aws_vpclattice_service.s.id", "default_action.forward.target_groups.target_group_identifier": "aws_vpclattice_target_group.s.id"}},
		{"aws_vpclattice_auth_policy", "s", object{"policy": document, "timeouts": nil},
			object{"id": arnPrefix + "service/svc-1", "state": "Active", "region": "eu-central-1"}, map[string]string{"resource_identifier": "aws_vpclattice_service.s.arn"}},
	}
}

// put sets what lies at a path of blocks, of which there is one each; other trees
// grow alike, as plans mark what is unknown.
func put(tree object, path string, v any) {
	first, rest, more := strings.Cut(path, ".")
	if !more {
		tree[first] = v
		return
	}
	list, _ := tree[first].([]any)
	if list == nil {
		list = []any{object{}}
		tree[first] = list
	}
	put(list[0].(object), rest, v)
}

func asJSON(v any) *fstest.MapFile {
	data, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		panic(err)
	}
	return &fstest.MapFile{Data: data}
}

// known is what AWS answers about what a reference leads to.
func known(all []managed, ref string) any {
	for _, x := range all {
		if attribute, ok := strings.CutPrefix(ref, x.kind+"."+x.name+"."); ok {
			return x.computed[attribute]
		}
	}
	return nil
}

func asPlan(document, auth string) fstest.MapFS {
	var resources, changes, config []any
	for _, x := range managedEstate(document, auth) {
		unknown, expressions := object{}, object{}
		for name := range x.computed {
			unknown[name] = true
		}
		for path, ref := range x.refs {
			put(unknown, path, true)
			short := ref[:strings.LastIndex(ref, ".")]
			put(expressions, path, object{"references": []string{ref, short}})
		}
		head := object{"address": x.kind + "." + x.name, "mode": "managed", "type": x.kind, "name": x.name}
		resources = append(resources, with(head, "values", x.arguments))
		changes = append(changes, with(head, "change", object{"actions": []string{"create"}, "before": nil, "after": x.arguments, "after_unknown": unknown}))
		config = append(config, with(head, "expressions", expressions))
	}
	return fstest.MapFS{"x.tfplan.json": asJSON(object{
		"format_version": "1.2", "terraform_version": "1.11.4", "planned_values": object{"root_module": object{"resources": resources}},
		"resource_changes": changes, "configuration": object{"root_module": object{"resources": config}},
	})}
}

func with(head object, name string, v any) object {
	out := maps.Clone(head)
	out[name] = v
	return out
}

// inForce are the attributes of every resource once it is there.
func inForce(document, auth string) (all []managed, values []object) {
	all = managedEstate(document, auth)
	for _, x := range all {
		one := maps.Clone(x.arguments)
		maps.Copy(one, x.computed)
		for path, ref := range x.refs {
			put(one, path, known(all, ref))
		}
		values = append(values, one)
	}
	return all, values
}

func asState(document, auth string) fstest.MapFS {
	var resources []any
	all, values := inForce(document, auth)
	for i, x := range all {
		resources = append(resources, object{"address": x.kind + "." + x.name, "mode": "managed", "type": x.kind, "name": x.name, "values": values[i]})
	}
	return fstest.MapFS{"x.tfstate.json": asJSON(object{"format_version": "1.0", "terraform_version": "1.11.4", "values": object{"root_module": object{"resources": resources}}})}
}

func asStored(document, auth string) fstest.MapFS {
	var resources []any
	all, values := inForce(document, auth)
	for i, x := range all {
		resources = append(resources, object{"mode": "managed", "type": x.kind, "name": x.name, "provider": `provider["registry.terraform.io/hashicorp/aws"]`,
			"instances": []any{object{"schema_version": 0, "attributes": values[i], "sensitive_attributes": []any{}}}})
	}
	return fstest.MapFS{"x.tfstate.json": asJSON(object{"version": 4, "terraform_version": "1.11.4", "serial": 1, "lineage": "x", "outputs": object{}, "resources": resources})}
}

// asDataSource writes a document as aws_iam_policy_document. Variables of IAM are
// &{…} there.
// registry.terraform.io/providers/hashicorp/aws/latest/docs/data-sources/iam_policy_document
func asDataSource(document string) string {
	var d struct{ Statement []object }
	if err := json.Unmarshal([]byte(document), &d); err != nil {
		panic(err)
	}
	quoted := func(v any) string {
		data, _ := json.Marshal(tinyList(v))
		return strings.ReplaceAll(string(data), "${", "&{")
	}
	var b strings.Builder
	b.WriteString("data \"aws_iam_policy_document\" \"d\" {\n")
	for _, s := range d.Statement {
		fmt.Fprintf(&b, "  statement {\n    effect = %q\n", s["Effect"])
		for json, name := range map[string]string{"Action": "actions", "NotAction": "not_actions", "Resource": "resources", "NotResource": "not_resources"} {
			if v := s[json]; v != nil {
				fmt.Fprintf(&b, "    %s = %s\n", name, quoted(v))
			}
		}
		for json, name := range map[string]string{"Principal": "principals", "NotPrincipal": "not_principals"} {
			kinds, _ := s[json].(object)
			if s[json] == "*" {
				kinds = object{"*": "*"}
			}
			for kind, v := range kinds {
				fmt.Fprintf(&b, "    %s {\n      type = %q\n      identifiers = %s\n    }\n", name, kind, quoted(v))
			}
		}
		conditions, _ := s["Condition"].(object)
		for test, keys := range conditions {
			for variable, v := range keys.(object) {
				fmt.Fprintf(&b, "    condition {\n      test = %q\n      variable = %q\n      values = %s\n    }\n", test, variable, quoted(v))
			}
		}
		b.WriteString("  }\n")
	}
	return b.String() + "}\n"
}

// TestPartsOfATargetGroupAreOneWay: targets in several groups behind one forward
// action, of which one has the weight 0, in every form.
func TestPartsOfATargetGroupAreOneWay(t *testing.T) {
	document := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/a"},` + invoke + `}]}`
	second := `
resource "aws_vpclattice_target_group" "more" {
  name = "more"
  type = "IP"
  config {
    port = 8080
    protocol = "HTTP"
    vpc_identifier = "vpc-0"
  }
}
resource "aws_vpclattice_target_group_attachment" "more" {
  target_group_identifier = aws_vpclattice_target_group.more.id
  target {
    id = "10.0.0.2"
  }
}
`
	inv := tableInventory()
	for weight, want := range map[string]int{"": 2, "weight = 7": 2, "weight = 0": 1} {
		fsys := forms(document, "AWS_IAM")["text"]
		to := "target_group_identifier = aws_vpclattice_target_group.s.id\n      }\n"
		text := strings.Replace(string(fsys["a.tf"].Data), to, to+"      target_groups {\n        target_group_identifier = aws_vpclattice_target_group.more.id\n        "+weight+"\n      }\n", 1) + second
		l := liftFS(fstest.MapFS{"a.tf": {Data: []byte(text)}}, inv)
		governed := map[string]bool{}
		for _, tb := range l.Tables {
			if strings.HasPrefix(tb.Name, "auth policy") {
				if names := tb.Governs[0].Workloads; len(names) != want {
					t.Errorf("%q: a table for %v", weight, names)
				}
				for _, n := range tb.Governs[0].Workloads {
					governed[n] = true
				}
			}
		}
		if len(governed) != want || len(l.Unknown) > 0 {
			t.Errorf("%q: governs %v, unknown %v", weight, slices.Sorted(maps.Keys(governed)), l.Unknown)
		}
	}
}
