package terraform_test

import (
	"testing"
)

// FuzzRead reads anything as a configuration, a plan and a state at once: it must
// come to an end without a panic, and its resources must be in order.
func FuzzRead(f *testing.F) {
	f.Add(shop, `{"resource":{"a":{"b":{"x":"${a.c.id}"}}}}`, `{"values":{"root_module":{"resources":[{"address":"a.b","mode":"managed","type":"a","name":"b","values":{"id":"x-0123456789"}}]}}}`)
	f.Add("resource \"a\" \"b\" {\n for_each = {a=1}\n x = [for k, v in {a=1} : v if v > 0]\n}", `{"locals":[{"x":"%{for a in b}"}]}`, `{"resources":[{"instances":[{"index_key":1,"attributes":{}}]}]}`)
	f.Add("x", "{", `{"planned_values":{"root_module":{"resources":[{"address":"module.m.a.b","type":"a","values":{}}]}},"resource_changes":[{"address":"module.m.a.b","change":{"after_unknown":{"x_id":true}}}],"configuration":{"root_module":{"module_calls":{"m":{"expressions":{"v":{"references":["var.v"]}},"module":{"resources":[{"address":"a.b","expressions":{"x_id":{"references":["var.v"]}}}]}}}}}}`)
	f.Fuzz(func(t *testing.T, native, json, dump string) {
		set, _ := read(map[string]string{"a.tf": native, "a.tf.json": json, "a.tfplan.json": dump, "a.tfstate.json": dump})
		for i := range set.Resources {
			if i > 0 && set.Resources[i-1].Address >= set.Resources[i].Address {
				t.Fatal("the resources are not in order")
			}
			set.Document(set.Resources[i].Attribute("x"))
		}
	})
}
