package stanza

import "weir/jid"

// NSStanzaID is the namespace of the ids that archives give to stanzas
// (XEP-0359).
const NSStanzaID = "urn:xmpp:sid:0"

// WithStanzaID returns a variant that says under which id the archive of an
// account has the stanza (XEP-0359 §2.1, XEP-0313 §3.5). What others claimed in
// the account's name must have been taken out before.
func (s *Stanza) WithStanzaID(by jid.JID, id string) *Stanza {
	var room [192]byte
	b := append(room[:0], "<stanza-id xmlns='"+NSStanzaID+"' by='"...)
	b = appendAddress(b, by)
	b = appendValue(append(b, " id='"...), id)
	return s.withTail(append(b, "/>"...), NSStanzaID, "stanza-id")
}

// withTail returns a variant with one more child, in canonical form and with its
// namespace declared. It is not looked at: nobody else's bytes come here. Where
// WithChild reads and writes the whole stanza again, this shares it.
func (s *Stanza) withTail(xml []byte, space, local string) *Stanza {
	old := s.content()
	w := &whole{Stanza: *s}
	w.c = &w.content
	w.inner, w.other = old.inner, old.other
	if old.tail == "" {
		w.tail = string(xml)
	} else {
		w.tail = old.tail + string(xml)
	}
	at := len(old.inner) + len(old.tail)
	w.kids = w.few[:0]
	if len(old.kids) >= len(w.few) {
		w.kids = make([]child, 0, len(old.kids)+1)
	}
	w.kids = append(w.kids, old.kids...)
	w.kids = append(w.kids, child{start: uint32(at), end: uint32(at + len(xml)), space: space, local: local})
	return &w.Stanza
}
