package main

import (
	"flag"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestDocs holds the package comment and docs/torture.md against the program: each
// flag, deed and promise is explained, and nothing else.
func TestDocs(t *testing.T) {
	read := func(name string) string {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	doc, comment := read("../../docs/torture.md"), read("main.go")
	var flags []string
	for _, m := range regexp.MustCompile(`(?m)^//\t-([a-z-]+) `).FindAllStringSubmatch(comment, -1) {
		flags = append(flags, m[1])
	}
	var real []string
	o := defaults()
	o.flags(io.Discard).VisitAll(func(f *flag.Flag) { real = append(real, f.Name) })
	equal(t, "flag in the package comment", flags, real)
	first := func(head string) (all []string) {
		_, rest, _ := strings.Cut(doc, "\n| "+head+" | ")
		rest, _, _ = strings.Cut(rest, "\n\n")
		for _, m := range regexp.MustCompile("(?m)^\\| `([a-z]+)` ").FindAllStringSubmatch(rest, -1) {
			all = append(all, m[1])
		}
		return all
	}
	equal(t, "deed in docs/torture.md", first("deed"), deeds)
	equal(t, "finding in docs/torture.md", first("finding"), promises)
	for _, m := range regexp.MustCompile(`\s-([a-z][a-z-]*)`).FindAllStringSubmatch(regexp.MustCompile("(?m)^    go run .*$").FindString(doc), -1) {
		if !slices.Contains(real, m[1]) {
			t.Errorf("docs/torture.md uses -%s, which isn't there", m[1])
		}
	}
}

func equal(t *testing.T, what string, documented, real []string) {
	t.Helper()
	documented, real = slices.Clone(documented), slices.Clone(real)
	slices.Sort(documented)
	slices.Sort(real)
	if !slices.Equal(documented, real) {
		t.Errorf("%s: documented %q, really %q", what, documented, real)
	}
}
