package c2s

import (
	"crypto/tls"
	"strings"
	"testing"

	"weir/sessionmgr"
)

// What follows the request in the clear is an injection (CVE-2011-0411).
func TestStartTLSInjection(t *testing.T) {
	c := newHouse(t, withTLS).dial()
	c.open()
	c.send(starttls + plain("juliet", password))
	if text := c.expectError("policy-violation"); !strings.Contains(text, "starttls") {
		t.Errorf("text: %q", text)
	}
}

// Nothing said before TLS counts afterwards (RFC 6120 §5.4.3.3): a from header
// that anyone could have put there does not bind the login.
func TestStartTLSForgets(t *testing.T) {
	c := newHouse(t, withTLS).dial()
	c.send(strings.Replace(headerVerona, " to=", " from='romeo@verona.lit' to=", 1))
	c.expect(endFeatures)
	c.send(starttls)
	c.expect("<proceed xmlns='" + nsTLS + "'/>")
	c.handshake()
	c.open()
	c.send(plain("juliet", password))
	c.expect("<success")
}

func TestStartTLSRefused(t *testing.T) {
	for _, tt := range []struct {
		name, send string
		change     func(*setup)
	}{
		{"no TLS here", starttls, func(*setup) {}},
		{"no TLS for the host", starttls, func(u *setup) { u.lis.StartTLS = func(string) *tls.Config { return nil } }},
		{"malformed", "<starttls xmlns='" + nsTLS + "'>please</starttls>", withTLS},
		{"malformed, with a child", "<starttls xmlns='" + nsTLS + "'><please/></starttls>", withTLS},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t, tt.change)
			c := h.dial()
			c.open()
			c.send(tt.send)
			c.expect("<failure xmlns='" + nsTLS + "'/></stream:stream>") // RFC 6120 §5.4.2.2
			c.send("</stream:stream>")
			c.expectEnd()
			if got := h.cause(); got.Code != sessionmgr.StreamFailed {
				t.Errorf("cause: %v", got)
			}
		})
	}
}

// Where TLS is not required it is still offered, and works.
func TestInsecureListener(t *testing.T) {
	h := newHouse(t, withTLS)
	h.lis.Insecure = true
	c := h.dial()
	f := c.open()
	if !strings.Contains(f, "<starttls xmlns='"+nsTLS+"'></starttls>") || !strings.Contains(f, "<mechanism>SCRAM-SHA-256</mechanism>") {
		t.Errorf("features: %s", f)
	}
	if strings.Contains(f, "PLAIN") || strings.Contains(f, "PLUS") {
		t.Errorf("offered without TLS: %s", f)
	}
	c = h.dial()
	c.upgrade()
	if f := c.open(); strings.Contains(f, "starttls") {
		t.Errorf("features: %s", f)
	}
}

// A failed handshake ends the connection without a word (RFC 6120 §5.4.3.2).
func TestHandshakeFails(t *testing.T) {
	h := newHouse(t, withTLS)
	c := h.dial()
	c.open()
	c.send(starttls)
	c.expect("<proceed xmlns='" + nsTLS + "'/>")
	c.send("this is no client hello, is it?")
	if rest := c.expectEnd(); strings.Contains(rest, "stream") {
		t.Errorf("after a failed handshake: %q", rest)
	}
	if got := h.cause(); got.Code != sessionmgr.LinkLost || !strings.Contains(got.Text, "TLS") {
		t.Errorf("cause: %v", got)
	}
}

// Where TLS is required and impossible, the client is told so.
func TestNoTLSThoughRequired(t *testing.T) {
	h := newHouse(t, withTLS)
	h.lis.StartTLS = func(string) *tls.Config { return nil }
	c := h.dial()
	c.send(headerVerona)
	if text := c.expectError("internal-server-error"); !strings.Contains(text, "TLS") {
		t.Errorf("text: %q", text)
	}
}

// A connection that was negotiated for another protocol is no client's (XEP-0368 §3).
func TestALPN(t *testing.T) {
	for protocol, ok := range map[string]bool{"": true, "xmpp-client": true, "h2": false, "xmpp-server": false} {
		if err := checkALPN(&tls.ConnectionState{NegotiatedProtocol: protocol}); (err == nil) != ok {
			t.Errorf("%q: %v", protocol, err)
		}
	}
	if err := checkALPN(nil); err != nil {
		t.Error(err)
	}
}
