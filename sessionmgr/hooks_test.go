package sessionmgr

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/hook"
	"weir/jid"
	"weir/stanza"

	"mellium.im/xmpp/stream"
)

// points has, for each point of the catalogue that runs for one session, how a
// handler is added that is given that session.
func points(h *house) map[string]func(fn func(context.Context, *Session)) {
	session := func(p *hook.Point[*Session]) func(func(context.Context, *Session)) {
		return func(fn func(context.Context, *Session)) { p.Add("bad", hook.Normal, fn) }
	}
	presence := func(p *hook.Point[PresenceChange]) func(func(context.Context, *Session)) {
		return func(fn func(context.Context, *Session)) {
			p.Add("bad", hook.Normal, func(ctx context.Context, c PresenceChange) { fn(ctx, c.Session) })
		}
	}
	closing := func(p *hook.Point[Closing]) func(func(context.Context, *Session)) {
		return func(fn func(context.Context, *Session)) {
			p.Add("bad", hook.Normal, func(ctx context.Context, c Closing) { fn(ctx, c.Session) })
		}
	}
	return map[string]func(func(context.Context, *Session)){
		"Connected": session(&h.Hooks.Connected), "StreamOpened": session(&h.Hooks.StreamOpened), "Authenticated": session(&h.Hooks.Authenticated),
		"Bound": session(&h.Hooks.Bound), "RosterRequested": session(&h.Hooks.RosterRequested), "Unbound": session(&h.Hooks.Unbound),
		"PresenceChanged": presence(&h.Hooks.PresenceChanged), "PriorityChanged": presence(&h.Hooks.PriorityChanged),
		"Hibernated": closing(&h.Hooks.Hibernated), "Closed": closing(&h.Hooks.Closed),
		"PreBind": func(fn func(context.Context, *Session)) {
			h.Hooks.PreBind.Add("bad", hook.Normal, func(ctx context.Context, b *PreBind) error { fn(ctx, b.Session); return nil })
		},
		"StanzaOut": func(fn func(context.Context, *Session)) {
			h.Hooks.StanzaOut.Add("bad", hook.Normal, func(ctx context.Context, o *StanzaOut) error { fn(ctx, o.To); return nil })
		},
		"PreClose": func(fn func(context.Context, *Session)) {
			h.Hooks.PreClose.Add("bad", hook.Normal, func(ctx context.Context, c *Closing) error { fn(ctx, c.Session); return nil })
		},
		"Resumed": func(fn func(context.Context, *Session)) {
			h.Hooks.Resumed.Add("bad", hook.Normal, func(ctx context.Context, r Resumption) { fn(ctx, r.Session) })
		},
		"Replaced": func(fn func(context.Context, *Session)) {
			h.Hooks.Replaced.Add("bad", hook.Normal, func(ctx context.Context, r Replacement) { fn(ctx, r.Session) })
		},
	}
}

// live has juliet do everything that a session can, as far as she gets: what is
// refused to her on the way is not looked at.
func live(h *house, notice *stanza.Stanza) {
	bind := func() *client {
		c := h.connect("juliet@verona.lit")
		_ = h.Bind(c.Session.Context(), c.Session, "balcony", func(jid.JID) {})
		return c
	}
	c := bind()
	c.SetInterested()
	c.available(1)
	var id string
	_ = h.Enable(context.Background(), c.Session, c, true, 0, func(e Enabled) { id = e.ID })
	_ = h.Send(c.Session, notice)
	c.cut()
	c, _, _ = h.resume("juliet@verona.lit", id, 0)
	c.SetPresence(nil, 0)
	again := bind()
	_ = h.Kick(again.Session, Cause{Kicked, "by an admin"}, &stream.Error{Err: "policy-violation"})
	h.settle()
}

// TestHandlersThatMisbehave: whatever a handler does, at whichever point, it can do
// to its own session only: others go on, and so do new sessions of the same
// account once the handler is gone.
func TestHandlersThatMisbehave(t *testing.T) {
	for way, fn := range map[string]func(h *house, ctx context.Context, s *Session){
		"panics": func(*house, context.Context, *Session) { panic("oh") },
		"ends its session": func(h *house, _ context.Context, s *Session) {
			_ = h.Kick(s, Cause{AccountGone, ""}, &stream.Error{Err: "not-authorized"})
		},
		"re-enters": func(h *house, ctx context.Context, s *Session) {
			if err := h.With(ctx, s.ID(), func(context.Context) error { return nil }); err == nil {
				t.Error("its own order was waited for")
			}
			if in, ok := FromContext(ctx); !ok || in.JID().Bare() != s.JID().Bare() {
				t.Errorf("the context has %v", in)
			}
		},
		"sends to its session": func(h *house, _ context.Context, s *Session) {
			if st, err := stanza.New(stanza.Presence, "", "", s.JID(), s.JID(), nil); err == nil && h.Hooks.StanzaOut.Empty() {
				_ = h.Send(s, st)
			}
		},
		"registers another": func(h *house, _ context.Context, _ *Session) {
			h.Hooks.Bound.Add("late", hook.Late, func(context.Context, *Session) {})
			h.Hooks.StanzaOut.Add("late", hook.Late, func(context.Context, *StanzaOut) error { return nil })
		},
	} {
		for _, point := range slices.Sorted(maps.Keys(points(newHouse(t)))) {
			t.Run(way+" at "+point, func(t *testing.T) {
				h := newHouse(t)
				romeo := h.online("romeo@verona.lit/orchard", 0)
				ran := 0
				points(h)[point](func(ctx context.Context, s *Session) {
					if s.JID().Bare().String() == "romeo@verona.lit" {
						return
					}
					ran++
					fn(h, ctx, s)
				})
				live(h, notice(t, "hark"))
				if ran == 0 {
					t.Fatal("it was not run")
				}
				if romeo.State() != Bound {
					t.Errorf("romeo's session has ended: %v", romeo.Cause())
				}
				romeo.got()
				romeo.send("<message to='romeo@verona.lit' type='chat'><body>still here</body></message>")
				romeo.want("still here")
			})
		}
	}
}

// TestHandlerThatBlocks: it holds up its own session, is counted as an overrun, and
// nobody else waits for it.
func TestHandlerThatBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		var slow []string
		c := &hook.Clock{Slow: func(point, handler string, _ time.Duration) { slow = append(slow, point+" "+handler) }}
		hook.Declare("sessionmgr", &h.Hooks, c)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go c.Run(ctx)
		romeo := h.online("romeo@verona.lit/orchard", 0)
		h.Hooks.PreBind.Add("blocks", hook.Normal, func(ctx context.Context, b *PreBind) error { <-ctx.Done(); return ctx.Err() })
		juliet := h.connect("juliet@verona.lit")
		deadline, end := context.WithTimeout(t.Context(), 30*time.Second)
		defer end()
		done := make(chan error, 1)
		go func() { done <- h.Bind(deadline, juliet.Session, "balcony", func(jid.JID) {}) }()
		synctest.Wait()
		romeo.send("<message to='romeo@verona.lit' type='chat'><body>meanwhile</body></message>")
		romeo.want("meanwhile")
		if err := <-done; err == nil || juliet.State() != Unbound {
			t.Errorf("bound as %s: %v", juliet.State(), err)
		}
		if fmt.Sprint(slow) != "[sessionmgr.PreBind blocks]" {
			t.Errorf("told of %v", slow)
		}
	})
}

// TestReplaced: who hears that a session took the place of another hears it when the
// old one has ended and everybody knows, and before anybody hears of the new one.
func TestReplaced(t *testing.T) {
	h := newHouse(t)
	var told []string
	h.Hooks.Replaced.Add("test", hook.Normal, func(_ context.Context, r Replacement) {
		told = append(told, fmt.Sprint(r.Session.ID(), " ", r.Session.State(), " by ", r.By.ID(), " ", r.By.State()))
	})
	h.Hooks.Unbound.Add("test", hook.Normal, func(_ context.Context, s *Session) { told = append(told, s.ID()+" is unbound") })
	h.Hooks.Bound.Add("test", hook.Normal, func(_ context.Context, s *Session) { told = append(told, s.ID()+" is bound") })
	old := h.bind("juliet@verona.lit/balcony")
	by := h.bind("juliet@verona.lit/balcony")
	if want := fmt.Sprintf("[%s is bound %[1]s is unbound %[1]s c2s_destroyed by %s c2s %[2]s is bound]", old.ID(), by.ID()); fmt.Sprint(told) != want {
		t.Errorf("told %v, want %s", told, want)
	}
}

// TestPreClose holds when a module may keep a session, and that it can't where the
// session has to end.
func TestPreClose(t *testing.T) {
	h := newHouse(t)
	juliet, romeo := h.online("juliet@verona.lit/balcony", 0), h.online("romeo@verona.lit/orchard", 0)
	no := errors.New("a call is under way")
	var asked []string
	h.Hooks.PreClose.Add("calls", hook.Normal, func(_ context.Context, c *Closing) error {
		asked = append(asked, c.Session.JID().Local()+" "+c.Cause.String())
		if c.Session == juliet.Session {
			return no
		}
		return nil
	})
	kicked := Cause{Kicked, "late"}
	if err := h.Kick(juliet.Session, kicked, &stream.Error{Err: "policy-violation"}); err != no || juliet.State() != Bound {
		t.Errorf("kept: %v, %s", err, juliet.State())
	}
	if n := h.KickAll(Filter{}, kicked, nil); n != 1 || romeo.State() != Destroyed {
		t.Errorf("%d ended, romeo is %s", n, romeo.State())
	}
	if got := strings.Join(asked, ", "); strings.Count(got, "juliet kicked: late") != 2 || strings.Count(got, "romeo kicked: late") != 1 {
		t.Errorf("asked %s", got)
	}
	asked = nil
	if err := h.Kick(juliet.Session, Cause{Kicked, "its device was revoked"}, &stream.NotAuthorized); err != nil || juliet.State() != Destroyed {
		t.Errorf("who has lost its right was kept: %v, %s", err, juliet.State())
	}
	nurse := h.online("nurse@verona.lit/x", 0)
	h.CloseAll(Cause{ShuttingDown, ""}, nil)
	if len(asked) > 0 || nurse.State() != Destroyed {
		t.Errorf("asked %v where nobody is, nurse is %s", asked, nurse.State())
	}
}
