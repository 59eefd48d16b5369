package c2s

import (
	"context"
	"errors"
	"strings"
	"testing"

	"weir/sessionmgr"
	"weir/stanza"

	"mellium.im/xmpp/stream"
)

// RFC 6120 §8.1.2.1: from is the client's own address, full or bare; what goes
// out always has the full one.
func TestFrom(t *testing.T) {
	for _, tt := range []struct{ from, condition string }{
		{"", ""},
		{"from='juliet@verona.lit/balcony'", ""},
		{"from='juliet@verona.lit'", ""},
		{"from='JULIET@verona.lit/balcony'", ""},
		{"from='romeo@verona.lit'", "invalid-from"},
		{"from='juliet@verona.lit/chamber'", "invalid-from"},
		{"from='verona.lit'", "invalid-from"},
		{"from=''", "invalid-from"},
		{"from='@'", "invalid-from"},
	} {
		t.Run(tt.from, func(t *testing.T) {
			c := newHouse(t).dial().bind("juliet", "balcony")
			c.send("<message " + tt.from + " to='juliet@verona.lit/balcony'><body>x</body></message>")
			if tt.condition != "" {
				c.expectError(tt.condition)
				return
			}
			if got := c.expect("</message>"); !strings.Contains(got, "from='juliet@verona.lit/balcony'") {
				t.Errorf("got %s", got)
			}
		})
	}
}

// Mistakes in one stanza are answered; the stream goes on (RFC 6120 §8.3).
func TestStanzaErrors(t *testing.T) {
	for _, tt := range []struct{ send, answer string }{
		{"<iq type='get' to='verona.lit'><x xmlns='x'/></iq>", "<bad-request"},
		{"<iq type='get' id='1' to='verona.lit'/>", "<bad-request"},
		{"<iq type='subscribe' id='1' to='verona.lit'><x xmlns='x'/></iq>", "<bad-request"},
		{"<iq id='1' to='verona.lit'><x xmlns='x'/></iq>", "<bad-request"},
		{"<message to='a@b@c' id='1'><body>x</body></message>", "<jid-malformed"},
		{"<presence type='odd' to='romeo@verona.lit'/>", "<bad-request"},
		{"<iq type='set' id='1'><session xmlns='" + nsSession + "'/></iq>", "type='result'"},
		{bindIQ, "<not-allowed"},
		{"<iq type='get' id='1'><x xmlns='x'/></iq>", "<service-unavailable"},
	} {
		c := newHouse(t).dial().bind("juliet", "balcony")
		c.send(tt.send)
		c.expect(tt.answer)
		c.sync()
	}
}

// A stanza whose name has a prefix is none (RFC 6120 §4.8.5).
func TestPrefixedStanza(t *testing.T) {
	c := newHouse(t).dial().bind("juliet", "balcony")
	c.send("<c:message xmlns:c='jabber:client' to='juliet@verona.lit'><c:body>x</c:body></c:message>")
	c.expectError("bad-namespace-prefix")
}

// What is behind a mistake that ends the stream is not processed.
func TestNothingAfterError(t *testing.T) {
	h := newHouse(t)
	romeo := h.dial().bind("romeo", "orchard")
	c := h.dial().bind("juliet", "balcony")
	c.send("<message to='romeo@verona.lit/orchard'><body>before</body></message><odd/>" +
		"<message to='romeo@verona.lit/orchard'><body>after</body></message>")
	c.expectError("unsupported-stanza-type")
	if got := romeo.sync(); !strings.Contains(got, "before") || strings.Contains(got, "after") {
		t.Errorf("romeo got %s", got)
	}
}

func TestStanzaIn(t *testing.T) {
	for _, tt := range []struct {
		name          string
		err           error
		answer, stops string
	}{
		{"stanza error", stanza.NotAcceptable("no"), "<not-acceptable", ""},
		{"stream error", stream.PolicyViolation, "", "policy-violation"},
		{"other", errors.New("trouble"), "", "internal-server-error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t)
			c := h.dial().bind("juliet", "balcony")
			h.Hooks.StanzaIn.Add("test", 0, func(ctx context.Context, ev *StanzaIn) error {
				if s, ok := sessionmgr.FromContext(ctx); !ok || s != ev.Session {
					t.Error("the context has no session")
				}
				if ev.Stanza.Kind == stanza.Message {
					return tt.err
				}
				return nil
			})
			c.send("<message to='juliet@verona.lit/balcony' id='m1'><body>x</body></message>")
			if tt.stops != "" {
				c.expectError(tt.stops)
				return
			}
			c.expect(tt.answer)
			c.sync()
		})
	}
	t.Run("another stanza in its place", func(t *testing.T) {
		h := newHouse(t)
		c := h.dial().bind("juliet", "balcony")
		h.Hooks.StanzaIn.Add("test", 0, func(_ context.Context, ev *StanzaIn) error {
			ev.Stanza = ev.Stanza.WithChild([]byte("<seen xmlns='urn:test'/>"))
			return nil
		})
		c.send("<message to='juliet@verona.lit/balcony'><body>x</body></message>")
		c.expect("<seen xmlns='urn:test'/>")
	})
}

// Stanzas whose handling waits for storage hold up those behind them, and
// nothing is lost or reordered (RFC 6120 §10.1).
func TestInboundPauses(t *testing.T) {
	h := newHouse(t)
	c := h.dial().bind("juliet", "balcony")
	var send strings.Builder
	for range 50 { // to an account with nobody online: kept, which blocks
		send.WriteString("<message to='romeo@verona.lit' type='chat'><body>x</body></message>" +
			"<message to='juliet@verona.lit/balcony' id='mark'><body>x</body></message>")
	}
	c.send(send.String())
	for range 50 {
		c.expect("id='mark'")
	}
	c.sync()
}
