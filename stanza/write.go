package stanza

import (
	"weir/jid"
	"weir/xmlstream"
)

// AppendTo appends the stanza as it goes onto a client stream: the default
// namespace there is NSClient and is not declared again. It allocates only if
// dst is too small.
func (s *Stanza) AppendTo(dst []byte) []byte { return s.appendWith(dst, "") }

// appendWith is AppendTo with a declaration put into the start tag.
func (s *Stanza) appendWith(dst []byte, declaration string) []byte {
	c := s.content()
	name := s.Kind.String()
	dst = append(dst, '<')
	dst = append(dst, name...)
	dst = append(dst, declaration...)
	if !s.From.IsZero() {
		dst = appendAddress(append(dst, " from='"...), s.From)
	}
	if !s.To.IsZero() {
		dst = appendAddress(append(dst, " to='"...), s.To)
	}
	// RFC 6120 §8.2.3: an IQ has an id, if an empty one.
	if s.ID != "" || s.Kind == IQ {
		dst = appendValue(append(dst, " id='"...), s.ID)
	}
	if s.Type != "" && !s.bare {
		dst = appendValue(append(dst, " type='"...), s.Type)
	}
	if s.Lang != "" {
		dst = appendValue(append(dst, " xml:lang='"...), s.Lang)
	}
	dst = append(dst, c.other...)
	if c.inner == "" && c.tail == "" {
		return append(dst, "/>"...)
	}
	dst = append(dst, '>')
	dst = append(dst, c.inner...)
	dst = append(dst, c.tail...)
	dst = append(dst, "</"...)
	dst = append(dst, name...)
	return append(dst, '>')
}

// appendAddress appends an address and the closing quote. Only a resource can
// hold what must be escaped: RFC 7622 §3.3.1 keeps it out of localparts, and
// host names have none.
func appendAddress(dst []byte, j jid.JID) []byte {
	whole, resource := j.String(), j.Resource()
	dst = append(dst, whole[:len(whole)-len(resource)]...)
	return appendValue(dst, resource)
}

// appendValue appends an attribute value and the closing quote. It looks first
// whether there is anything to escape, since there hardly ever is.
func appendValue(dst []byte, v string) []byte {
	for i := range len(v) {
		if odd[v[i]] {
			return append(xmlstream.AppendAttr(dst, v), '\'')
		}
	}
	return append(append(dst, v...), '\'')
}

// odd has the bytes that AppendAttr has to look at. It is never written after
// its making.
var odd = func() (t [256]bool) {
	for c := range t {
		t[c] = c < ' ' || c >= 0x80
	}
	for _, c := range `&<>'"` {
		t[c] = true
	}
	return t
}()
