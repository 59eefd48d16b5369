package weir_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/auth"
	"weir/c2s"
	"weir/policy"
	"weir/presence"
	"weir/sessionmgr"
)

// table returns the rows, cell by cell, of the table under a heading of a
// document whose first column has a name.
func table(t *testing.T, file, first string) [][]string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	in := false
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			in = false
			continue
		}
		var cells []string
		for c := range strings.SplitSeq(strings.Trim(line, "|"), "|") {
			cells = append(cells, strings.TrimSpace(c))
		}
		switch {
		case cells[0] == first:
			in = true
		case in && !strings.HasPrefix(cells[0], "---"):
			rows = append(rows, cells)
		}
	}
	if len(rows) == 0 {
		t.Fatalf("%s has no table with the first column %q", file, first)
	}
	return rows
}

// names returns the first cells without their backquotes.
func names(rows [][]string) []string {
	var all []string
	for _, r := range rows {
		all = append(all, strings.Trim(r[0], "`"))
	}
	return all
}

func same(t *testing.T, what string, documented, real []string) {
	t.Helper()
	slices.Sort(documented)
	slices.Sort(real)
	for _, n := range documented {
		if !slices.Contains(real, n) {
			t.Errorf("docs/session.md: %s %s isn't in the code", what, n)
		}
	}
	for _, n := range real {
		if !slices.Contains(documented, n) {
			t.Errorf("docs/session.md: %s %s is missing", what, n)
		}
	}
	if len(documented) != len(slices.Compact(slices.Clone(documented))) {
		t.Errorf("docs/session.md: a %s is listed twice", what)
	}
}

func TestDocumentedStates(t *testing.T) {
	var real []string
	for s := sessionmgr.NotOpen; s <= sessionmgr.Destroyed; s++ {
		if n := s.String(); !slices.Contains(real, n) {
			real = append(real, n)
		}
	}
	same(t, "state", names(table(t, "docs/session.md", "state")), real)
}

func TestDocumentedProperties(t *testing.T) {
	real := properties("", reflect.TypeFor[sessionmgr.Description]())
	same(t, "property", names(table(t, "docs/session.md", "property")), real)
}

// properties lists the names in JSON of a struct's fields, and of those of
// structs inside of it and that it points to.
func properties(prefix string, typ reflect.Type) (all []string) {
	for f := range typ.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		all = append(all, prefix+name)
		switch {
		case f.Type.Kind() == reflect.Pointer:
			all = append(all, properties(prefix+name+".", f.Type.Elem())...)
		case f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[time.Time]():
			all = append(all, properties(prefix+name+".", f.Type)...)
		}
	}
	return all
}

// TestDocumentedMarks: marks are the properties that are true or false, but for
// what is of the moment or of the connection only.
func TestDocumentedMarks(t *testing.T) {
	var real []string
	typ := reflect.TypeFor[sessionmgr.Description]()
	for i := range typ.NumField() {
		f := typ.Field(i)
		if name := f.Tag.Get("json"); f.Type.Kind() == reflect.Bool && name != "catching_up" && name != "tls_resumed" {
			real = append(real, name)
		}
	}
	same(t, "mark", names(table(t, "docs/session.md", "mark")), real)
}

func TestDocumentedCauses(t *testing.T) {
	var real []string
	for _, c := range sessionmgr.CauseCodes() {
		real = append(real, c.String())
	}
	same(t, "cause", names(table(t, "docs/session.md", "cause")), real)
}

func TestDocumentedPolicies(t *testing.T) {
	var real []string
	for _, k := range policy.Kinds() {
		real = append(real, k.String())
	}
	same(t, "session policy", names(table(t, "docs/session.md", "session policy")), real)
	same(t, "session policy (docs/policies.md)", names(table(t, "docs/policies.md", "session policy")), real)
}

// TestDocumentedHooks compares names, kinds and whether handlers may block with the
// catalogues.
func TestDocumentedHooks(t *testing.T) {
	var real []string
	kind := regexp.MustCompile(`hook\.(Point|Filter|Veto)\[`)
	for pkg, typ := range map[string]reflect.Type{
		"sessionmgr": reflect.TypeFor[sessionmgr.Hooks](),
		"c2s":        reflect.TypeFor[c2s.Hooks](),
		"presence":   reflect.TypeFor[presence.Hooks](),
		"auth":       reflect.TypeFor[auth.Hooks](),
	} {
		for f := range typ.Fields() {
			m := kind.FindStringSubmatch(f.Type.String())
			if m == nil {
				t.Errorf("%s.Hooks.%s is no hook but %s", pkg, f.Name, f.Type)
				continue
			}
			blocks := map[bool]string{true: "yes", false: "no"}[f.Tag.Get("hook") == "blocks"]
			real = append(real, fmt.Sprintf("%s.%s %s %s", pkg, f.Name, strings.ToLower(m[1]), blocks))
		}
	}
	var documented []string
	for _, r := range table(t, "docs/session.md", "hook") {
		documented = append(documented, strings.Trim(r[0], "`")+" "+r[1]+" "+r[3])
	}
	same(t, "hook", documented, real)
}

// TestNamedTestsExist: a test that docs/session.md names is there.
func TestNamedTestsExist(t *testing.T) {
	doc, err := os.ReadFile("docs/session.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("`(Test\\w+)` in `(\\w+)`").FindAllStringSubmatch(string(doc), -1) {
		files, err := filepath.Glob(m[2] + "/*_test.go")
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(files, func(f string) bool {
			b, err := os.ReadFile(f)
			return err == nil && strings.Contains(string(b), "func "+m[1]+"(")
		}) {
			t.Errorf("docs/session.md names %s, which isn't in %s", m[1], m[2])
		}
	}
}

// TestPreDrainRulesHaveTests holds the seven rules against their tests.
func TestPreDrainRulesHaveTests(t *testing.T) {
	b, err := os.ReadFile("netserver/predrain_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 7; n++ {
		if !strings.Contains(string(b), fmt.Sprintf("func TestPreDrainRule%d", n)) {
			t.Errorf("rule %d of docs/session.md has no TestPreDrainRule%d", n, n)
		}
	}
}
