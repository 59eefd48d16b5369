package c2s

import (
	"bytes"
	"crypto/tls"
	"fmt"

	"weir/sessionmgr"
	"weir/xmlstream"

	"mellium.im/xmpp/stream"
)

// startTLS begins TLS (RFC 6120 §5.4.2). What came behind the request in the
// clear must not survive into the secured stream: it ends it.
func (s *Stream) startTLS(tok *xmlstream.Token, rest []byte) {
	var cfg *tls.Config
	if s.lis.StartTLS != nil {
		cfg = s.lis.StartTLS(s.neg.host)
	}
	if cfg == nil || len(tok.Children) > 0 || tok.Text {
		s.refuseTLS(tok, rest)
		return
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		s.Fail(streamError(stream.PolicyViolation, "nothing may follow <starttls/> before TLS"))
		return
	}
	s.neg.handshake = true
	s.neg.exchange = nil
	err := s.send(func(dst []byte) []byte {
		s.opened = false // the next stream is a new one, RFC 6120 §5.3.2
		return append(dst, "<proceed xmlns='"+nsTLS+"'/>"...)
	})
	if err != nil {
		return
	}
	s.conn.StartTLS(cfg, s.secured)
}

// refuseTLS answers where TLS is not on offer: it ends the stream (RFC 6120 §5.4.2.2).
func (s *Stream) refuseTLS(*xmlstream.Token, []byte) {
	s.sendString("<failure xmlns='" + nsTLS + "'/>")
	s.end(nil, sessionmgr.Cause{Code: sessionmgr.StreamFailed, Text: "STARTTLS where it was not offered"})
}

// secured goes on after the handshake, on the reader goroutine's side.
func (s *Stream) secured(err error) {
	s.neg.handshake = false
	if err != nil { // RFC 6120 §5.4.3.2: nothing is said
		s.mu.Lock()
		s.last = &final{cause: sessionmgr.Cause{Code: sessionmgr.LinkLost, Text: "TLS: " + err.Error()}}
		s.mu.Unlock()
		s.closing.Store(true)
		return
	}
	s.state.Store(uint32(Secured))
	s.scan.Reset(s.srv.opts().loginLimits()) // RFC 6120 §5.4.3.3: all that was before is void
	s.Session().SetInfo(s.info(nil))
	s.tellSecured()
}

func (s *Stream) tellSecured() {
	if err := s.srv.Hooks.Secured.Run(s.ctx(), s.Session()); err != nil {
		s.hookFailed(err)
	}
}

// checkALPN refuses a connection that was negotiated for another protocol
// (XEP-0368 §3): its other end may believe to speak that one.
func checkALPN(t *tls.ConnectionState) error {
	if t == nil || t.NegotiatedProtocol == "" || t.NegotiatedProtocol == ALPN {
		return nil
	}
	return fmt.Errorf("c2s: ALPN is %q, not %q", t.NegotiatedProtocol, ALPN)
}

// ALPN names the protocol of client streams in TLS (XEP-0368 §3): direct TLS
// listeners have it in tls.Config.NextProtos.
const ALPN = "xmpp-client"

// tlsNames are version and cipher suite for people.
func tlsNames(t *tls.ConnectionState) (version, cipher string) {
	return tls.VersionName(t.Version), tls.CipherSuiteName(t.CipherSuite)
}
