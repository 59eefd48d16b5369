package sessionmgr

import (
	"testing"
	"time"
)

// TestWhatIsBeingWrittenIsNotOwed stops the server while a link is at its last
// write: the client has the message, and doesn't get it again.
func TestWhatIsBeingWrittenIsNotOwed(t *testing.T) {
	h := newHouse(t)
	juliet := writing(h)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		h.endAll(Cause{ShuttingDown, "test"}, nil, time.Hour)
	}()
	h.until(func() bool { return h.parked() == 1 })
	if juliet.State() != Bound {
		t.Fatal("it ended before it was written to")
	}
	juliet.wake()
	<-ended
	if juliet.State() != Destroyed {
		t.Fatal("it goes on")
	}
	h.Stop(t.Context())
	again := newHouseOn(t, h.store)
	juliet = again.bind("juliet@verona.lit/balcony")
	juliet.available(0)
	juliet.want()
}

// TestWhoDoesNotReadIsNotWaitedFor ends a session whose link never writes: what
// it was given is owed.
func TestWhoDoesNotReadIsNotWaitedFor(t *testing.T) {
	h := newHouse(t)
	writing(h)
	h.endAll(Cause{ShuttingDown, "test"}, nil, time.Millisecond)
	h.Stop(t.Context())
	again := newHouseOn(t, h.store)
	juliet := again.bind("juliet@verona.lit/balcony")
	juliet.available(0)
	juliet.want("<body>one</body>")
}

// writing returns a session whose link has not written the message that it was
// given.
func writing(h *house) *client {
	romeo := h.online("romeo@verona.lit/orchard", 0)
	juliet := h.online("juliet@verona.lit/balcony", 0)
	juliet.slow = true
	romeo.send("<message to='juliet@verona.lit'><body>one</body></message>")
	juliet.want("<body>one</body>")
	return juliet
}
