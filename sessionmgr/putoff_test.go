package sessionmgr

import (
	"testing"

	"weir/stanza"
)

// TestPutOffKeepsNumbersOfCopies: as TestPutOffKeepsNumbers, where it is a copy that
// has a number.
func TestPutOffKeepsNumbersOfCopies(t *testing.T) {
	h, g := newGatedHouse(t)
	juliet := h.bind("juliet@verona.lit/balcony")
	juliet.enable()
	if err := h.SetCarbons(t.Context(), juliet.Session, true); err != nil {
		t.Fatal(err)
	}
	plain := h.online("juliet@verona.lit/plain", 0)
	nurse := h.online("nurse@verona.lit/chamber", 0)
	romeo, tybalt := h.online("romeo@verona.lit/orchard", 0), h.online("tybalt@verona.lit/street", 0)
	g.set(true, nil)
	breakUnder(romeo, nurse)
	romeo.send("<message to='juliet@verona.lit/plain' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>")
	tybalt.send("<message to='juliet@verona.lit/balcony' type='chat'><body>four</body></message>")
	g.set(false, nil)
	juliet.want("composing", "<body>four")
	if juliet.closed {
		t.Error("juliet's stream was cut")
	}
	plain.want("composing")
}

// TestPutOffIsFollowed: what went out with its number, while the rest of its entry
// waits, is known to have gone out.
func TestPutOffIsFollowed(t *testing.T) {
	h, g := newGatedHouse(t)
	juliet := h.bind("juliet@verona.lit/balcony")
	juliet.enable()
	nurse := h.online("nurse@verona.lit/chamber", 0)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	g.set(true, nil)
	breakUnder(romeo, nurse)
	tr := NewTracker(nil)
	st := &stanza.Stanza{Kind: stanza.Presence, From: romeo.JID(), To: juliet.JID(), ID: "typing"}
	if err := tr.begin(h.Manager); err != nil {
		t.Fatal(err)
	}
	h.pipe.submit(item{Entry: Entry{From: romeo.Session}, one: Delivery{To: juliet.Session, Stanza: st}, follow: tr})
	g.set(false, nil)
	juliet.want("typing")
	juliet.ack(1)
	h.settle()
	if r := tr.Report(); r.Fate != Acked || !r.Final {
		t.Errorf("it came to %v", r)
	}
}

// breakUnder has a receiver's link break under what one sends it while the store is
// held: the message that follows, and what comes behind it, is put off.
func breakUnder(from, to *client) {
	h := from.h
	h.t.Helper()
	h.Submit(Entry{Writes: writes()})
	h.Submit(Entry{From: from.Session, Writes: writes(), Out: []Delivery{{To: to.Session, Stanza: note(h.t, "first")}}})
	to.mu.Lock()
	to.broken = true
	to.mu.Unlock()
	from.send("<message to='" + to.JID().String() + "' type='chat'><body>kept</body></message>")
}
