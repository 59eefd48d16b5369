package c2s

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/sessionmgr"
)

// A silent client is pinged, and if it doesn't answer the stream ends.
func TestSilentClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		c := h.dial().bind("juliet", "balcony")
		begin := time.Now()
		time.Sleep(5*time.Minute - time.Second)
		if got := c.unseen(); got != "" {
			t.Fatalf("too early: %s", got)
		}
		got := c.expect("</iq>")
		for _, want := range []string{"from='verona.lit'", "to='juliet@verona.lit/balcony'", "type='get'", "<ping xmlns='urn:xmpp:ping'/>"} {
			if !strings.Contains(got, want) {
				t.Errorf("no %s in %s", want, got)
			}
		}
		time.Sleep(59 * time.Second)
		if got := c.unseen(); got != "" {
			t.Fatalf("too early: %s", got)
		}
		if text := c.expectError("connection-timeout"); !strings.Contains(text, "5m0s") {
			t.Errorf("text: %q", text)
		}
		if took := time.Since(begin).Round(time.Second); took != 6*time.Minute {
			t.Errorf("after %v", took)
		}
		if got := h.cause(); got.Code != sessionmgr.TimedOut {
			t.Errorf("cause: %v", got)
		}
	})
}

// Any sign of life will do, a space as well as an answer, and the time begins anew.
func TestSignOfLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		c := h.dial().bind("juliet", "balcony")
		for _, sign := range []string{" ", "<iq type='error' id='x' to='verona.lit'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"} {
			begin := time.Now()
			time.Sleep(5*time.Minute + time.Second)
			c.expect("<ping xmlns='urn:xmpp:ping'/></iq>")
			if took := time.Since(begin); took > 5*time.Minute+2*time.Second {
				t.Errorf("pinged after %v", took)
			}
			c.send(sign)
			synctest.Wait()
		}
		time.Sleep(5 * time.Minute)
		c.sync()
	})
}

// A module may ask in a way of its own.
func TestIdleHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.Hooks.Idle.Add("test", 0, func(_ context.Context, ev *Idle) {
			ev.Asked = ev.Stream.Send(func(dst []byte) []byte { return append(dst, "<r xmlns='urn:xmpp:sm:3'/>"...) }) == nil
		})
		c := h.dial().bind("juliet", "balcony")
		time.Sleep(5*time.Minute + time.Second)
		if got := c.expect("<r xmlns='urn:xmpp:sm:3'/>"); strings.Contains(got, "ping") {
			t.Errorf("got %s", got)
		}
		time.Sleep(time.Minute)
		c.expectError("connection-timeout")
	})
}
