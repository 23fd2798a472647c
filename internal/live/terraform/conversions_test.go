package terraform_test

import "testing"

// TestConversions: operators take texts that are numbers, keys of lists are
// numbers, and sets are their own keys, sorted, each there once.
func TestConversions(t *testing.T) {
	set, diags := read(map[string]string{"a.tf": `
locals { zones = ["b", "a", "b"] }
resource "x" "y" {
  sum    = "1" + 1
  zero   = [for i, z in local.zones : i == 0]
  set    = [for k, z in toset(local.zones) : "${k}${z}"]
  length = length(toset(local.zones))
  both   = length(setunion(["a"], ["a", "c"]))
  pairs  = { for p in setproduct(["b", "a"], [x.a.id, x.b.id]) : p[0] => p[1]... if p[0] != "b" }
  names  = [for p in setproduct(keys({ d = 1, c = 2 }), toset(["2", "1"])) : join("-", p)]
  list   = [for i, z in tolist(toset(local.zones)) : i + 1]
  dynamic "rule" {
    for_each = local.zones
    content {
      port = 1000 + rule.key
      name = rule.value
    }
  }
  dynamic "group" {
    for_each = toset([x.a.id, x.b.id])
    content {
      id = group.key
    }
  }
}
resource "x" "a" {}
resource "x" "b" {}
`})
	want := "{both:2 group:[{id:<x.a.id>} {id:<x.b.id>}] length:2 list:[1 2] names:[c-1 c-2 d-1 d-2] pairs:{a:[<x.a.id> <x.b.id>]} rule:[{name:b port:1000} {name:a port:1001} {name:b port:1002}] set:[aa bb] sum:2 zero:[true false false]}"
	if got := say(set.At("x.y").Body); got != want || len(diags) > 0 {
		t.Errorf("%s, %v; want %s", got, diags, want)
	}
}
