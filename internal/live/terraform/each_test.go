package terraform_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"firebreak/internal/live/terraform"
)

// TestManyInstancesOfSharedValues reads ten thousand instances that share what
// they are made of: that costs what is made, not what is shared.
func TestManyInstancesOfSharedValues(t *testing.T) {
	var b strings.Builder
	b.WriteString("locals {\n  lists = [\n")
	for l := range 50 {
		fmt.Fprintf(&b, "    { ports = \"tcp_%d\", from = %d, peers = { cidr = toset([", l, l)
		for i := range 200 {
			fmt.Fprintf(&b, "\"10.%d.%d.0/24\", ", l, i)
		}
		b.WriteString("]), group = { shop = x_group.shop.id } } },\n")
	}
	b.WriteString(`  ]
}
resource "x_group" "shop" {}
resource "x_rule" "many" {
  for_each = merge(flatten([for x in local.lists : [for kind, peers in x.peers : {
    for name, peer in peers : "${name} ${x.ports}" => { of = x, (kind) = peer }
  }]])...)
  cidr  = try(each.value.cidr, null)
  group = try(each.value.group, null)
  from  = each.value.of.from
  same  = x_group.shop.id
}
`)
	set, diags := read(map[string]string{"main.tf": b.String()})
	if len(diags) > 0 || len(set.Of("x_rule")) != 50*201 {
		t.Fatal(len(set.Of("x_rule")), diags)
	}
	for address, want := range map[string]string{
		`x_rule.many["10.7.3.0/24 tcp_7"]`: "{cidr:10.7.3.0/24 from:7 same:<x_group.shop.id>}",
		`x_rule.many["shop tcp_49"]`:       "{from:49 group:<x_group.shop.id> same:<x_group.shop.id>}",
	} {
		if r := set.At(address); r == nil || say(r.Body) != want {
			t.Errorf("%s is %+v, not %s", address, r, want)
		}
	}
}

// TestOverridesTakeAway: what an override file says of a local value or sets to
// null counts, whatever the files are called.
func TestOverridesTakeAway(t *testing.T) {
	set, _ := read(map[string]string{
		"a_override.tf": "locals {\n  x = \"over\"\n}\nresource \"t\" \"r\" {\n  b = null\n}\n",
		"main.tf":       "locals {\n  x = \"plain\"\n}\nresource \"t\" \"r\" {\n  for_each = toset([\"k\", \"l\"])\n  a = local.x\n  b = each.key\n  c = null\n}\n",
	})
	if r := set.At(`t.r["k"]`); r == nil || say(r.Body) != "{a:over b:null}" {
		t.Errorf("%+v", r)
	}
}

// TestForsInForsCostLittle: a name within an expression may be used again and
// again, and what it stands for made of more such names.
func TestForsInForsCostLittle(t *testing.T) {
	text := "\"x\""
	for range 40 {
		text = "[for i in [" + text + "] : [i, i, i, i, i, i, i, i, i, i]]"
	}
	began := time.Now()
	set, _ := read(map[string]string{"main.tf": "resource \"t\" \"r\" {\n  a = jsonencode(" + text + ")\n  b = flatten(" + text + ")\n}\n"})
	if r := set.At("t.r"); r == nil || !doubted(r.Attribute("a")) || !doubted(r.Attribute("b")) {
		t.Error("so much is made")
	}
	if d := time.Since(began); d > 20*time.Second {
		t.Errorf("it took %v", d)
	}
}

func doubted(v terraform.Value) bool {
	why, _ := v.Doubt()
	return why != ""
}

// TestCollidingKeys: Terraform refuses two elements with one key, so that neither
// is known to be there; with an ellipsis they are a list.
func TestCollidingKeys(t *testing.T) {
	set, _ := read(map[string]string{"main.tf": `resource "t" "twice" {
  a = { for x in ["k", "k"] : x => x }
}
resource "t" "list" {
  a = { for i, x in ["k", "k"] : x => i... }
}
resource "t" "each" {
  for_each = { for p in [80, 81] : "k" => p }
  port     = each.value
}
`})
	if r := set.At("t.twice"); r == nil || !doubted(r.Attribute("a")) {
		t.Errorf("%+v", r)
	}
	if r := set.At("t.list"); r == nil || say(r.Body) != "{a:{k:[0 1]}}" {
		t.Errorf("%+v", r)
	}
	if r := set.At(`t.each["k"]`); r != nil {
		t.Errorf("one of two is there: %+v", r)
	}
}
