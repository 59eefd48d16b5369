package c2s

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"weir/sessionmgr"
	"weir/xmlstream"

	"mellium.im/xmpp/stream"
)

func TestStreamFeatures(t *testing.T) {
	h := newHouse(t, withTLS)
	var states []State
	h.Hooks.StreamFeatures.Add("test", 0, func(_ context.Context, ev *StreamFeatures) {
		states = append(states, ev.State)
		ev.Caps = Caps{Hash: "sha-1", Node: "https://weir.example/?a&b", Ver: "abc="}
		if ev.State == Authenticated {
			ev.XML = append(ev.XML, "<sm xmlns='urn:xmpp:sm:3'/>"...)
		}
	})
	c := h.dial()
	c.upgrade()
	caps := "<c xmlns='" + nsCaps + "' hash='sha-1' node='https://weir.example/?a&amp;b' ver='abc='/>"
	if f := c.open(); !strings.Contains(f, caps) || strings.Contains(f, "urn:xmpp:sm:3") {
		t.Errorf("features: %s", f)
	}
	c.send(plain("juliet", password))
	c.expect("</success>")
	if f := c.open(); !strings.Contains(f, caps+"<sm xmlns='urn:xmpp:sm:3'/></stream:features>") {
		t.Errorf("features: %s", f)
	}
	if len(states) != 2 || states[0] != Secured || states[1] != Authenticated {
		t.Errorf("asked in states %v", states) // not before TLS, RFC 6120 §5.3.1
	}
}

func TestSecuredHook(t *testing.T) {
	h := newHouse(t, withTLS)
	told := make(chan string, 1)
	h.Hooks.Secured.Add("test", 0, func(_ context.Context, s *sessionmgr.Session) { told <- s.Info().TLS })
	h.dial().upgrade()
	if got := <-told; got != "TLS 1.3" {
		t.Errorf("got %q", got)
	}
}

func TestNonza(t *testing.T) {
	h := newHouse(t, func(u *setup) { u.o.StanzaRate, u.o.StanzaBurst = 1, 20 })
	counts := make(chan int, 1000)
	h.HandleNonza(Nonza{NS: "urn:test", Local: "free", States: Bound, Free: true,
		Handle: func(ctx context.Context, s *Stream, tok *xmlstream.Token) error {
			if got, ok := sessionmgr.FromContext(ctx); !ok || got != s.Session() || s.State() != Bound {
				t.Error("wrong session or state")
			}
			v, _ := tok.Attr("n")
			counts <- len(v)
			return nil
		}})
	h.HandleNonza(Nonza{NS: "urn:test", Local: "wrong", States: Bound,
		Handle: func(context.Context, *Stream, *xmlstream.Token) error { return stream.Reset }})
	h.HandleNonza(Nonza{NS: "urn:test", Local: "slow", States: Bound, Free: true,
		Handle: func(_ context.Context, s *Stream, _ *xmlstream.Token) error {
			s.Work(func(context.Context) {
				time.Sleep(10 * time.Millisecond)
				_ = s.Send(func(dst []byte) []byte { return append(dst, "<done xmlns='urn:test'/>"...) })
			})
			return nil
		}})
	c := h.dial().bind("juliet", "balcony")
	c.send(strings.Repeat("<free xmlns='urn:test' n='12'/>", 1000)) // in no time: no limit holds it up
	for range 1000 {
		if n := <-counts; n != 2 {
			t.Fatal("n", n)
		}
	}
	c.send("<slow xmlns='urn:test'/><slow xmlns='urn:test'/>")
	c.expectAll("<done xmlns='urn:test'/>", "<done xmlns='urn:test'/>")
	c.send("<wrong xmlns='urn:test'/>")
	c.expectError("reset")
}

func TestNonzaTwice(t *testing.T) {
	h := newHouse(t)
	n := Nonza{NS: "urn:test", Local: "x", States: Bound}
	h.HandleNonza(n)
	for _, twice := range []Nonza{n, {NS: nsSASL, Local: "auth"}, {NS: "jabber:client", Local: "message"}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%v was accepted", twice)
				}
			}()
			h.HandleNonza(twice)
		}()
	}
}

// What is appended in PreDrain rides with the batch; nothing else changes.
func TestPreDrain(t *testing.T) {
	h := newHouse(t)
	c := h.dial().bind("juliet", "balcony")
	remove := h.Hooks.PreDrain.Add("test", 0, func(_ context.Context, ev *PreDrain) {
		if len(ev.Batch) > 0 && ev.Stream.Session().JID().Resource() == "balcony" {
			ev.Batch = append(ev.Batch, "<a xmlns='urn:xmpp:sm:3'/>"...)
		}
	})
	drained := make(chan *sessionmgr.Session, 100)
	h.Hooks.Drained.Add("test", 0, func(_ context.Context, s *sessionmgr.Session) { drained <- s })
	c.sync()
	c.expect("<a xmlns='urn:xmpp:sm:3'/>")
	if s := <-drained; s.JID().Resource() != "balcony" {
		t.Error("drained", s.JID())
	}
	remove()
	c.sync()
	if got := c.unseen(); strings.Contains(got, "<a") {
		t.Errorf("got %s", got)
	}
}

// A handler that panics ends the one stream it was called for.
func TestPanics(t *testing.T) {
	add := map[string]func(h *house){
		"StreamFeatures": func(h *house) {
			h.Hooks.StreamFeatures.Add("bad", 0, func(context.Context, *StreamFeatures) { panic("oh") })
		},
		"PreAuth":    func(h *house) { h.Hooks.PreAuth.Add("bad", 0, func(context.Context, *PreAuth) error { panic("oh") }) },
		"AuthFailed": func(h *house) { h.Hooks.AuthFailed.Add("bad", 0, func(context.Context, AuthFailed) { panic("oh") }) },
		"StanzaIn":   func(h *house) { h.Hooks.StanzaIn.Add("bad", 0, func(context.Context, *StanzaIn) error { panic("oh") }) },
		"PreDrain":   func(h *house) { h.Hooks.PreDrain.Add("bad", 0, func(context.Context, *PreDrain) { panic("oh") }) },
		"Drained": func(h *house) {
			h.Hooks.Drained.Add("bad", 0, func(context.Context, *sessionmgr.Session) { panic("oh") })
		},
		"nonza": func(h *house) {
			h.HandleNonza(Nonza{NS: "urn:test", Local: "x", States: anyState,
				Handle: func(context.Context, *Stream, *xmlstream.Token) error { panic("oh") }})
		},
		"work": func(h *house) {
			h.HandleNonza(Nonza{NS: "urn:test", Local: "x", States: anyState,
				Handle: func(_ context.Context, s *Stream, _ *xmlstream.Token) error {
					s.Work(func(context.Context) { panic("oh") })
					return nil
				}})
		},
		"an error": func(h *house) {
			h.HandleNonza(Nonza{NS: "urn:test", Local: "x", States: anyState,
				Handle: func(context.Context, *Stream, *xmlstream.Token) error { return errors.New("oh") }})
		},
	}
	for name, add := range add {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			other := h.dial().bind("romeo", "orchard")
			add(h)
			c := h.dial()
			last := "<message to='juliet@verona.lit'/>"
			if len(*h.nonzas.Load()) > 0 {
				last = "<x xmlns='urn:test'/>"
			}
			c.send(headerVerona + plain("juliet", "wrong") + plain("juliet", password) + headerVerona + bindIQ + last)
			c.expect("<stream:error><internal-server-error")
			c.send("</stream:stream>")
			c.expectEnd()
			if got := h.cause(); got.Code != sessionmgr.Internal {
				t.Errorf("cause: %v", got)
			}
			if name == "Secured" || name == "AuthFailed" || name == "PreAuth" || name == "nonza" {
				other.sync()
			}
		})
	}
}
