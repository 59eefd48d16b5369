package weir_test

import (
	"go/ast"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"weir"
	"weir/storage"
)

// TestEveryTableIsChecked: whoever keeps records says which of them can be read, so that a
// check of the store names what is damaged, in whatever table.
func TestEveryTableIsChecked(t *testing.T) {
	tables := 0
	for _, files := range load(t).packages() {
		for _, s := range files {
			if s.test {
				continue
			}
			for _, d := range s.file.Decls {
				if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.CONST {
					tables += checkTables(t, g)
				}
			}
		}
	}
	if tables < 20 {
		t.Errorf("only %d tables were found: this test shows little", tables)
	}
}

// checkTables asks about a damaged record of each table that is named in a declaration.
func checkTables(t *testing.T, g *ast.GenDecl) (n int) {
	for _, spec := range g.Specs {
		v := spec.(*ast.ValueSpec)
		if !strings.HasPrefix(v.Names[0].Name, "table") || len(v.Values) == 0 {
			continue
		}
		lit, ok := v.Values[0].(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			continue
		}
		table, err := strconv.Unquote(lit.Value)
		if err != nil {
			t.Fatal(err)
		}
		n++
		if weir.CheckRecord(storage.Key{Table: table, Account: "juliet@localhost", Item: "\xff"}, []byte{0xff}) == nil {
			t.Errorf("a damaged record of the table %s is taken for a good one", table)
		}
	}
	return n
}
