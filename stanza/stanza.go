package stanza

import (
	"weir/jid"
)

// Kind is one of the three kinds of stanza.
type Kind uint8

// The kinds.
const (
	Message Kind = iota + 1
	Presence
	IQ
)

// String returns the name of the element.
func (k Kind) String() string {
	switch k {
	case Message:
		return "message"
	case Presence:
		return "presence"
	case IQ:
		return "iq"
	}
	return "none"
}

// NSClient is the namespace of stanzas on client streams.
const NSClient = "jabber:client"

// Stanza is one message, presence or IQ. It is immutable once made; variants
// (another recipient, an added delay) share its payload. Safe to use from many
// goroutines.
type Stanza struct {
	Kind Kind
	// bare says that the sender wrote no type; AppendTo writes none then. Only a
	// message of type normal has it.
	bare bool
	// Type is the type attribute with RFC 6121's default filled in: a message
	// without or with an unknown type is "normal"; an available presence is "".
	Type string
	ID   string
	Lang string // xml:lang of the stanza, "" if none
	From jid.JID
	To   jid.JID

	c *content // never written after the making; nil for no content
}

// content is what the variants of a stanza share.
type content struct {
	// inner is what stands between the tags, in canonical form (see
	// xmlstream.Token): each child is complete but for the default namespace.
	inner string
	// tail follows inner, in the same form: what a variant has more. It lies
	// apart so that variants share inner.
	tail string
	// other has the attributes that this package does not know, ready to be put
	// into the start tag, with the declarations of their prefixes.
	other string
	kids  []child
}

// fewKids is how many children a stanza has as a rule, at most.
const fewKids = 4

// whole is a stanza and its content in one allocation.
type whole struct {
	Stanza
	content
	few [fewKids]child // where kids lies, as a rule
}

// nothing is the content of a stanza without any. It is never written.
var nothing content

// content returns what the stanza holds.
func (s *Stanza) content() *content {
	if s.c == nil {
		return &nothing
	}
	return s.c
}

// With returns a variant with another sender and recipient.
func (s *Stanza) With(from, to jid.JID) *Stanza {
	v := *s
	v.From, v.To = from, to
	return &v
}

// Kept returns the stanza in as little memory as it can be in, for who holds on
// to it for long.
func (s *Stanza) Kept() *Stanza {
	k := &struct {
		Stanza
		content
	}{*s, *s.content()}
	k.c = &k.content
	k.kids = append([]child(nil), k.kids...)
	return &k.Stanza
}

// Size returns how many bytes AppendTo appends, about: escaping may add some.
func (s *Stanza) Size() int {
	const framing = len("<presence from='' to='' id='' type='' xml:lang=''></presence>")
	c := s.content()
	return framing + len(s.From.String()) + len(s.To.String()) + len(s.ID) + len(s.Type) + len(s.Lang) +
		len(c.other) + len(c.inner) + len(c.tail)
}

// IsError reports whether the stanza reports an error.
func (s *Stanza) IsError() bool { return s != nil && s.Type == typeError }

// IsRequest reports whether the stanza is an IQ that wants an answer.
func (s *Stanza) IsRequest() bool {
	return s.Kind == IQ && (s.Type == typeGet || s.Type == typeSet)
}
