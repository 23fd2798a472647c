package load

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"firebreak/internal/diag"
	tf "firebreak/internal/live/terraform"
	"firebreak/internal/manifest"
)

// misread warns of what stands in a live folder and enforces nothing, whatever
// its writer believes, and what no target reads.
func (l *Live) misread() diag.List {
	diags := l.unreadRulesets()
	docs, _ := l.Folder.Manifests()
	for _, d := range docs {
		for _, n := range objects(manifest.Resolve(d.Root)) {
			if strings.HasPrefix(apiVersion(n), "appmesh.k8s.aws/") {
				ended(&diags, diag.Pos{File: d.File, Line: n.Line, Col: n.Column}, kindOf(n))
			}
		}
	}
	if names, _ := l.Folder.Names(tf.Suffixes()...); len(names) > 0 {
		set, _ := l.Folder.Terraform()
		for i := range set.Resources {
			switch r := &set.Resources[i]; {
			case strings.HasPrefix(r.Type, "aws_appmesh_"):
				ended(&diags, r.Pos, r.Address)
			case r.Type == "aws_vpclattice_access_policy":
				diags.Warnf(r.Pos, "live-misread", "%s: VPC Lattice has no access policies, and Terraform no such resource", r.Address).
					WithHelp("methods, paths and headers are conditions of the one auth policy: aws_vpclattice_auth_policy")
			}
		}
	}
	for i := range diags {
		diags[i].Rename(func(name string) string { return shown(l.Path, name) })
	}
	return diags
}

// ended warns of AWS App Mesh.
// https://docs.aws.amazon.com/app-mesh/latest/userguide/what-is-app-mesh.html
func ended(diags *diag.List, at diag.Pos, what string) {
	diags.Warnf(at, "live-misread", "%s is of AWS App Mesh, which ended on 30 September 2026: it enforces nothing", what).
		WithHelp("Istio, Linkerd and Consul remain; between VPCs there is VPC Lattice")
}

// objects are an object, or those of a list of them.
func objects(n *yaml.Node) []*yaml.Node {
	if !strings.HasSuffix(kindOf(n), "List") {
		return []*yaml.Node{n}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "items" {
			return manifest.Resolve(n.Content[i+1]).Content
		}
	}
	return nil
}

// apiVersion is that of an object; empty if it has none.
func apiVersion(n *yaml.Node) string {
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "apiVersion" {
			return n.Content[i+1].Value
		}
	}
	return ""
}
