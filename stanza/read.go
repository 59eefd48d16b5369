package stanza

import (
	"errors"
	"strconv"

	"weir/jid"
	"weir/xmlstream"
)

// ErrNotStanza means that an element is none of the three kinds of stanza. On a
// stream this is unsupported-stanza-type (RFC 6120 §4.9.3.24).
var ErrNotStanza = errors.New("stanza: not a message, presence or IQ of " + NSClient)

var errNotOne = errors.New("stanza: not exactly one complete element")

// maxAttr bounds id and xml:lang, in bytes. RFC 6120 has no bound; the one of an
// address part seems enough for both.
const maxAttr = 1023

// nsXML is what the prefix xml stands for.
const nsXML = "http://www.w3.org/XML/1998/namespace"

// FromToken makes a stanza of an element that was read from a stream, copying
// what it keeps. The from attribute of the element is not taken over: the
// caller stamps it (RFC 6120 §8.1.2.1). lang is the stream's default language,
// stamped if the stanza has none; an empty xml:lang is no NMTOKEN and counts as
// none (RFC 6120 §8.1.5).
//
// An element of another name gives nil and [ErrNotStanza]. Any other error is an
// [Error], and comes with a stanza that is good for ErrorReply and for nothing
// else: bad-request for a type, an id or a number of children that RFC 6120
// §8.2.3 or RFC 6121 §4.7.1 does not allow; jid-malformed for a to attribute that
// is no address (RFC 6120 §8.3.3.8), and To is zero then; policy-violation for
// what would grow too much by being written again.
func FromToken(tok *xmlstream.Token, from jid.JID, lang string) (*Stanza, error) {
	s, _, err := read(tok)
	if s == nil {
		return nil, err
	}
	s.From = from
	if s.Lang == "" {
		s.Lang = lang
	}
	return s, err
}

// Parse reads a stanza back from the bytes of AppendTo (log records, tests). It
// takes any well-formed stanza of NSClient and keeps its from attribute.
func Parse(b []byte) (*Stanza, error) {
	var sc xmlstream.Scanner
	defer sc.Release()
	tok, err := scan(&sc, b)
	if err != nil {
		return nil, err
	}
	s, from, err := read(&tok)
	if err == nil && len(from) > 0 {
		s.From, err = jid.ParseBytes(from)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// read makes a stanza of a token; its from attribute is returned as it was
// written. With an error the stanza is what FromToken says.
func read(tok *xmlstream.Token) (s *Stanza, from []byte, err error) {
	kind := Kind(0)
	if string(tok.Space) == NSClient {
		kind = kindOf(tok.Local)
	}
	if kind == 0 {
		return nil, nil, ErrNotStanza
	}
	w := &whole{Stanza: Stanza{Kind: kind}}
	s = &w.Stanza
	s.c = &w.content
	var keep [kept][]byte
	var typ []byte
	typed, addressed := false, false
	for i := range tok.Attrs {
		a := &tok.Attrs[i]
		switch {
		case len(a.Space) == 0 && string(a.Local) == "to":
			keep[keepTo], addressed = a.Value, true
		case len(a.Space) == 0 && string(a.Local) == "from":
			from = a.Value
		case len(a.Space) == 0 && string(a.Local) == "id":
			keep[keepID] = a.Value
		case len(a.Space) == 0 && string(a.Local) == "type":
			typ, typed = a.Value, true
		case string(a.Local) == "lang" && string(a.Space) == nsXML:
			keep[keepLang] = a.Value
		default:
			keep[keepOther] = appendOther(keep[keepOther], i, a)
		}
	}
	out, failure := w.fill(kind, tok, &keep)
	if failure != nil {
		out = w.take(&xmlstream.Token{}, &keep)
	}
	s.ID, s.Lang = out[keepID], out[keepLang]
	ok := false
	s.Type, ok = validType(kind, typ, typed)
	s.bare = kind == Message && !typed
	if addressed {
		if s.To, err = jid.Parse(out[keepTo]); err != nil {
			return s, from, JIDMalformed("the to attribute is not an XMPP address")
		}
	}
	if failure != nil {
		return s, from, PolicyViolation("too large with its namespaces declared")
	}
	if !ok {
		return s, from, BadRequest("unknown or missing type")
	}
	return s, from, s.wellMade()
}

// wellMade checks what RFC 6120 §8.2.3 asks of an IQ, and our bounds.
func (s *Stanza) wellMade() error {
	if len(s.ID) > maxAttr || len(s.Lang) > maxAttr {
		return BadRequest("id or xml:lang of more than 1023 bytes")
	}
	if s.Kind != IQ {
		return nil
	}
	n := len(s.content().kids)
	switch {
	case s.ID == "":
		return BadRequest("an IQ needs an id")
	case s.IsRequest() && n != 1:
		return BadRequest("an IQ of type get or set has exactly one child")
	case s.Type == typeResult && n > 1:
		return BadRequest("an IQ of type result has at most one child")
	}
	return nil
}

// appendOther appends an attribute that this package does not know in the form
// of content.other. A namespace gets a prefix of its own, made of i, which is
// another for each attribute of the stanza.
func appendOther(dst []byte, i int, a *xmlstream.Attr) []byte {
	dst = append(dst, ' ')
	switch {
	case len(a.Space) == 0:
	case string(a.Space) == nsXML:
		dst = append(dst, "xml:"...)
	default:
		prefix := strconv.AppendInt([]byte("a"), int64(i), 10)
		dst = append(dst, "xmlns:"...)
		dst = append(dst, prefix...)
		dst = append(dst, "='"...)
		dst = xmlstream.AppendAttr(dst, a.Space)
		dst = append(dst, "' "...)
		dst = append(dst, prefix...)
		dst = append(dst, ':')
	}
	dst = append(dst, a.Local...)
	dst = append(dst, "='"...)
	dst = xmlstream.AppendAttr(dst, a.Value)
	return append(dst, '\'')
}
