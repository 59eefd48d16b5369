package sessionmgr

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"weir/jid"
	"weir/storage"
)

// TestManyUndecided: a long queue of messages for several sessions is left by one
// of them and claimed by another. Its ledger stays small, and can be read.
func TestManyUndecided(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	a := h.bind("juliet@verona.lit/a")
	a.enable()
	a.available(0)
	b := h.bind("juliet@verona.lit/b")
	b.enable()
	b.available(0)
	a.cut()
	b.cut()
	for i := range 500 {
		romeo.send(fmt.Sprintf("<message to='juliet@verona.lit' type='chat'><body>n%d</body></message>", i))
		if i%100 == 50 {
			romeo.send("<message to='juliet@verona.lit/a' type='chat'><body>for a</body></message>")
		}
	}
	h.Kick(a.Session, Cause{Code: Expired}, nil)
	c := h.bind("juliet@verona.lit/c")
	c.enable()
	c.available(0)
	c.want("for a", "for a", "for a", "for a", "for a")
	l := h.ledgers.loaded(juliets)
	n := len(l.undecided)
	h.ledgers.release(l)
	if n > 20 {
		t.Errorf("%d segments are undecided", n)
	}
	c.ack(5)
	h.Kick(b.Session, Cause{Code: Expired}, nil)
	if n := len(c.got()); n != 500 {
		t.Errorf("got %d of what was undecided", n)
	}
}

// TestManySegments: more than 65535 are written and read.
func TestManySegments(t *testing.T) {
	for _, n := range []int{0, 1, 65534, 65535, 65536, 70000} {
		segs := make([]segment, n)
		for i := range segs {
			segs[i] = segment{tag: uint64(i), after: 1, upTo: 2}
		}
		got, rest, ok := readSegments(append(appendSegments(nil, segs), 7))
		if !ok || len(got) != n || len(rest) != 1 {
			t.Errorf("%d segments became %d, with %d bytes left, %v", n, len(got), len(rest), ok)
		}
	}
}

// TestFullDiskForgetsNothing: what a batch was to record and could not is
// recorded by the next.
func TestFullDiskForgetsNothing(t *testing.T) {
	h, g := newGatedHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	romeo.send("<message to='juliet@verona.lit' type='chat'><body>owed</body></message>")
	juliet := h.bind("juliet@verona.lit/balcony")
	id := juliet.enable()
	h.settle()
	g.set(false, fmt.Errorf("disk: %w", storage.ErrFull))
	juliet.available(0) // claims
	h.inOrder(h.pipe.lingered)
	h.until(func() (idle bool) { h.inOrder(func() { idle = h.pipe.idle() }); return idle })
	g.set(false, nil)
	juliet.want("owed")
	juliet.ack(1)
	h.inOrder(h.pipe.lingered)
	h.settle()
	h.failed.Store(true) // nothing of it acts any more
	next := newHouseOn(t, h.store)
	if err := next.Restore(context.Background()); err != nil {
		t.Fatal(err)
	}
	if !next.registry.bound(juliets)[0].Available() {
		t.Error("it isn't known that the session is available")
	}
	next.mustResume("juliet@verona.lit", id, 1).want()
	other := next.bind("juliet@verona.lit/other")
	other.available(0)
	other.want()
}

// TestNothingIsKeptOfADeletedAccount: neither its sessions nor where it stood are
// written once it was deleted.
func TestNothingIsKeptOfADeletedAccount(t *testing.T) {
	h := newHouse(t)
	juliet := h.bind("juliet@verona.lit/balcony")
	juliet.enable()
	juliet.available(0)
	h.settle()
	if err := h.Forget(context.Background(), juliets); err != nil {
		t.Fatal(err)
	}
	juliet.SetInterested()
	h.RequestAck(juliet.Session, juliet)
	juliet.send("<message to='nurse@verona.lit' type='chat'><body>x</body></message>")
	h.settle()
	juliet.cut()
	h.settle()
	for _, table := range []string{tableLog, tableCursor, tableSession} {
		found := 0
		var err error
		switch table {
		case tableSession:
			err = h.sessions.records.All(context.Background(), juliets.String(), func(string, []byte) bool { found++; return true })
		case tableLog:
			err = h.logs.Scan(context.Background(), juliets.String(), 0, func(uint64, []byte) bool { found++; return true })
		case tableCursor:
			if _, e := h.ledgers.cursors.Get(context.Background(), juliets.String()); e == nil {
				found++
			}
		}
		if err != nil || found > 0 {
			t.Errorf("%d records in table %s, %v", found, table, err)
		}
	}
}

// TestUnacknowledgedPresenceIsBounded: a client that never acknowledges is cut,
// whatever it gets.
func TestUnacknowledgedPresenceIsBounded(t *testing.T) {
	h := newHouse(t)
	juliet := h.bind("juliet@verona.lit/balcony")
	juliet.enable()
	st := note(t, "x").With(jid.MustParse("romeo@verona.lit/orchard"), juliet.JID())
	for range maxUnacked + 1000 {
		h.Submit(Entry{Out: []Delivery{{To: juliet.Session, Stanza: st}}})
	}
	h.settle()
	juliet.mu.Lock()
	defer juliet.mu.Unlock()
	if n := len(juliet.sm.unacked); n > maxUnacked || !juliet.closed {
		t.Errorf("%d stanzas are not acknowledged, closed %v", n, juliet.closed)
	}
}

// TestUnreadOfASessionSurvives: a session without stream management has messages
// to pull when the process stops without a word. They are owed.
func TestUnreadOfASessionSurvives(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	romeo.send("<message to='juliet@verona.lit' type='chat'><body>owed</body></message>")
	juliet := h.bind("juliet@verona.lit/balcony")
	juliet.slow = true
	juliet.available(0)
	h.settle()
	romeo.enable()
	romeo.send("<message to='juliet@verona.lit' type='chat'><body>waits</body></message>")
	h.RequestAck(romeo.Session, romeo)
	h.settle()
	if n, _ := romeo.LastAck(romeo); n != 1 {
		t.Fatalf("%d acknowledged", n)
	}
	h.failed.Store(true) // nothing of it acts any more
	next := newHouseOn(t, h.store)
	if err := next.Restore(context.Background()); err != nil {
		t.Fatal(err)
	}
	other := next.bind("juliet@verona.lit/other")
	other.available(0)
	other.want("owed", "waits")
	next.failed.Store(true)
	third := newHouseOn(t, h.store)
	if err := third.Restore(context.Background()); err != nil {
		t.Fatal(err)
	}
	last := third.bind("juliet@verona.lit/last")
	last.available(0)
	last.want()
}

// TestUndecidedIsOwedOnce: what a session has claimed and put back is no part of
// its claim any more, so that two others don't get it one after the other.
func TestUndecidedIsOwedOnce(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	var all [3]*client
	for i := range all {
		all[i] = h.bind(fmt.Sprintf("juliet@verona.lit/%d", i))
		all[i].enable()
	}
	all[0].available(0)
	all[1].available(0)
	h.settle()
	romeo.send("<message to='juliet@verona.lit' type='chat'><body>for two</body></message>")
	all[1].want("for two")
	var both uint64
	h.inOrder(func() { both = all[1].queue.last })
	romeo.send("<message to='juliet@verona.lit/0' type='chat'><body>for one</body></message>")
	h.Kick(all[0].Session, Cause{Code: Expired}, nil) // 1 claims, and puts back what it has
	all[1].want("for one")
	h.Kick(all[2].Session, Cause{Code: Expired}, nil) // so that it is looked at again
	h.settle()
	h.inOrder(func() {
		n, l := 0, all[1].ledger
		for _, g := range slices.Concat(l.owed[1:], l.undecided, all[1].sm.claim) {
			if g.tag == all[0].queue.tag && g.covers(both) {
				n++
			}
		}
		if n != 1 {
			t.Errorf("it is %d times with somebody: owed %x, undecided %x, claimed %x", n, l.owed, l.undecided, all[1].sm.claim)
		}
	})
}
