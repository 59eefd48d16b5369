// Command gen writes docs/spec/sections.txt, the list of the sections that the
// RFCs and XEPs have which comments in this repository cite.
//
// It must not know any package of the server. People run it when a
// specification is added or renewed, with the folder that holds the texts:
//
//	go run ./docs/spec/gen -specs ../shared/specs
//
// The folder has RFCs as rfcNNNN.txt (in the RFC editor's plain text form) and
// XEPs as xep-NNNN.xml. The output has one line a document: its name, then its
// section numbers in order. The test of the repository reads that file.
//
// It implements no specification; start reading at sections.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
)

func main() {
	specs := flag.String("specs", "", "folder with rfc*.txt and xep-*.xml")
	out := flag.String("out", "docs/spec/sections.txt", "file to write; - is the standard output")
	flag.Parse()
	text, err := sections(*specs)
	switch {
	case err != nil:
	case *out == "-":
		_, err = fmt.Print(text)
	default:
		err = os.WriteFile(*out, []byte(text), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

var document = regexp.MustCompile(`^(?:rfc(\d{4})\.txt|xep-(\d{4})\.xml)$`)

// sections returns the list for all documents of a folder.
func sections(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	var lines []string
	for _, e := range entries {
		m := document.FindStringSubmatch(e.Name())
		if m == nil {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return "", err
		}
		name, found := "RFC "+m[1], []string(nil)
		if m[1] != "" {
			found = rfcSections(string(b))
		} else {
			name, found = "XEP-"+m[2], xepSections(string(b))
		}
		if len(found) == 0 {
			return "", fmt.Errorf("%s has no sections", e.Name())
		}
		lines = append(lines, name+": "+strings.Join(found, " ")+"\n")
	}
	if len(lines) == 0 {
		return "", fmt.Errorf("no specifications in %q", dir)
	}
	sort.Strings(lines)
	return strings.Join(lines, ""), nil
}

var (
	rfcHeading = regexp.MustCompile(`(?m)^(?:(\d+(?:\.\d+)*)\.? +\S|Appendix ([A-Z])\.|([A-Z](?:\.\d+)+)\.? +\S)`)
	xepSkip    = regexp.MustCompile(`(?s)<!--.*?-->|<!\[CDATA\[.*?\]\]>`)
	xepHeading = regexp.MustCompile(`<section([1-6])[\s>]`)
)

// rfcSections finds the headings of an RFC: they begin a line, all other text is indented.
func rfcSections(text string) []string {
	var out []string
	seen := map[string]bool{}
	for _, m := range rfcHeading.FindAllStringSubmatch(text, -1) {
		n := m[1] + m[2] + m[3]
		if !seen[n] {
			seen[n] = true
			out = append(out, n)
		}
	}
	return out
}

// xepSections counts the section elements of a XEP as its stylesheet does.
func xepSections(text string) []string {
	var out []string
	var count [7]int
	for _, m := range xepHeading.FindAllStringSubmatch(xepSkip.ReplaceAllString(text, ""), -1) {
		level := int(m[1][0] - '0')
		count[level]++
		clear(count[level+1:])
		n := fmt.Sprint(count[1])
		for _, c := range count[2 : level+1] {
			n += fmt.Sprint(".", c)
		}
		out = append(out, n)
	}
	return out
}
