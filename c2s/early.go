package c2s

import (
	"context"
	"fmt"
	"time"

	"weir/jid"
	"weir/stanza"
	"weir/xmlstream"
)

// EarlyIQ answers an IQ of a client that hasn't logged in yet: what it needs to
// get an account (RFC 6120 §8.2.3 allows IQs where a protocol defines them so). It
// is offered under TLS only; without one of the name the stream ends.
type EarlyIQ struct {
	NS, Local string // of the payload
	// Handle runs off the reader goroutine, like a function given to
	// [Stream.Work]: it may block. The payload of the result may be nil. An error
	// that is a stanza.Error is the answer; any other is a fault of ours. The IQ
	// has no from.
	Handle func(ctx context.Context, s *Stream, iq *stanza.Stanza) (payload any, err error)
}

// maxEarly is how many of them a stream may send.
const maxEarly = 20

// HandleEarlyIQ registers h. A second handler of the same name is a programming
// error and panics. Call it before the first stream.
func (srv *Server) HandleEarlyIQ(h EarlyIQ) {
	name := xmlstream.Name{Space: h.NS, Local: h.Local}
	if srv.early == nil {
		srv.early = map[xmlstream.Name]EarlyIQ{}
	}
	if _, there := srv.early[name]; there {
		panic("c2s: a second handler for early <" + h.Local + " xmlns='" + h.NS + "'/>")
	}
	srv.early[name] = h
}

// earlyIQ takes an IQ before the login: one that is asked for, or a mistake
// (RFC 6120 §4.9.3.12).
func (s *Stream) earlyIQ(tok *xmlstream.Token, rest []byte) {
	if len(s.srv.early) == 0 || s.State() != Secured || s.neg.exchange != nil || s.neg.proven || len(tok.Prefix) > 0 {
		s.refuseUnauthorized(tok, rest)
		return
	}
	iq, err := stanza.FromToken(tok, jid.JID{}, s.lang)
	if se, ok := stanza.AsError(err); ok {
		s.answer(iq, se)
		return
	}
	if err != nil || !iq.IsRequest() || !iq.To.IsZero() && iq.To.String() != s.neg.host {
		s.refuseUnauthorized(tok, rest)
		return
	}
	h, ok := s.srv.early[iq.Payload()]
	if !ok {
		s.refuseUnauthorized(tok, rest)
		return
	}
	if s.neg.early++; s.neg.early > maxEarly {
		s.limit("early_iqs", fmt.Sprintf("%d requests before the login", maxEarly))
		return
	}
	s.Work(func(ctx context.Context) { s.answerEarly(ctx, h, iq) })
}

func (s *Stream) answerEarly(ctx context.Context, h EarlyIQ, iq *stanza.Stanza) {
	payload, err := h.Handle(ctx, s, iq)
	var result *stanza.Stanza
	if err == nil {
		result, err = iq.Result(payload)
	}
	if err == nil {
		_ = s.send(result.AppendTo)
		return
	}
	se, ok := stanza.AsError(err)
	if !ok {
		s.log().Error("a request before the login failed", "payload", iq.Payload().Local, "err", err)
		se = stanza.InternalServerError()
	}
	s.answer(iq, se)
}

// Host returns the domain that the client asked for in its header, until it is bound;
// "" before.
func (s *Stream) Host() string {
	if s.neg == nil {
		return ""
	}
	return s.neg.host
}

// AllowLogin gives a client that has shown a good reason d from now to log in, in
// place of what is left of its time; once a stream, for an EarlyIQ.
func (s *Stream) AllowLogin(d time.Duration) {
	if s.neg == nil || !s.neg.allowed.CompareAndSwap(0, int64(d)) {
		return
	}
	s.conn.SetDeadline(time.Now().Add(d))
}
