package xmlstream

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"
	"unicode"
)

// TestNames checks the tables of name characters, each against encoding/xml,
// which has those of the fourth edition too.
func TestNames(t *testing.T) {
	for r := rune(0x80); r <= 0x10400; r++ {
		if r >= 0xD800 && r < 0xE000 {
			continue
		}
		first, inner := classifyName(r, true), classifyName(r, false)
		if got := decodes("<" + string(r) + "/>"); got != (first == nameFirst) {
			t.Errorf("%U first: %v, encoding/xml %v", r, first, got)
		}
		if got := decodes("<a" + string(r) + "/>"); got != (inner == nameFirst || inner == nameInner) {
			t.Errorf("%U inside: %v, encoding/xml %v", r, inner, got)
		}
		if first == nameFirst && !fifthFirst(r) || inner >= nameInner && !fifthFirst(r) && !fifthInner(r) {
			t.Errorf("%U: the fifth edition took nothing away", r)
		}
		if first != nameNever && inner == nameNever {
			t.Errorf("%U may begin a name but not go on", r)
		}
	}
	for _, r := range []rune{0xD7, 0xF7, 0x37E, 0x2028, 0x3000, 0xE000, 0xFDD0, 0xFFFE, unicode.MaxRune} {
		if classifyName(r, false) != nameNever {
			t.Errorf("%U in a name", r)
		}
	}
	for _, r := range []rune{0x370, 0x2070, 0x218F, 0x2C00, 0x10000, 0xEFFFF} {
		if classifyName(r, true) != nameFifth {
			t.Errorf("%U is a name since the fifth edition", r)
		}
	}
}

// decodes reports whether encoding/xml takes doc.
func decodes(doc string) bool {
	d := xml.NewDecoder(strings.NewReader(doc))
	for {
		if _, err := d.Token(); err != nil {
			return err == io.EOF
		}
	}
}

// TestSplits cuts every document of the corpora in two, everywhere.
func TestSplits(t *testing.T) {
	for _, c := range corpus {
		if c.name != "roster" {
			eachSplit(t, streamHeader+c.xml+"</stream:stream>")
		}
	}
	eachSplit(t, "\n"+streamHeader[len("<?xml version='1.0'?>"):]+roster(3))
	for name, doc := range attacks(t) {
		if len(doc) < 600 {
			t.Run(name, func(t *testing.T) { eachSplit(t, doc+"<<") })
		}
	}
}
