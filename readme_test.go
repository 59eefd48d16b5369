package weir_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// notClaimed are specifications that comments cite although nothing of them is
// offered to clients as a feature: with the reason.
var notClaimed = map[string]string{
	"RFC 2104": "HMAC itself",
	"RFC 3629": "UTF-8, part of RFC 6120",
	"RFC 3921": "the old session request, answered for old clients",
	"RFC 4422": "SASL itself, part of RFC 6120",
	"RFC 4505": "ANONYMOUS, not offered",
	"RFC 8265": "PRECIS profiles, part of RFC 7622",
	"RFC 8446": "TLS 1.3 itself",
	"RFC 6066": "TLS extensions",
	"RFC 7301": "ALPN itself, part of XEP-0368",
	"RFC 7627": "extended master secret, part of RFC 9266",
	"RFC 5952": "spelling of IPv6 addresses, part of RFC 7622",
	"RFC 4648": "base64",
	"RFC 2782": "SRV records that weir check looks for",
	"RFC 6125": "names in certificates that weir check looks at",
	"RFC 9525": "names in certificates that weir check looks at",
	"XEP-0004": "the form in which others ask, part of XEP-0050 and XEP-0313",
	"XEP-0082": "the form of dates, part of others",
	"XEP-0045": "rooms: only what they send is recognised, for XEP-0280",
	"XEP-0085": "chat states: only recognised, so that they aren't stored",
	"XEP-0122": "how a field of a form is filled in, part of XEP-0313",
	"XEP-0184": "receipts: only recognised",
	"XEP-0333": "chat markers: only recognised",
	"XEP-0249": "invitations: only recognised, for XEP-0280",
	"XEP-0424": "retractions: archived as other messages are, and that is announced",
	"XEP-0205": "advice that limits follow",
	"XEP-0237": "roster versions before they became part of RFC 6121",
	"XEP-0360": "the word nonza",
	"XEP-0438": "advice on iterations",
}

var cited = regexp.MustCompile(`\b(RFC \d{4}|XEP-\d{4})\b`)

// citations returns which specifications the non-test sources of each folder
// cite.
func citations(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			switch {
			case path != "." && strings.HasPrefix(d.Name(), "."), path == "docs", path == "integration", d.Name() == "testdata":
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		dir := filepath.Dir(path)
		for _, m := range cited.FindAllString(string(b), -1) {
			if !slices.Contains(all[dir], m) {
				all[dir] = append(all[dir], m)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestImplementedTable holds README's table against the sources: each package a
// row names cites the specification, and what the code cites is in the table or
// said not to be claimed.
func TestImplementedTable(t *testing.T) {
	inCode := citations(t)
	var claimed []string
	for _, row := range table(t, "README.md", "specification") {
		claimed = append(claimed, row[0])
		for pkg := range strings.SplitSeq(row[2], ", ") {
			pkg = strings.Trim(pkg, "`")
			if !slices.Contains(inCode[pkg], row[0]) {
				t.Errorf("README says %s is in %s, whose sources don't cite it", row[0], pkg)
			}
		}
		if notClaimed[row[0]] != "" {
			t.Errorf("README claims %s, readme_test.go says why it isn't", row[0])
		}
	}
	for dir, specs := range inCode {
		for _, s := range specs {
			if !slices.Contains(claimed, s) && notClaimed[s] == "" {
				t.Errorf("%s cites %s, which is neither in README's table nor in notClaimed", dir, s)
			}
		}
	}
}

// TestReadmeLinks follows README's links to files.
func TestReadmeLinks(t *testing.T) {
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(string(b), -1) {
		if _, err := os.Stat(m[1]); err != nil {
			t.Errorf("README links to %s: %v", m[1], err)
		}
	}
}
