package stanza

import (
	"encoding/xml"
	"errors"
	"fmt"

	"weir/jid"
)

var errNoRequest = errors.New("stanza: a result answers only an IQ of type get or set")

// New makes a stanza of a kind, type and addresses with payload: nil, []byte of
// XML that declares every namespace it uses but NSClient, or a value that is
// marshalled by encoding/xml. An error is a mistake of the caller: a type that
// the kind does not have, or a payload that is not well-formed.
func New(kind Kind, typ, id string, from, to jid.JID, payload any) (*Stanza, error) {
	if kind < Message || kind > IQ {
		return nil, ErrNotStanza
	}
	value, ok := validType(kind, []byte(typ), typ != "")
	if !ok || typ != "" && value != typ {
		return nil, fmt.Errorf("stanza: no %v has the type %q", kind, typ)
	}
	inner, ok := payload.([]byte)
	if !ok && payload != nil {
		var err error
		if inner, err = xml.Marshal(payload); err != nil {
			return nil, fmt.Errorf("stanza: payload: %w", err)
		}
	}
	head := Stanza{Kind: kind, bare: kind == Message && typ == "", Type: value, ID: id, From: from, To: to}
	s, err := head.withInner(inner)
	if err != nil {
		return nil, fmt.Errorf("stanza: payload: %w", err)
	}
	if err := s.wellMade(); err != nil {
		return nil, err
	}
	return s, nil
}

// Result returns the answer to an IQ with payload as its child (nil for none;
// marshalled by encoding/xml, or taken as it is where it is []byte). The
// addresses are swapped and the id is kept (RFC 6120 §8.2.3).
func (s *Stanza) Result(payload any) (*Stanza, error) {
	if !s.IsRequest() {
		return nil, errNoRequest
	}
	return New(IQ, typeResult, s.ID, s.To, s.From, payload)
}

// ErrorReply returns the answer that carries e: type error, addresses swapped,
// the id kept, e.By set only where e says so (RFC 6120 §8.3.1). It returns nil where RFC 6120
// forbids an answer: to an error, or to an IQ result.
//
// The sender's own XML is not sent back, which RFC 6120 §8.3.1 leaves to us: the
// sender has it, and an echo would let a small refusal cost as much as the
// stanza that it refuses.
func (s *Stanza) ErrorReply(e Error) *Stanza { return s.ErrorReplyWith(e, nil) }

// ErrorReplyWith is ErrorReply with the element of a condition of the
// application inside of the <error/> (RFC 6120 §8.3.4). What is not well-formed
// is left out.
func (s *Stanza) ErrorReplyWith(e Error, app []byte) *Stanza {
	if s.Type == typeError || s.Kind == IQ && s.Type == typeResult {
		return nil
	}
	head := Stanza{Kind: s.Kind, Type: typeError, ID: s.ID, From: s.To, To: s.From}
	if len(app) > 0 {
		if r, err := head.withInner(AppendError(nil, e, app)); err == nil {
			return r
		}
	}
	// What AppendError makes without app is canonical: no need to look at it.
	w := &whole{Stanza: head}
	w.c = &w.content
	w.inner = string(AppendError(make([]byte, 0, 256), e, nil))
	w.kids = append(w.few[:0], child{end: uint32(len(w.inner)), space: NSClient, local: typeError})
	return &w.Stanza
}

// ReadError returns the stanza error that a stanza of type error carries; what it
// lacks or says wrongly is undefined-condition (RFC 6120 §8.3.2). ok is false
// for any other stanza.
func (s *Stanza) ReadError() (e Error, ok bool) {
	if !s.IsError() {
		return Error{}, false
	}
	if err := s.Decode(NSClient, "error", &e); err != nil || defaultType(e.Condition) == "" {
		e.Condition = UndefinedCondition().Condition
	}
	return e, true
}
