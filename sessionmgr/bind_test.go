package sessionmgr

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"weir/hook"
	"weir/jid"
	"weir/stanza"
)

func condition(err error) string {
	if e, ok := stanza.AsError(err); ok {
		return string(e.Condition)
	}
	return fmt.Sprint(err)
}

func TestBindMakesAResource(t *testing.T) {
	h := newHouse(t)
	c := h.connect("juliet@verona.lit")
	var told jid.JID
	if err := h.Bind(t.Context(), c.Session, "", func(j jid.JID) { told = j }); err != nil {
		t.Fatal(err)
	}
	if told != c.JID() || len(told.Resource()) < 16 || c.State() != Bound {
		t.Errorf("told %s, is %s, %s", told, c.JID(), c.State())
	}
	if err := h.Bind(t.Context(), c.Session, "x", nil); condition(err) != "not-allowed" {
		t.Errorf("a second resource: %v", err) // RFC 6120 §7.1
	}
}

func TestBindConflict(t *testing.T) {
	for _, c := range []struct {
		policy, err string
		oldLives    bool
		sameJID     bool
	}{
		{ConflictReplace, "", false, true},
		{ConflictRefuse, "conflict", true, false},
		{ConflictRename, "", true, false},
	} {
		t.Run(c.policy, func(t *testing.T) {
			h := newHouse(t, func(o *Options) { o.Conflict = c.policy })
			older := h.online("juliet@verona.lit/balcony", 0)
			newer := h.connect("juliet@verona.lit")
			err := h.Bind(t.Context(), newer.Session, "balcony", func(jid.JID) {})
			if (err == nil) != (c.err == "") || err != nil && condition(err) != c.err {
				t.Fatalf("newer: %v", err)
			}
			if (older.State() == Bound) != c.oldLives {
				t.Errorf("older is %s", older.State())
			}
			if !c.oldLives && (older.goodbye == nil || older.goodbye.Err != "conflict" || older.Cause().Code != Replaced) {
				t.Errorf("older ended with %v, %v", older.goodbye, older.Cause())
			}
			if (newer.JID() == jid.MustParse("juliet@verona.lit/balcony")) != c.sameJID {
				t.Errorf("newer is %s", newer.JID())
			}
		})
	}
}

func TestSessionsOfAnAccountAreLimited(t *testing.T) {
	h := newHouse(t, func(o *Options) { o.MaxSessions = 2 })
	h.bind("juliet@verona.lit/a")
	b := h.bind("juliet@verona.lit/b")
	c := h.connect("juliet@verona.lit")
	if err := h.Bind(t.Context(), c.Session, "c", nil); condition(err) != "resource-constraint" {
		t.Errorf("third session: %v", err)
	}
	h.Closed(b.Session, b, Cause{Code: ClosedByClient})
	if err := h.Bind(t.Context(), c.Session, "c", func(jid.JID) {}); err != nil {
		t.Errorf("after one left: %v", err)
	}
}

func TestPreBind(t *testing.T) {
	h := newHouse(t)
	h.Hooks.PreBind.Add("test", hook.Normal, func(_ context.Context, ev *PreBind) error {
		switch ev.Resource {
		case "never":
			return stanza.NotAllowed()
		case "broken":
			return errors.New("broken")
		}
		ev.Resource += "!"
		return nil
	})
	c := h.connect("juliet@verona.lit")
	for asked, want := range map[string]string{"never": "not-allowed", "broken": "internal-server-error"} {
		if err := h.Bind(t.Context(), c.Session, asked, nil); condition(err) != want {
			t.Errorf("%s: %v", asked, err)
		}
	}
	if err := h.Bind(t.Context(), c.Session, "x", func(jid.JID) {}); err != nil || c.JID().Resource() != "x!" {
		t.Errorf("%v %s", err, c.JID())
	}
}

// TestBindRace lets many sessions ask for one resource at once: one has it in
// the end, and every other one was told so.
func TestBindRace(t *testing.T) {
	h := newHouse(t)
	var all []*client
	for range 20 {
		all = append(all, h.connect("juliet@verona.lit"))
	}
	var wg sync.WaitGroup
	for _, c := range all {
		wg.Go(func() { h.Bind(context.Background(), c.Session, "balcony", func(jid.JID) {}) })
	}
	wg.Wait()
	h.settle()
	bound := 0
	for _, c := range all {
		switch c.State() {
		case Bound:
			bound++
		case Destroyed:
			if c.Cause().Code != Replaced {
				t.Errorf("ended with %v", c.Cause())
			}
		}
	}
	if bound != 1 || len(h.ByAccount(jid.MustParse("juliet@verona.lit"))) != 1 {
		t.Errorf("%d bound, %d registered", bound, len(h.ByAccount(jid.MustParse("juliet@verona.lit"))))
	}
}

func TestEndOfASession(t *testing.T) {
	h := newHouse(t)
	var events []string
	h.Hooks.Unbound.Add("test", hook.Normal, func(_ context.Context, s *Session) {
		events = append(events, "unbound "+s.State().String())
		if h.ByJID(s.JID()) != nil {
			t.Error("can still be reached")
		}
	})
	h.Hooks.Closed.Add("test", hook.Normal, func(_ context.Context, c Closing) { events = append(events, "closed "+c.Cause.String()) })
	c := h.online("juliet@verona.lit/balcony", 0)
	done := c.Context().Done()
	h.Closed(c.Session, c, Cause{LinkLost, "reset"})
	h.Closed(c.Session, c, Cause{Code: ClosedByClient}) // the first cause counts
	h.settle()
	if fmt.Sprint(events) != "[unbound c2s_destroyed closed link-lost: reset]" {
		t.Errorf("events: %v", events)
	}
	select {
	case <-done:
	default:
		t.Error("the context didn't end")
	}
	if h.Get(c.ID()) != nil || c.Link() != nil || c.Cause().Code != LinkLost {
		t.Error("still there")
	}
}

func TestLookUps(t *testing.T) {
	h := newHouse(t)
	a := h.bind("juliet@verona.lit/a")
	b := h.bind("juliet@verona.lit/b")
	if h.Get(a.ID()) != a.Session || h.ByJID(b.JID()) != b.Session || h.ByJID(jid.MustParse("juliet@verona.lit/c")) != nil {
		t.Error("look-ups")
	}
	seen := map[string]bool{}
	h.Range(func(s *Session) bool { seen[s.ID()] = true; return true })
	if len(seen) != 2 || a.ID() == b.ID() {
		t.Errorf("range saw %v", seen)
	}
	if s, ok := FromContext(a.Context()); !ok || s != a.Session {
		t.Error("FromContext")
	}
	if s, ok := FromContext(t.Context()); ok || s != nil {
		t.Error("FromContext elsewhere")
	}
	slot := NewSlot[int](h.Manager, "n")
	slot.Set(a.Session, 7)
	if v, ok := slot.Get(a.Session); v != 7 || !ok {
		t.Error("slot")
	}
	if _, ok := slot.Get(b.Session); ok {
		t.Error("slot of another session")
	}
}
