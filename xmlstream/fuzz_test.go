package xmlstream

import (
	"os"
	"path/filepath"
	"testing"
)

// attacks returns the documents of testdata/attacks: whole streams, most of
// which were an exploit for somebody once.
func attacks(t testing.TB) map[string]string {
	files, err := filepath.Glob("testdata/attacks/*.xml")
	if err != nil || len(files) == 0 {
		t.Fatal("no testdata/attacks", err)
	}
	docs := make(map[string]string)
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		docs[filepath.Base(f)] = string(b)
	}
	return docs
}

// FuzzScanner reads any stream at all.
func FuzzScanner(f *testing.F) {
	for _, c := range corpus {
		f.Add(streamHeader+c.xml+"\n</stream:stream>", uint64(1))
	}
	for _, doc := range attacks(f) {
		f.Add(doc, uint64(2))
	}
	f.Add("<?xml version='1.0' encoding='utf-8'?>\n<s xmlns='http://etherx.jabber.org/streams'/>", uint64(3))
	f.Fuzz(func(t *testing.T, wire string, seed uint64) { checkWire(t, wire, seed) })
}

// FuzzRewrite reads elements on a stream whose header binds prefixes, so that
// much of what it finds has to be rewritten.
func FuzzRewrite(f *testing.F) {
	const header = "<s:s xmlns='d' xmlns:s='http://etherx.jabber.org/streams' xmlns:p='urn:p' xmlns:q='urn:q'>"
	for _, c := range corpus {
		f.Add(c.xml)
	}
	f.Add(`<a xmlns:x='urn:x' x:b='1' p:b='2' c='&#65;&#10;'><p:b><x:c q:d='' p:e='' p:f=''/></p:b><![CDATA[<]]>&#x41;]]&gt;</a>`)
	f.Add("<p:a>\r\n<b\txmlns=''\tc='\n&#13;\t'><c xmlns='d'/></b></p:a>")
	f.Fuzz(func(t *testing.T, element string) { checkWire(t, header+element, 1) })
}
