package stanza

import (
	"time"

	"weir/jid"
)

// NSForward is the namespace of a forwarded stanza (XEP-0297).
const NSForward = "urn:xmpp:forward:0"

// Envelope is the message that carries a forwarded stanza: the protocol that
// forwards has an element of its own around it (XEP-0297 §3.2).
type Envelope struct {
	From, To jid.JID
	Type     string // of the message; "" writes none
	// NS and Local name the element, a valid XML name of the code's own.
	NS, Local string
	Attrs     [][2]string // names, which are the code's own too, and values
	At        time.Time   // when the stanza was received; zero is not told
}

// Forward returns the message that carries s. As s stays in its canonical form it
// isn't read again.
func (e *Envelope) Forward(s *Stanza) *Stanza {
	b := make([]byte, 0, s.Size()+320)
	b = append(append(b, '<'), e.Local...)
	b = appendValue(append(b, " xmlns='"...), e.NS)
	for _, a := range e.Attrs {
		b = append(append(b, ' '), a[0]...)
		b = appendValue(append(b, "='"...), a[1])
	}
	b = append(b, "><forwarded xmlns='"+NSForward+"'>"...)
	if !e.At.IsZero() {
		b = append(b, "<delay xmlns='"+NSDelay+"' stamp='"...)
		b = append(e.At.UTC().AppendFormat(b, stampFormat), "'/>"...)
	}
	b = s.appendWith(b, " xmlns='"+NSClient+"'")
	b = append(append(append(b, "</forwarded></"...), e.Local...), '>')

	w := &whole{Stanza: Stanza{Kind: Message, Type: messageType([]byte(e.Type)), bare: e.Type == "", From: e.From, To: e.To}}
	w.c = &w.content
	w.inner = string(b)
	w.kids = append(w.few[:0], child{end: uint32(len(b)), space: e.NS, local: e.Local})
	return &w.Stanza
}

// Stamp returns a time as stamps have it (XEP-0082 §3.2): in UTC, to the
// millisecond.
func Stamp(t time.Time) string { return t.UTC().Format(stampFormat) }
