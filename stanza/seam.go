package stanza

import (
	"unicode/utf8"

	"weir/xmlstream"
)

// appendEscaped appends s so that it may stand in character data or in a quoted
// attribute value. What no XML document can hold is U+FFFD.
func appendEscaped[T string | []byte](dst []byte, s T) []byte {
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c < 0x80 && c != '<' && c != '>' && c != '&' && c != '\'' && c != '"' {
			continue
		}
		if c >= 0x80 {
			r, n := utf8.DecodeRuneInString(string(s[i:min(i+4, len(s))]))
			if r == utf8.RuneError && n <= 1 || r == 0xFFFE || r == 0xFFFF {
				dst = append(append(dst, s[from:i]...), "\uFFFD"...)
				from = i + n
			}
			i += n - 1
			continue
		}
		dst = append(dst, s[from:i]...)
		from = i + 1
		switch c {
		case '<':
			dst = append(dst, "&lt;"...)
		case '>':
			dst = append(dst, "&gt;"...)
		case '&':
			dst = append(dst, "&amp;"...)
		case '\'':
			dst = append(dst, "&apos;"...)
		case '"':
			dst = append(dst, "&quot;"...)
		case '\t':
			dst = append(dst, "&#9;"...)
		case '\n':
			dst = append(dst, "&#10;"...)
		case '\r':
			dst = append(dst, "&#13;"...)
		default:
			dst = append(dst, "\uFFFD"...)
		}
	}
	return append(dst, s[from:]...)
}

func rewriteInner(tok *xmlstream.Token) []byte { return innerOf(tok) }
