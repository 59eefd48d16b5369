package xmlstream

import (
	"encoding/binary"
	"math/bits"
	"strings"
	"unicode/utf8"
)

// Classes of ASCII bytes. Bytes outside ASCII have none: they take the slow
// path, where whole characters are judged.
const (
	classFirst = 1 << iota // may begin a name
	className              // may stand in a name (but for the colon)
	classText              // means itself in character data, whatever surrounds it
	classValue             // means itself in an attribute value
	classSpace             // XML 1.0's S
	classNoURI             // can't stand in a URI or IRI
)

// class has the classes of each byte; it is never written.
var class = makeClass()

func makeClass() (t [256]uint8) {
	for c := range 0x80 {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_':
			t[c] |= classFirst | className
		case c >= '0' && c <= '9', c == '-', c == '.':
			t[c] |= className
		case c == ' ', c == '\t', c == '\n', c == '\r':
			t[c] |= classSpace
		}
		if c >= 0x20 && c != '<' && c != '&' {
			if c != ']' {
				t[c] |= classText
			}
			if c != '"' && c != '\'' {
				t[c] |= classValue
			}
		}
		if c <= ' ' || c == 0x7F || strings.IndexByte("<>\"{}|\\^`", byte(c)) >= 0 {
			t[c] |= classNoURI
		}
	}
	return t
}

func isSpace(c byte) bool { return class[c]&classSpace != 0 }

// Eight bytes are looked at as one number. The lowest bit that a test sets
// belongs to a byte that really matches; higher ones may be echoes of it.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

func load8(b []byte, i int) uint64 { return binary.LittleEndian.Uint64(b[i : i+8]) }

// firstMark returns the index of the first byte that a test marked.
func firstMark(m uint64) int { return bits.TrailingZeros64(m) >> 3 }

// textStop marks the bytes that end a run of plain character data: controls,
// '<', '&', ']' and all outside ASCII.
func textStop(x uint64) uint64 {
	lt, amp, br := x^(ones*'<'), x^(ones*'&'), x^(ones*']')
	m := (x-ones*0x20)&^x | (lt-ones)&^lt | (amp-ones)&^amp | (br-ones)&^br
	return (m | x) & highs
}

// valueStop marks the bytes that end a plain run in an attribute value:
// controls, '<', '&', the quote (given eight times) and all outside ASCII.
func valueStop(x, quotes uint64) uint64 {
	lt, amp, q := x^(ones*'<'), x^(ones*'&'), x^quotes
	m := (x-ones*0x20)&^x | (lt-ones)&^lt | (amp-ones)&^amp | (q-ones)&^q
	return (m | x) & highs
}

// runes checks characters outside ASCII from i on and returns the offset of the
// first byte that is in ASCII. Where the bytes end inside of a character it
// leaves its offset in w.pos and returns needMore.
func (w *work) runes(buf []byte, i int) int {
	for i < len(buf) {
		c := buf[i]
		if c < utf8.RuneSelf {
			return i
		}
		if c >= 0xC2 && c <= 0xDF && i+1 < len(buf) && buf[i+1]&0xC0 == 0x80 {
			i += 2
			continue
		}
		r, n := utf8.DecodeRune(buf[i:])
		if r == utf8.RuneError && n <= 1 {
			if !utf8.FullRune(buf[i:]) {
				w.pos = i
				return needMore
			}
			return w.badUTF8(i)
		}
		if r == 0xFFFE || r == 0xFFFF {
			return w.malformed(i, "character that XML does not allow")
		}
		i += n
	}
	return i
}

// badUTF8 notes bytes that are no UTF-8 (RFC 6120 §4.9.3.22).
func (w *work) badUTF8(i int) int {
	return w.fail(i, condUnsupportedEncoding, "bytes that are not UTF-8")
}

// isChar is the Char production of XML 1.0.
func isChar(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r <= 0xD7FF ||
		r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= 0x10FFFF
}

// maxReference bounds a reference: leading zeros have no end in XML.
const maxReference = 16

// reference reads the reference that begins with the '&' at i. It returns the
// character and the offset behind the ';'. A negative offset is needMore or
// failed; only the first can happen where the bytes were checked before.
func reference(buf []byte, i int) (r rune, end int) {
	limit := min(len(buf), i+maxReference)
	j := i + 1
	for j < limit && buf[j] != ';' {
		if c := buf[j]; class[c]&className == 0 && !(c == '#' && j == i+1) {
			return 0, failed
		}
		j++
	}
	if j == limit {
		if limit == len(buf) && limit < i+maxReference {
			return 0, needMore
		}
		return 0, failed
	}
	switch string(buf[i+1 : j]) {
	case "lt":
		return '<', j + 1
	case "gt":
		return '>', j + 1
	case "amp":
		return '&', j + 1
	case "quot":
		return '"', j + 1
	case "apos":
		return '\'', j + 1
	}
	if r = numeric(buf[i+1 : j]); !isChar(r) {
		return 0, failed
	}
	return r, j + 1
}

// numeric reads "#123" or "#x7b"; 0 is no character.
func numeric(b []byte) rune {
	if len(b) < 2 || b[0] != '#' {
		return 0
	}
	b, base := b[1:], rune(10)
	if b[0] == 'x' {
		b, base = b[1:], 16
	}
	var r rune
	for _, c := range b {
		d := rune(99)
		switch {
		case c >= '0' && c <= '9':
			d = rune(c - '0')
		case c >= 'a' && c <= 'f':
			d = rune(c-'a') + 10
		case c >= 'A' && c <= 'F':
			d = rune(c-'A') + 10
		}
		if r = r*base + d; d >= base || r > utf8.MaxRune {
			return 0
		}
	}
	return r
}

// reference checks the reference at i and returns the offset behind it.
func (w *work) reference(buf []byte, i int) int {
	r, end := reference(buf, i)
	switch {
	case end == needMore:
		w.pos = i
	case end == failed:
		// RFC 6120 §11.1: an entity other than the five; a broken or
		// forbidden number is a plain mistake.
		if i+1 < len(buf) && class[buf[i+1]]&classFirst != 0 {
			return w.fail(i, condRestrictedXML, "entity reference")
		}
		return w.malformed(i, "reference that XML does not allow")
	case buf[i+1] == '#' && (end-i > 6 || !plainNumeric(r)):
		w.odd = true
	}
	return end
}

// plainNumeric has the characters that writers usually give as numbers.
func plainNumeric(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r == '"' || r == '\''
}
