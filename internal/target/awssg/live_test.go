package awssg_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/live"
	"firebreak/internal/netset"
	"firebreak/internal/target"
	"firebreak/internal/target/awssg"
)

// TestLive asks what a live estate's folder shows and what it leaves open.
func TestLive(t *testing.T) {
	inv := &inventory.Snapshot{}
	for _, g := range rowGroups {
		inv.Workloads = append(inv.Workloads, inventory.Workload{Name: g.workload, Host: "i-" + g.workload, Labels: map[string]string{"net/vpc": g.vpc}})
	}
	for i := range inv.Workloads { // the interfaces say their names, since no address is known
		inv.Workloads[i].Host = "eni-" + inv.Workloads[i].Name
	}
	lift := func(files fstest.MapFS) *layer.Layer {
		l, diags := awssg.Target{}.Lift(&target.Source{Folder: live.Open(files), Inventory: inv, Estate: "e"})
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		return l
	}
	ask := func(l *layer.Layer, from, to int) layer.Verdict {
		return l.Decide(layer.Conversation{From: layer.Party{Workload: &inv.Workloads[from]}, To: layer.Party{Workload: &inv.Workloads[to]}, Protocol: netset.TCP, Port: 80}, nil)
	}
	base := row{rules: []said{{proto: "tcp", from: 80, to: 80, peer: "g2"}}}

	if v := ask(lift(asAnswers(base)), 1, 0); v.Lower != layer.Allow {
		t.Errorf("a member of the group: %+v", v)
	}
	files := asAnswers(base)
	delete(files, "describe-network-interfaces.json")
	if v := ask(lift(files), 1, 0); v.Lower != layer.Deny || v.Upper != layer.Allow {
		t.Errorf("interfaces that nobody asked for: %+v", v)
	}
	files = asConfiguration(base)
	files["modules.tf"] = &fstest.MapFile{Data: []byte("module \"more\" {\n  source = \"example/more/aws\"\n}\n")}
	if l := lift(files); len(l.Unknown) != 1 || !strings.Contains(l.Unknown[0].Why, "module.more may have rules") || l.Unknown[0].Concerns == nil {
		t.Errorf("a module that is not in the folder: %+v", l.Unknown)
	}
	for name, data := range asState(base) {
		files[name] = data
	}
	if l := lift(files); len(l.Unknown) != 0 {
		t.Errorf("a module that the state tells of: %+v", l.Unknown)
	}
	inv.Workloads[1].Host = "" // nothing says which interface is w2's: it may be in g2
	if v := ask(lift(asAnswers(base)), 1, 0); v.Lower != layer.Deny || v.Upper != layer.Allow {
		t.Errorf("a workload whose groups are not known: %+v", v)
	}
	inv.Workloads[1].Host = "eni-w2"
	files = asAnswers(base)
	delete(files, "describe-vpc-peering-connections.json")
	if v := ask(lift(asAnswersOf(row{rules: []said{{proto: "tcp", from: 80, to: 80, peer: "g3"}}}, files)), 2, 0); v.Lower != layer.Deny || v.Upper != layer.Allow {
		t.Errorf("peerings that nobody asked for: %+v", v)
	}
	files = asAnswers(base)
	files["describe-security-groups.json"] = &fstest.MapFile{Data: []byte(strings.Replace(string(files["describe-security-groups.json"].Data), `"UserId": "111122223333"`, `"UserId": "999900001111"`, 1))}
	if v := ask(lift(files), 1, 0); v.Lower != layer.Deny || v.Upper != layer.Allow || !doubts(lift(files), "999900001111") {
		t.Errorf("a group of another account: %+v", v)
	}
	files = asAnswers(base)
	files["describe-security-groups.json"] = &fstest.MapFile{Data: files["describe-security-groups.json"].Data[:200]}
	if l, _ := (awssg.Target{}).Lift(&target.Source{Folder: live.Open(files), Inventory: inv, Estate: "e"}); ask(l, 1, 0).Lower != layer.Deny || ask(l, 1, 0).Upper != layer.Allow {
		t.Error("an answer that is cut off is believed")
	}
	files = asAnswers(base)
	files["out/main.tf"] = &fstest.MapFile{Data: []byte("resource \"aws_security_group\" \"g3\" {\n  name = \"g3\"\n  vpc_id = \"vpc-2\"\n}\noutput \"firebreak_security_groups\" {\n  value = { w1 = [aws_security_group.g3.id] }\n}\n")}
	found := false
	for _, p := range lift(files).Points {
		found = found || p.Missing != "" && len(p.Governs) == 1 && p.Governs[0].Workloads[0] == "w1"
	}
	if !found {
		t.Error("a group that is not attached is not missed")
	}
}

// doubts reports whether a rule is unknown for a reason that names something.
func doubts(l *layer.Layer, what string) bool {
	for _, t := range l.Tables {
		for _, tier := range t.Tiers {
			for _, r := range tier {
				if strings.Contains(r.Unknown, what) {
					return true
				}
			}
		}
	}
	return false
}

// asAnswersOf puts a row's groups in the place of others.
func asAnswersOf(r row, files fstest.MapFS) fstest.MapFS {
	files["describe-security-groups.json"] = asAnswers(r)["describe-security-groups.json"]
	return files
}

// TestNoGroupListed reads an output that lists no group for a workload: groups
// that do not exist yet have no ID, and must not be taken for "no group".
func TestNoGroupListed(t *testing.T) {
	inv := &inventory.Snapshot{Workloads: []inventory.Workload{{Name: "a", Labels: map[string]string{"net/vpc": "vpc-1"}}, {Name: "b", Labels: map[string]string{"net/vpc": "vpc-1"}}}}
	files := fstest.MapFS{"main.tf": {Data: []byte(`
resource "aws_security_group" "open" {
  name   = "open"
  vpc_id = "vpc-1"
}
resource "aws_vpc_security_group_ingress_rule" "any" {
  security_group_id = aws_security_group.open.id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
}
output "firebreak_security_groups" {
  value = { "a" = [], "b" = [aws_security_group.open.id] }
}
`)}}
	l, _ := awssg.Target{}.Lift(&target.Source{Folder: live.Open(files), Inventory: inv, Estate: "e", Alone: true})
	if !doubts(l, "the output lists no group for a") {
		t.Errorf("nothing is said of a workload without groups: %+v", l)
	}
	if doubts(l, "for b") {
		t.Error("a workload with a group is doubted")
	}
}
