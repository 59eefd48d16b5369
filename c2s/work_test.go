package c2s

import (
	"context"
	"strings"
	"testing"
	"time"

	"weir/auth"
	"weir/jid"
	"weir/sessionmgr"

	"mellium.im/xmpp/stream"
)

// The time is up while a goroutine binds: the connection ends without waiting
// for it, but the manager hears of that only when it is done with the session.
func TestDeadlineWhileBinding(t *testing.T) {
	h := newHouse(t, func(u *setup) { u.o.BindTimeout, u.o.CloseTimeout = time.Second, time.Second })
	begun, goOn := make(chan struct{}), make(chan struct{})
	h.sm.Hooks.PreBind.Add("test", 0, func(context.Context, *sessionmgr.PreBind) error {
		close(begun)
		<-goOn
		return nil
	})
	c := h.dial()
	c.login("juliet")
	c.send(bindIQ)
	<-begun
	c.expect("no resource was bound within 1s")
	c.expectEnd()
	h.mu.Lock()
	if len(h.causes) != 0 {
		t.Errorf("ended while it was being bound: %v", h.causes)
	}
	h.mu.Unlock()
	close(goOn)
	if got := h.cause(); got.Code != sessionmgr.TimedOut {
		t.Errorf("cause: %v", got)
	}
	if h.sm.ByJID(jid.MustParse("juliet@verona.lit/balcony")) != nil {
		t.Error("a session without a connection is bound")
	}
}

// A session that is ended by others while its stream works elsewhere says so and
// does nothing more.
func TestKickedWhileLoggingIn(t *testing.T) {
	h := newHouse(t)
	h.Hooks.PreAuth.Add("test", 0, func(_ context.Context, ev *PreAuth) error {
		h.sm.Kick(ev.Session, sessionmgr.Cause{Code: sessionmgr.Kicked}, &stream.Error{Err: "reset"})
		return nil
	})
	c := h.dial()
	c.open()
	c.send(plain("juliet", password) + headerVerona)
	if got := c.expect("</stream:stream>"); strings.Contains(got, "success") || !strings.Contains(got, "<reset") {
		t.Errorf("got %s", got)
	}
	c.send("</stream:stream>")
	if rest := c.expectEnd(); rest != "" {
		t.Errorf("after the end: %s", rest)
	}
}

// Nothing stays behind when the login deadline passes during a step.
func TestDeadlineWhileWorking(t *testing.T) {
	h := newHouse(t, func(u *setup) { u.o.LoginTimeout, u.o.CloseTimeout = time.Second, time.Second })
	goOn := make(chan struct{})
	h.Hooks.PreAuth.Add("test", 0, func(context.Context, *PreAuth) error {
		<-goOn
		return &auth.Failure{Condition: "temporary-auth-failure"}
	})
	c := h.dial()
	c.open()
	c.send(plain("juliet", password))
	c.expect("no login within 1s")
	c.expectEnd()
	close(goOn)
	if got := h.cause(); got.Code != sessionmgr.TimedOut {
		t.Errorf("cause: %v", got)
	}
}
