package sessionmgr

import "testing"

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
