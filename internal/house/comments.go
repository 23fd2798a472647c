package house

import (
	"go/ast"
	"go/token"
	"strings"
)

// packageComment: every package says what it is for.
func packageComment(p *Package) []Finding {
	for _, f := range p.Files {
		if f.Doc != nil && strings.TrimSpace(f.Doc.Text()) != "" {
			return nil
		}
	}
	return []Finding{p.find(p.Files[0].Package, "package %s has no package comment", p.Path)}
}

// exportedDocs: every exported name of a package has a doc comment, its own or
// its group's.
func exportedDocs(p *Package) []Finding {
	var found []Finding
	report := func(pos token.Pos, name string) {
		found = append(found, p.find(pos, "%s.%s has no doc comment", p.Path, name))
	}
	for _, f := range p.Files {
		if ast.IsGenerated(f) || f.Name.Name == "main" {
			continue
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Doc == nil && d.Name.IsExported() && exportedReceiver(d) {
					report(d.Pos(), d.Name.Name)
				}
			case *ast.GenDecl:
				undocumented(d, report)
			}
		}
	}
	return found
}

// exportedReceiver is true for functions, and for methods that a reader of the
// documentation sees.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return true
	}
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return false
		}
	}
}

func undocumented(d *ast.GenDecl, report func(token.Pos, string)) {
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			if s.Name.IsExported() && d.Doc == nil && s.Doc == nil {
				report(s.Pos(), s.Name.Name)
			}
		case *ast.ValueSpec:
			for _, name := range s.Names {
				if name.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
					report(s.Pos(), name.Name)
				}
			}
		}
	}
}
