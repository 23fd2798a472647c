package house

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// Rule looks at one package and returns what breaks it.
type Rule struct {
	Name  string
	Check func(*Package) []Finding
}

// Rules are all rules of the house.
func Rules() []Rule {
	return []Rule{
		{"package-comment", packageComment},
		{"imports", imports},
		{"pure", pure},
		{"no-globals", noGlobals},
		{"no-init", noInit},
		{"small-interfaces", smallInterfaces},
		{"exported-docs", exportedDocs},
	}
}

// Check applies every rule to every package.
func Check(packages []*Package) []Finding {
	var found []Finding
	for _, p := range packages {
		for _, r := range Rules() {
			found = append(found, r.Check(p)...)
		}
	}
	return found
}

// pure: rooms from lang to plan, targets and vocabulary do no I/O, read no
// clock and log nothing. What they may import is a rule of its own.
func pure(p *Package) []Finding {
	if !isPure(p.Path) {
		return nil
	}
	var found []Finding
	for _, i := range p.Imports {
		if i.Std && isImpureStd(i.Path) {
			found = append(found, p.find(i.Pos, "%s is pure and may not import %s", p.Path, i.Path))
		}
	}
	p.eachFile(func(n ast.Node) {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if name := p.impureCall(sel); name != "" {
				found = append(found, p.find(sel.Pos(), "%s is pure and may not use %s", p.Path, name))
			}
		}
	})
	return found
}

// impureStd are standard packages that reach outside the process or hold
// hidden state; a trailing slash stands for all below.
var impureStd = []string{
	"os", "os/", "io/ioutil", "net", "net/", "log", "log/", "syscall", "plugin", "database/", "testing", "testing/",
	"math/rand", "math/rand/", "crypto/rand", "runtime", "runtime/", "path/filepath", "flag", "expvar", "unsafe", "C",
}

// pureAfterAll are below an entry of impureStd and only compute.
var pureAfterAll = []string{"net/netip", "net/url", "net/textproto"}

func isImpureStd(ipath string) bool {
	return !slices.Contains(pureAfterAll, ipath) && slices.ContainsFunc(impureStd, func(s string) bool {
		return ipath == s || strings.HasSuffix(s, "/") && strings.HasPrefix(ipath, s)
	})
}

// impureNames are functions of packages that are otherwise welcome.
var impureNames = map[string][]string{
	"time": {"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTicker", "NewTimer", "Local", "LoadLocation"},
	"fmt":  {"Print", "Println", "Printf", "Scan", "Scanln", "Scanf"},
}

// impureCall returns the name that sel is, if it is one of impureNames.
func (p *Package) impureCall(sel *ast.SelectorExpr) string {
	id, ok := sel.X.(*ast.Ident)
	if !ok {
		return ""
	}
	pkg, ok := p.Uses[id].(*types.PkgName)
	if !ok || !slices.Contains(impureNames[pkg.Imported().Path()], sel.Sel.Name) {
		return ""
	}
	return pkg.Imported().Path() + "." + sel.Sel.Name
}

// noGlobals: pure rooms keep no state between calls. Tables that nothing ever
// writes are welcome; assigning to a package variable, or to what it holds, or
// taking its address is not.
func noGlobals(p *Package) []Finding {
	if !isPure(p.Path) {
		return nil
	}
	var found []Finding
	report := func(e ast.Expr, what string) {
		if v := p.globalVar(e); v != "" {
			found = append(found, p.find(e.Pos(), "%s is pure and may not %s the package variable %s", p.Path, what, v))
		}
	}
	p.eachFile(func(n ast.Node) {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, left := range n.Lhs {
				report(left, "assign to")
			}
		case *ast.IncDecStmt:
			report(n.X, "assign to")
		case *ast.UnaryExpr:
			if n.Op == token.AND {
				report(n.X, "take the address of")
			}
		}
	})
	return found
}

// globalVar returns the name of the package variable that e is or is part of.
func (p *Package) globalVar(e ast.Expr) string {
	for {
		switch x := e.(type) {
		case *ast.IndexExpr:
			e = x.X
		case *ast.SelectorExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		case *ast.Ident:
			if v, ok := p.Uses[x].(*types.Var); ok && v.Parent() == p.Types.Scope() {
				return x.Name
			}
			return ""
		default:
			return ""
		}
	}
}

// noInit: lists are explicit; nothing registers itself.
func noInit(p *Package) []Finding {
	var found []Finding
	for _, f := range p.Files {
		if ast.IsGenerated(f) {
			continue
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				found = append(found, p.find(fn.Pos(), "%s has an init function; name things in an explicit list", p.Path))
			}
		}
	}
	return found
}

// maxMethods is what an interface may ask of whoever implements it.
const maxMethods = 5

// smallInterfaces: an interface has at most five methods of its own. Close is
// not counted: it asks for nothing but an end.
func smallInterfaces(p *Package) []Finding {
	var found []Finding
	p.eachFile(func(n ast.Node) {
		i, ok := n.(*ast.InterfaceType)
		if !ok {
			return
		}
		methods := i.Methods.NumFields()
		for _, m := range i.Methods.List {
			if len(m.Names) == 1 && m.Names[0].Name == "Close" {
				methods--
			}
		}
		if methods > maxMethods {
			found = append(found, p.find(i.Pos(), "%s has an interface with %d methods; the most is %d", p.Path, methods, maxMethods))
		}
	})
	return found
}

// eachFile visits every node of the hand-written files.
func (p *Package) eachFile(visit func(ast.Node)) {
	for _, f := range p.Files {
		if ast.IsGenerated(f) {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if n != nil {
				visit(n)
			}
			return true
		})
	}
}
