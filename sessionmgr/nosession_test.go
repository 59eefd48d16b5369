package sessionmgr

import (
	"context"
	"errors"
	"strings"
	"testing"

	"weir/jid"
	"weir/stanza"

	merr "mellium.im/xmpp/stanza"
)

// TestNoSession: whoever asks for a session by an id that is gone and goes on with what
// it got is told so, by each method that takes a session, and does no harm.
func TestNoSession(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	gone := h.Get("gone")
	st := notice(t, "hi")
	process := newKey[int](t, h, "a.process", KeyOptions{})
	account := newKey[int](t, h, "a.account", KeyOptions{Lifetime: OfAccount})
	tracker := &Tracker{}
	for what, call := range map[string]func() error{
		"Send":           func() error { return h.Send(gone, st) },
		"SendAs":         func() error { return h.SendAs(ctx, gone, st) },
		"SendFollowed":   func() error { return h.SendFollowed(gone, st, tracker) },
		"Kick":           func() error { return h.Kick(gone, Cause{Kicked, ""}, nil) },
		"Unbind":         func() error { return h.Unbind(gone, "", nil) },
		"SetCarbons":     func() error { return h.SetCarbons(ctx, gone, true) },
		"Waiting":        func() error { _, err := h.Waiting(ctx, gone); return err },
		"With":           func() error { return h.With(ctx, "gone", func(context.Context) error { return nil }) },
		"Key.Set":        func() error { return process.Set(gone, 1) },
		"Key.Delete":     func() error { return process.Delete(gone) },
		"Key.Update":     func() error { return account.Update(gone, func(v int, _ bool) (int, bool) { return v, true }) },
		"Key.Set, owned": func() error { return account.Set(gone, 1) },
	} {
		if err := call(); !errors.Is(err, ErrGone) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, call := range map[string]func() error{
		"Bind":   func() error { return h.Bind(ctx, gone, "x", func(jid.JID) {}) },
		"Enable": func() error { return h.Enable(ctx, gone, nil, true, 0, func(Enabled) {}) },
	} {
		if e, ok := stanza.AsError(call()); !ok || e.Condition != merr.NotAllowed {
			t.Errorf("%s: %v", what, e)
		}
	}
	var e *ResumeError
	if err := h.Resume(ctx, gone, nil, "x", 0, func(*Session, uint32) {}); !errors.As(err, &e) {
		t.Errorf("Resume: %v", err)
	}
	if v, ok := process.Get(gone); ok || v != 0 {
		t.Errorf("Key.Get: %d", v)
	}
	if _, ok, err := account.Lookup(gone); ok || err != nil {
		t.Errorf("Key.Lookup: %v", err)
	}
	if d := h.Describe([]*Session{gone}); len(d) != 1 || d[0].State != Destroyed.String() {
		t.Errorf("Describe: %+v", d)
	}
	if h.Ready(gone, 1) || h.Inbound(gone, nil, st, nil) || (&Filter{}).Concerns(gone) {
		t.Error("there is a session")
	}
	h.Room(gone)
	h.Fetched(gone, 1, 2)
	h.RequestAck(gone, nil)
	h.Acknowledge(gone, nil, 1, nil)
	h.SetInactive(gone, nil, true)
	h.Settle(ctx, gone, nil)
	h.StreamOpened(gone, "verona.lit")
	h.Authenticated(gone, jid.MustParse("juliet@verona.lit"))
	h.Drained(gone)
	h.Closed(gone, nil, Cause{LinkLost, ""})
}

// TestKeyRefused: what can't be shown or kept is no attribute.
func TestKeyRefused(t *testing.T) {
	h := newHouse(t)
	if _, err := NewKey[int](h.Manager, "bad name", KeyOptions{}); err == nil || !strings.Contains(err.Error(), "no blanks") {
		t.Errorf("a blank: %v", err)
	}
	if _, err := NewKey[func()](h.Manager, "a.func", KeyOptions{Lifetime: OfSession}); err == nil || !strings.Contains(err.Error(), "func") {
		t.Errorf("a function: %v", err)
	}
	if _, err := NewKey[chan int](h.Manager, "a.chan", KeyOptions{Lifetime: OfAccount}); err == nil || !strings.Contains(err.Error(), "chan") {
		t.Errorf("a channel: %v", err)
	}
	if _, err := NewKey[chan int](h.Manager, "a.chan", KeyOptions{}); err != nil {
		t.Errorf("a channel of the process: %v", err)
	}
}
