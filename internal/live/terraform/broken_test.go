package terraform_test

import (
	"testing"
	"testing/fstest"

	"firebreak/internal/live/terraform"
)

// TestFilesThatCannotBeRead: what they may declare is not absent, unless a plan or a
// state tells of all.
func TestFilesThatCannotBeRead(t *testing.T) {
	const fine, state = `resource "aws_vpc" "a" { cidr_block = "10.0.0.0/16" }`, `{"format_version": "1.0", "values": {"root_module": {}}}`
	for _, row := range []struct {
		files map[string]string
		want  string
	}{
		{map[string]string{"main.tf": fine}, ""},
		{map[string]string{"main.tf": fine, "b.tf": "resource {{"}, "b.tf"},
		{map[string]string{"main.tf": fine, "b.tf.json": "{"}, "b.tf.json"},
		{map[string]string{"main.tf": fine, "b.tf": "resource {{", "x.tfstate.json": state}, ""},
		{map[string]string{"main.tf": fine, "x.tfstate.json": "{"}, "x.tfstate.json"},
		{map[string]string{"main.tf": fine, "x.tfplan.json": "[]", "y.tfstate.json": state}, "x.tfplan.json"},
	} {
		fsys := fstest.MapFS{}
		var names []string
		for name, text := range row.files {
			fsys[name] = &fstest.MapFile{Data: []byte(text)}
			names = append(names, name)
		}
		set, _ := terraform.Read(fsys, names)
		got := ""
		for _, u := range set.Unread {
			if !u.File || u.Pos.File != u.Address {
				t.Errorf("%+v", u)
			}
			got += u.Address
		}
		if got != row.want {
			t.Errorf("%v: unread is %q, want %q", row.files, got, row.want)
		}
	}
}
