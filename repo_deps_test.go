package weir_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
)

// modules returns what go.mod requires: each module path, and whether it is
// marked as needed directly.
func modules(t *testing.T) map[string]bool {
	t.Helper()
	b, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	f, err := modfile.Parse("go.mod", b, nil)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for _, r := range f.Require {
		out[r.Mod.Path] = !r.Indirect
	}
	return out
}

// decisions returns the text of docs/decisions.
func decisions(t *testing.T) string {
	t.Helper()
	names, err := filepath.Glob("docs/decisions/*.md")
	if err != nil || len(names) == 0 {
		t.Fatalf("no docs/decisions: %v", err)
	}
	var all strings.Builder
	for _, n := range names {
		b, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String()
}

// TestDependenciesAreDecided holds that each module that we import or require
// directly is named with its reason in docs/decisions.
func TestDependenciesAreDecided(t *testing.T) {
	required, why := modules(t), decisions(t)
	named := func(module string) bool { return strings.Contains(why, "`"+module+"`") }
	for m, direct := range required {
		if direct && !named(m) {
			t.Errorf("go.mod requires %s, which docs/decisions/04-dependencies.md doesn't give a reason for", m)
		}
	}
	r := load(t)
	used := map[string]bool{}
	for _, s := range r.files {
		for _, i := range s.file.Imports {
			imp := importPath(i)
			_, own := ours(imp)
			if own || !strings.Contains(strings.Split(imp, "/")[0], ".") {
				continue // ours or the standard library's
			}
			module := ""
			for m := range required {
				if (imp == m || strings.HasPrefix(imp, m+"/")) && len(m) > len(module) {
					module = m
				}
			}
			used[module] = true
			if module == "" {
				t.Errorf("%s: %s is in no module that go.mod requires", r.at(i.Pos()), imp)
			} else if !named(module) {
				t.Errorf("%s: %s comes from %s, which docs/decisions/04-dependencies.md doesn't give a reason for",
					r.at(i.Pos()), imp, module)
			}
		}
	}
	for m := range required {
		if named(m) && !used[m] {
			t.Errorf("docs/decisions has a reason for %s, which nothing imports", m)
		}
	}
}

// TestForbiddenImports holds that there is one log and one source of chance.
func TestForbiddenImports(t *testing.T) {
	r := load(t)
	for _, s := range r.files {
		if s.test {
			continue
		}
		for _, i := range s.file.Imports {
			switch imp := importPath(i); imp {
			case "log":
				t.Errorf("%s: log: use log/slog, passed in", r.at(i.Pos()))
			case "math/rand", "math/rand/v2":
				why := i.Comment.Text() + i.Doc.Text()
				ofTests := strings.HasSuffix(s.pkg, "test") || inside(s.pkg, "integration") // a run has a seed
				if !ofTests && !strings.Contains(why, "jitter") {
					t.Errorf("%s: %s is only for jitter, with a comment on the import that says so, and for packages of tests; use crypto/rand",
						r.at(i.Pos()), imp)
				}
			}
		}
	}
}
