// Package scaffold holds policy directories to begin with. Each is a whole
// policy with an inventory, guardrails and Cases, which checks clean as it
// stands.
package scaffold

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"
)

//go:embed templates
var templates embed.FS

// Template is a policy directory to begin with.
type Template struct {
	Name  string
	About string // one line
}

// File is a file of a template. Name is a slash-separated path in it.
type File struct {
	Name string
	Text []byte
}

// Templates lists what there is, the most usual first.
func Templates() []Template {
	return []Template{
		{"three-tier-aws", "web, app and data in three VPCs with their Terraform, staging in another account"},
		{"multi-account-shop", "order, inventory, payment and fraud-detection in four VPCs of three AWS accounts"},
		{"kubernetes", "a shop in one cluster, read from manifests"},
		{"empty", "nothing but an example of each kind of document, as comments"},
	}
}

// The exceptions of templates end so long after the template was taken that
// they can be looked at, and not so long that they are forgotten. In the
// templates stands a far day instead.
const (
	farDay       = "2099-01-01T00:00:00Z"
	exceptionFor = 90 * 24 * time.Hour
)

// Files returns the files of a template in the order of their names, as they
// are to be written at now. An unknown name is an error.
func Files(name string, now time.Time) ([]File, error) {
	expires := now.UTC().Add(exceptionFor).Truncate(24 * time.Hour).Format(time.RFC3339)
	root := path.Join("templates", name)
	if !known(name) {
		return nil, fmt.Errorf("there is no template %q", name)
	}
	var out []File
	err := fs.WalkDir(templates, root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := templates.ReadFile(p)
		text = bytes.ReplaceAll(text, []byte(farDay), []byte(expires))
		out = append(out, File{strings.TrimPrefix(p, root+"/"), text})
		return err
	})
	return out, err
}

func known(name string) bool {
	for _, t := range Templates() {
		if t.Name == name {
			return true
		}
	}
	return false
}
