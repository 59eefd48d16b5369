package xmlstream

import (
	"bytes"
	"unicode/utf8"
)

// appendValue appends the meaning of a checked attribute value: references are
// resolved, literal whitespace is a space (XML 1.0, section 3.3.3).
func appendValue(dst, raw []byte) []byte {
	for i := 0; i < len(raw); {
		switch c := raw[i]; c {
		case '&':
			var r rune
			if r, i = reference(raw, i); i < 0 {
				return dst // not checked: nothing sensible can follow
			}
			dst = utf8.AppendRune(dst, r)
			continue
		case '\t', '\n':
			dst = append(dst, ' ')
		case '\r':
			if i+1 < len(raw) && raw[i+1] == '\n' {
				i++
			}
			dst = append(dst, ' ')
		default:
			dst = append(dst, c)
		}
		i++
	}
	return dst
}

// appendText appends the meaning of checked character data: references are
// resolved unless it is a CDATA section's (refs false), line ends are '\n' (XML
// 1.0, section 2.11).
func appendText(dst, raw []byte, refs bool) []byte {
	special := "&\r"
	if !refs {
		special = "\r"
	}
	for i := 0; i < len(raw); {
		n := bytes.IndexAny(raw[i:], special)
		if n < 0 {
			return append(dst, raw[i:]...)
		}
		dst = append(dst, raw[i:i+n]...)
		if i += n; raw[i] == '&' {
			var r rune
			if r, i = reference(raw, i); i < 0 {
				return dst // not checked: nothing sensible can follow
			}
			dst = utf8.AppendRune(dst, r)
			continue
		}
		if i++; i >= len(raw) || raw[i] != '\n' {
			dst = append(dst, '\n')
		}
	}
	return dst
}
