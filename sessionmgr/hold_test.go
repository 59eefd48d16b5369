package sessionmgr

import (
	"context"
	"strings"
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

// TestPutOffKeepsNumbers: romeo writes to somebody whose link breaks, and to juliet,
// who has numbers. That the first has to be kept after all costs her nothing.
func TestPutOffKeepsNumbers(t *testing.T) {
	h, g := newGatedHouse(t)
	juliet := h.bind("juliet@verona.lit/balcony")
	juliet.enable()
	nurse := h.online("nurse@verona.lit/chamber", 0)
	plain := h.online("juliet@verona.lit/plain", -1)
	romeo, tybalt := h.online("romeo@verona.lit/orchard", 0), h.online("tybalt@verona.lit/street", 0)
	g.set(true, nil)
	// This is with the store, and what follows is sealed behind it; romeo waits.
	h.Submit(Entry{Writes: writes()})
	h.Submit(Entry{From: romeo.Session, Writes: writes(), Out: []Delivery{{To: nurse.Session, Stanza: note(t, "first")}}})
	h.Submit(Entry{From: tybalt.Session, Writes: writes()})
	nurse.mu.Lock()
	nurse.broken = true
	nurse.mu.Unlock()
	romeo.send("<message to='nurse@verona.lit/chamber' type='chat'><body>kept</body></message>")
	shows := func(c *client, status string) {
		st, err := stanza.New(stanza.Presence, "", "", c.JID(), jid.JID{}, []byte("<status>"+status+"</status>"))
		if err != nil {
			t.Fatal(err)
		}
		h.Submit(Entry{From: c.Session, Out: []Delivery{{To: juliet.Session, Stanza: st}, {To: plain.Session, Stanza: st}}})
	}
	shows(romeo, "one")
	shows(tybalt, "two")
	shows(romeo, "three")
	tybalt.send("<message to='juliet@verona.lit/balcony' type='chat'><body>four</body></message>")
	g.set(false, nil)
	if got := strings.Join(juliet.got(), ""); strings.Count(got, "<presence") != 3 || strings.Index(got, "one") > strings.Index(got, "three") || !strings.Contains(got, "four") {
		t.Errorf("juliet got %q", got)
	}
	if juliet.closed {
		t.Error("juliet's stream was cut")
	}
	plain.want("one", "two", "three") // also where one waits and the next doesn't
	nurse.cut()
	again := h.bind("nurse@verona.lit/chamber")
	again.available(0)
	again.want("kept")
}
