package internal_test

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// Caddy's documentation generator reads the source. It is sure to find a module that is
// registered as T{} or new(T), and whose ID is a string literal.
func TestModulesAreFound(t *testing.T) {
	var ids []string
	for _, s := range sourceFiles(t) {
		if s.test || !slices.ContainsFunc(s.imports(), func(p string) bool { return strings.HasPrefix(p, caddyModules) }) {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if isSelector(n.Fun, "caddy", "RegisterModule") && !constructs(n.Args[0]) {
					t.Errorf("%s: register a module as T{} or new(T)", s.at(n))
				}
			case *ast.CompositeLit:
				if isSelector(n.Type, "caddy", "ModuleInfo") {
					id, ok := moduleID(n)
					if !ok {
						t.Errorf("%s: write the module's ID as a string literal", s.at(n))
					}
					ids = append(ids, id)
				}
			}
			return true
		})
	}
	slices.Sort(ids)
	want := []string{
		`"admin.api.wxgate"`, `"http.handlers.wxgate"`, `"http.handlers.wxgate_openapi"`, `"http.handlers.wxgate_verify"`,
		`"http.reverse_proxy.transport.wxgate"`, `"wxgate"`,
	}
	if !slices.Equal(ids, want) {
		t.Errorf("modules %s, want %s: users' JSON names them", ids, want)
	}
}

func isSelector(n ast.Expr, pkg, name string) bool {
	selector, ok := n.(*ast.SelectorExpr)
	if !ok || selector.Sel.Name != name {
		return false
	}
	x, ok := selector.X.(*ast.Ident)
	return ok && x.Name == pkg
}

// constructs reports whether an expression is T{} or new(T).
func constructs(n ast.Expr) bool {
	switch n := n.(type) {
	case *ast.CompositeLit:
		_, ok := n.Type.(*ast.Ident)
		return ok && len(n.Elts) == 0
	case *ast.CallExpr:
		name, ok := n.Fun.(*ast.Ident)
		return ok && name.Name == "new"
	}
	return false
}

func moduleID(info *ast.CompositeLit) (string, bool) {
	for _, element := range info.Elts {
		if pair, ok := element.(*ast.KeyValueExpr); ok {
			if key, ok := pair.Key.(*ast.Ident); ok && key.Name == "ID" {
				literal, ok := pair.Value.(*ast.BasicLit)
				return literalText(literal), ok && literal.Kind == token.STRING
			}
		}
	}
	return "", false
}

func literalText(literal *ast.BasicLit) string {
	if literal == nil {
		return ""
	}
	return literal.Value
}
