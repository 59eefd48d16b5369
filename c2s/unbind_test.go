package c2s

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/jid"
	"weir/sessionmgr"
	"weir/stanza"
)

// unbound is what was told of an unbinding.
type unbound struct {
	next *sessionmgr.Session
	err  error
}

// unbind takes the resource from a session.
func (h *house) unbind(s *sessionmgr.Session) <-chan unbound {
	h.t.Helper()
	done := make(chan unbound, 1)
	err := h.sm.Unbind(s, "a test", func(next *sessionmgr.Session, err error) { done <- unbound{next, err} })
	if err != nil {
		h.t.Fatal(err)
	}
	return done
}

func (h *house) byJID(full string) *sessionmgr.Session { return h.sm.ByJID(jid.MustParse(full)) }

// TestUnbindAndBindAgain: over a socket, with TLS and without, on an idle stream and
// on one in the middle of an element.
func TestUnbindAndBindAgain(t *testing.T) {
	for name, dial := range map[string]func(*house) *client{
		"pipe": (*house).dial, "tcp": (*house).dialTCP, "tls": (*house).dialTLS,
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			var mu sync.Mutex
			var events []string
			note := func(s *sessionmgr.Session, what string) {
				mu.Lock()
				defer mu.Unlock()
				events = append(events, what+" "+s.JID().String())
			}
			romeo := h.dial().bind("romeo", "orchard")
			c := dial(h).bind("juliet", "balcony")
			h.sm.Hooks.Unbound.Add("test", 0, func(_ context.Context, s *sessionmgr.Session) { note(s, "unbound") })
			h.sm.Hooks.Authenticated.Add("test", 0, func(_ context.Context, s *sessionmgr.Session) { note(s, "authenticated") })
			h.sm.Hooks.Bound.Add("test", 0, func(_ context.Context, s *sessionmgr.Session) { note(s, "bound") })
			old := h.byJID("juliet@verona.lit/balcony")
			c.send("<message to='romeo@verona.lit/orchard'><body>before</body></message><iq ty")
			romeo.expect("before")
			u := <-h.unbind(old)
			if u.err != nil || u.next.State() != sessionmgr.Unbound || u.next == old || u.next.JID().String() != "juliet@verona.lit" {
				t.Fatalf("unbound to %v, %v", u.next, u.err)
			}
			if why := h.cause(); why.Code != sessionmgr.GaveUp || old.State() != sessionmgr.Destroyed {
				t.Errorf("the old session: %v, %v", old.State(), why)
			}
			if story, ok := h.sm.Explain(u.next.ID()); !ok || !strings.Contains(fmt.Sprint(story.Steps), old.ID()) {
				t.Errorf("explained as %v", story)
			}
			romeo.send("<message to='juliet@verona.lit/balcony' type='groupchat' id='gone'><body>x</body></message>")
			romeo.expect("service-unavailable")

			c.send("pe='set' id='b2'><bind xmlns='" + nsBind + "'><resource>garden</resource></bind></iq>")
			c.expect("<jid>juliet@verona.lit/garden</jid></bind></iq>")
			c.sync()
			romeo.send("<message to='juliet@verona.lit/garden' type='headline'><body>again</body></message>")
			c.expect("again")
			if h.byJID("juliet@verona.lit/garden") != u.next {
				t.Error("another session is bound")
			}
			mu.Lock()
			got := strings.Join(events, ", ")
			mu.Unlock()
			if want := "unbound juliet@verona.lit/balcony, authenticated juliet@verona.lit, bound juliet@verona.lit/garden"; got != want {
				t.Errorf("hooks: %s\nwant %s", got, want)
			}
			c.send("</stream:stream>")
			c.expectEnd()
			if why := h.cause(); why.Code != sessionmgr.ClosedByClient {
				t.Errorf("ended as %v", why)
			}
		})
	}
}

// TestUnbindFromAHandler: what answers the request goes out before; what came behind it
// meets a stream without a resource.
func TestUnbindFromAHandler(t *testing.T) {
	h := newHouse(t)
	done := make(chan unbound, 1)
	for _, blocking := range []bool{false, true} {
		h.sm.HandleIQ(sessionmgr.IQHandler{
			NS: fmt.Sprintf("urn:logout:%v", blocking), Scope: sessionmgr.OnServer, Blocking: blocking,
			Set: func(ctx context.Context, _ *stanza.Stanza) (any, error) {
				s, _ := sessionmgr.FromContext(ctx)
				return nil, h.sm.Unbind(s, "logged out", func(next *sessionmgr.Session, err error) { done <- unbound{next, err} })
			},
		})
	}
	for _, blocking := range []bool{false, true} {
		c := h.dial().bind("juliet", "balcony")
		logout := fmt.Sprintf("<iq to='verona.lit' type='set' id='out'><q xmlns='urn:logout:%v'/></iq>", blocking)
		c.send(logout)
		c.expect("<iq from='verona.lit' to='juliet@verona.lit/balcony' id='out' type='result'/>")
		if u := <-done; u.err != nil {
			t.Fatal(u.err)
		}
		c.send("<iq type='get' to='juliet@verona.lit' id='early'><q xmlns='x'/></iq>")
		c.expect("unexpected-request")
		c.send(bindFor("<resource>balcony</resource>"))
		c.expect("<jid>juliet@verona.lit/balcony</jid></bind></iq>")
		c.sync()
		c.send(logout)
		c.expect("id='out'")
		<-done
		c.send("<presence/>")
		c.expectError("not-authorized")
	}
}

// TestUnbindTooLate: sessions that have ended, are not bound, whose stream closes, that
// were unbound already.
func TestUnbindTooLate(t *testing.T) {
	h := newHouse(t)
	c := h.dial().bind("juliet", "balcony")
	s := h.byJID("juliet@verona.lit/balcony")
	first := h.unbind(s)
	second := make(chan unbound, 1)
	err := h.sm.Unbind(s, "again", func(next *sessionmgr.Session, err error) { second <- unbound{next, err} })
	next := (<-first).next
	if err == nil {
		if u := <-second; !errors.Is(u.err, sessionmgr.ErrGone) {
			t.Errorf("unbound twice: %v", u)
		}
	} else if !errors.Is(err, sessionmgr.ErrGone) {
		t.Errorf("unbound twice: %v", err)
	}
	for _, x := range []*sessionmgr.Session{s, next} {
		if err := h.sm.Unbind(x, "", nil); !errors.Is(err, sessionmgr.ErrGone) {
			t.Errorf("in state %v: %v", x.State(), err)
		}
	}
	c.send("</stream:stream>")
	c.expectEnd()

	// A kick at the same moment: whatever comes first, each is told of an end.
	for range 20 {
		c := h.dial().bind("romeo", "orchard")
		s := h.byJID("romeo@verona.lit/orchard")
		done := make(chan unbound, 1)
		go h.sm.Kick(s, sessionmgr.Cause{Code: sessionmgr.Kicked}, nil)
		if err := h.sm.Unbind(s, "", func(next *sessionmgr.Session, err error) { done <- unbound{next, err} }); err == nil {
			if u := <-done; u.err != nil {
				c.expect("</stream:stream>")
			} else {
				h.sm.Kick(u.next, sessionmgr.Cause{Code: sessionmgr.Kicked}, nil)
			}
		}
		c.conn.Close()
	}

	// The account is disabled meanwhile.
	c = h.dial().bind("juliet", "balcony")
	h.sm.Hooks.Unbound.Add("test", 0, func(ctx context.Context, _ *sessionmgr.Session) {
		must(t, h.auth.SetDisabled(context.WithoutCancel(ctx), jid.MustParse("juliet@verona.lit"), true))
	})
	u := <-h.unbind(h.byJID("juliet@verona.lit/balcony"))
	c.expectError("not-authorized")
	if why := u.next.Cause(); why.Code != sessionmgr.AccountGone {
		t.Errorf("ended as %v", why)
	}
}

// TestUnbindLeavesTimeToBind: as much as a login does.
func TestUnbindLeavesTimeToBind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		c := h.dial().bind("juliet", "balcony")
		time.Sleep(time.Hour / 20)
		u := <-h.unbind(h.byJID("juliet@verona.lit/balcony"))
		time.Sleep(h.o.BindTimeout - time.Second)
		if s := u.next.State(); s != sessionmgr.Unbound {
			t.Errorf("before its time is over: %v", s)
		}
		time.Sleep(2 * time.Second)
		c.expectError("policy-violation")
		if why := u.next.Cause(); why.Code != sessionmgr.TimedOut {
			t.Errorf("ended as %v", why)
		}
	})
}

// TestUnbindAsTheConnectionBreaks: while the session of a stream ends its connection
// does too. The end is told once, and the next session ends with it.
func TestUnbindAsTheConnectionBreaks(t *testing.T) {
	h := newHouse(t)
	c := h.dial().bind("juliet", "balcony")
	s := h.byJID("juliet@verona.lit/balcony")
	link := s.Link().(*Stream)
	told := make(chan unbound, 3)
	h.sm.Hooks.Unbound.Add("test", 0, func(context.Context, *sessionmgr.Session) {
		c.conn.Close()
		link.keepBound() // as Closed does
	})
	must(t, h.sm.Unbind(s, "", func(next *sessionmgr.Session, err error) { told <- unbound{next, err} }))
	if why := h.cause(); why.Code != sessionmgr.GaveUp {
		t.Errorf("ended as %v", why)
	}
	if why := h.cause(); why.Code != sessionmgr.LinkLost {
		t.Errorf("the next ended as %v", why)
	}
	if u := <-told; u.err != nil || u.next == nil {
		t.Errorf("told %v, %v", u.next, u.err)
	}
	if n := len(told); n > 0 {
		t.Errorf("told %d times more", n)
	}
}
