package mptgo

import (
	"go/ast"
	"go/token"
	"strconv"
	"strings"
	"testing"
)

// TestPublicTypes: what a package for all exports names no type of an internal package, of which readers of
// its documentation see nothing.
func TestPublicTypes(t *testing.T) {
	for _, s := range sources(t) {
		if isInternal(s.pkg) || strings.HasPrefix(s.pkg, "cmd") || strings.HasPrefix(s.pkg, "scripts") {
			continue
		}
		hidden := internalImports(s.file)
		for _, d := range s.file.Decls {
			for _, x := range exported(d) {
				ast.Inspect(x, func(n ast.Node) bool {
					if sel, ok := n.(*ast.SelectorExpr); ok {
						if from, ok := sel.X.(*ast.Ident); ok && hidden[from.Name] {
							t.Errorf("%v: what is exported names %s.%s, of an internal package", s.fset.Position(sel.Pos()), from.Name, sel.Sel.Name)
						}
					}
					return true
				})
			}
		}
	}
}

func isInternal(pkg string) bool { return strings.Contains("/"+pkg+"/", "/internal/") }

// internalImports returns the names under which a file imports internal packages of this module.
func internalImports(f *ast.File) map[string]bool {
	names := map[string]bool{}
	for _, i := range f.Imports {
		path, err := strconv.Unquote(i.Path.Value)
		if err != nil || !strings.HasPrefix(path, "mptgo/") || !isInternal(path) {
			continue
		}
		name := path[strings.LastIndex(path, "/")+1:]
		if i.Name != nil {
			name = i.Name.Name
		}
		names[name] = true
	}
	return names
}

// exported returns the types that others see of a declaration.
func exported(d ast.Decl) (list []ast.Node) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && (d.Recv == nil || receiverIsExported(d.Recv)) {
			list = append(list, d.Type)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				if spec.Name.IsExported() {
					list = append(list, visible(spec.Type)...)
				}
			case *ast.ValueSpec:
				if d.Tok == token.VAR && spec.Type != nil && spec.Names[0].IsExported() {
					list = append(list, spec.Type)
				}
			}
		}
	}
	return list
}

func receiverIsExported(recv *ast.FieldList) bool {
	x := recv.List[0].Type
	if p, ok := x.(*ast.StarExpr); ok {
		x = p.X
	}
	if g, ok := x.(*ast.IndexExpr); ok {
		x = g.X
	}
	id, ok := x.(*ast.Ident)
	return ok && id.IsExported()
}

// visible returns what others see of a type: of a struct its exported fields and what it embeds.
func visible(x ast.Expr) (list []ast.Node) {
	s, ok := x.(*ast.StructType)
	if !ok {
		return []ast.Node{x}
	}
	for _, f := range s.Fields.List {
		if len(f.Names) == 0 || f.Names[0].IsExported() {
			list = append(list, f.Type)
		}
	}
	return list
}
