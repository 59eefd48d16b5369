package sessionmgr

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/jid"
	"weir/stanza"

	"mellium.im/xmpp/stream"
)

// notice makes a message of the server that is kept.
func notice(t *testing.T, text string) *stanza.Stanza {
	t.Helper()
	st, err := stanza.New(stanza.Message, "chat", "", jid.JID{}, jid.JID{}, fmt.Appendf(nil, "<body>%s</body>", text))
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// TestSend holds who gets what is sent to a session, an account and a filter.
func TestSend(t *testing.T) {
	h := newHouse(t)
	a, b := h.online("juliet@verona.lit/a", 0), h.bind("juliet@verona.lit/b")
	romeo := h.online("romeo@verona.lit/orchard", 0)
	unbound := h.connect("nurse@verona.lit")
	if err := h.Send(b.Session, notice(t, "one")); err != nil {
		t.Fatal(err)
	}
	b.want("from='verona.lit' & to='juliet@verona.lit/b' & one")
	a.want()
	if n := h.SendAccount(jid.MustParse("juliet@verona.lit"), notice(t, "two")); n != 2 {
		t.Errorf("sent to %d", n)
	}
	a.want("to='juliet@verona.lit' & two")
	b.want("to='juliet@verona.lit' & two")
	if n, err := h.Broadcast(t.Context(), Filter{}, notice(t, "three")); n != 3 || err != nil {
		t.Errorf("broadcast to %d, %v", n, err)
	}
	for _, c := range []*client{a, b, romeo} {
		c.want("to='" + c.JID().String() + "' & three")
	}
	if n, err := h.Broadcast(t.Context(), Filter{Phase: PhaseAvailable, Account: jid.MustParse("juliet@verona.lit")}, notice(t, "four")); n != 1 || err != nil {
		t.Errorf("broadcast to %d, %v", n, err)
	}
	a.want("four")
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if n, err := h.Broadcast(over, Filter{}, notice(t, "five")); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("broadcast to %d, %v", n, err)
	}
	if err := h.Send(unbound.Session, notice(t, "six")); !errors.Is(err, ErrGone) {
		t.Errorf("to a session without a resource: %v", err)
	}
	if n := h.SendAccount(jid.MustParse("nurse@verona.lit"), notice(t, "seven")); n != 0 {
		t.Errorf("sent to %d sessions of somebody away", n)
	}
}

// TestSendAs: what is sent on behalf of a session goes the way of its own messages,
// and its client's count doesn't know of it.
func TestSendAs(t *testing.T) {
	h := newHouse(t, func(o *Options) { o.Archive = ArchiveAlways })
	juliet, romeo := h.online("juliet@verona.lit/balcony", 1), h.online("romeo@verona.lit/orchard", 1)
	h.settle()
	romeo.got()
	juliet.got()
	ctx, handled := t.Context(), juliet.Handled()
	forged := notice(t, "hark").With(romeo.JID(), romeo.JID().Bare())
	if err := h.SendAs(ctx, juliet.Session, forged); err != nil {
		t.Fatal(err)
	}
	romeo.want("from='juliet@verona.lit/balcony' & hark")
	if err := h.SendAs(ctx, juliet.Session, notice(t, "gone").With(jid.JID{}, jid.MustParse("nobody@verona.lit"))); err != nil {
		t.Fatal(err)
	}
	juliet.want("type='error' & service-unavailable")
	sent := 0
	err := h.Archived(ctx, juliet.JID().Bare(), 0, func(a Archived) bool {
		if a.Outgoing {
			sent++
		}
		return true
	})
	if sent == 0 || err != nil {
		t.Errorf("%d messages in the sender's archive, %v", sent, err)
	}
	if juliet.Handled() != handled {
		t.Errorf("h is %d, was %d", juliet.Handled(), handled)
	}
	presence, err := stanza.New(stanza.Presence, "", "", jid.JID{}, romeo.JID(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.SendAs(ctx, juliet.Session, presence); err == nil {
		t.Error("presence was sent on behalf of a session")
	}
	h.Kick(juliet.Session, Cause{Kicked, ""}, nil)
	if err := h.SendAs(ctx, juliet.Session, forged); !errors.Is(err, ErrGone) {
		t.Errorf("after its end: %v", err)
	}
}

// TestSendWaits: a message to a session that hibernates is there when it is
// resumed, and one to a session that ended meanwhile is its account's.
func TestSendWaits(t *testing.T) {
	h := newHouse(t)
	juliet := h.online("juliet@verona.lit/balcony", 0)
	id := juliet.enable()
	juliet.cut()
	if err := h.Send(juliet.Session, notice(t, "one")); err != nil {
		t.Fatal(err)
	}
	juliet = h.mustResume("juliet@verona.lit", id, 0)
	h.until(func() bool { return juliet.Describe().Acks.Unacked == 1 })
	juliet.want("one")
	juliet.ack(1)
	juliet.cut()
	if err := h.Send(juliet.Session, notice(t, "two")); err != nil {
		t.Fatal(err)
	}
	h.Kick(juliet.Session, Cause{Kicked, ""}, nil)
	again := h.bind("juliet@verona.lit/other")
	again.available(0)
	h.settle()
	again.want("two & delay")
}

// TestKickAll holds that those end that are meant, with cause and text.
func TestKickAll(t *testing.T) {
	h := newHouse(t)
	a, b := h.online("juliet@verona.lit/a", 0), h.connect("juliet@verona.lit")
	romeo := h.online("romeo@verona.lit/orchard", 0)
	if n := h.KickAll(Filter{Account: jid.MustParse("juliet@verona.lit")}, Cause{Kicked, "late"}, &stream.Error{Err: "policy-violation"}); n != 2 {
		t.Errorf("%d kicked", n)
	}
	for _, c := range []*client{a, b} {
		if c.Cause().String() != "kicked: late" || c.goodbye == nil || c.goodbye.Err != "policy-violation" {
			t.Errorf("%s: %v, told %v", c.ID(), c.Cause(), c.goodbye)
		}
	}
	if romeo.State() != Bound {
		t.Error("romeo was kicked")
	}
	h.CloseAll(Cause{Kicked, ""}, nil)
	if n := h.Count(Filter{}); n != 0 {
		t.Errorf("%d are left", n)
	}
}

// TestDrain: sessions stay until they have everything or the time is up, then they
// hibernate if their clients may come back.
func TestDrain(t *testing.T) {
	for _, acks := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			h := newHouse(t)
			juliet, romeo := h.online("juliet@verona.lit/balcony", 0), h.online("romeo@verona.lit/orchard", 0)
			juliet.enable()
			romeo.send("<message to='juliet@verona.lit' type='chat'><body>hark</body></message>")
			h.settle()
			began := time.Now()
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if acks {
				time.AfterFunc(10*time.Second, func() { h.Acknowledge(juliet.Session, juliet, 1, nil) })
			}
			left := h.Drain(ctx)
			took := time.Since(began).Round(time.Second)
			if want := map[bool]string{true: "0 left after 10s", false: "1 left after 1m0s"}[acks]; fmt.Sprintf("%d left after %v", left, took) != want {
				t.Errorf("%d left after %v, want %s", left, took, want)
			}
			if juliet.State() != Hibernating || romeo.State() != Destroyed || romeo.goodbye == nil || romeo.goodbye.Err != "system-shutdown" {
				t.Errorf("juliet is %s, romeo %s", juliet.State(), romeo.State())
			}
			if !h.Refusing() || h.Stopping() {
				t.Error("new streams are taken")
			}
			late := h.connect("nurse@verona.lit")
			if err := h.Bind(context.Background(), late.Session, "x", func(jid.JID) {}); err == nil || !strings.Contains(err.Error(), "emptied") {
				t.Errorf("bound while it is drained: %v", err)
			}
		})
	}
}

// TestFlush: what a session was given is written, what waits for its client to be active
// included, and what it catches up with; a client that doesn't read holds it up as long as
// its caller wants, and without a link there is nothing to wait for.
func TestFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		juliet := h.online("juliet@verona.lit/balcony", 0)
		juliet.enable()
		juliet.got()
		h.SetInactive(juliet.Session, juliet, true)
		h.presence("romeo@verona.lit/orchard", juliet.Session)
		juliet.want()
		if err := h.Flush(t.Context(), juliet.Session); err != nil {
			t.Error(err)
		}
		juliet.mu.Lock()
		if n := len(juliet.in); n != 1 {
			t.Errorf("%d stanzas are there when Flush returns, want the presence", n)
		}
		juliet.slow, juliet.in = true, nil
		juliet.mu.Unlock()

		for range 3 * chunkCount { // more than is kept in memory for a client that doesn't read
			if err := h.Send(juliet.Session, notice(t, strings.Repeat("x", 1000))); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := h.Flush(ctx, juliet.Session); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("to a client that doesn't read: %v", err)
		}
		done := make(chan error, 1)
		go func() { done <- h.Flush(t.Context(), juliet.Session) }()
		synctest.Wait()
		if !juliet.Describe().CatchingUp {
			t.Error("a client that doesn't read isn't catching up: this test shows nothing")
		}
		juliet.wake()
		if err := <-done; err != nil {
			t.Error(err)
		}
		juliet.mu.Lock()
		if n := len(juliet.in); n != 3*chunkCount {
			t.Errorf("%d messages are there when Flush returns, want %d", n, 3*chunkCount)
		}
		juliet.mu.Unlock()

		juliet.cut()
		if err := h.Flush(t.Context(), juliet.Session); !errors.Is(err, ErrAway) {
			t.Errorf("without a link: %v", err)
		}
		for _, s := range []*Session{nil, h.connect("nurse@verona.lit").Session} {
			if err := h.Flush(t.Context(), s); !errors.Is(err, ErrGone) {
				t.Errorf("without a resource: %v", err)
			}
		}
	})
}
