package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSections(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("rfc9999.txt", `
Table of Contents

   1.  Introduction . . . . . 1
     1.1.  Scope  . . . . . . 2

1.  Introduction

   Text (see 1.1, and
   7.2.  not a heading).

1.1.  Scope

2 Old Style

Appendix A.  States

A.1.  Defined States
`)
	write("xep-9999.xml", `<xep>
<section1 topic='One' anchor='one'><p/></section1>
<!-- <section1 topic='Gone'></section1> -->
<section1 topic="Two">
  <section2 topic='a'><example><![CDATA[<section1 topic='no'>]]></example></section2>
  <section2 topic='b'><section3 topic='deep'/></section2>
</section1>
<section1>
  <section2 topic='a'/>
</section1></xep>`)
	write("README.md", "1.  Not a specification\n")
	got, err := sections(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := "RFC 9999: 1 1.1 2 A A.1\nXEP-9999: 1 2 2.1 2.2 2.2.1 3 3.1\n"
	if got != want {
		t.Errorf("sections:\n%s\nnot\n%s", got, want)
	}
}

func TestSectionsRefusesAnEmptyFolder(t *testing.T) {
	if got, err := sections(t.TempDir()); err == nil {
		t.Errorf("no error, but %q", got)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "rfc9998.txt"), []byte("nothing here"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sections(dir); err == nil || !strings.Contains(err.Error(), "rfc9998.txt") {
		t.Errorf("the error is %v", err)
	}
}
