// Package weir_test holds the rules of the house: which package may import
// which, how big a file may grow, what has to be documented. Each test reads the
// source of the whole repository and names file and line of what breaks a rule.
package weir_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// source is one parsed file.
type source struct {
	name string // slash-separated, from the root of the repository
	pkg  string // folder, "." for the root
	test bool
	file *ast.File
	text string
}

// repo is the source of the repository.
type repo struct {
	fset  *token.FileSet
	files []*source
}

// load parses every Go file of the repository.
func load(t *testing.T) *repo {
	t.Helper()
	r := &repo{fset: token.NewFileSet()}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := d.Name()
		if d.IsDir() && name != "." && (strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") ||
			base == "testdata" || base == "weir-data") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(base, ".go") {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(r.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		slash := filepath.ToSlash(name)
		r.files = append(r.files, &source{name: slash, pkg: path.Dir(slash), text: string(text), file: f,
			test: strings.HasSuffix(base, "_test.go")})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// packages returns the files of each folder that has some.
func (r *repo) packages() map[string][]*source {
	out := map[string][]*source{}
	for _, s := range r.files {
		out[s.pkg] = append(out[s.pkg], s)
	}
	return out
}

// at returns a position as file:line.
func (r *repo) at(p token.Pos) string {
	pos := r.fset.Position(p)
	return fmt.Sprintf("%s:%d", filepath.ToSlash(pos.Filename), pos.Line)
}

// room is what a package, or each package of a folder, may import. The floors
// are those of the plan: a package imports only from lower floors, and its own
// children; a child may import its parent.
type room struct {
	folder string // "x" is package x and all below it; "x/*" each package below x, apart from the others
	floor  int
	only   []string // if set: of ours only these
	never  []string // of ours never these, whatever their floor
}

var floors = []room{
	{folder: "hook", floor: 0, only: []string{}},
	{folder: "jid", floor: 0, only: []string{}},
	{folder: "netserver", floor: 0, only: []string{}},
	{folder: "xmlstream", floor: 0, only: []string{}},
	{folder: "stanza", floor: 1, never: []string{"netserver", "hook"}},
	{folder: "storage", floor: 1, never: []string{"netserver", "xmlstream"}},
	{folder: "auth", floor: 2, never: []string{"netserver", "xmlstream", "stanza"}},
	{folder: "roster", floor: 2, never: []string{"netserver"}},
	{folder: "policy", floor: 2, only: []string{}},
	{folder: "sessionmgr", floor: 3, only: []string{"hook", "jid", "policy", "stanza", "storage", "xmlstream"}},
	{folder: "presence", floor: 4, never: []string{"netserver", "auth"}},
	{folder: "c2s", floor: 4, never: []string{"roster"}},
	{folder: "component", floor: 4, only: []string{"jid", "netserver", "sessionmgr", "stanza", "storage", "xmlstream"}},
	{folder: "modules/*", floor: 5, never: []string{"netserver"}},
	{folder: "cluster", floor: 5, never: []string{"netserver", "c2s"}},
	{folder: "admin", floor: 6, never: []string{"storage/*"}},
	{folder: "config", floor: 7},
	{folder: ".", floor: 8},
	{folder: "cmd", floor: 9},
	{folder: "examples", floor: 9},
	{folder: "docs", floor: 9, only: []string{}},
	{folder: "integration/testclient", floor: 0, only: []string{}},
	{folder: "integration", floor: 9, only: []string{"integration"}},
}

// roomOf returns the row of the table for a package.
func roomOf(pkg string) (room, bool) {
	for _, r := range floors {
		folder := strings.TrimSuffix(r.folder, "/*")
		if pkg == folder || folder != "." && strings.HasPrefix(pkg, folder+"/") {
			return r, true
		}
	}
	return room{}, false
}

// inside reports whether pkg is meant by a pattern of the table.
func inside(pkg, pattern string) bool {
	if folder, below := strings.CutSuffix(pattern, "/*"); below {
		return strings.HasPrefix(pkg, folder+"/")
	}
	return pkg == pattern || strings.HasPrefix(pkg, pattern+"/")
}

// mayImport says why a package may not import another of ours, "" if it may.
func mayImport(from, to string) string {
	a, ok := roomOf(from)
	if !ok {
		return "package " + from + " has no floor: give it one in repo_test.go"
	}
	b, ok := roomOf(to)
	if !ok {
		return "package " + to + " has no floor: give it one in repo_test.go"
	}
	related := from != "." && to != "." && (strings.HasPrefix(from, to+"/") || strings.HasPrefix(to, from+"/"))
	switch {
	case a.only != nil && !related && !slices.ContainsFunc(a.only, func(p string) bool { return inside(to, p) }):
		return fmt.Sprintf("%s may import of ours only %q, not %s", from, a.only, to)
	case slices.ContainsFunc(a.never, func(p string) bool { return inside(to, p) }):
		return fmt.Sprintf("%s must not know %s", from, to)
	case strings.HasSuffix(a.folder, "/*") && a.folder == b.folder && !related:
		return fmt.Sprintf("%s must not know its neighbour %s", from, to)
	case related || a.folder == b.folder || a.folder == "integration" && b.folder == "integration/testclient":
		return ""
	case b.floor >= a.floor:
		return fmt.Sprintf("%s (floor %d) must not import %s (floor %d)", from, a.floor, to, b.floor)
	}
	return ""
}

// ours returns the folder of an import path of this module.
func ours(imp string) (string, bool) {
	if imp == "weir" {
		return ".", true
	}
	return strings.CutPrefix(imp, "weir/")
}

func importPath(i *ast.ImportSpec) string {
	p, err := strconv.Unquote(i.Path.Value)
	if err != nil {
		return i.Path.Value
	}
	return p
}

// TestFloors holds that a package imports only from below. Tests may import
// what they need, except for those of the test client.
func TestFloors(t *testing.T) {
	r := load(t)
	for _, s := range r.files {
		if _, ok := roomOf(s.pkg); !ok {
			t.Errorf("%s: package %s has no floor: give it one in repo_test.go", s.name, s.pkg)
		}
		for _, i := range s.file.Imports {
			to, ok := ours(importPath(i))
			if !ok || s.test && s.pkg != "integration/testclient" || to == s.pkg {
				continue
			}
			if why := mayImport(s.pkg, to); why != "" {
				t.Errorf("%s: %s", r.at(i.Pos()), why)
			}
		}
	}
}

// TestFloorsTable tries the table itself.
func TestFloorsTable(t *testing.T) {
	for _, c := range []struct {
		from, to string
		ok       bool
	}{
		{"c2s", "sessionmgr", true},
		{"c2s", "netserver", true},
		{"c2s", "roster", false},
		{"c2s", "presence", false},
		{"c2s", "modules/contacts", false},
		{"sessionmgr", "stanza", true},
		{"sessionmgr", "auth", false},
		{"sessionmgr", "netserver", false},
		{"sessionmgr", "storage/pebble", true},
		{"storage/pebble", "storage", true},
		{"stanza", "storage", false},
		{"hook", "jid", false},
		{"modules/ping", "modules/disco", false},
		{"modules/contacts", "roster", true},
		{"modules/contacts", "modules/contacts/table", true},
		{"modules/ping", "netserver", false},
		{"admin", "storage", true},
		{"admin", "storage/pebble", false},
		{"config", ".", false},
		{".", "config", true},
		{"cmd/weir", ".", true},
		{"integration/testclient", "stanza", false},
		{"integration/script", "integration/testclient", true},
		{"integration", "c2s", false},
		{"drawer", "hook", false},
	} {
		if why := mayImport(c.from, c.to); (why == "") != c.ok {
			t.Errorf("%s imports %s: allowed should be %v: %q", c.from, c.to, c.ok, why)
		}
	}
}
