package weir_test

import (
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strings"
	"testing"
)

// Budgets in lines.
const (
	maxFile = 500 // of any file
	maxFunc = 100 // of any function that isn't a test's
	p90Func = 40  // of nine functions in ten, over the whole repository
	minDoc  = 200 // bytes of a package comment
)

func lines(text string) int { return strings.Count(text, "\n") }

// TestSizes holds that files and functions stay readable.
func TestSizes(t *testing.T) {
	r := load(t)
	var all []int
	for _, s := range r.files {
		if n := lines(s.text); n > maxFile {
			t.Errorf("%s:1: %d lines, more than %d: split it by topic", s.name, n, maxFile)
		}
		if s.test {
			continue
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			n := r.fset.Position(f.End()).Line - r.fset.Position(f.Pos()).Line + 1
			all = append(all, n)
			if n > maxFunc {
				t.Errorf("%s: %s has %d lines, more than %d", r.at(f.Pos()), f.Name.Name, n, maxFunc)
			}
		}
	}
	slices.Sort(all)
	if len(all) == 0 {
		t.Fatal("no functions found")
	}
	if p := all[len(all)*9/10]; p > p90Func {
		t.Errorf("nine functions in ten have up to %d lines, more than %d", p, p90Func)
	}
}

// TestPackageNames holds that no package is a drawer.
func TestPackageNames(t *testing.T) {
	for pkg, files := range load(t).packages() {
		switch strings.ToLower(path.Base(pkg)) {
		case "util", "utils", "common", "commons", "helper", "helpers", "model", "models", "types", "misc", "base",
			"shared", "lib", "core", "internalutil", "tools":
			t.Errorf("%s:1: a package named %s is a drawer: name it by what it owns", files[0].name, path.Base(pkg))
		}
	}
}

// TestPackageComments holds that each package has one package comment, of substance.
func TestPackageComments(t *testing.T) {
	for pkg, files := range load(t).packages() {
		var with []*source
		code := false
		for _, s := range files {
			code = code || !s.test
			if !s.test && s.file.Doc != nil {
				with = append(with, s)
			}
		}
		switch {
		case !code:
		case len(with) == 0:
			t.Errorf("%s:1: package %s has no package comment", files[0].name, pkg)
		case len(with) > 1:
			t.Errorf("%s:1: package %s has a package comment in %s too", with[0].name, pkg, with[1].name)
		case len(with[0].file.Doc.Text()) < minDoc:
			t.Errorf("%s:1: the comment of package %s says too little: what it owns, what it must not know, who calls "+
				"it from which goroutine, which spec it implements, where to start reading", with[0].name, pkg)
		}
	}
}

// TestNoInit holds that nothing runs before main.
func TestNoInit(t *testing.T) {
	r := load(t)
	for _, s := range r.files {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" && !s.test {
				t.Errorf("%s: func init: two servers run in one process; wire explicitly", r.at(f.Pos()))
			}
		}
	}
}

// TestExportedDocs holds that every exported name says what it is.
func TestExportedDocs(t *testing.T) {
	r := load(t)
	for _, s := range r.files {
		if s.test || s.file.Name.Name == "main" {
			continue
		}
		for _, d := range s.file.Decls {
			for _, n := range undocumented(d) {
				t.Errorf("%s: %s has no comment", r.at(n.Pos()), n.Name)
			}
		}
	}
}

// undocumented returns the exported names of a declaration without a comment.
func undocumented(d ast.Decl) []*ast.Ident {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc.Text() == "" && exportedReceiver(d) && !wellKnown(d) {
			return []*ast.Ident{d.Name}
		}
	case *ast.GenDecl:
		var out []*ast.Ident
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				if spec.Name.IsExported() && d.Doc.Text() == "" && spec.Doc.Text() == "" {
					out = append(out, spec.Name)
				}
			case *ast.ValueSpec:
				if d.Doc.Text()+spec.Doc.Text()+spec.Comment.Text() != "" {
					continue
				}
				for _, n := range spec.Names {
					if n.IsExported() {
						out = append(out, n)
					}
				}
			}
		}
		return out
	}
	return nil
}

// exportedReceiver reports whether a function is no method, or one of an exported type.
func exportedReceiver(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return true
	}
	typ := f.Recv.List[0].Type
	for {
		switch x := typ.(type) {
		case *ast.StarExpr:
			typ = x.X
		case *ast.IndexExpr:
			typ = x.X
		case *ast.IndexListExpr:
			typ = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return true
		}
	}
}

// wellKnown methods need no comment: their interface is everybody's.
func wellKnown(f *ast.FuncDecl) bool {
	return f.Recv != nil && slices.Contains([]string{"Error", "String", "Unwrap", "Is", "Len", "Less", "Swap"}, f.Name.Name)
}

// TestExamples holds that each package that offers something shows how it is used.
func TestExamples(t *testing.T) {
	for pkg, files := range load(t).packages() {
		offers, example, command := false, false, false
		for _, s := range files {
			command = command || s.file.Name.Name == "main"
			for _, d := range s.file.Decls {
				f, isFunc := d.(*ast.FuncDecl)
				g, isGen := d.(*ast.GenDecl)
				switch {
				case isFunc && s.test:
					example = example || f.Recv == nil && strings.HasPrefix(f.Name.Name, "Example")
				case isFunc:
					offers = offers || f.Name.IsExported()
				case isGen && !s.test && g.Tok != token.IMPORT:
					offers = offers || len(exportedNames(g)) > 0
				}
			}
		}
		support := strings.HasSuffix(pkg, "test") // a suite or a fixture of tests: its callers show it
		if offers && !example && !command && !support {
			t.Errorf("%s:1: package %s has no Example", files[0].name, pkg)
		}
	}
}

func exportedNames(g *ast.GenDecl) []string {
	var out []string
	for _, spec := range g.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if spec.Name.IsExported() {
				out = append(out, spec.Name.Name)
			}
		case *ast.ValueSpec:
			for _, n := range spec.Names {
				if n.IsExported() {
					out = append(out, n.Name)
				}
			}
		}
	}
	return out
}
