package xmlstream

import "unicode/utf8"

// AppendEscaped appends s as character data: '&', '<' and '>' as named
// references, a carriage return as a number, since a literal one would become a
// line feed (XML 1.0, section 2.11). What no XML document can hold becomes U+FFFD.
func AppendEscaped[T string | []byte](dst []byte, s T) []byte {
	return appendEscaped(dst, s, false)
}

// AppendAttr appends s as an attribute value, for quotes of either kind, which
// it doesn't append. It escapes what AppendEscaped does, the quotes, and tab and
// line feed as numbers, since literal ones would become spaces (XML 1.0, section
// 3.3.3).
func AppendAttr[T string | []byte](dst []byte, s T) []byte {
	return appendEscaped(dst, s, true)
}

func appendEscaped[T string | []byte](dst []byte, s T, value bool) []byte {
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
			if r == utf8.RuneError && n <= 1 || r == 0xFFFE || r == 0xFFFF {
				dst = append(append(dst, s[from:i]...), "\uFFFD"...)
				from = i + n
			}
			i += n
			continue
		}
		if esc := escapeOf(c, value); esc != "" {
			dst = append(append(dst, s[from:i]...), esc...)
			from = i + 1
		}
		i++
	}
	return append(dst, s[from:]...)
}

// escapeOf returns what is written in place of c, "" for c itself.
func escapeOf(c byte, value bool) string {
	switch c {
	case '&':
		return "&amp;"
	case '<':
		return "&lt;"
	case '>':
		return "&gt;"
	case '\r':
		return "&#13;"
	case '\t', '\n', '"', '\'':
		if !value {
			return ""
		}
		switch c {
		case '\t':
			return "&#9;"
		case '\n':
			return "&#10;"
		case '"':
			return "&quot;"
		}
		return "&apos;"
	}
	if c < 0x20 {
		return "\uFFFD"
	}
	return ""
}
