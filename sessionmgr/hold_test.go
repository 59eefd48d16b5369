package sessionmgr

import (
	"context"
	"testing"

	"weir/hook"
	"weir/jid"
	"weir/stanza"
	"weir/storage"
)

// one lets the oldest commit that waits through.
func (g *gate) one() {
	g.mu.Lock()
	defer g.mu.Unlock()
	commit := g.held[0]
	g.held = g.held[1:]
	commit()
}

// waiting is how many commits wait.
func (g *gate) waiting() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.held)
}

// TestHeldBackComesFirst: romeo left while juliet was away, and somebody comes at
// his resource while she resumes. What came first is told first, whatever waits for
// which commit (RFC 6120 §10.1).
func TestHeldBackComesFirst(t *testing.T) {
	h, g := newGatedHouse(t)
	juliet := h.bind("juliet@verona.lit/balcony")
	id := juliet.enable()
	juliet.available(0)
	juliet.cut()
	tell := func(typ string, w storage.Batch) {
		st := &stanza.Stanza{Kind: stanza.Presence, Type: typ, From: jid.MustParse("romeo@verona.lit/orchard")}
		h.Submit(Entry{Writes: w, Out: []Delivery{{To: juliet.Session, Stanza: st.With(st.From, juliet.JID().Bare())}}})
	}
	tell("unavailable", storage.Batch{})
	h.settle()
	g.set(true, nil)
	resumed := make(chan *client)
	go func() {
		c := h.connect("juliet@verona.lit")
		if err := h.Manager.Resume(context.Background(), c.Session, c, id, 0, func(s *Session, _ uint32) { c.Session = s }); err != nil {
			t.Error(err)
		}
		resumed <- c
	}()
	h.until(func() bool { return g.waiting() == 1 }) // the commit that the resumption needs
	var w storage.Batch
	storage.NewKeyVal(h.store, "later").Set(&w, "x", []byte("x"))
	tell("", w) // with the next one
	g.one()
	again := <-resumed
	h.until(func() bool { return g.waiting() == 1 })
	h.until(func() (over bool) {
		h.inOrder(func() { over = !again.pulling })
		return over
	})
	g.set(false, nil)
	again.want("type='unavailable'", "<presence from='romeo@verona.lit/orchard' to='juliet@verona.lit'/>")
}

// TestEndIsDurableBeforeItIsTold: what a session's end leads to goes out when the
// end is written down. A crash before would bring the session back.
func TestEndIsDurableBeforeItIsTold(t *testing.T) {
	h, g := newGatedHouse(t)
	juliet := h.online("juliet@verona.lit/balcony", 0)
	romeo := h.bind("romeo@verona.lit/orchard")
	romeo.enable()
	h.Hooks.Unbound.Add("test", hook.Normal, func(_ context.Context, s *Session) {
		st := &stanza.Stanza{Kind: stanza.Presence, Type: "unavailable", From: s.JID()}
		h.Submit(Entry{From: s, Out: []Delivery{{To: juliet.Session, Stanza: st}}})
	})
	g.set(true, nil)
	h.Kick(romeo.Session, Cause{Code: Replaced}, nil)
	h.inOrder(func() {})
	juliet.mu.Lock()
	if len(juliet.in) > 0 {
		t.Errorf("juliet got %q, and the end is not durable", juliet.in)
	}
	juliet.mu.Unlock()
	g.set(false, nil)
	juliet.want("unavailable")
}
