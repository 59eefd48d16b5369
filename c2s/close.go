package c2s

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"weir/hook"
	"weir/netserver"
	"weir/sessionmgr"
	"weir/xmlstream"

	"mellium.im/xmpp/stream"
)

// Close implements sessionmgr.Link: it ends the stream from our side, with an
// error unless why is nil, and gives the peer Options.CloseTimeout to close its
// own (RFC 6120 §4.4).
func (s *Stream) Close(why *stream.Error) {
	s.end(why, causeOf(why))
}

// Fail ends the stream with an error (RFC 6120 §4.9.1.1), from any goroutine.
// Nothing that the peer sent behind the mistake is processed.
func (s *Stream) Fail(why *stream.Error) {
	s.end(why, causeOf(why))
}

// FailWith is Fail with an application-specific condition, a complete element,
// beside the defined one (RFC 6120 §4.9.4).
func (s *Stream) FailWith(why *stream.Error, specific []byte) {
	s.finish(why, causeOf(why), specific)
}

// final is how a stream ended.
type final struct {
	cause    sessionmgr.Cause
	specific []byte // condition of an application, for our stream error
}

// why is the cause of an end, the zero Cause before it.
func (f *final) why() sessionmgr.Cause {
	if f == nil {
		return sessionmgr.Cause{}
	}
	return f.cause
}

// end closes our side, once. It neither blocks nor calls the manager: it may
// run inside one of its calls.
func (s *Stream) end(why *stream.Error, cause sessionmgr.Cause) { s.finish(why, cause, nil) }

// finish is end with a condition of an application.
func (s *Stream) finish(why *stream.Error, cause sessionmgr.Cause, specific []byte) {
	s.mu.Lock()
	if s.closing.Load() {
		s.mu.Unlock()
		return
	}
	s.last = &final{cause, specific}
	s.closing.Store(true)
	waits := s.telling
	if waits {
		s.bye = func() { s.sayEnd(why, specific) }
	}
	s.mu.Unlock()
	if why != nil {
		s.srv.metrics.errors.WithLabelValues(conditionOf(why)).Inc()
		s.log().Info("stream error", "condition", why.Err, "text", cause.Text)
	}
	s.conn.SetDeadline(time.Now().Add(s.srv.opts().CloseTimeout))
	if !waits {
		s.sayEnd(why, specific)
	}
}

// sayEnd writes our end of the stream, behind all that was appended.
func (s *Stream) sayEnd(why *stream.Error, specific []byte) {
	if err := s.appendEnd(why, specific); err != nil {
		s.conn.Close(err, s.srv.opts().CloseTimeout) // no room for a word: what waits may go
		return
	}
	s.unhold(holdAll)
	s.conn.Drain()
}

// appendEnd appends error and closing tag, after a header if there was none
// (RFC 6120 §4.9.1.2).
func (s *Stream) appendEnd(why *stream.Error, specific []byte) error {
	var head response
	if s.needsHeader() {
		head = s.newResponse()
	}
	last := s.lastWords()
	return s.conn.Append(func(dst []byte) []byte {
		if s.ended {
			return dst
		}
		s.ended = true
		if !s.opened {
			dst = head.append(dst)
			s.opened = true
		}
		dst = append(dst, last...)
		if why != nil {
			dst = appendStreamError(dst, why, specific)
		}
		return append(dst, closingTag...)
	})
}

// lastWords collects what modules say before the closing tag.
func (s *Stream) lastWords() []byte {
	point := &s.srv.Hooks.Ending
	if s.State() != Bound || s.untold.Load() || point.Empty() {
		return nil
	}
	ev := Ending{Stream: s}
	if err := point.Run(s.ctx(), &ev); err != nil {
		s.log().Error("hook failed", "err", err)
		return nil
	}
	return ev.XML
}

// needsHeader reports whether an end would have to open the stream first. Once
// bound it never has.
func (s *Stream) needsHeader() bool { return s.State() != Bound }

// tooSlow ends a stream whose peer doesn't take what it is sent.
func (s *Stream) tooSlow() {
	s.srv.metrics.limits.WithLabelValues("output").Inc()
	s.end(streamError(stream.PolicyViolation, "you read too slowly: the limit of waiting output is reached"),
		sessionmgr.Cause{Code: sessionmgr.TooSlow, Text: "output limit reached"})
}

// limit ends the stream for passing a limit, and counts it.
func (s *Stream) limit(name, text string) {
	s.srv.metrics.limits.WithLabelValues(name).Inc()
	s.Fail(streamError(stream.PolicyViolation, text))
}

// scanError ends the stream for what the scanner refused.
func (s *Stream) scanError(err error) {
	var e *xmlstream.Error
	if !errors.As(err, &e) {
		s.log().Error("scanner", "err", err)
		s.Fail(streamError(stream.InternalServerError, ""))
		return
	}
	if e.Condition == stream.PolicyViolation.Err {
		s.srv.metrics.limits.WithLabelValues("element").Inc()
	}
	s.Fail(streamError(stream.Error{Err: e.Condition}, e.Text))
}

// hookFailed ends the stream as an error of a hook or handler says: its own
// stream error, or internal-server-error.
func (s *Stream) hookFailed(err error) {
	var pe *hook.PanicError
	switch se := asStreamError(err); {
	case se != nil:
		s.Fail(se)
		return
	case errors.As(err, &pe):
		s.srv.metrics.panics.Inc()
		s.log().Error("panic in a hook", "handler", pe.Handler, "value", pe.Value, "stack", string(pe.Stack))
	default:
		s.log().Error("hook failed", "err", err)
	}
	s.Fail(streamError(stream.InternalServerError, ""))
}

// peerClosed answers the peer's closing tag (RFC 6120 §4.4). What was sent
// before it has been handled; what is on its way to the peer is written first.
func (s *Stream) peerClosed() {
	if s.State() == Bound && !s.closing.Load() {
		s.conn.SetDeadline(time.Now().Add(s.srv.opts().CloseTimeout))
		s.Work(func(ctx context.Context) {
			s.srv.sm.Settle(ctx, s.Session(), s)
			s.answerClose()
		})
		return
	}
	s.answerClose()
}

func (s *Stream) answerClose() {
	cause := sessionmgr.Cause{Code: sessionmgr.ClosedByClient, Text: "the client closed the stream"}
	s.end(nil, cause)
	s.left.Store(true)
	if s.conn.Buffered() == 0 {
		s.sessionOver(cause)
	} // else another goroutine is writing: Drained or Closed tells what the client got
	s.conn.Close(io.EOF, s.srv.opts().CloseTimeout)
}

// peerError ends the stream because the peer found an error of ours.
func (s *Stream) peerError(tok *xmlstream.Token, _ []byte) {
	condition := "undefined-condition"
	for _, c := range tok.Children {
		if string(c.Space) == nsErrors && string(c.Local) != "text" {
			condition = string(c.Local)
		}
	}
	cause := sessionmgr.Cause{Code: sessionmgr.ClosedByClient, Text: fmt.Sprintf("the client reported %q", condition)}
	s.log().Warn("stream error from the client", "condition", condition)
	s.end(nil, cause)
	s.sessionOver(cause)
}

// discard throws away what comes after our end, up to the peer's closing tag.
// It keeps what may be the beginning of that tag.
func (s *Stream) discard(b []byte) (taken int) {
	if bytes.Contains(b, []byte(closingTag)) || bytes.Contains(b, []byte("</stream>")) {
		s.conn.Close(io.EOF, s.srv.opts().CloseTimeout)
		return len(b)
	}
	tail := b[max(0, len(b)-len(closingTag)):]
	if i := bytes.LastIndexByte(tail, '<'); i >= 0 {
		return len(b) - len(tail) + i
	}
	return len(b)
}

// sessionOver tells the manager that the session's link is gone: once, and
// never while a goroutine of Work talks to it.
func (s *Stream) sessionOver(cause sessionmgr.Cause) {
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return
	}
	s.over = true
	if s.last == nil || s.last.cause.Code == 0 {
		s.last = &final{cause: cause}
	}
	cause = s.last.cause
	working := s.working
	s.mu.Unlock()
	if !working {
		s.srv.sm.Closed(s.Session(), s, cause)
	}
}

// overIfClosing tells the manager of an end that the reader goroutine ordered.
func (s *Stream) overIfClosing() {
	if s.closing.Load() && !s.left.Load() {
		s.sessionOver(sessionmgr.Cause{})
	}
}

// Closed implements netserver.Handler.
func (s *Stream) Closed(_ *netserver.Conn, cause error) {
	s.srv.metrics.open.Dec()
	s.closing.Store(true)
	s.keepBound()
	s.sessionOver(causeOfConn(cause))
}

// causeOf says how a session ends that is sent this error.
func causeOf(why *stream.Error) sessionmgr.Cause {
	if why == nil {
		return sessionmgr.Cause{Code: sessionmgr.Kicked, Text: "closed by the server"}
	}
	c := sessionmgr.Cause{Code: sessionmgr.StreamFailed, Text: why.Err}
	switch why.Err {
	case stream.Conflict.Err:
		c.Code = sessionmgr.Replaced
	case stream.ConnectionTimeout.Err:
		c.Code = sessionmgr.TimedOut
	case stream.InternalServerError.Err:
		c.Code = sessionmgr.Internal
	case stream.Reset.Err:
		c.Code = sessionmgr.Kicked
	case stream.SystemShutdown.Err:
		c.Code = sessionmgr.ShuttingDown
	}
	if len(why.Text) > 0 {
		c.Text += ": " + why.Text[0].Value
	}
	return c
}

// causeOfConn says how a session ends whose connection ended without our doing.
func causeOfConn(err error) sessionmgr.Cause {
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return sessionmgr.Cause{Code: sessionmgr.LinkLost, Text: "the connection ended without a closing tag"}
	case errors.Is(err, netserver.ErrTimeout):
		return sessionmgr.Cause{Code: sessionmgr.TimedOut, Text: "no answer in time"}
	case errors.Is(err, netserver.ErrStalled), errors.Is(err, netserver.ErrOutput):
		return sessionmgr.Cause{Code: sessionmgr.TooSlow, Text: err.Error()}
	case errors.Is(err, netserver.ErrPanic):
		return sessionmgr.Cause{Code: sessionmgr.Internal, Text: err.Error()}
	case errors.Is(err, netserver.ErrClosed):
		return sessionmgr.Cause{Code: sessionmgr.ShuttingDown, Text: err.Error()}
	}
	return sessionmgr.Cause{Code: sessionmgr.LinkLost, Text: err.Error()}
}

var (
	_ netserver.Handler = (*Stream)(nil)
	_ sessionmgr.Link   = (*Stream)(nil)
)
