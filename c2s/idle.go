package c2s

import (
	"crypto/rand"
	"time"

	"weir/netserver"
	"weir/sessionmgr"
	"weir/stanza"

	"mellium.im/xmpp/stream"
)

// ReadTimeout implements netserver.Handler: the deadline of the negotiation or
// of the closing handshake passed, or a bound client is silent.
func (s *Stream) ReadTimeout(_ *netserver.Conn, deadline bool) time.Duration {
	defer s.recovered("waiting")
	defer s.overIfClosing()
	o := s.srv.opts()
	if s.closing.Load() {
		return 0 // the peer had its time to close
	}
	if !deadline {
		return s.silent()
	}
	switch s.State() {
	case Bound: // passed while the bind was being answered
		return o.IdleTimeout
	case Authenticated:
		s.late("bind_timeout", "no resource was bound within "+o.BindTimeout.String())
	default:
		if s.neg.handshake {
			return 0 // in the middle of TLS there is nothing to say
		}
		given := o.LoginTimeout
		if d := s.neg.allowed.Load(); d > 0 {
			given = time.Duration(d)
		}
		s.late("login_timeout", "no login within "+given.String())
	}
	return o.CloseTimeout
}

// late ends a negotiation that took too long (RFC 6120 §4.6.3).
func (s *Stream) late(limit, text string) {
	s.srv.metrics.limits.WithLabelValues(limit).Inc()
	s.end(streamError(stream.PolicyViolation, text), sessionmgr.Cause{Code: sessionmgr.TimedOut, Text: text})
}

// silent asks for a sign of life (RFC 6120 §4.6.2) or gives up waiting for it.
func (s *Stream) silent() time.Duration {
	o := s.srv.opts()
	if s.State() != Bound {
		return o.IdleTimeout // the deadlines see to it
	}
	if s.asked {
		s.srv.metrics.limits.WithLabelValues("idle").Inc()
		s.Fail(streamError(stream.ConnectionTimeout,
			"nothing came for "+o.IdleTimeout.String()+", nor a sign of life when asked"))
		return o.CloseTimeout
	}
	s.asked = true
	ev := Idle{Stream: s}
	if err := s.srv.Hooks.Idle.Run(s.ctx(), &ev); err != nil {
		s.hookFailed(err)
		return o.CloseTimeout
	}
	if !ev.Asked {
		s.ping()
	}
	s.flush()
	return o.PingTimeout
}

// ping sends an IQ from the server to the client's full JID (XEP-0199 §4.1).
// Whatever the client answers shows that it is there.
func (s *Stream) ping() {
	st, err := stanza.New(stanza.IQ, "get", "ping-"+rand.Text(), s.full.Host(), s.full, []byte("<ping xmlns='"+nsPing+"'/>"))
	if err != nil {
		s.log().Error("ping", "err", err)
		return
	}
	s.srv.sm.Submit(sessionmgr.Entry{Out: []sessionmgr.Delivery{{To: s.Session(), Stanza: st}}})
}

// heard notes that the client sent something.
func (s *Stream) heard() {
	s.asked = false
}
