package xmlstream

import (
	"strings"
	"testing"
)

// TestHeader has beginnings of a stream.
func TestHeader(t *testing.T) {
	const open = `<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`
	for _, c := range []struct{ want, wire string }{
		{"", open},
		{"", "\n " + open},
		{"", `<?xml version='1.0'?>` + open},
		{"", `<?xml version="1.0" encoding="utf-8" ?>` + "\r\n\t " + open},
		{"", `<?xml version = '1.0' encoding='UTF-8' standalone='yes'?>` + open},
		{"", `<?xml version='1.0' standalone='no'?>` + open},
		{"", `<stream xmlns='http://etherx.jabber.org/streams'>`},
		{"", `<a/>`},
		{"", open + "</stream:stream>"},
		{"", open + "</stream:stream \n>"},
		{"not-well-formed", `<?xml version='1.1'?>` + open},
		{"restricted-xml", `<?xml?>` + open},
		{"not-well-formed", `<?xml encoding='UTF-8'?>` + open},
		{"not-well-formed", `<?xml version='1.0'encoding='UTF-8'?>` + open},
		{"not-well-formed", `<?xml version='1.0' encoding=UTF-8?>` + open},
		{"not-well-formed", `<?xml version='1.0' standalone='x'?>` + open},
		{"not-well-formed", `<?xml version='1.0' x='y'?>` + open},
		{"", " \n<?xml version='1.0'?>" + open}, // clients that end the lines of what came before
		{"not-well-formed", `<?xml version='1.0'?><?xml version='1.0'?>` + open},
		{"not-well-formed", `<?xml version='1.0'` + open},
		{"not-well-formed", `<?xml version='1.0' ` + strings.Repeat(" ", 300)},
		{"unsupported-encoding", `<?xml version='1.0' encoding='UTF-16'?>` + open},
		{"unsupported-encoding", `<?xml version='1.0' encoding='ISO-8859-1'?>` + open},
		{"unsupported-encoding", "\xff\xfe<\x00s\x00"},
		{"unsupported-encoding", "\xfe\xff\x00<\x00s"},
		{"unsupported-encoding", "<\x00s\x00t\x00"},
		{"unsupported-encoding", "\x00<\x00s"},
		{"not-well-formed", "\ufeff" + open},
		{"not-well-formed", "GET / HTTP/1.1\r\n\r\n"},
		{"unsupported-encoding", "\x16\x03\x01\x00\x05\xff"[5:]},
		{"not-well-formed", "\x16\x03\x01\x02\x00\x01"},
		{"restricted-xml", `<?php x?>` + open},
		{"restricted-xml", `<!-- x -->` + open},
		{"restricted-xml", `<!DOCTYPE stream>` + open},
		{"restricted-xml", `<?xml version='1.0'?><!DOCTYPE x [<!ENTITY lol "lol">]>` + open},
		{"not-well-formed", `</stream:stream>`},
		{"not-well-formed", `<stream:stream>`},
		{"not-well-formed", `<x:stream xmlns:stream='http://etherx.jabber.org/streams'>`},
		{"bad-format", open + "</stream:stream><a/>"},
		{"bad-format", open + "</stream:stream>x"},
		{"policy-violation", open + "</stream:stream" + strings.Repeat(" ", 2000)},
	} {
		for _, chunk := range []int{1 << 20, 1, 2, 5} {
			if got, err := scan(c.wire, Limits{}, chunk); condition(err) != c.want {
				t.Errorf("%q in pieces of %d: %q, %v; want %q", c.wire, chunk, got, err, c.want)
			}
		}
	}
}

func TestHeaderToken(t *testing.T) {
	var s Scanner
	tok, n, err := s.Next([]byte(streamHeader + "<a/>"))
	if err != nil || tok.Kind != Header || n != len(streamHeader) {
		t.Fatal(tok.Kind, n, err)
	}
	if !tok.Is(nsStream, "stream") || string(tok.Prefix) != "stream" || s.ContentNamespace() != nsClient {
		t.Fatalf("%s %s %s %s", tok.Space, tok.Local, tok.Prefix, s.ContentNamespace())
	}
	if to, _ := tok.Attr("to"); string(to) != "example.net" {
		t.Errorf("to is %q", to)
	}
	if lang, _ := tok.AttrNS(nsXML, "lang"); string(lang) != "en" {
		t.Errorf("xml:lang is %q", lang)
	}
	if _, ok := tok.Attr("lang"); ok || len(tok.Attrs) != 3 {
		t.Errorf("%d attributes", len(tok.Attrs))
	}
	if want := streamHeader[strings.Index(streamHeader, "<stream"):]; string(tok.Raw) != want || tok.Inner != len(want) {
		t.Errorf("raw: %q", tok.Raw)
	}
	if s.scope != usual {
		t.Error("an ordinary header takes memory of its own")
	}

	s.Reset(Limits{})
	const other = `<s xmlns='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback'/>`
	tok, n, err = s.Next([]byte(other))
	if err != nil || tok.Kind != Header || n != len(other)-1 || string(tok.Raw) != other {
		t.Fatal(tok.Kind, n, err)
	}
	if s.ContentNamespace() != nsStream {
		t.Errorf("content namespace %q", s.ContentNamespace())
	}
	for prefix, space := range s.HeaderPrefixes {
		if prefix != "db" || space != "jabber:server:dialback" {
			t.Errorf("prefix %q for %q", prefix, space)
		}
	}
	if tok, n, err = s.Next([]byte(other[n:])); tok.Kind != Close || n != 1 || err != nil {
		t.Error(tok.Kind, n, err)
	}
}
