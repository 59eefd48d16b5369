package sessionmgr

import (
	"testing"

	"weir/jid"
	"weir/stanza"
)

// TestRequestOnASlowDisk: who asks for an acknowledgement while the store takes
// long is told what is durable by then, and the rest as soon as it is.
func TestRequestOnASlowDisk(t *testing.T) {
	h, g := newGatedHouse(t)
	romeo := h.bind("romeo@verona.lit/orchard")
	romeo.enable()
	romeo.send("<message to='juliet@verona.lit' type='chat'><body>soon</body></message>")
	h.RequestAck(romeo.Session, romeo)
	h.settle()
	if got, ack, _ := romeo.Due(romeo); got != 1 || !ack {
		t.Fatalf("told %d, %v", got, ack)
	}
	t.Cleanup(func() { g.set(false, nil) })
	g.set(true, nil)
	st := note(t, "late").With(romeo.JID(), romeo.JID().Bare())
	h.Inbound(romeo.Session, romeo, st, func() {})
	h.until(func() (taken bool) {
		h.inOrder(func() { taken = romeo.sm.accepted == 2 })
		return taken
	})
	h.RequestAck(romeo.Session, romeo)
	h.RequestAck(romeo.Session, romeo)
	var told []uint32
	due := func() bool {
		n, ack, _ := romeo.Due(romeo)
		if ack {
			told = append(told, n)
		}
		return ack
	}
	h.until(due)
	h.inOrder(func() {
		if len(h.pipe.asking) > 0 || romeo.sm.asking {
			t.Error("it is still on the list")
		}
	})
	if due() {
		t.Error("told twice")
	}
	g.set(false, nil)
	h.settle()
	if due(); len(told) != 2 || told[0] != 1 || told[1] != 2 {
		t.Errorf("told %v, want 1 in time and 2 in the end", told)
	}
	if due() {
		t.Error("told again")
	}
}

// TestNumbersAreReservedInTime: numbers that run far ahead of the record are
// recorded at once, so that a later process takes the client's count.
func TestNumbersAreReservedInTime(t *testing.T) {
	h := newHouse(t)
	juliet := h.bind("juliet@verona.lit/balcony")
	juliet.enable()
	h.settle()
	st := presenceOf(t, "romeo@verona.lit/orchard")
	for range 3 * reserveNumbers {
		h.Submit(Entry{Out: []Delivery{{To: juliet.Session, Stanza: st}}})
	}
	h.until(func() (quiet bool) {
		h.inOrder(func() { quiet = h.pipe.idle() })
		return quiet
	})
	h.inOrder(func() {
		if a := juliet.sm; a.out != 3*reserveNumbers || int32(a.reserved-a.out) <= 0 {
			t.Errorf("%d were given out, %d are reserved", a.out, a.reserved)
		}
	})
}

func presenceOf(t *testing.T, from string) *stanza.Stanza {
	t.Helper()
	st, err := stanza.New(stanza.Presence, "", "", jid.MustParse(from), jid.JID{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return st
}
