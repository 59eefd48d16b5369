package xmlstream

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// maxDecl bounds an XML declaration: there is little to say in one.
const maxDecl = 256

// prolog reads what may stand before the stream header: an XML declaration, then
// whitespace. It returns the offset of the header's '<', needMore or failed;
// w.pos is how far it came.
func (w *work) prolog(buf []byte) int {
	const begin = "<?xml"
	if n := min(len(buf), len(begin)); w.pos == 0 && string(buf[:n]) == begin[:n] {
		if len(buf) <= len(begin) {
			return needMore
		}
		if isSpace(buf[len(begin)]) {
			i := w.xmlDecl(buf)
			if i < 0 {
				return i
			}
			w.pos = i
		}
	}
	i := skipSpace(buf, w.pos)
	w.pos = i
	if i < len(buf) && buf[i] != '<' {
		return w.outside(buf, i, condNotWellFormed)
	}
	if i+1 >= len(buf) {
		return needMore
	}
	switch buf[i+1] {
	case '?':
		return w.instruction(buf, i)
	case '!':
		return w.fail(i, condRestrictedXML, "comment or document type declaration")
	case 0:
		return w.fail(i, condUnsupportedEncoding, "the stream has to be in UTF-8")
	}
	return i
}

// instruction refuses what begins with the "<?" at i: a processing instruction
// (RFC 6120 §11.1) or an XML declaration where none may be.
func (w *work) instruction(buf []byte, i int) int {
	const decl = "<?xml"
	rest := buf[i:]
	if n := min(len(rest), len(decl)); string(rest[:n]) == decl[:n] {
		if len(rest) <= len(decl) {
			return needMore
		}
		if isSpace(rest[len(decl)]) {
			return w.malformed(i, "XML declaration that is not at the very beginning")
		}
	}
	return w.fail(i, condRestrictedXML, "processing instruction")
}

// outside notes character data where only whitespace may be. A byte order mark
// is one too: here U+FEFF is a character like others (RFC 6120 §11.6).
func (w *work) outside(buf []byte, i int, condition string) int {
	r, n := utf8.DecodeRune(buf[i:])
	switch {
	case r == utf8.RuneError && n <= 1 && !utf8.FullRune(buf[i:]):
		return needMore
	case r == utf8.RuneError && n <= 1, r == 0:
		return w.fail(i, condUnsupportedEncoding, "the stream has to be in UTF-8")
	}
	return w.fail(i, condition, "character data outside of an element")
}

// xmlDecl reads the XML declaration at the front of buf (RFC 6120 §11.5) and
// returns the offset behind it.
func (w *work) xmlDecl(buf []byte) int {
	view := buf[:min(len(buf), maxDecl)]
	end := bytes.Index(view, []byte("?>"))
	if lt := bytes.IndexByte(view[1:], '<'); lt >= 0 && (end < 0 || lt < end) || end < 0 && len(view) == maxDecl {
		return w.malformed(0, "XML declaration without an end")
	}
	if end < 0 {
		return needMore
	}
	rest := string(view[len("<?xml"):end])
	version, rest, ok := pseudoAttr(rest, "version")
	if !ok || version != "1.0" {
		// XML 1.1 and later are other languages (RFC 6120 §11.8).
		return w.malformed(0, "XML declaration without version 1.0")
	}
	if encoding, more, ok := pseudoAttr(rest, "encoding"); ok {
		if !strings.EqualFold(encoding, "UTF-8") {
			return w.fail(0, condUnsupportedEncoding, "the stream has to be in UTF-8")
		}
		rest = more
	}
	if alone, more, ok := pseudoAttr(rest, "standalone"); ok && (alone == "yes" || alone == "no") {
		// RFC 6120 §11.5: to be ignored, or an error.
		rest = more
	}
	if strings.Trim(rest, " \t\r\n") != "" {
		return w.malformed(0, "XML declaration that is none")
	}
	return end + len("?>")
}

// pseudoAttr reads ` name="value"` from the front of s.
func pseudoAttr(s, name string) (value, rest string, ok bool) {
	const space = " \t\r\n"
	t := strings.TrimLeft(s, space)
	if len(t) == len(s) || !strings.HasPrefix(t, name) {
		return "", s, false
	}
	t = strings.TrimLeft(t[len(name):], space)
	if !strings.HasPrefix(t, "=") {
		return "", s, false
	}
	if t = strings.TrimLeft(t[1:], space); t == "" || t[0] != '"' && t[0] != '\'' {
		return "", s, false
	}
	n := strings.IndexByte(t[1:], t[0])
	if n < 0 {
		return "", s, false
	}
	return t[1 : 1+n], t[n+2:], true
}
