package c2s

import (
	"context"
	"fmt"

	"weir/jid"
	"weir/sessionmgr"
	"weir/stanza"
	"weir/xmlstream"

	"mellium.im/xmpp/stream"
)

// The states of a stanza handed to the manager, in Stream.inbound.
const (
	inboundRunning int32 = iota // Inbound has not returned
	inboundWaiting              // it asked to wait, and input is paused
	inboundResumed              // it may go on; resume came first
)

// isStanza reports whether an element is one of the three kinds.
func isStanza(tok *xmlstream.Token) bool {
	if string(tok.Space) != stanza.NSClient {
		return false
	}
	switch string(tok.Local) {
	case "message", "presence", "iq":
		return true
	}
	return false
}

// stanza takes one stanza of a client that has logged in: checks the sender,
// stamps it, and hands the stanza to the manager.
func (s *Stream) stanza(tok *xmlstream.Token, _ []byte) {
	if len(tok.Prefix) > 0 { // RFC 6120 §4.8.5
		s.Fail(streamError(stream.BadNamespacePrefix, "stanzas have no prefix"))
		return
	}
	bound := s.State() == Bound
	me := s.full
	if !bound {
		me = s.neg.account
	}
	if v, ok := tok.Attr("from"); ok && !isMe(v, me) { // RFC 6120 §8.1.2.1
		s.Fail(streamError(stream.InvalidFrom, "'from' is not your address"))
		return
	}
	st, err := stanza.FromToken(tok, me, s.lang)
	switch {
	case err != nil:
		s.refuseStanza(st, err)
	case !bound:
		s.beforeBind(st)
	default:
		s.handOver(st)
	}
}

// isMe reports whether a client with the address me may write from.
func isMe(from []byte, me jid.JID) bool {
	if string(from) == me.String() {
		return true
	}
	j, err := jid.ParseBytes(from)
	return err == nil && (j == me || j == me.Bare())
}

// handOver runs StanzaIn and gives the stanza to the manager.
func (s *Stream) handOver(st *stanza.Stanza) {
	s.srv.metrics.received[st.Kind].Inc()
	if point := &s.srv.Hooks.StanzaIn; !point.Empty() {
		ev := StanzaIn{Session: s.Session(), Stanza: st}
		if err := point.Run(s.ctx(), &ev); err != nil {
			s.refuseHooked(st, err)
			return
		}
		st = ev.Stanza
	}
	s.inbound.Store(inboundRunning)
	if !s.srv.sm.Inbound(s.Session(), s, st, s.resume) {
		return
	}
	// Resume may have been called by now, or be called at any moment.
	s.paused = true
	s.conn.Pause()
	if !s.inbound.CompareAndSwap(inboundRunning, inboundWaiting) {
		s.conn.Resume()
	}
}

// virtualIn is what a stanza of a session without a stream has to pass: the limit of
// its size and StanzaIn, as one that was read from a stream. An error refuses it.
func (srv *Server) virtualIn(ctx context.Context, s *sessionmgr.Session, st *stanza.Stanza) (*stanza.Stanza, error) {
	srv.metrics.received[st.Kind].Inc()
	if most := srv.o.StanzaBytes; st.Size() > most {
		return nil, stanza.PolicyViolation(fmt.Sprintf("a stanza has up to %d bytes", most))
	}
	point := &srv.Hooks.StanzaIn
	if point.Empty() {
		return st, nil
	}
	ev := StanzaIn{Session: s, Stanza: st}
	if err := point.Run(ctx, &ev); err != nil {
		return nil, err
	}
	return ev.Stanza, nil
}

// inboundDone is the resume function of every Inbound.
func (s *Stream) inboundDone() {
	if !s.inbound.CompareAndSwap(inboundRunning, inboundResumed) {
		s.conn.Resume()
	}
}

// refuseHooked answers a stanza that a StanzaIn handler refused.
func (s *Stream) refuseHooked(st *stanza.Stanza, err error) {
	if se, ok := stanza.AsError(err); ok {
		s.reply(st, se)
		return
	}
	s.hookFailed(err)
}

// refuseStanza answers an element that is no valid stanza.
func (s *Stream) refuseStanza(st *stanza.Stanza, err error) {
	se, ok := stanza.AsError(err)
	switch {
	case !ok:
		s.log().Warn("element that is no stanza", "err", err)
		s.Fail(streamError(stream.BadFormat, ""))
	case s.State() == Bound:
		s.reply(st, se)
	default:
		s.answer(st, se)
	}
}

// reply sends an error in answer to a stanza of a bound client, through the
// pipeline: behind what it is owed for earlier ones, and counted with it.
func (s *Stream) reply(st *stanza.Stanza, e stanza.Error) {
	s.srv.metrics.refused.WithLabelValues(string(e.Condition)).Inc()
	entry := sessionmgr.Entry{From: s.Session(), Counts: true, Link: s}
	if r := st.ErrorReply(e); r != nil {
		entry.Out = []sessionmgr.Delivery{{To: s.Session(), Stanza: r}}
	}
	s.srv.sm.Submit(entry)
}
