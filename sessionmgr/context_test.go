package sessionmgr

import (
	"context"
	"testing"

	"weir/hook"
	"weir/jid"
)

// TestContextOfHooks: the context of a handler has the session that it runs for, and
// not that of who makes it so: one that opens a bot, or a server that starts.
func TestContextOfHooks(t *testing.T) {
	h := newHouse(t)
	romeo := h.bind("romeo@verona.lit/orchard")
	romeo.enable()
	saw := func(point string) func(context.Context, *Session) {
		return func(ctx context.Context, s *Session) {
			if in, _ := FromContext(ctx); in != s {
				t.Errorf("%s of %s: the context has another session, or none", point, s.JID())
			}
			if err := s.m.With(ctx, s.ID(), func(context.Context) error { return nil }); err != ErrReentry {
				t.Errorf("%s of %s: its own order can be waited for: %v", point, s.JID(), err)
			}
		}
	}
	h.Hooks.PreBind.Add("t", hook.Normal, func(ctx context.Context, e *PreBind) error { saw("PreBind")(ctx, e.Session); return nil })
	h.Hooks.Bound.Add("t", hook.Normal, saw("Bound"))
	h.Hooks.Replaced.Add("t", hook.Normal, func(ctx context.Context, e Replacement) { saw("Replaced")(ctx, e.By) })
	for range 2 { // the second replaces the first
		if _, err := h.OpenVirtual(romeo.Context(), VirtualOptions{JID: jid.MustParse("romeo@verona.lit/bot")}); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	next := newHouseOn(t, h.store)
	restored := 0
	next.Hooks.Restored.Add("t", hook.Normal, func(ctx context.Context, s *Session) { restored++; saw("Restored")(ctx, s) })
	if err := next.Restore(t.Context()); err != nil || restored != 1 {
		t.Errorf("%d sessions were restored: %v", restored, err)
	}
}
