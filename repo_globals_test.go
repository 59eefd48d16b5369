package weir_test

import (
	"go/ast"
	"go/token"
	"strings"
	"testing"
)

// TestNoMutableGlobals holds that a package has no state of its own: a variable
// at package level has a value that is never changed. It judges by the form of
// the code: such a variable is given a value where it is declared, that value is
// no lock, channel, counter or empty map, and nothing in the package assigns to
// it, to a part of it, or takes its address. A zero value or an empty table that
// is meant says so in its comment: "never written"; assignments to it are found
// all the same.
func TestNoMutableGlobals(t *testing.T) {
	r := load(t)
	for _, files := range r.packages() {
		globals := map[string]bool{} // name → said to be never written
		for _, s := range files {
			if s.test {
				continue
			}
			for _, d := range s.file.Decls {
				g, ok := d.(*ast.GenDecl)
				if !ok || g.Tok != token.VAR {
					continue
				}
				for _, spec := range g.Specs {
					v := spec.(*ast.ValueSpec)
					constant := strings.Contains(joined(g.Doc)+joined(v.Doc)+joined(v.Comment), "never written")
					if why := statefulVar(g, v); why != "" && !constant {
						t.Errorf("%s: %s: %s (a constant says in its comment that it is never written)",
							r.at(v.Pos()), v.Names[0].Name, why)
					}
					for _, n := range v.Names {
						if n.Name != "_" && !isPool(v) {
							globals[n.Name] = constant
						}
					}
				}
			}
		}
		for _, s := range files {
			if s.test || len(globals) == 0 {
				continue
			}
			for _, d := range s.file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil {
					for _, w := range writes(f, globals) {
						t.Errorf("%s: %s is changed here: no mutable state at package level", r.at(w.Pos()), w.Name)
					}
				}
			}
		}
	}
}

// isPool reports whether a variable is a sync.Pool, which is a cache and no state.
func isPool(v *ast.ValueSpec) bool {
	if typeName(v.Type) == "sync.Pool" {
		return true
	}
	if len(v.Values) == 1 {
		val := v.Values[0]
		if u, ok := val.(*ast.UnaryExpr); ok {
			val = u.X
		}
		if c, ok := val.(*ast.CompositeLit); ok {
			return typeName(c.Type) == "sync.Pool"
		}
	}
	return false
}

func typeName(e ast.Expr) string {
	if sel, ok := e.(*ast.SelectorExpr); ok {
		if x, ok := sel.X.(*ast.Ident); ok {
			return x.Name + "." + sel.Sel.Name
		}
	}
	return ""
}

// statefulVar says why a declaration makes state, "" if it doesn't.
func statefulVar(g *ast.GenDecl, v *ast.ValueSpec) string {
	if v.Names[0].Name == "_" || isPool(v) {
		return "" // an interface guard, a pool
	}
	if len(v.Values) == 0 {
		embedded := g.Doc.Text() + v.Doc.Text()
		for _, c := range []*ast.CommentGroup{g.Doc, v.Doc} {
			if c != nil {
				for _, l := range c.List {
					embedded += l.Text
				}
			}
		}
		if strings.Contains(embedded, "go:embed") {
			return ""
		}
		return "a variable at package level without a value can only be there to be changed"
	}
	for _, val := range v.Values {
		if u, ok := val.(*ast.UnaryExpr); ok {
			val = u.X
		}
		switch val := val.(type) {
		case *ast.CallExpr:
			if f, ok := val.Fun.(*ast.Ident); ok && (f.Name == "make" || f.Name == "new") {
				return f.Name + " at package level makes state"
			}
		case *ast.CompositeLit:
			n := typeName(val.Type)
			if strings.HasPrefix(n, "sync.") || strings.HasPrefix(n, "atomic.") {
				return n + " at package level is state"
			}
			if _, isMap := val.Type.(*ast.MapType); isMap && len(val.Elts) == 0 {
				return "an empty map at package level can only be there to be filled"
			}
		}
	}
	return ""
}

// writes returns the places where a function changes a global.
func writes(f *ast.FuncDecl, globals map[string]bool) []*ast.Ident {
	local := map[string]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			for _, id := range n.Names {
				local[id.Name] = true
			}
		case *ast.ValueSpec:
			for _, id := range n.Names {
				local[id.Name] = true
			}
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE {
				for _, l := range n.Lhs {
					if id, ok := l.(*ast.Ident); ok {
						local[id.Name] = true
					}
				}
			}
		case *ast.RangeStmt:
			for _, e := range []ast.Expr{n.Key, n.Value} {
				if id, ok := e.(*ast.Ident); ok && n.Tok == token.DEFINE {
					local[id.Name] = true
				}
			}
		}
		return true
	})
	var out []*ast.Ident
	check := func(e ast.Expr, address bool) {
		id := root(e)
		if id == nil || local[id.Name] {
			return
		}
		if constant, ok := globals[id.Name]; ok && !(address && constant) {
			out = append(out, id)
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, l := range n.Lhs {
				check(l, false)
			}
		case *ast.IncDecStmt:
			check(n.X, false)
		case *ast.UnaryExpr:
			// The address of an element is for reading a large table, of the
			// whole for handing it out.
			if _, element := n.X.(*ast.IndexExpr); n.Op == token.AND && !element {
				check(n.X, true)
			}
		case *ast.CallExpr:
			if fn, ok := n.Fun.(*ast.Ident); ok && (fn.Name == "delete" || fn.Name == "clear") {
				check(n.Args[0], false)
			}
		}
		return true
	})
	return out
}

// root returns the variable that an expression is a part of.
func root(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.ParenExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.SelectorExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.SliceExpr:
			e = x.X
		default:
			return nil
		}
	}
}
