package admin

import (
	"bytes"
	"unicode/utf8"
)

// mask replaces the text of XML by as many x: what people write, and nothing of
// what programs need to understand each other, which is attributes, the priority
// and show of presence, and the names of forms. The XML is a stanza as it is
// forwarded: well-formed, without comments and CDATA.
func mask(xml []byte) []byte {
	out := make([]byte, 0, len(xml))
	for i := 0; i < len(xml); {
		switch c := xml[i]; {
		case c == '<':
			end := tagEnd(xml, i)
			tag := xml[i:end]
			out = append(out, tag...)
			i = end
			if keepsText(tag, xml[i:]) {
				n := max(0, bytes.IndexByte(xml[i:], '<'))
				out = append(out, xml[i:i+n]...)
				i += n
			}
		case c == ' ' || c == '\n' || c == '\t' || c == '\r':
			out = append(out, c)
			i++
		case c == '&': // a character by its name
			for i < len(xml) && xml[i] != ';' && xml[i] != '<' {
				i++
			}
			if i < len(xml) && xml[i] == ';' {
				i++
			}
			out = append(out, 'x')
		default:
			_, n := utf8.DecodeRune(xml[i:])
			out = append(out, 'x')
			i += n
		}
	}
	return out
}

// keepsText reports whether the text behind a tag is for programs.
func keepsText(tag, text []byte) bool {
	name := bytes.TrimRight(tag[1:len(tag)-1], " ")
	if i := bytes.IndexByte(name, ' '); i >= 0 {
		name = name[:i]
	}
	switch string(name) {
	case "priority", "show":
		return true
	case "value":
		return bytes.HasPrefix(text, []byte("urn:xmpp:")) || bytes.HasPrefix(text, []byte("http://jabber.org/protocol/"))
	}
	return false
}

// tagEnd returns where the tag that begins at i has ended.
func tagEnd(xml []byte, i int) int {
	quote := byte(0)
	for ; i < len(xml); i++ {
		switch c := xml[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return i + 1
		}
	}
	return i
}
