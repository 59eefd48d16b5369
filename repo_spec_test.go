package weir_test

import (
	"bytes"
	"go/ast"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// sectionList is made by go run ./docs/spec/gen.
const sectionList = "docs/spec/sections.txt"

// specSections returns which sections each document has.
func specSections(t *testing.T) map[string]map[string]bool {
	t.Helper()
	b, err := os.ReadFile(sectionList)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string]bool{}
	for _, l := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		doc, list, ok := strings.Cut(l, ": ")
		if !ok {
			t.Fatalf("%s: not a line of it: %s", sectionList, l)
		}
		out[doc] = map[string]bool{}
		for _, s := range strings.Fields(list) {
			out[doc][s] = true
		}
	}
	return out
}

const sectionNumber = `[0-9A-Z][0-9A-Z]*(?:\.[0-9]+)*`

var (
	citation = regexp.MustCompile(`(RFC \d{4}|XEP-\d{4})((?:(?:,| and| or|, and| to|–)? ?§` + sectionNumber + `)+)`)
	oneOf    = regexp.MustCompile(`§(` + sectionNumber + `)`)
	badForm  = regexp.MustCompile(`(?:RFC|XEP)[- ]?\d{4},? (?:[Ss]ections?|[Ss]ec\.|[Cc]hapter) ?\d|RFC-?\d{4}\b|XEP[ ]?\d{4}\b|rfc ?\d{4}\b`)
)

// unchecked are documents of others that we cite and whose sections are not in the list.
var unchecked = []string{"RFC 1034", "RFC 1035", "RFC 1123", "RFC 2104", "RFC 3492", "RFC 3986", "RFC 4790", "RFC 5280",
	"RFC 5705", "RFC 5890", "RFC 5891", "RFC 5892", "RFC 5893", "RFC 6066", "RFC 7301", "RFC 8018", "RFC 8264", "RFC 8446"}

// comments calls fn with each comment of the repository as one line of text.
func comments(r *repo, fn func(at string, text string)) {
	for _, s := range r.files {
		for _, c := range s.file.Comments {
			fn(r.at(c.Pos()), joined(c))
		}
	}
}

// joined returns a comment on one line, "" for none.
func joined(c *ast.CommentGroup) string {
	return strings.Join(strings.Fields(c.Text()), " ")
}

// TestCitations holds that each section that a comment or a script cites exists.
func TestCitations(t *testing.T) {
	known := specSections(t)
	check := func(at, text string) {
		for _, m := range citation.FindAllStringSubmatch(text, -1) {
			doc, ok := known[m[1]]
			if slices.Contains(unchecked, m[1]) {
				continue
			}
			if !ok {
				t.Errorf("%s: %s: that document isn't in %s: cite it without a section, or add it there", at, m[0], sectionList)
				continue
			}
			for _, n := range oneOf.FindAllStringSubmatch(m[2], -1) {
				if !doc[n[1]] {
					t.Errorf("%s: %s has no section %s", at, m[1], n[1])
				}
			}
		}
		for _, bad := range badForm.FindAllString(text, -1) {
			t.Errorf("%s: %q: write it as RFC 6120 §4.9.1.1 or XEP-0198 §5", at, bad)
		}
	}
	comments(load(t), check)
	scripts, err := os.ReadDir("integration/scripts")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range scripts {
		name := "integration/scripts/" + s.Name()
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		check(name+":1", strings.Join(strings.Fields(string(b)), " "))
	}
}

// TestCitationForms tries the expressions.
func TestCitationForms(t *testing.T) {
	for text, want := range map[string]string{
		"see RFC 6120 §4.9.1.1.":                 "4.9.1.1",
		"RFC 6121 §3.1, §3.2 and §A.2.1: so":     "3.1 3.2 A.2.1",
		"(XEP-0198 §5; RFC 6120 §8.2.3)":         "5 8.2.3",
		"RFC 6121 §8 as a table, §9.9 of design": "8",
		"RFC 5802 alone":                         "",
	} {
		var got []string
		for _, m := range citation.FindAllStringSubmatch(text, -1) {
			for _, n := range oneOf.FindAllStringSubmatch(m[2], -1) {
				got = append(got, n[1])
			}
		}
		if g := strings.Join(got, " "); g != want {
			t.Errorf("%q cites %q, not %q", text, g, want)
		}
	}
	for text, bad := range map[string]bool{
		"RFC 6120, section 4": true, "RFC6120": true, "XEP 0198": true, "rfc6120": true, "XEP-0198 section 3": true,
		"RFC 6120 §4": false, "XEP-0198": false, "RFC 6121": false,
	} {
		if got := badForm.MatchString(text); got != bad {
			t.Errorf("%q is bad form: %v, should be %v", text, got, bad)
		}
	}
}

// TestSectionListIsCurrent compares the list with the specifications where they
// are at hand; elsewhere the list itself is what there is.
func TestSectionListIsCurrent(t *testing.T) {
	have, err := os.ReadFile(sectionList)
	if err != nil {
		t.Fatal(err)
	}
	specs := os.Getenv("WEIR_SPECS")
	if specs == "" {
		specs = "../shared/specs"
	}
	if _, err := os.Stat(specs); err != nil {
		t.Logf("the specifications aren't at hand (%s; WEIR_SPECS names another folder): the list was not compared", specs)
		if len(specSections(t)) < 100 {
			t.Errorf("%s is cut short", sectionList)
		}
		return
	}
	want, err := exec.Command("go", "run", "./docs/spec/gen", "-specs", specs, "-out", "-").Output()
	if err != nil {
		t.Fatalf("go run ./docs/spec/gen: %v", err)
	}
	if !bytes.Equal(have, want) {
		t.Errorf("%s is old: run go run ./docs/spec/gen -specs %s", sectionList, specs)
	}
}
