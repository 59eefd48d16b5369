package c2s

import (
	"context"
	"errors"
	"fmt"
	"time"

	"weir/hook"
	"weir/jid"
	"weir/sessionmgr"
	"weir/stanza"

	"mellium.im/xmpp/stream"
)

// bindRequest is the payload of a bind (RFC 6120 §7.7). An empty resource leaves
// the choice to the server (§7.7.2.1): mellium's client always asks for that.
type bindRequest struct {
	Resource string `xml:"resource"`
}

// beforeBind handles a stanza of a client that has no resource yet: a request
// to bind one, or a mistake (RFC 6120 §7.1).
func (s *Stream) beforeBind(st *stanza.Stanza) {
	ours := st.To.IsZero() || st.To == s.neg.account || st.To == s.neg.account.Host()
	if !ours || st.Kind == stanza.Presence && st.To.IsZero() { // that would be a broadcast
		s.Fail(streamError(stream.NotAuthorized, "bind a resource first"))
		return
	}
	if st.Kind != stanza.IQ || st.Type != "set" || !st.HasChild(nsBind, "bind") {
		s.answer(st, stanza.UnexpectedRequest("bind a resource first"))
		return
	}
	var req bindRequest
	if err := st.Decode(nsBind, "bind", &req); err != nil {
		s.refuseBind(st, err)
		return
	}
	s.Work(func(ctx context.Context) { s.bind(ctx, st, req.Resource) })
}

// bind runs off the reader goroutine. The answer goes out before anything that
// is routed to the new address.
func (s *Stream) bind(ctx context.Context, iq *stanza.Stanza, asked string) {
	err := s.srv.sm.Bind(ctx, s.Session(), asked, func(full jid.JID) {
		s.becomeBound(full)
		_ = s.send(func(dst []byte) []byte { return appendBindResult(dst, iq.ID, full) })
	})
	if err != nil {
		s.refuseBind(iq, err)
		return
	}
	s.established()
}

// becomeBound notes that stanzas flow from here on, under a full JID.
func (s *Stream) becomeBound(full jid.JID) {
	s.full = full
	s.state.Store(uint32(Bound))
	s.conn.SetDeadline(time.Time{})
}

// established ends the negotiation of a bound stream.
func (s *Stream) established() {
	s.neg = nil
	s.conn.SetIdle(s.srv.opts().IdleTimeout)
}

// Resume continues an earlier session of the account on this stream instead of
// binding a resource: id names it, h is how many stanzas the client has of it.
// resumed appends the answer: what it returns goes out before anything else of
// the session, within the success of a login that asked for it. Call it from
// [Stream.Work] or an [Inline] in state Authenticated; an error is a
// *sessionmgr.ResumeError, after which the stream may bind.
func (s *Stream) Resume(ctx context.Context, id string, h uint32, resumed func(dst []byte, handled uint32) []byte) error {
	l := s.neg.login
	err := s.srv.sm.Resume(ctx, s.Session(), s, id, h, func(sess *sessionmgr.Session, handled uint32) {
		s.sess.Store(sess)
		s.becomeBound(sess.JID())
		if l != nil {
			s.holdUntilCaughtUp()
		}
		_ = s.send(func(dst []byte) []byte {
			if l == nil {
				return resumed(dst, handled)
			}
			// No features follow (XEP-0198 §9.2).
			return append(resumed(appendSuccess(dst, l, s.full), handled), "</success>"...)
		})
	})
	if err != nil {
		return err
	}
	s.established()
	return nil
}

// appendBindResult appends the answer of RFC 6120 §7.6.1.
func appendBindResult(dst []byte, id string, full jid.JID) []byte {
	dst = append(dst, "<iq type='result' id='"...)
	dst = appendEscaped(dst, id)
	dst = append(dst, "'><bind xmlns='"+nsBind+"'><jid>"...)
	dst = appendEscaped(dst, full.String())
	return append(dst, "</jid></bind></iq>"...)
}

// refuseBind answers a bind that failed; the client may try again, but not for
// ever (RFC 6120 §7.7.3).
func (s *Stream) refuseBind(iq *stanza.Stanza, err error) {
	se, ok := stanza.AsError(err)
	if !ok {
		s.log().Error("bind", "err", err)
		se = stanza.InternalServerError()
	}
	s.answer(iq, se)
	if s.neg.bindTries++; s.neg.bindTries >= s.srv.opts().MaxBindTries {
		s.limit("bind_tries", fmt.Sprintf("%d refused binds on one stream", s.neg.bindTries))
	}
}

// answer sends an error in answer to a stanza of a client that isn't bound.
// Once it is, everything goes by the pipeline: see reply.
func (s *Stream) answer(st *stanza.Stanza, e stanza.Error) {
	s.srv.metrics.refused.WithLabelValues(string(e.Condition)).Inc()
	if r := st.ErrorReply(e); r != nil {
		_ = s.send(r.AppendTo)
	}
}

func isPanic(err error) bool {
	var pe *hook.PanicError
	return errors.As(err, &pe)
}
