package sessionmgr

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"weir/jid"
	"weir/stanza"
	"weir/storage"
)

// TestLinkBreaksWithinAChunkOfNumbers: a link takes a part of what is pulled and
// breaks; some of that part gets to the client. Nothing comes twice.
func TestLinkBreaksWithinAChunkOfNumbers(t *testing.T) {
	for has := range uint32(4) {
		h := newHouse(t)
		romeo := h.online("romeo@verona.lit/orchard", 0)
		juliet := h.bind("juliet@verona.lit/balcony")
		id := juliet.enable()
		juliet.available(0)
		juliet.cut()
		var want []string
		for i := range 5 {
			romeo.send(fmt.Sprintf("<message to='juliet@verona.lit' type='chat'><body>n%d</body></message>", i))
			want = append(want, fmt.Sprintf("n%d", i))
		}
		broken := h.connect("juliet@verona.lit")
		broken.room = 3
		err := h.Manager.Resume(context.Background(), broken.Session, broken, id, 0, func(s *Session, _ uint32) { broken.Session = s })
		if err != nil {
			t.Fatal(err)
		}
		h.settle()
		broken.cut()
		again := h.connect("juliet@verona.lit") // breaks within what is sent again
		again.room = 2
		err = h.Manager.Resume(context.Background(), again.Session, again, id, has, func(s *Session, _ uint32) { again.Session = s })
		if err != nil {
			t.Fatal(err)
		}
		h.settle()
		again.cut()
		h.mustResume("juliet@verona.lit", id, has).want(want[has:]...)
	}
}

// TestLinkBreaksWithinAClaim is the same for what the account is owed.
func TestLinkBreaksWithinAClaim(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	for i := range 5 {
		romeo.send(fmt.Sprintf("<message to='juliet@verona.lit' type='chat'><body>n%d</body></message>", i))
	}
	juliet := h.bind("juliet@verona.lit/balcony")
	id := juliet.enable()
	juliet.room = 3
	juliet.available(0)
	juliet.want("n0", "n1", "n2")
	juliet.cut()
	h.mustResume("juliet@verona.lit", id, 1).want("n1", "n2", "n3", "n4")
}

// TestMapOfBothKinds: what is sent again may be of the session's own queue and of
// what it has claimed, and a later process must not take one for the other.
func TestMapOfBothKinds(t *testing.T) {
	for has := range uint32(4) {
		h := newHouse(t)
		romeo := h.online("romeo@verona.lit/orchard", 0)
		other := h.bind("juliet@verona.lit/other")
		other.enable()
		other.available(0)
		other.cut()
		romeo.send("<message to='juliet@verona.lit/other' type='chat'><body>claimed</body></message>")
		juliet := h.bind("juliet@verona.lit/balcony")
		id := juliet.enable()
		juliet.available(0)
		romeo.send("<message to='juliet@verona.lit/balcony' type='chat'><body>own</body></message>")
		juliet.want("own")
		romeo.send("<message to='juliet@verona.lit/other' type='chat'><body>claimed</body></message>")
		h.Kick(other.Session, Cause{Code: Expired}, nil)
		juliet.want("claimed", "claimed")
		juliet.cut()
		again := h.mustResume("juliet@verona.lit", id, 0)
		again.want("own", "claimed", "claimed")
		h.settle()
		h.failed.Store(true) // nothing of it acts any more
		next := newHouseOn(t, h.store)
		if err := next.Restore(context.Background()); err != nil {
			t.Fatal(err)
		}
		last := next.mustResume("juliet@verona.lit", id, has)
		// After a restart all of it comes in the order of the log.
		last.want([][]string{{"claimed", "own", "claimed"}, {"claimed", "claimed"}, {"claimed"}, {}}[has]...)
	}
}

// unreadable is a store whose log can't be read for a while.
type unreadable struct {
	storage.Store
	times int
}

func (u *unreadable) Get(ctx context.Context, k storage.Key) ([]byte, error) {
	if k.Table == tableLog && u.times > 0 {
		u.times--
		return nil, errors.New("input/output error")
	}
	return u.Store.Get(ctx, k)
}

// TestRedoWaitsForTheDisk: a message that can't be read at the moment isn't
// skipped.
func TestRedoWaitsForTheDisk(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	juliet := h.bind("juliet@verona.lit/balcony")
	id := juliet.enable()
	juliet.available(0)
	h.settle()
	romeo.send("<message to='juliet@verona.lit' type='chat'><body>one</body></message>")
	juliet.want("one")
	juliet.cut()
	h.logs = storage.NewLog(&unreadable{h.store, 1}, tableLog)
	h.mustResume("juliet@verona.lit", id, 0).want("one")
}

// TestResumptionThatFails: the session goes on hibernating, and not for ever.
func TestResumptionThatFails(t *testing.T) {
	h, g := newGatedHouse(t)
	h.o.Hibernate = time.Second
	juliet := h.bind("juliet@verona.lit/balcony")
	id := juliet.enable()
	juliet.available(0)
	juliet.cut()
	g.set(false, fmt.Errorf("disk: %w", storage.ErrFull))
	if _, _, err := h.resume("juliet@verona.lit", id, 0); err == nil {
		t.Fatal("resumed on a full disk")
	}
	g.set(false, nil)
	h.until(func() bool { return juliet.State() == Destroyed })
}

// TestStaleEndOfALink: the end of a link that is noticed while its session gets
// another doesn't touch that session.
func TestStaleEndOfALink(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	juliet := h.bind("juliet@verona.lit/balcony")
	id := juliet.enable()
	juliet.available(0)
	before, _ := juliet.hibernating()
	again := h.mustResume("juliet@verona.lit", id, 0)
	h.hibernates(again.Session, juliet, Cause{Code: LinkLost})
	h.expire(again.Session, before, "")
	if s := again.State(); s != Bound {
		t.Fatalf("the session is in state %v", s)
	}
	romeo.send("<message to='juliet@verona.lit' type='chat'><body>one</body></message>")
	again.want("one")
}

// TestHibernatingSessionRefusesNobody: a client that can't resume its session may
// have its resource again, also where the newer one is refused.
func TestHibernatingSessionRefusesNobody(t *testing.T) {
	h := newHouse(t, func(o *Options) { o.Conflict = ConflictRefuse })
	juliet := h.bind("juliet@verona.lit/balcony")
	juliet.enable()
	juliet.cut()
	h.bind("juliet@verona.lit/balcony")
}

// TestErrorsWaitForTheStream: the answer to a message that could not be kept
// waits for its sender, whose message is acknowledged, while that has no stream
// or is still to get what it missed.
func TestErrorsWaitForTheStream(t *testing.T) {
	h := newHouse(t)
	romeo := h.bind("romeo@verona.lit/orchard")
	id := romeo.enable()
	romeo.cut()
	st := note(t, "x").With(romeo.JID(), jid.MustParse("juliet@verona.lit")).ErrorReply(stanza.ResourceConstraint("full"))
	h.Submit(Entry{Out: []Delivery{{To: romeo.Session, Stanza: st}}})
	chat := note(t, "a headline means nothing later").With(jid.MustParse("juliet@verona.lit"), romeo.JID())
	chat.Type = "headline"
	h.Submit(Entry{Out: []Delivery{{To: romeo.Session, Stanza: chat}}})
	h.settle()
	h.mustResume("romeo@verona.lit", id, 0).want("resource-constraint")
}

// TestRedoIsBounded: what is sent again goes out in chunks, stanzas that are in no
// log among it.
func TestRedoIsBounded(t *testing.T) {
	h := newHouse(t)
	juliet := h.bind("juliet@verona.lit/balcony")
	st := note(t, "x").WithChild([]byte("<y xmlns='z'>" + strings.Repeat("x", 2000) + "</y>"))
	c := &chunk{s: juliet.Session, redo: 100}
	for range 100 {
		c.refs = append(c.refs, sent{st: st})
	}
	if err := h.readRedo(juliet.ledger, c); err != nil {
		t.Fatal(err)
	}
	if n := len(c.stanzas); c.redo != n || len(c.refs) != n || n < 20 || n*st.Size() > chunkBytes+st.Size() {
		t.Errorf("%d stanzas of %d bytes, for %d of those to be sent again", n, st.Size(), c.redo)
	}
}
