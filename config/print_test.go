package config

import (
	"reflect"
	"regexp"
	"strings"
	"testing"
)

func defaultFile(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	if err := WriteDefault(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestDefaultFile holds that the printed file means the defaults: as it is, and
// with every setting taken out of its comment.
func TestDefaultFile(t *testing.T) {
	text := defaultFile(t)
	all := regexp.MustCompile(`(?m)^#(\w+ = )`).ReplaceAllString(text, "$1")
	if n, want := len(regexp.MustCompile(`(?m)^\w+ = `).FindAllString(all, -1)), len(settings())-1; n != want {
		t.Errorf("%d settings in the file, want %d: all but tls.certificates", n, want)
	}
	for name, text := range map[string]string{"as printed": text, "every setting set": all} {
		got, err := Parse("default.toml", text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if want := Default(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: it parses to\n%+v\nand not to the defaults\n%+v", name, got, want)
		}
	}
}

// TestDefaultFileExplains holds that every setting has a comment in words of the
// file: no names of Go's fields, no unexplained key, no long lines.
func TestDefaultFileExplains(t *testing.T) {
	text := defaultFile(t)
	for _, s := range settings() {
		if len(s.doc) < 10 {
			t.Errorf("%s has no comment in its Options struct", s.key())
		}
		if s.goName != "TLS" && len(s.goName) > 5 && regexp.MustCompile(`\b`+s.goName+`\b`).MatchString(text) &&
			regexp.MustCompile(`[a-z0-9][A-Z]`).MatchString(s.goName) {
			t.Errorf("the file speaks of %s, which is called %s there", s.goName, s.name)
		}
	}
	for i, line := range strings.Split(text, "\n") {
		if len(line) > 110 {
			t.Errorf("line %d has %d bytes: %s", i+1, len(line), line)
		}
	}
}

// TestExampleOfCertificates holds that the example in the file is right: it
// parses once its marks are taken away.
func TestExampleOfCertificates(t *testing.T) {
	var example strings.Builder
	for line := range strings.Lines(defaultFile(t)) {
		if rest, ok := strings.CutPrefix(line, "#   "); ok {
			example.WriteString(rest)
		}
	}
	c, err := Parse("example.toml", example.String())
	if err == nil || !strings.Contains(err.Error(), "/etc/weir/example.org.pem: no such file") || strings.Contains(err.Error(), "\n") {
		t.Errorf("want the missing file as the one mistake, got %v", err)
	}
	if n := len(c.TLS.Certificates); n != 1 {
		t.Errorf("%d certificates in\n%s", n, &example)
	}
}
