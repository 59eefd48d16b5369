package c2s

import (
	"errors"
	"strings"

	"weir/netserver"
	"weir/xmlstream"

	"mellium.im/xmpp/stream"
)

// send is append for what is not a stanza: nobody but this stream knows of it,
// so the stream drains it at the end of the batch.
func (s *Stream) send(fn func(dst []byte) []byte) error {
	err := s.append(fn)
	s.dirty.Store(true)
	return err
}

// append appends to the out-buffer what fn appends, unless the stream is closed
// on our side (RFC 6120 §4.4). The stream ends where its peer reads too slowly.
func (s *Stream) append(fn func(dst []byte) []byte) error {
	err := s.tryAppend(fn)
	if err != netserver.ErrOutput {
		return err
	}
	// Much at once is no fault of a peer that reads: first see what the kernel takes.
	s.conn.Drain()
	if err = s.tryAppend(fn); err == netserver.ErrOutput {
		s.tooSlow()
	}
	return err
}

// appended returns how many bytes wait to be written, -1 after the end.
func (s *Stream) appended() int {
	n := -1
	_ = s.append(func(dst []byte) []byte { n = len(dst); return dst })
	return n
}

func (s *Stream) tryAppend(fn func(dst []byte) []byte) error {
	ended := false
	err := s.conn.Append(func(dst []byte) []byte {
		if ended = s.ended; ended {
			return dst
		}
		return fn(dst)
	})
	if ended {
		return netserver.ErrClosed
	}
	return err
}

// Send appends bytes that are no stanza: an acknowledgement, say. fn must
// append complete elements; it runs with the out-buffer held, so it must be
// quick and call nothing of the stream. They are written at the end of the
// batch, or by Flush.
func (s *Stream) Send(fn func(dst []byte) []byte) error { return s.send(fn) }

// sendString appends a constant element.
func (s *Stream) sendString(x string) {
	_ = s.send(func(dst []byte) []byte { return append(dst, x...) })
}

// appendEscaped appends text for character data or an attribute in either kind
// of quotes, on one line.
func appendEscaped(dst []byte, text string) []byte {
	return xmlstream.AppendAttr(dst, strings.Map(oneLine, text))
}

// oneLine makes a space of what would end a line or jump in it.
func oneLine(r rune) rune {
	switch r {
	case '\t', '\n', '\r':
		return ' '
	}
	return r
}

// appendText appends a text element in a namespace, in the one language we speak.
func appendText(dst []byte, ns, text string) []byte {
	if text == "" {
		return dst
	}
	dst = append(dst, "<text xmlns='"...)
	dst = append(dst, ns...)
	dst = append(dst, "' xml:lang='en'>"...)
	dst = appendEscaped(dst, text)
	return append(dst, "</text>"...)
}

// conditions are the stream errors there are (RFC 6120 §4.9.3).
var conditions = map[string]bool{
	"bad-format": true, "bad-namespace-prefix": true, "conflict": true, "connection-timeout": true,
	"host-gone": true, "host-unknown": true, "improper-addressing": true, "internal-server-error": true,
	"invalid-from": true, "invalid-namespace": true, "invalid-xml": true, "not-authorized": true,
	"not-well-formed": true, "policy-violation": true, "remote-connection-failed": true, "reset": true,
	"resource-constraint": true, "restricted-xml": true, "see-other-host": true, "system-shutdown": true,
	"undefined-condition": true, "unsupported-encoding": true, "unsupported-feature": true,
	"unsupported-stanza-type": true, "unsupported-version": true,
}

// conditionOf returns the condition to send: undefined-condition for what the
// RFC doesn't know.
func conditionOf(e *stream.Error) string {
	if conditions[e.Err] {
		return e.Err
	}
	return stream.UndefinedCondition.Err
}

// appendStreamError appends an error element (RFC 6120 §4.9.2).
func appendStreamError(dst []byte, e *stream.Error, specific []byte) []byte {
	condition := conditionOf(e)
	dst = append(dst, "<stream:error><"...)
	dst = append(dst, condition...)
	dst = append(dst, " xmlns='"+nsErrors+"'"...)
	if e.Content != "" { // RFC 6120 §4.9.3.19
		dst = append(dst, '>')
		dst = appendEscaped(dst, e.Content)
		dst = append(dst, "</"...)
		dst = append(dst, condition...)
		dst = append(dst, '>')
	} else {
		dst = append(dst, "/>"...)
	}
	for _, t := range e.Text {
		dst = append(dst, "<text xmlns='"+nsErrors+"' xml:lang='"...)
		lang := t.Lang
		if lang == "" {
			lang = "en"
		}
		dst = appendEscaped(dst, lang)
		dst = append(dst, "'>"...)
		dst = appendEscaped(dst, t.Value)
		dst = append(dst, "</text>"...)
	}
	dst = append(dst, specific...)
	return append(dst, "</stream:error>"...)
}

// asStreamError returns the stream error that err is or wraps, by value or by
// pointer, or nil.
func asStreamError(err error) *stream.Error {
	var p *stream.Error
	if errors.As(err, &p) {
		return p
	}
	var e stream.Error
	if errors.As(err, &e) {
		return &e
	}
	return nil
}

// streamError makes a stream error with a text, "" for none.
func streamError(e stream.Error, text string) *stream.Error {
	if text != "" {
		e.Text = append(e.Text, struct{ Lang, Value string }{"en", text})
	}
	return &e
}
