package stanza

import (
	"time"

	"weir/jid"
	"weir/xmlstream"
)

// NSDelay is the namespace of the delay stamp (XEP-0203).
const NSDelay = "urn:xmpp:delay"

// stampFormat is the dateTime of XEP-0082 §3.2 in UTC, to the millisecond.
const stampFormat = "2006-01-02T15:04:05.000Z"

// Delay returns the element that says since when a stanza has waited and with
// whom, for WithChild (XEP-0203 §2). text is a reason in words, or "".
func Delay(from jid.JID, t time.Time, text string) []byte {
	b := make([]byte, 0, len("<delay xmlns='' from='' stamp=''></delay>")+len(NSDelay)+len(stampFormat)+
		len(from.String())+len(text))
	b = append(b, "<delay xmlns='"+NSDelay+"'"...)
	if !from.IsZero() {
		b = appendAddress(append(b, " from='"...), from)
	}
	b = append(b, " stamp='"...)
	b = t.UTC().AppendFormat(b, stampFormat)
	if text == "" {
		return append(b, "'/>"...)
	}
	b = append(b, "'>"...)
	b = xmlstream.AppendEscaped(b, text)
	return append(b, "</delay>"...)
}
