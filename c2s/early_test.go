package c2s

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/stanza"
)

// early registers a handler that fails as it is asked to.
func early(h *house) {
	h.HandleEarlyIQ(EarlyIQ{NS: "urn:test", Local: "ask", Handle: func(_ context.Context, s *Stream, iq *stanza.Stanza) (any, error) {
		switch {
		case strings.Contains(string(iq.Child("urn:test", "ask")), "time"):
			s.AllowLogin(5 * time.Minute)
			return nil, nil
		case strings.Contains(string(iq.Child("urn:test", "ask")), "fault"):
			return nil, errors.New("oh")
		case strings.Contains(string(iq.Child("urn:test", "ask")), "panic"):
			panic("oh")
		}
		return nil, stanza.ItemNotFound(s.Host())
	}})
}

func ask(what string) string {
	return "<iq type='set' id='q'><ask xmlns='urn:test' " + what + "=''/></iq>"
}

// An IQ that a module takes is answered before the login, under TLS only, and the login
// goes on as ever; another ends the stream (RFC 6120 §4.9.3.12).
func TestEarlyIQ(t *testing.T) {
	h := newHouse(t, withTLS)
	early(h)
	c := h.dialTLS()
	c.open()
	c.send(ask("x"))
	if got := c.expect("</iq>"); !strings.Contains(got, "<item-not-found") || !strings.Contains(got, "verona.lit") {
		t.Errorf("answered %s", got)
	}
	c.send(ask("fault"))
	if got := c.expect("</iq>"); !strings.Contains(got, "<internal-server-error") {
		t.Errorf("answered %s", got)
	}
	c.send("<iq type='set'><ask xmlns='urn:test'/></iq>") // no id
	if got := c.expect("</iq>"); !strings.Contains(got, "<bad-request") {
		t.Errorf("answered %s", got)
	}
	c.send(plain("juliet", password))
	c.expect("<success")
	for what, x := range map[string]string{"another": "<iq type='get' id='q'><query xmlns='jabber:iq:roster'/></iq>", "a result": "<iq type='result' id='q'><ask xmlns='urn:test'/></iq>",
		"of another host": "<iq type='set' id='q' to='mantua.lit'><ask xmlns='urn:test'/></iq>", "a message": "<message><ask xmlns='urn:test'/></message>"} {
		c := h.dialTLS()
		c.open()
		c.send(x)
		if text := c.expectError("not-authorized"); text == "" {
			t.Errorf("%s: no text", what)
		}
	}
	c = h.dialTLS()
	c.open()
	c.send(ask("panic"))
	c.expectError("internal-server-error")
	c = h.dial() // without TLS
	c.open()
	c.send(ask("x"))
	c.expectError("not-authorized")
}

// Who has shown a good reason has more time, once; who asks too often has none.
func TestEarlyBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, withTLS)
		early(h)
		c := h.dialTLS()
		c.open()
		begin := time.Now()
		c.send(ask("time"))
		c.expect("<iq id='q' type='result'/>")
		time.Sleep(4 * time.Minute)
		c.send(ask("time")) // no more than that
		c.expect("<iq id='q' type='result'/>")
		time.Sleep(time.Minute - time.Second)
		if text := c.expectError("policy-violation"); !strings.Contains(text, "no login within 5m0s") {
			t.Errorf("text: %q", text)
		}
		if took := time.Since(begin).Round(time.Second); took != 5*time.Minute {
			t.Errorf("after %v", took)
		}
		c = h.dialTLS()
		c.open()
		for range maxEarly + 1 {
			c.send(ask("x"))
		}
		if text := c.expectError("policy-violation"); !strings.Contains(text, "20 requests") {
			t.Errorf("text: %q", text)
		}
	})
}
